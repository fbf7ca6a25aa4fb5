"""
Floats and midnights in raw writes of CRM: a key that has lost digits, or has an exponent, is another key, and the
midnight of another zone than the portal's is another day.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm import dates
from airflow_provider_bitrix24.crm.values import TEXTS, as_text
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.missing_values import is_missing
from airflow_provider_bitrix24.rest.scalars import has_lost_digits, native

#: The type of phones and the like; their entries hold text.
MULTIFIELD = "crm_multifield"
_TEXT = TEXTS | {MULTIFIELD}


def has_float(value: Any) -> bool:
    """Whether there is a float in ``value``, at any depth."""
    value = native(value)
    if isinstance(value, Mapping):
        return any(map(has_float, value.values()))
    return any(map(has_float, value)) if isinstance(value, (list, tuple)) else _is_float(value)


def as_day(value: Any, place: str) -> Any:
    """
    Midnights of a field of days as the days that they stand for, see :func:`dates.day`; anything else as it is.

    :param place: the field, for the message.
    """
    value = native(value)
    if isinstance(value, (list, tuple)):
        return [as_day(member, place) for member in value]
    is_moment = isinstance(value, datetime.datetime) or (isinstance(value, str) and ":" in value)
    return dates.day(value, place) if is_moment and not is_missing(value) and not has_reference(value) else value


def with_exact_texts(value: Any, kind: str, place: str) -> Any:
    """
    ``value`` with its floats as text, at any depth, where the type of the field is one of text.

    :param place: the field, for the message.
    :raises ConfigurationError: a float from 2**53 up, which has lost digits.
    """
    if kind not in _TEXT:
        return value
    value = native(value)
    if isinstance(value, Mapping):
        return {name: with_exact_texts(member, kind, f"{place}[{name}]") for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_exact_texts(member, kind, f"{place}[{number}]") for number, member in enumerate(value)]
    # About NaN and infinity, the encoding says more.
    return as_text(value, place) if _is_float(value) and math.isfinite(value) else value


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or has_lost_digits(value)
