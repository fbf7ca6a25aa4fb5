"""
Values of CRM fields by type: what the portal must be sent, what it must be asked for, and what its answer means.

Source: "value conventions", and the server's source behind ``crm.item.add``, ``crm.item.list`` and ``crm.item.fields``.
"""

from __future__ import annotations

import ast
import datetime
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_bitrix24.crm import dates
from airflow_provider_bitrix24.crm.short_numbers import check_digits, shortened
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import (
    is_blank_text,
    is_json,
    is_missing,
    is_written_structure,
    nothing_hint,
    text_hint,
)
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import has_exponent, has_lost_digits, lacks_digits, native, widened

#: Types that hold text.
TEXTS = frozenset({"string", "text", "url", "crm_status", "crm_currency", "char"})
#: Types that hold the id of an object.
_IDS = frozenset(
    {"user", "employee", "crm_company", "crm_contact", "crm_lead", "crm_deal", "crm_quote", "crm_category"}
    | {"crm_entity", "iblock_element", "iblock_section"}
)
#: Those in which 0 is not an object, and clears the field. In others it has a meaning: the first funnel.
_OBJECTS = {
    "user": "user",
    "employee": "user",
    "crm_company": "company",
    "crm_contact": "contact",
    "crm_lead": "lead",
    "crm_deal": "deal",
    "crm_quote": "quote",
    "crm_entity": "item",
    "crm": "item",
}
_WHOLE = frozenset({"integer"}) | _IDS
_SCALARS = TEXTS | _WHOLE | {"double", "boolean", "date", "datetime", "enumeration"}

