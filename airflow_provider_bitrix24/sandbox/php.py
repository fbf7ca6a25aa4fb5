"""Values as the portal's PHP reads them: numbers, truth, and times in the server's zone."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_LEADING_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?")
_TOO_LARGE = 2**63

#: Zone of the portal's server: every datetime of every answer has this offset.
SERVER_ZONE = timezone(timedelta(hours=3))


class BadValue(Exception):
    """A value that does not fit its field."""


def as_integer(value: Any) -> int | None:
    """
    ``5``, ``"5"``, ``" 5"`` and ``5.0`` are whole numbers to PHP; ``true``, ``"5a"``, ``""``, arrays, and what
    takes more than 64 bits are not.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < _TOO_LARGE else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _TOO_LARGE else None
    if isinstance(value, str):
        text = value.strip()
        digits = text[1:] if text[:1] in ("-", "+") else text
        fits = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) < len(str(_TOO_LARGE))
        return int(text) if fits else None
    return None


def as_number(value: Any) -> float | None:
    """
    Numbers and the texts that PHP takes for one: not ``"NaN"``, ``"1_000"`` or ``"２"``, which Python reads. A number
    that is too large for the database is none, as an answer could not hold it.
    """
    if not isinstance(value, (int, float)) and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def leading_number(value: Any) -> float:
    """What PHP makes of any text where it wants a number: what the text begins with, else 0."""
    match = _LEADING_NUMBER.match(str(value))
    return float(match.group()) if match else 0.0


def is_truthy(value: Any) -> bool:
    """PHP's truth: ``"0"``, ``""``, ``0``, ``null`` and empty arrays are false, ``"false"`` is true."""
    return bool(value) and value != "0"


def as_server_time(value: Any) -> str:
    """
    A time in the server's zone; without an offset it is read there.

    :raises BadValue: not a time, such as one whose ``+`` was lost in a query string.
    """
    try:
        moment = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except ValueError:
        raise BadValue from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SERVER_ZONE)
    return moment.astimezone(SERVER_ZONE).isoformat(timespec="seconds")


def as_server_day(value: Any) -> str:
    """A day as the portal keeps it: midnight UTC, shown in the server's zone. :raises BadValue: not a time."""
    return f"{as_server_time(value)[:10]}T03:00:00+03:00"
