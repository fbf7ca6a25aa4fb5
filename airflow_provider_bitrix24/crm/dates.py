"""Days and moments, as Bitrix24 writes them and as it must be sent them."""

from __future__ import annotations

import datetime
import re
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.messages import preview
from airflow_provider_bitrix24.rest.nothing import nothing_hint

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)


def day(value: Any, place: str) -> str:
    """
    The day meant by a date, a datetime or their ISO text: ``"2026-01-31"``.

    A text that is midnight UTC is how CRM itself writes a day, in its server's offset: ``2024-06-17T19:00:00-05:00`` is
    18 June («value conventions»). Any other time means the day it is written with.

    :raises ConfigurationError: anything else: the portal drops, without a word, a date that it cannot read.
    """
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    found = read(value) if isinstance(value, str) else None
    if found is None:
        raise ConfigurationError(
            f"{place} is {preview(value)}, and no day", next_step=nothing_hint(value) or "write e.g. 2026-01-31"
        )
    return day_of(found)


def day_of(found: datetime.datetime | datetime.date) -> str:
    """The day that a moment out of :func:`read` stands for."""
    if not isinstance(found, datetime.datetime):
        return found.isoformat()
    if found.tzinfo is not None:
        universal = found.astimezone(datetime.timezone.utc)
        if universal.time() == datetime.time():
            found = universal
    return found.date().isoformat()


def moment(value: Any, place: str) -> str:
    """
    A moment with its zone: ``"2026-01-31T09:30:00+03:00"``; fractions of a second are cut.

    :raises ConfigurationError: no moment, or one without a zone: the portal would read it in its server's zone.
    """
    found = read(value) if isinstance(value, str) else value
    if not isinstance(found, datetime.date):
        raise ConfigurationError(
            f"{place} is {preview(value)}, and no date with time",
            next_step=nothing_hint(value) or "write e.g. 2026-01-31T09:30:00+03:00",
        )
    if not isinstance(found, datetime.datetime) or found.tzinfo is None:
        raise ConfigurationError(
            f"{place} is {preview(value)}, a time without a zone",
            next_step="write e.g. 2026-01-31T00:00:00+03:00; in a template, {{ ts }} and not {{ ds }}",
        )
    return found.isoformat(timespec="seconds")


def read(text: str) -> datetime.datetime | datetime.date | None:
    """A date (``2026-01-31``) or a datetime, with a zone if the text has one; None for any other text."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    date, minutes, seconds, zone = match.groups()
    try:
        if minutes is None:
            return datetime.date.fromisoformat(date)
        # Python 3.10 reads neither Z nor +0300.
        offset = "+00:00" if zone in ("Z", "z") else zone or ""
        if offset and ":" not in offset:
            offset = f"{offset[:3]}:{offset[3:] or '00'}"
        return datetime.datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}{offset}")
    except ValueError:
        return None