_YES = frozenset({"y", "yes", "true", "1"})
_NO = frozenset({"n", "no", "false", "0"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MONEY = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*\|\s*([A-Za-z]{3})\s*", re.ASCII)
#: Amounts closer than this are the same: the portal rounds to hundredths.
_HUNDREDTH = 0.005
#: Below this a float holds every whole number as it is.
_EXACT = 2**53


@dataclass(frozen=True)
class ItemField:
    """
    One field of a kind of CRM item.

    :param name: as ``crm.item.*`` spells it, ``ufCrm_1700000001``.
    :param upper_name: the original name, ``UF_CRM_1700000001``.
    :param type: ``string``, ``crm_status``, ``enumeration``, …
    :param is_user_field: made by the portal's users.
    :param choices: texts of an enumeration by their id.
    :param directory: of a ``crm_status``, which list of ``crm.status.list`` has its codes: ``"DEAL_STAGE"``.
    """

    name: str
    upper_name: str
    type: str
    title: str = ""
    is_read_only: bool = False
    is_immutable: bool = False
    is_multiple: bool = False
    is_user_field: bool = False
    choices: Mapping[str, str] = dataclass_field(default_factory=dict)
    directory: str = ""

    @property
    def holds_ids(self) -> bool:
        """Whether it is a list of ids of other objects."""
        return self.is_multiple and self.type in _IDS


def is_nothing(value: Any) -> bool:
    """Whether ``value`` is an empty text, list or object, or a missing value, see :func:`is_missing`."""
    if is_missing(value):
        return True
    value = native(value)
    return bool(isinstance(value, (str, list, tuple, set, Mapping)) and not value)


def names_object(kind: str) -> bool:
    """Whether a field of this type names one object, or none where it is empty."""
    return kind in _OBJECTS


def check_names_object(name: str, kind: str, value: Any, method: str = "") -> None:
    """
    :param kind: the type of the field.
    :raises ConfigurationError: 0 or less in a field that names one object: databases write so for "none", and the
        portal clears the field.
    """
    given = native(value)
    if not names_object(kind) or isinstance(given, bool):
        return
    number = decimal_of(given)
    if number is not None and number <= 0:
        raise ConfigurationError(
            f"{name} is {preview(given)}, which names no {_OBJECTS[kind]}, and the portal would clear the field",
            method=method,
            next_step='leave it out, or clear it with None in the DAG or blank="clear" and an empty cell',
        )


def to_write(field: ItemField, value: Any) -> Any:
    """
    ``value`` as the portal must be sent it in ``fields``; None, ``""`` and ``[]`` clear the field.

    Booleans become Y and N, since the portal takes 1 for "no"; a text of an enumeration becomes its id; one value of a
    multiple field becomes a list.

    :raises ConfigurationError: the value does not fit the type, or is one that a data frame or a template has for a
        missing value (NaN, NaT, NA, undefined): nobody said that it clears.
    """
    if value is not None and is_missing(value):
        raise ConfigurationError(f"{field.name} is {preview(value)}", next_step=nothing_hint(value))
    value = "" if is_blank_text(value) else native(value)
    if field.is_multiple:
        if _is_written_list(value):
            raise _misfit(field, value, "a list", "this is its text: give the list itself")
        members = value if isinstance(value, (list, tuple, set)) else [value]
        if field.holds_ids:
            _check_ids(field, [] if is_nothing(value) else members)
        return [_single(field, member) for member in members if not (is_nothing(member) or is_blank_text(member))]
    check_names_object(field.name, field.type, value)
    return "" if is_nothing(value) else _single(field, value)


def to_filter(field: ItemField, value: Any) -> Any:
    """
    ``value`` as a filter wants it: as :func:`to_write` has it, but user fields of type boolean are filtered by 1 and 0,
    and fields of days by the day in which a time lies.

    :raises ConfigurationError: the value does not fit the type.
    """
    value = native(value)
    if is_nothing(value):
        return ""
    if field.type == "boolean" and field.is_user_field:
        return 1 if _yes(field, value) else 0
    if field.type == "date" and isinstance(value, (str, datetime.date)):
        # A bound of a window is often a moment, and windows of days that follow each other share none.
        return dates.day_of_time(value, field.name)
    if field.type == "datetime" and isinstance(value, (str, datetime.date)):
        return dates.moment(value, field.name)
    return _single(field, value)


def _single(field: ItemField, value: Any) -> Any:
    value = native(value)
    if field.type == "money":
        return _money(field, value)
    if field.type not in _SCALARS:
        # Files, addresses and what a portal's applications add have shapes of their own.
        return value
    if isinstance(value, bytes):
        raise _misfit(field, value, "one value", "decode bytes into text where the row is made")
    if isinstance(value, (list, tuple, set, Mapping)):
        kind = "number" if field.type in _WHOLE or field.type == "double" else "text"
        raise _misfit(field, value, "one value", f"write one {kind}, not a list or an object")
    if field.type == "boolean":
        return "Y" if _yes(field, value) else "N"
    if field.type == "date":
        return dates.day(value, field.name)
    if field.type == "datetime":
        return dates.moment(value, field.name, hint='; for many rows, give timezone="Europe/Berlin"')
    if field.type == "enumeration":
        return _choice(field, value)
    if field.type in TEXTS:
        return _text(field, value)
    return _number(field, value)


def _check_ids(field: ItemField, members: Iterable[Any]) -> None:
    """:raises ConfigurationError: a member is not an id: the portal leaves it out, and removes what it stands for."""
    for member in members:
        number = decimal_of(member)
        if is_nothing(member) or (number is not None and number <= 0):
            raise _misfit(field, member, "ids above 0", "take it out; write [] in the DAG to remove all")


def _is_written_list(value: Any) -> bool:
    """Whether ``value`` is the text of a list; one value of a multiple field may well be ``[VIP]``."""
    if not is_written_structure(value):
        return False
    try:
        return isinstance(ast.literal_eval(value.strip()), (list, tuple)) or _is_json_list(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _is_json_list(value)


def _is_json_list(value: str) -> bool:
    return value.strip().startswith("[") and is_json(value)


def _misfit(field: ItemField, value: Any, takes: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError(f"{field.name} takes {takes}, not {preview(value)}", next_step=text_hint(value) or hint)


def _yes(field: ItemField, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise _misfit(field, value, "yes or no", 'write True, False, "Y" or "N"')
    return word in _YES


def _text(field: ItemField, value: Any) -> Any:
    if isinstance(value, bool):
        raise _misfit(field, value, "text", "write the text that is meant")
    check_digits(field.name, value)
    return as_text(value, field.name)


def as_text(value: Any, place: str) -> Any:
    """
    A number as text, without an exponent; anything else as it is.

    Parquet files and data frames keep a column of whole numbers as floats where one is missing: the key 12 must not
    become 12.0, another key.

    :param place: the field, for the message.
    :raises ConfigurationError: a float that has lost digits, or is not finite.
    """
    value = native(value)
    if isinstance(value, float) or has_lost_digits(value):
        if has_lost_digits(value) or not math.isfinite(value) or abs(value) >= _EXACT:
            raise ConfigurationError(
                f"{place} is {value!r}, a float that cannot keep all digits of such a number",
                next_step="keep the column as text where it is made, e.g. dtype=str",
            )
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(field: ItemField, value: Any) -> Any:
    if is_number_without_digits(field.type, value):
        raise shortened(field.name, value)
    number = decimal_of(value)
    if number is None:
        raise _misfit(field, value, "a number", _number_form(field, value))
    if field.type in _WHOLE:
        if number != number.to_integral_value():
            raise _misfit(field, value, "a whole number", _number_form(field, value))
        return int(number)
    return value if isinstance(value, (int, float)) else format(number, "f")


def is_number_without_digits(kind: str, value: Any) -> bool:
    """
    Whether a text for a field of ids has an exponent, or one for a field of numbers lacks digits.

    :param kind: the type of the field.
    """
    if kind in _IDS:
        return has_exponent(value)
    return kind in ("integer", "double") and lacks_digits(value)


def _number_form(field: ItemField, value: Any) -> str:
    if field.type == "double":
        return "write it without separators, with a point: 1234.5"
    if field.is_multiple and "," in str(value):
        return "write a list of ids, e.g. [17, 18]"
    return "write digits alone, e.g. 17" if field.type == "integer" else "write an id, e.g. 17"


def decimal_of(value: Any) -> Decimal | None:
    """A number, or its text, exactly; None for anything else."""
    value = native(value)
    if has_lost_digits(value):
        # A number of a field of numbers may well be rounded.
        value = widened(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        # Decimal reads more than numbers: 1_000, digits of other scripts, NaN.
        return None
    try:
        number = Decimal(value.strip() if isinstance(value, str) else str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _money(field: ItemField, value: Any) -> str:
    """``300|EUR``, out of that or of ``{"amount": 300, "currency": "EUR"}``."""
    text = value
    if isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        amount = decimal_of(value["amount"])
        text = None if amount is None else f"{amount:f}|{value['currency']}"
    match = _MONEY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _misfit(
            field, value, "an amount with a currency", 'write "300|EUR" or {"amount": 300, "currency": "EUR"}'
        )
    return f"{match[1]}|{match[2].upper()}"


def _choice(field: ItemField, value: Any) -> Any:
    """The id of a value of an enumeration; the portal silently drops anything else."""
    number = decimal_of(value)
    word = str(int(number)) if number is not None and number == number.to_integral_value() else str(value).strip()
    if not field.choices or word in field.choices:
        return int(word) if word.isascii() and word.isdecimal() else word
    ids = [choice for choice, text in field.choices.items() if text.strip().lower() == word.lower()]
    if len(ids) != 1:
        first = ", ".join(f"{choice} ({text})" for choice, text in list(field.choices.items())[:10])
        raise _misfit(field, value, f"one of {first}{', …' if len(field.choices) > 10 else ''}")
    return int(ids[0]) if ids[0].isdecimal() else ids[0]


def typed(field: ItemField, value: Any) -> Any:
    """
    An answer's value in the JSON type that fits the field, whichever method and portal wrote it.

    Whole numbers and ids are int, amounts float, booleans true and false, days ``"2026-01-31"``, moments ISO text with
    their offset, money ``{"amount": "300", "currency": "EUR"}``; a multiple field is a list; nothing is null, except
    that an empty text stays one. What does not fit stays as it is.
    """
    if field.is_multiple:
        members = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
        return [_typed(field, member) for member in members if not is_nothing(member) and member is not False]
    return _typed(field, value)


def _typed(field: ItemField, value: Any) -> Any:
    if value is None or (value == "" and field.type not in TEXTS):
        return None
    if field.type == "boolean":
        word = str(value).strip().lower()
        return True if word in _YES else False if word in _NO else value
    if field.type in _WHOLE or field.type in ("double", "enumeration"):
        number = decimal_of(value)
        if number is None or (field.type != "double" and number != number.to_integral_value()):
            return value
        return float(number) if field.type == "double" else int(number)
    if field.type in ("date", "datetime") and isinstance(value, str):
        return _typed_moment(field, value)
    if field.type == "money" and (match := _MONEY.fullmatch(str(value))):
        return {"amount": match[1], "currency": match[2].upper()}
    if field.type in TEXTS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value


def _typed_moment(field: ItemField, value: str) -> Any:
    if value.startswith("0000-00-00"):
        return None
    parsed = parse(value)
    if parsed is None:
        return value
    return dates.day_of(parsed) if field.type == "date" else parsed.isoformat()


def same(field: ItemField, sent: Any, answered: Any) -> bool:
    """Whether a value that was sent, in the form of :func:`to_write`, is what was read back."""
    meant, found = typed(field, sent), typed(field, answered)
    if meant in (None, "", [], {}):
        return found in (None, "", [], {}, 0, False)
    if field.type not in _SCALARS | {"money"} or field.type == "text":
        # The portal rewrites files, addresses and the markup of long texts.
        return found not in (None, "", [], {})
    if field.is_multiple:
        # In any order.
        return isinstance(found, list) and sorted(map(str, meant)) == sorted(map(str, found))
    return _same_value(field, meant, found)


def _same_value(field: ItemField, meant: Any, found: Any) -> bool:
    if field.type == "double" and isinstance(found, float):
        return bool(abs(meant - found) < _HUNDREDTH)
    if field.type == "datetime" and isinstance(found, str):
        return parse(meant) == parse(found)
    if field.type == "money" and isinstance(found, dict):
        near = abs(float(meant["amount"]) - float(found["amount"])) < _HUNDREDTH
        return near and str(meant["currency"]) == str(found["currency"])
    if field.type in TEXTS:
        return str(meant).strip() == str(found).strip()
    return bool(meant == found)
