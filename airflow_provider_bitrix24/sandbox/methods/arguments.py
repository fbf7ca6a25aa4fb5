"""Parameters as module controllers take them: case-sensitive names, PHP's ideas of numbers."""

from __future__ import annotations

import math
import re
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_TOO_LARGE = 2**63


def integer(params: Params, name: str) -> int:
    """A required whole number; text such as ``"1035"`` counts."""
    value = required(params, name)
    number = as_integer(value)
    if number is None:
        raise Refusal(
            "100", f"Invalid value {{{value}}} to match with parameter {{{name}}}. Should be value of type int."
        )
    return number


def required(params: Params, name: str) -> Any:
    value = params.get(name)
    if value is None:
        raise Refusal("100", f"Could not find value for parameter {{{name}}}")
    return value


def array(params: Params, name: str) -> dict[str, Any]:
    """A required PHP array, by string keys."""
    value = required(params, name)
    if not isinstance(value, (dict, list)):
        raise Refusal(
            "100", f"Invalid value {{{value}}} to match with parameter {{{name}}}. Should be value of type array."
        )
    return as_map(value)


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


def is_truthy(value: Any) -> bool:
    """PHP's truth: ``"0"``, ``""``, ``0``, ``null`` and empty arrays are false, ``"false"`` is true."""
    return bool(value) and value != "0"
