"""
Values of methods beside those of deals, contacts and items that cannot be what the documentation says of their field.

Only what surely is no such value is refused: portals read days in their own language too, and take several words for
yes and no.

Source: the tables of parameters of the method pages, ``user.get`` (days and moments), and what ``*.fields`` says.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm.values import decimal_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_missing
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import native

#: By what the table calls a type: what a value is called, and what to write.
_FORMS = {
    "whole": ("a whole number", "write digits alone, e.g. 17"),
    "number": ("a number", "write digits, with a point for decimals"),
    "flag": ("yes or no", 'write "Y" or "N", or True or False'),
    "moment": ("a day or a moment", "write e.g. 2026-12-31 or 2026-12-31T09:30:00+03:00"),
}
#: Types as portals describe them, by what the table calls them.
_DESCRIBED = {
    **dict.fromkeys(("integer", "int", "user", "employee", "crm_company", "crm_contact"), "whole"),
    "double": "number",
    **dict.fromkeys(("boolean", "char"), "flag"),
    **dict.fromkeys(("date", "datetime"), "moment"),
}
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "1", "0", "on", "off"})
#: A day in the language of some portal: ``31.12.2026``, ``12/31/2026 09:30 am``.
_DAY = re.compile(r"\s*\d{1,4}([./-])\d{1,2}\1\d{1,4}\b.*", re.DOTALL)


def described_type(field: Any) -> str:
    """What the table calls the type of a field that a portal describes; empty for several values and other types."""
    if not isinstance(field, Mapping) or field.get("isMultiple") in (True, "Y"):
        return ""
    return _DESCRIBED.get(str(field.get("type") or field.get("TYPE") or "").lower(), "")


def check_type(name: str, kind: str, value: Any, method: str) -> None:
    """
    :param kind: one of the table's types; empty for one that is not known.
    :raises ConfigurationError: the value surely is none of it.
    """
    if not kind or is_missing(value):
        return
    given = native(value)
    if isinstance(given, (list, tuple, set, Mapping, bytes)) or given == "" or has_reference(given):
        # Shapes are checked elsewhere, and an empty text clears.
        return
    if not _FITS[kind](given):
        what, form = _FORMS[kind]
        raise ConfigurationError(
            f"{name} is {preview(value)}, which is not {what}: the portal would ignore it or store another value",
            method=method,
            next_step=form,
        )


def _is_whole(value: Any) -> bool:
    number = decimal_of(value)
    return number is not None and number == number.to_integral_value()


def _is_flag(value: Any) -> bool:
    # Some flags have a third letter.
    text = str(value).strip().lower()
    return text in _WORDS or (isinstance(value, str) and len(text) == 1)


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str):
        # Some methods count seconds.
        return isinstance(value, (datetime.date, int, float)) and not isinstance(value, bool)
    return parse(value) is not None or _DAY.fullmatch(value) is not None or value.strip().isdecimal()


_FITS = {
    "whole": _is_whole,
    "number": lambda value: decimal_of(value) is not None,
    "flag": _is_flag,
    "moment": _is_moment,
}
