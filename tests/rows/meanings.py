"""What cells mean by docs/rows-in.md and docs/crm.md, said once more and apart from the code that writes them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from string import whitespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

#: Fields of companies, by type; those of ``UF_`` are made by :func:`make_fields`.
TYPES = {
    "title": "text",
    "comments": "text",
    "revenue": "number",
    "ufCrm_WHOLE": "whole",
    "ufCrm_FLAG": "flag",
    "ufCrm_DAY": "day",
    "ufCrm_MOMENT": "moment",
    "ufCrm_TEXTS": "texts",
    "ufCrm_CHOICE": "choice",
    "ufCrm_MONEY": "money",
    "PHONE": "phones",
}
USER_FIELDS = {
    "WHOLE": "integer",
    "FLAG": "boolean",
    "DAY": "date",
    "MOMENT": "datetime",
    "TEXTS": "string",
    "CHOICE": "enumeration",
    "MONEY": "money",
}
#: Texts of the choices by their id, see :func:`make_fields`.
CHOICES: dict[int, str] = {}
ZONE = "Europe/Berlin"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
#: Of a number that a spreadsheet or a program has shortened: the digits behind its point, and its exponent.
_SHORT = re.compile(r"[+-]?\d+(?:[.,](\d*))?[eE]([+-]?\d+)", re.ASCII)
_MONEY = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*\|\s*([A-Za-z]{3})\s*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?( ?[+-]\d\d:?\d\d|Z)?")


class Blank(Exception):
    """The cell has no value."""


class Refused(Exception):
    """The row fails: the value cannot be what the field takes."""


def make_fields(client: Any) -> None:
    for name, kind in USER_FIELDS.items():
        multiple = "Y" if name == "TEXTS" else "N"
        choices = {"LIST": [{"VALUE": text} for text in ("Red", "Green", "Bottle green")]} if name == "CHOICE" else {}
        client.call(
            "crm.company.userfield.add",
            {"fields": {"FIELD_NAME": name, "USER_TYPE_ID": kind, "MULTIPLE": multiple, **choices}},
        )
    described = client.call("crm.item.fields", {"entityTypeId": 4})["fields"]["ufCrm_CHOICE"]["items"]
    CHOICES.update({int(choice["ID"]): choice["VALUE"] for choice in described})


def meaning(kind: str, value: Any, *, zone: bool) -> Any:
    """
    What the portal is to hold for a cell, in a form that :func:`held` gives too.

    :param zone: whether the operator has a time zone for times that have none.
    :raises Blank: nothing.
    :raises Refused: the row is to fail.
    """
    if is_nothing(value):
        raise Blank
    if isinstance(value, np.float32) and kind not in ("text", "texts", "phones"):
        value = float(str(value))
    elif not isinstance(value, np.float32):
        value = value.item() if isinstance(value, np.generic) else value
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if kind in ("texts", "phones"):
        members = value if isinstance(value, list) else [value]
        read = text if kind == "texts" else phone
        return [read(member) for member in members if not is_nothing(member)]
    if isinstance(value, list):
        raise Refused
    readers = {
        "text": text,
        "number": number,
        "whole": whole,
        "flag": flag,
        "day": day,
        "choice": choice,
        "money": money,
    }
    return readers.get(kind, lambda value: moment(value, zone))(value)


def is_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (list, np.ndarray)):
        return all(map(is_nothing, value))
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def text(value: Any) -> str:
    if isinstance(value, np.float32):
        if not abs(value) < 2**24:
            # Digits are lost.
            raise Refused
        value = float(str(value))
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (bool, list)):
        raise Refused
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= 2**53:
            raise Refused
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def phone(value: Any) -> str:
    if isinstance(value, date):
        raise Refused
    read = text(value).strip()
    short = _SHORT.fullmatch(read)
    if (read[0], read[-1]) in (("[", "]"), ("{", "}")) or (short and (short[1] or short[2][0] in "+-")):
        # The text of a list, or a number that has lost digits.
        raise Refused
    return read


def choice(value: Any) -> int:
    """The id of a choice, for its id or its text in any case."""
    try:
        word = str(whole(value))
    except Refused:
        word = str(value).strip()
    found = [id_ for id_, label in CHOICES.items() if word == str(id_)]
    found = found or [id_ for id_, label in CHOICES.items() if label.lower() == word.lower()]
    if len(found) != 1 or isinstance(value, bool):
        raise Refused
    return found[0]


def money(value: Any) -> tuple[float, str]:
    if isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        value = f"{value['amount']}|{value['currency']}"
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused
    return float(match[1]), match[2].upper()


def number(value: Any) -> float:
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value.strip())):
        raise Refused
    short = _SHORT.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, date) or (short and int(short[2]) >= max(11, len(short[1] or "") + 1)):
        # Digits are missing.
        raise Refused
    try:
        read = float(value)
    except ValueError:
        raise Refused from None
    if not math.isfinite(read):
        raise Refused
    return read


def whole(value: Any) -> int:
    if number(value) != math.floor(number(value)):
        raise Refused
    return int(Decimal(str(value).strip()))


def flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in ("y", "yes", "true", "1"):
        return True
    if word in ("n", "no", "false", "0"):
        return False
    raise Refused


def day(value: Any) -> str:
    if isinstance(value, datetime) and value.time() != time():
        # The time would be lost.
        raise Refused
    if isinstance(value, date):
        return value.isoformat()[:10]
    if not isinstance(value, str):
        raise Refused
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
        try:
            return date.fromisoformat(value.strip()).isoformat()
        except ValueError:
            raise Refused from None
    read = _moment(value)
    # Midnight UTC is how the portal itself writes a day.
    is_day = read.tzinfo is not None and read.astimezone(timezone.utc).time() == time()
    if read.time() != time() and not is_day:
        raise Refused
    return (read.astimezone(timezone.utc) if is_day else read).date().isoformat()


def _moment(value: str) -> datetime:
    if not _TIME.fullmatch(value.strip()):
        raise Refused
    try:
        return datetime.fromisoformat(value.strip().replace(" +", "+").replace(" -", "-"))
    except ValueError:
        raise Refused from None


def moment(value: Any, zone: bool) -> str:
    read = _moment(value) if isinstance(value, str) else value
    if not isinstance(read, datetime):
        raise Refused
    if read.tzinfo is None:
        if not zone:
            raise Refused
        offsets = {read.replace(tzinfo=ZoneInfo(ZONE), fold=fold).utcoffset() for fold in (0, 1)}
        if len(offsets) > 1:
            raise Refused
        read = read.replace(tzinfo=ZoneInfo(ZONE))
    return read.astimezone(timezone.utc).replace(microsecond=0).isoformat()


def held(kind: str, value: Any) -> Any:
    """What the portal's answer says; None for nothing."""
    if kind == "texts":
        return value or None
    if kind == "phones":
        return sorted(entry["value"] for entry in value or () if entry["typeId"] == "PHONE") or None
    if kind == "money":
        return money(value) if value else None
    if value in (None, "", False):
        return None
    if kind == "number":
        return float(value) or None
    if kind in ("whole", "choice"):
        return int(value) or None
    if kind == "flag":
        return value == "Y" or None
    if kind == "day":
        return datetime.fromisoformat(value).astimezone(timezone.utc).date().isoformat()
    return datetime.fromisoformat(value).astimezone(timezone.utc).isoformat() if kind == "moment" else value


def same_as_nothing(kind: str, value: Any) -> Any:
    """A number 0 and a "no" are held like nothing; each phone is held once, in any order."""
    if kind == "phones":
        return sorted(set(value))
    return (value or None) if kind in ("number", "whole", "flag") else value


def key_of(value: Any) -> str:
    value = value.normalize() if isinstance(value, Decimal) else value
    return unicodedata.normalize("NFC", text(value)).strip(f"{whitespace}\u00a0\u2003\ufeff")


def expected(row: Mapping[str, Any], *, zone: bool) -> dict[str, Any]:
    """
    What a row says of fields; None under those of which it says nothing.

    :raises Refused: it fails.
    """
    meant = {}
    for name, value in row.items():
        try:
            meant[name] = same_as_nothing(TYPES[name], meaning(TYPES[name], value, zone=zone))
        except Blank:
            meant[name] = Blank
    return meant
