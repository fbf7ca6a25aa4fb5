"""
Numbers that a spreadsheet has shortened in a text file: ``4.07E+19``. Their digits were lost before we saw them.

In keys, ids and phones they are refused, and in fields of numbers where digits are missing. Any other text may be meant
as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import holds_shortened

#: Fields and params whose texts are keys or ids: ``originId``, ``XML_ID``, ``TASKID``.
_KEY = re.compile(r"(?i:(?:.*_)?id|external_?code|guid)|.*[a-z]I[dD]|[A-Z]+ID")
#: Those whose texts are requisites or phones: ``RQ_INN``, ``WORK_PHONE``.
_DIGITS = re.compile(r"(?i:rq_.+|.*(?:phone|mobile|fax).*)")


def shortened(place: str, value: Any, method: str = "") -> ConfigurationError:
    """
    What is wrong with such a number.

    :param place: the field, for the message.
    """
    return ConfigurationError(
        f"{place} is {preview(value)}, with a number that was shortened and has lost digits",
        method=method,
        next_step="format the column as text in the spreadsheet before saving, or write all digits",
    )


def check_digits(name: str, value: Any, method: str = "") -> None:
    """:raises ConfigurationError: the text has such a number, and by its name the field holds keys, ids or phones."""
    if isinstance(value, str) and (found_in := _found_in(name)) is not None and found_in(value):
        raise shortened(name, value, method)


def is_key(name: str) -> bool:
    """Whether a field or a parameter of such a name holds a key or an id."""
    return _KEY.fullmatch(name) is not None


@lru_cache(1024)
def _found_in(name: str) -> Callable[[str], bool] | None:
    """What finds such a number in the texts of a field; None where it may be meant."""
    return holds_shortened if _DIGITS.fullmatch(name) or is_key(name) else None
