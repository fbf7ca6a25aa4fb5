"""Parameters as module controllers take them: case-sensitive names, PHP's ideas of numbers."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal


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
    """``5``, ``"5"``, ``" 5"`` and ``5.0`` are whole numbers to PHP; ``true``, ``"5a"``, ``""`` and arrays are not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip()
        digits = text[1:] if text[:1] in ("-", "+") else text
        return int(text) if digits.isascii() and digits.isdigit() else None
    return None


def is_truthy(value: Any) -> bool:
    """PHP's truth: ``"0"``, ``""``, ``0``, ``null`` and empty arrays are false, ``"false"`` is true."""
    return bool(value) and value != "0"
