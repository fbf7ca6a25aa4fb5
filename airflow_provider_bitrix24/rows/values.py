"""What is sent of a row's values, by what its author wants done with cells that have none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.multifields import OLD_FIELDS, is_multifield
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.missing_values import CARRIERS
from airflow_provider_bitrix24.rows.cells import BLANK, CellRules, is_blank

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields

#: Params that name an object: none at all could mean every object.
_NAMES_AN_OBJECT = re.compile(r"(^|[^a-z])id$|Id$", re.IGNORECASE)


@dataclass(frozen=True)
class RowValues:
    """
    :param values: without cells that have no value, or with an empty text in their place where they clear.
    :param cleared: how many clear.
    """

    values: dict[str, Any]
    cleared: int


def item_values(filled: Mapping[str, Any], rules: CellRules, fields: ItemFields, *, adds: bool) -> RowValues:
    """
    The fields of an item.

    :param adds: a new item has nothing to clear, and its defaults are left alone.
    :raises ConfigurationError: a value is missing and must not be.
    """
    blanks = _blanks_in(filled, "")
    if blanks and rules.blank == "fail":
        raise _missing(blanks[0])
    clears = rules.blank == "clear" and not adds
    if clears:
        _check_entries_stay(filled)
    values = _emptied(filled) if clears else _kept_fields(filled)
    values = {name: _with_members(value) for name, value in values.items()}
    if rules.decimal != "." or rules.zone is not None:
        values = {name: _by_type(value, name, rules, fields) for name, value in values.items()}
    return RowValues(values, len(blanks) if clears else 0)


def _with_members(value: Any) -> Any:
    """A list without members that have no value, as a cell without one."""
    return [member for member in value if not is_blank(member)] if isinstance(value, (list, tuple)) else value


def _by_type(value: Any, name: str, rules: CellRules, fields: ItemFields) -> Any:
    """A number or a time as the rules say that it is written in the source."""
    if value == "" or is_multifield(name):
        return value
    field = fields.find(name, "the row")
    if field.type in ("double", "integer", "money"):
        read = rules.number
    elif field.type == "datetime":
        read = rules.moment
    elif field.type == "date":
        return value
    else:
        # A time in a text has its zone there as well.
        return rules.moments_in(value, name)
    return [read(member, name) for member in value] if isinstance(value, list) else read(value, name)


def call_params(filled: Mapping[str, Any], rules: CellRules, *, adds: bool) -> RowValues:
    """
    The params of a method.

    In ``fields``, and in all params of a method that adds, a missing value is left out. Elsewhere that could mean more
    than was said, and the row fails.

    :raises ConfigurationError: a value is missing and must not be.
    """
    params: dict[str, Any] = {}
    cleared, blank = 0, rules.blank
    for name, value in filled.items():
        blanks = _blanks_in(value, name)
        is_fields = str(name).lower() in ("fields", "arfields") and isinstance(value, Mapping)
        if blanks and (blank == "fail" or not (adds or is_fields or (blank == "clear" and not _is_name(blanks)))):
            raise _missing(blanks[0])
        if blank == "clear" and not adds:
            if is_fields:
                _check_entries_stay(value)
            params[name] = _emptied(value)
            cleared += len(blanks)
        elif is_fields:
            params[name] = _kept_fields(value)
        elif (kept := _kept(value)) is not BLANK:
            params[name] = kept
    if rules.zone is not None:
        params = {name: rules.moments_in(value, name) for name, value in params.items()}
    return RowValues(params, cleared)


def _check_entries_stay(fields: Mapping[str, Any]) -> None:
    """:raises ConfigurationError: a phone or the like has no value, and sent empty it would be removed."""
    for name, value in fields.items():
        if not (is_multifield(str(name)) or str(name) in OLD_FIELDS):
            continue
        for entry in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
            if isinstance(entry, Mapping) and _kept(entry) is BLANK:
                raise ConfigurationError(
                    f"an entry of {name} has no value, and an empty cell does not remove a phone or the like",
                    next_step='blank="keep" leaves it; to remove it, write its id and "" as its value in mapping',
                )


def _is_name(places: list[str]) -> bool:
    return any(_NAMES_AN_OBJECT.search(place.rstrip("]")) for place in places)


def _blanks_in(value: Any, place: str) -> list[str]:
    """Where values are missing, ``fields[TITLE]``."""
    if value is BLANK:
        return [place]
    if isinstance(value, Mapping):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    else:
        return []
    return [
        blank for name, member in members for blank in _blanks_in(member, f"{place}[{name}]" if place else str(name))
    ]


def _emptied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _emptied(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_emptied(member) for member in value if member is not BLANK]
    return "" if value is BLANK else value


def _kept_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: _kept(value) for name, value in values.items()}
    return {name: value for name, value in kept.items() if value is not BLANK}


def _kept(value: Any) -> Any:
    """``value`` without what is missing; ``BLANK`` where nothing is left of it."""
    if isinstance(value, Mapping):
        kept = {name: _kept(member) for name, member in value.items()}
        # An entry that is to be removed needs no value.
        removes = any(str(name).upper() == "DELETE" and member == "Y" for name, member in kept.items())
        if not removes and any(member is BLANK and str(name).lower() in CARRIERS for name, member in kept.items()):
            return BLANK
        left = {name: member for name, member in kept.items() if member is not BLANK}
        return left if left or not value else BLANK
    if isinstance(value, list):
        members = [member for member in map(_kept, value) if member is not BLANK]
        return members if members or not value else BLANK
    return value


def _missing(place: str) -> ConfigurationError:
    return ConfigurationError(
        f"the row has no value for {place}",
        next_step='give it one; blank="keep" leaves out what is missing in fields, blank="clear" sends it empty',
    )
