"""
Values of methods beside those of deals, contacts and items that cannot be what the documentation says of their field.

Only what surely is no such value is refused: portals read days in their own language too, and take several words for
yes and no.

Source: the tables of parameters of the method pages, ``user.get`` (days and moments), what ``*.fields`` says, "Data
encoding" of files, and the prefixes of CRM objects in "tasks.task.add".
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.crm import dates
from airflow_provider_bitrix24.crm.id_lists import is_id
from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.short_numbers import shortened
from airflow_provider_bitrix24.crm.unwritable import check_is_list
from airflow_provider_bitrix24.crm.values import check_names_object, decimal_of, names_object
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_missing, nothing_hint
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import has_exponent, lacks_digits, native

#: By what the table calls a type: what a value is called, and what to write.
_FORMS = {
    "whole": ("a whole number", "write digits alone, e.g. 17"),
    "number": ("a number", "write digits, with a point for decimals"),
    "flag": ("yes or no", 'write "Y" or "N", or True or False'),
    "day": ("a day without a time", "write e.g. 2026-12-31"),
    "moment": ("a day or a moment", "write e.g. 2026-12-31 or 2026-12-31T09:30:00+03:00"),
}
#: The same of the members of lists.
_MEMBER_FORMS = {
    "ids": ("an id above 0", "write ids, e.g. [17, 18]"),
    "bindings": ("an object of CRM", 'write the kind and the id, e.g. ["D_10", "C_7"]'),
    "files": ("a file of the Drive", 'write n and the id, e.g. ["n12345"]'),
}
_ID = re.compile(r"(?i:(^|_)id)$|[a-z]I[dD]$|^[A-Z]+ID$")
#: ``D_10``, ``CO_7``, and ``T80_3`` of a smart process; an id alone does not say of what.
_BINDING = re.compile(r"\s*([A-Za-z]{1,3}|[Tt][0-9A-Fa-f]+)_0*[1-9][0-9]*\s*")
_FILE = re.compile(r"\s*n?0*[1-9][0-9]*\s*")
#: Types whose values are lists by all that is documented, also where a portal describes no list.
_LISTS = frozenset({"bindings", "files"})
#: Types as portals describe them, by what the table calls them.
_OBJECTS = frozenset({"user", "employee", "crm_company", "crm_contact"})
_DESCRIBED = {
    **dict.fromkeys(("integer", "int"), "whole"),
    **{kind: kind for kind in _OBJECTS},
    "double": "number",
    **dict.fromkeys(("string", "text"), "text"),
    **dict.fromkeys(("boolean", "char"), "flag"),
    "date": "day",
    "datetime": "moment",
}
#: What whole numbers of such a name stand for, as names are compared; 0 is none of it.
_OBJECTS_BY_NAME = {
    **dict.fromkeys(("responsibleid", "assignedbyid", "userid", "createdby", "createdbyid"), "user"),
    **dict.fromkeys(("changedby", "statuschangedby", "modifiedby", "modifybyid"), "user"),
    "companyid": "crm_company",
    "contactid": "crm_contact",
}
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "1", "0", "on", "off"})
#: A day in the language of some portal: ``31.12.2026``, ``12/31/2026 09:30 am``.
_ISO_DAY = re.compile(r"\s*\d{4}-\d\d?-\d\d?(\D.*)?", re.ASCII | re.DOTALL)
#: Seconds of the clock of computers; a smaller number is a mistake.
_LEAST_SECONDS = 10**8
_CLOCK = re.compile(r"\b(?!0?0:00(:00)?\b)\d{1,2}:\d\d|\b\d{1,2}\s*[ap]m\b", re.IGNORECASE)
_DAY = re.compile(r"\s*\d{1,4}([./-])\d{1,2}\1\d{1,4}\b.*", re.DOTALL)


def described_type(field: Any) -> str:
    """What the table calls the type of a field that a portal describes; empty for what it does not call."""
    if not isinstance(field, Mapping):
        return ""
    kind = str(field.get("type") or field.get("TYPE") or "").lower()
    if field.get("isMultiple") in (True, "Y"):
        return "ids" if kind in _OBJECTS else ""
    return _DESCRIBED.get(kind, "")


def holds_members(kind: str) -> bool:
    """Whether a type of the table is that of a list."""
    return kind in _MEMBER_FORMS


def check_type(name: str, kind: str, value: Any, method: str, *, is_list: bool = False) -> None:
    """
    :param kind: one of the table's types; empty for one that is not known.
    :param is_list: the method takes nothing but a list.
    :raises ConfigurationError: the value surely is none of it.
    """
    if not kind or is_missing(value):
        return
    given = native(value)
    if kind in _MEMBER_FORMS:
        if is_list or kind in _LISTS:
            check_is_list(name, given, method)
        _check_members(name, kind, given, method, is_list=is_list or kind in _LISTS)
        return
    if isinstance(given, (list, tuple, set, frozenset, Mapping)) and not given:
        # As an empty text, it clears.
        return
    if not is_list:
        check_is_one_value(name, given, method)
    if (
        kind == "text"
        or isinstance(given, (list, tuple, set, frozenset, Mapping))
        or given == ""
        or has_reference(given)
    ):
        return
    if kind == "whole":
        kind = _OBJECTS_BY_NAME.get(plain_name(name), kind)
    holds_id = names_object(kind) or (kind == "whole" and names_an_id(name))
    if (holds_id and has_exponent(given)) or (kind in ("whole", "number") and lacks_digits(given)):
        raise shortened(name, given, method)
    if names_object(kind):
        check_names_object(name, kind, given, method)
        kind = "whole"
    if not (_FITS[kind](given) if kind in _FITS else _text(given) in kind.split("|")):
        what, form = _FORMS.get(kind, (f"one of {kind.replace('|', ', ')}", f"write {' or '.join(kind.split('|'))}"))
        raise ConfigurationError(
            f"{name} is {preview(value)}, which is not {what}: the portal would ignore it or store another value",
            method=method,
            next_step=form,
        )


def check_is_one_value(name: str, value: Any, method: str) -> None:
    """:raises ConfigurationError: a list, an object or bytes in the place of one value."""
    if isinstance(value, (list, tuple, set, frozenset, Mapping, bytes, bytearray)):
        raise ConfigurationError(
            f"{name} is {preview(value)}, and the field holds one value: the portal would ignore it or store another",
            method=method,
            next_step="give one value; decode bytes into text"
            if isinstance(value, (bytes, bytearray))
            else "give one value",
        )


def names_an_id(name: str) -> bool:
    """Whether a field or a parameter is called as ids are: ``RESPONSIBLE_ID``, ``taskId``, ``TASKID``."""
    return _ID.search(name) is not None


def _check_members(name: str, kind: str, value: Any, method: str, *, is_list: bool) -> None:
    what, form = _MEMBER_FORMS[kind]
    if value is False and is_list:
        # So a portal answers a list without members.
        return
    if not isinstance(value, (list, tuple, set, Mapping)):
        if is_list and not isinstance(value, str):
            raise ConfigurationError(
                f"{name} is {preview(value)}, and the portal takes a list there: it would silently drop it",
                method=method,
                next_step=f'write {{"{name}": [{value}]}}' if kind == "ids" and is_id(value) else form,
            )
        # Texts in the place of lists are checked elsewhere.
        members = [] if value == "" or is_list else [value]
    else:
        members = list(value.values() if isinstance(value, Mapping) else value)
    # A list with an empty text is how forms clear.
    for member in members if members != [""] else ():
        if not (_FITS[kind](native(member)) or (isinstance(member, str) and has_reference(member))):
            raise ConfigurationError(
                f"{name} holds {preview(member)}, which is not {what}: the portal would silently leave it out",
                method=method,
                next_step=nothing_hint(member) or form,
            )


def _is_whole(value: Any) -> bool:
    number = decimal_of(value)
    return number is not None and number == number.to_integral_value()


def _is_flag(value: Any) -> bool:
    # Some flags have a third letter.
    text = str(value).strip().lower()
    return text in _WORDS or (isinstance(value, str) and len(text) == 1)


def _is_moment(value: Any) -> bool:
    if isinstance(value, datetime.date):
        return True
    number = decimal_of(value)
    if number is not None:
        # Some methods count seconds.
        return number >= _LEAST_SECONDS
    return isinstance(value, str) and (parse(value) is not None or _is_written_day(value))


def _is_written_day(text: str) -> bool:
    """Whether a text is a day in the language of some portal; 2026-02-30 is none in any."""
    return _DAY.fullmatch(text) is not None and _ISO_DAY.fullmatch(text) is None


def _is_day(value: Any) -> bool:
    has_time = isinstance(value, str) and _DAY.fullmatch(value) is not None and _CLOCK.search(value) is not None
    return decimal_of(value) is None and _is_moment(value) and not (has_time or dates.has_time(value))


def _text(value: Any) -> str:
    number = decimal_of(value)
    whole = number is not None and number == number.to_integral_value()
    return str(int(number)) if number is not None and whole else str(value).strip()


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "whole": _is_whole,
    "number": lambda value: decimal_of(value) is not None,
    "flag": _is_flag,
    "day": _is_day,
    "moment": _is_moment,
    "ids": is_id,
    "bindings": lambda value: isinstance(value, str) and _BINDING.fullmatch(value) is not None,
    "files": lambda value: is_id(value) or (isinstance(value, str) and _FILE.fullmatch(value) is not None),
}
