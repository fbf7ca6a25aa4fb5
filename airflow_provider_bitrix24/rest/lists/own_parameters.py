"""
Parameters that a list does not have: the portal ignores a condition that stands there, and returns every row.

Source: the tables and examples of the method pages, ``own_parameters.txt``; operators of the filters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.conditions import OPERATORS, check_spellings, is_search_field
from airflow_provider_bitrix24.rest.encoding import as_params, has_reference, plain
from airflow_provider_bitrix24.rest.lists.filter_values import check_values
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.rest.missing_values import is_blank_text, is_missing, nothing_hint
from airflow_provider_bitrix24.rest.positional import by_name
from airflow_provider_bitrix24.types import Params

#: Fields of users that the method describes itself, see ``Rows.fields_method``.
_CHECKED_AS_FIELDS = frozenset({"user.get"})
#: Fields to search by, which the page has in ``FILTER`` and shows beside ``sort`` ("user.search").
_FIELDS = {
    "user.search": frozenset({"find", "name", "last_name", "work_position", "uf_department_name", "user_type"}),
}
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
#: Of every method.
_EVERYWHERE = frozenset({"start", "auth", "halt"})


def check_parameters(method: Method, params: Mapping[str, Any]) -> None:
    """
    :param params: of a list, under their names.
    :raises ConfigurationError: one begins with the operator of a condition, or is not on the page of the method, where
        that is known; or a search is empty.
    """
    rows = method.rows
    if rows is None:
        return
    if method.name.lower() in _CHECKED_AS_FIELDS:
        return
    documented = _table().get(method.name.lower()) if method.version == 2 else None
    own = {name.lower() for name in (rows.filter, rows.order, rows.sort, rows.select, rows.limit, rows.cursor) if name}
    known = own | _EVERYWHERE | set(documented or ()) | _FIELDS.get(method.name.lower(), frozenset())
    for name, value in params.items():
        if is_search_field(name, method.name) and (is_missing(value) or is_blank_text(value)):
            raise ConfigurationError(
                f"{name!r} is {preview(value)}, and would find everything",
                method=method.name,
                next_step=f"{nothing_hint(None)}; leave it out to mean everything",
            )
        is_condition = OPERATORS.match(name)[0] != ""  # type: ignore[index]
        is_unknown = documented is not None and name.lower() not in known
        if is_condition or (is_unknown and not has_reference(name)):
            raise not_a_parameter(name, method, known=sorted(known - _EVERYWHERE))


def not_a_parameter(name: str, method: Method, why: str = "", known: list[str] | None = None) -> ConfigurationError:
    """
    :param why: when a condition is not read there, for the message.
    :param known: the parameters that there are.
    """
    filter_ = method.rows.filter if method.rows is not None else None
    if filter_ is None:
        return ConfigurationError(
            f"{name!r} is not a parameter of this method: the portal would ignore it and return every row",
            method=method.name,
            next_step=did_you_mean(name.lower(), known or [], "leave it out, and choose among the rows afterwards"),
        )
    near = did_you_mean(name.lower(), known or [], "")
    return ConfigurationError(
        f"{name!r} stands beside {filter_}, where this method reads no condition{why}: it would be lost",
        method=method.name,
        next_step=f'{near + " " if near else ""}put it into {filter_}: {{"{name}": …}}',
    )


def check_places(method: Method, params: Params | None) -> None:
    """
    The same for a call by itself, whose parameters are sent as they are.

    :raises ConfigurationError: see :func:`check_parameters`; or the filter is not an object, and the portal would take
        it for none, or has a value that is none of its field.
    """
    rows = method.rows
    if rows is None:
        return
    given = by_name(as_params(params, method=method.name), method=method.name)
    check_parameters(method, given)
    _check_filter(method, given)
    check_paging(method, given)


def check_paging(method: Method, params: Mapping[str, Any]) -> None:
    """
    :raises ConfigurationError: no page begins at ``start``, and the portal would answer another one; or the
        order names one field in two spellings.
    """
    rows = method.rows
    if rows is None or method.version == 3:
        return
    start = params.get("start")
    if "start" in params and rows.paging == "keyset" and not has_reference(start):
        number: Any = int(start) if isinstance(start, str) and _WHOLE_NUMBER.fullmatch(start.strip()) else start
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        if not is_whole or (number != -1 and (number < 0 or number % rows.page_rows)):
            raise ConfigurationError(
                f"start is {preview(start)}, where no page begins: the portal would answer another one",
                method=method.name,
                next_step=f"write 0, {rows.page_rows}, {2 * rows.page_rows}, …; Bitrix24ListOperator reads all pages",
            )
    for name, value in params.items():
        if name.lower() == str(rows.order).lower() and isinstance(value, Mapping):
            check_spellings(value, str(name), method.name)


def _check_filter(method: Method, params: Mapping[str, Any]) -> None:
    rows = method.rows
    if rows is None or rows.filter is None or method.version == 3:
        return
    for name, value in params.items():
        if name.lower() != rows.filter.lower():
            continue
        if isinstance(value, (list, tuple)) and value:
            raise ConfigurationError(
                f"{name!r} is not an object, but {preview(value)}",
                method=method.name,
                next_step='write e.g. {">=ID": 100}',
            )
        check_values(method, plain(value, method=method.name), {})


@cache
def _table() -> dict[str, frozenset[str]]:
    """The parameters in lower case by method; read on first use."""
    text = Path(__file__).with_name("own_parameters.txt").read_text(encoding="utf-8")
    lines = (line.lower().split() for line in text.splitlines() if not line.startswith("#"))
    return {method: frozenset(names) for method, *names in lines}
