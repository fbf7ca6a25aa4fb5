"""
Values of the old methods of CRM that cannot be what their field holds: the portal silently stores 0, cuts them or drops
them. Whatever may be right passes: empty values, codes of stages. Days, moments and flags of ``crm.item.*`` are checked
too.

Source: the types of ``crm.deal.fields`` and its sisters, and the server's source: a day or moment that is not ISO text
is ignored; in ``crm.item.*``, ``true``, ``"true"``, ``"Y"`` and ``"y"`` mean yes, and anything else no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm import dates
from airflow_provider_bitrix24.crm.id_lists import check_ids
from airflow_provider_bitrix24.crm.short_numbers import check_digits, shortened
from airflow_provider_bitrix24.crm.values import check_names_object, decimal_of, is_number_without_digits
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_missing
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import has_lost_digits, native

_IDS = frozenset({"user", "employee", "crm_company", "crm_contact", "crm_deal", "crm_lead", "crm_quote"})
_NUMBERS = frozenset({"integer", "double"})
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_MOMENTS = frozenset({"date", "datetime"})
#: What flags take by type, as text; user fields of the old methods take 1 too.
_FLAGS = {
    "char": frozenset({"Y", "N"}),
    "boolean": frozenset({"Y", "y", "N", "n", "true", "false", "0"}),
    "old boolean": frozenset({"Y", "y", "N", "n", "true", "false", "0", "1"}),
}
#: One value, whatever it is.
_PLAIN = _IDS | _NUMBERS | {"string", "date", "datetime", "crm_status", "crm_currency", "char"}


def check_fits(name: str, description: Any, value: Any, method: str) -> None:
    """:raises ConfigurationError: the value is surely none of its field's type."""
    if not isinstance(description, Mapping):
        return
    kind = str(description.get("type") or "").lower()
    several = description.get("isMultiple") in (True, "Y")
    if several and isinstance(value, (int, float)) and not isinstance(value, bool) and kind in _IDS and value:
        raise _misfit(name, value, "and the portal takes a list there", f'write {{"{name}": [{value}]}}', method)
    if not several and kind in _PLAIN and isinstance(value, (list, tuple, Mapping)) and value:
        raise _misfit(name, value, f"and the field holds one value of the type {kind}", "give one value", method)
    if not several:
        check_names_object(name, kind, value, method)
    check_moments_and_flags(name, "old boolean" if kind == "boolean" else kind, value, method)
    if several and kind in _IDS:
        # Fields that people have made are cleared by [""] too.
        check_ids(name, value, method, allowed=("",) if name.upper().startswith("UF_") else ())
    for member in value if several and isinstance(value, (list, tuple)) else (value,):
        _check_number(name, kind, native(member), method)
        if isinstance(member, str) and member.strip() and not has_reference(member):
            _check_text(name, kind, member, description, method)


def check_moments_and_flags(name: str, kind: str, value: Any, method: str) -> None:
    """:raises ConfigurationError: a day, a moment or a flag that the portal would ignore, cut or take for another."""
    if kind not in _MOMENTS and kind not in _FLAGS:
        return
    for member in value if isinstance(value, (list, tuple)) else (value,):
        given = native(member)
        if kind == "date" and not is_missing(given) and dates.has_time(given):
            raise dates.with_time(given, name, method)
        if not given or not isinstance(given, (str, int, float)) or has_reference(given):
            # Nothing clears, dates and times are written as ISO text.
            continue
        text = str(given)
        if kind in _MOMENTS and text.strip() and (isinstance(given, (int, float)) or parse(text) is None):
            form = "2026-12-31" if kind == "date" else "2026-12-31T09:30:00+03:00"
            raise _misfit(
                name, given, "and the field holds a day or a moment that there is", f"write e.g. {form}", method
            )
        if kind in _FLAGS and not isinstance(given, bool) and text not in _FLAGS[kind]:
            raise _misfit(name, given, "and the field holds yes or no", 'write "Y" or "N"', method)


def _check_number(name: str, kind: str, value: Any, method: str) -> None:
    """:raises ConfigurationError: a day, a time, bytes or True in the place of a number or an id."""
    if kind not in _NUMBERS | _IDS or is_missing(value) or not value or isinstance(value, (str, list, tuple, Mapping)):
        return
    if decimal_of(value) is None and not (isinstance(value, float) or has_lost_digits(value)):
        what = "an id" if kind in _IDS else "a number"
        raise _misfit(name, value, f"and the field holds {what}", "write digits", method)


def _check_text(name: str, kind: str, text: str, description: Mapping[str, Any], method: str) -> None:
    if is_number_without_digits(kind, text):
        raise shortened(name, text, method)
    check_digits(name, text, method)
    if kind in _NUMBERS and not _NUMBER.fullmatch(text):
        raise _misfit(name, text, "and the field holds a number", "write digits, with a point for decimals", method)
    if kind in _IDS and not _NUMBER.fullmatch(text):
        raise _misfit(name, text, "and the field holds an id", "give the id, a whole number", method)
    items = description.get("items")
    if kind == "enumeration" and isinstance(items, list):
        ids = {str(item["ID"]): item.get("VALUE") for item in items if isinstance(item, Mapping) and "ID" in item}
        if ids and text.strip() not in ids:
            choices = ", ".join(f"{id_} ({word})" for id_, word in list(ids.items())[:5])
            raise _misfit(name, text, "and the field takes the id of a choice", f"give one of {choices}", method)


def _misfit(name: str, value: Any, why: str, hint: str, method: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is {preview(value)}, {why}: the portal would silently drop or change it",
        method=method,
        next_step=hint,
    )
