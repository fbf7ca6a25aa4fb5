"""Days and moments, as Bitrix24 writes them and as it wants them sent."""

from __future__ import annotations

import datetime
import re
from contextlib import suppress
from typing import Any

import pendulum

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.rest.moments import parse

_MIDNIGHT = datetime.time()
#: A fraction of a second that is not 0, of a text that is a moment.
_FRACTION = re.compile(r"[.,]\d*[1-9]")


def has_time(value: Any) -> bool:
    """
    Whether a datetime or its ISO text says more than a day; False for anything else.

    Midnight says no more, in the zone that it is written with; of a text also midnight UTC, see :func:`day`.
    """
    if isinstance(value, datetime.datetime):
        return value.time() != _MIDNIGHT or bool(getattr(value, "nanosecond", 0))
    parsed = parse(value) if isinstance(value, str) else None
    if not isinstance(parsed, pendulum.DateTime):
        return False
    return bool(_FRACTION.search(value)) or (parsed.time() != _MIDNIGHT and _in_utc(parsed) is None)


def with_time(value: Any, place: str, method: str = "") -> ConfigurationError:
    """What is wrong with a value of a field of days that :func:`has_time`."""
    return ConfigurationError(
        f"{place} is {preview(str(value))}, and the field holds a day: the time would be lost",
        method=method,
        next_step="write the day alone, e.g. 2026-12-31; in SQL, CAST(… AS DATE)",
    )


def day(value: Any, place: str) -> str:
    """
    The day that a date, a datetime of midnight or their ISO text stands for: ``"2026-01-31"``.

    A text that is midnight UTC is how CRM itself writes a day, in its server's offset: ``2024-06-17T19:00:00-05:00`` is
    18 June ("value conventions"). Any other midnight stands for the day it is written with.

    :param place: the field, for the message.
    :raises ConfigurationError: anything else: the portal silently drops a date that it cannot read, and any other time.
    """
    if has_time(value):
        raise with_time(value, place)
    return day_of_time(value, place)


def day_of_time(value: Any, place: str) -> str:
    """
    The same of any time: the day in which it lies.

    :raises ConfigurationError: neither a date nor a time.
    """
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    parsed = parse(value) if isinstance(value, str) else None
    if parsed is None:
        raise ConfigurationError(
            f"{place} is {preview(value)}, which is not a date",
            next_step=nothing_hint(value) or "write e.g. 2026-01-31",
        )
    return day_of(parsed)


def day_of(parsed: pendulum.DateTime | pendulum.Date) -> str:
    """The day that an answer of :func:`parse` stands for, see :func:`day`."""
    if not isinstance(parsed, pendulum.DateTime):
        return parsed.isoformat()
    return (_in_utc(parsed) or parsed).date().isoformat()


def _in_utc(parsed: pendulum.DateTime) -> pendulum.DateTime | None:
    """What is midnight UTC, in UTC; None for any other time."""
    if parsed.tzinfo is not None:
        with suppress(OverflowError):  # the first or the last day that Python knows
            universal = parsed.in_timezone("UTC")
            return universal if universal.time() == _MIDNIGHT else None
    return None


def moment(value: Any, place: str, *, hint: str = "") -> str:
    """
    A moment with its zone: ``"2026-01-31T09:30:00+03:00"``; fractions of a second are cut.

    :param place: the field, for the message.
    :param hint: what else to do about one without a zone, for the message.
    :raises ConfigurationError: not a moment, or one without a zone: the portal would read it in its server's zone.
    """
    parsed = parse(value) if isinstance(value, str) else value
    if not isinstance(parsed, datetime.date):
        raise ConfigurationError(
            f"{place} is {preview(value)}, which is not a date with a time",
            next_step=nothing_hint(value) or "write e.g. 2026-01-31T09:30:00+03:00",
        )
    if not isinstance(parsed, datetime.datetime):
        raise ConfigurationError(
            f"{place} is {preview(str(value))}, a day without a time",
            next_step=f"write the time and its zone, e.g. {parsed.isoformat()}T00:00:00+03:00; in a template, "
            "{{ ts }} and not {{ ds }}",
        )
    if parsed.tzinfo is None:
        written = parsed.isoformat(timespec="seconds")
        raise ConfigurationError(
            f"{place} is {preview(str(value))}, which has no time zone",
            next_step=f"write it with its zone, e.g. {written}+03:00{hint}",
        )
    return parsed.isoformat(timespec="seconds")
