"""Days and moments, as Bitrix24 writes them and as it wants them sent."""

from __future__ import annotations

import datetime
from contextlib import suppress
from typing import Any

import pendulum

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.rest.moments import parse


def day(value: Any, place: str) -> str:
    """
    The day that a date, a datetime or their ISO text stands for: ``"2026-01-31"``.

    A text that is midnight UTC is how CRM itself writes a day, in its server's offset: ``2024-06-17T19:00:00-05:00`` is
    18 June ("value conventions"). Any other time stands for the day it is written with.

    :param place: the field, for the message.
    :raises ConfigurationError: anything else: the portal silently drops a date that it cannot read.
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
    if parsed.tzinfo is not None:
        with suppress(OverflowError):  # the first or the last day that Python knows
            universal = parsed.in_timezone("UTC")
            if universal.time() == datetime.time():
                parsed = universal
    return parsed.date().isoformat()


def moment(value: Any, place: str) -> str:
    """
    A moment with its zone: ``"2026-01-31T09:30:00+03:00"``; fractions of a second are cut.

    :param place: the field, for the message.
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
            next_step=f'write it with its zone, e.g. {written}+03:00; for many rows, give timezone="Europe/Berlin"',
        )
    return parsed.isoformat(timespec="seconds")
