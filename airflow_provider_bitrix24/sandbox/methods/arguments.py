"""Parameters as module controllers take them: case-sensitive names, PHP's ideas of numbers."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal
from airflow_provider_bitrix24.sandbox.php import as_integer


def integer(params: Params, name: str) -> int:
    """A required whole number; text such as ``"1035"`` counts."""
    value = required(params, name)
    number = as_integer(value)
    if number is None:
        raise Refusal(
            "100", f"Invalid value {{{value}}} to match with parameter {{{name}}}. Should be value of type int."
        )
    return number


def optional_array(params: Params, name: str) -> dict[str, Any]:
    """A PHP array by string keys; left out it is empty."""
    return {} if params.get(name) is None else array(params, name)


def array_or_nothing(value: Any, name: str) -> dict[str, Any]:
    """
    An array that may be left out, by string keys.

    :raises Refusal: it is another value: what ignores that asks for everything.
    """
    return {} if value in (None, "") else array({name: value}, name)


def select_of(params: Params) -> list[str] | None:
    """Names of ``select``; ``None`` for all, which ``*`` asks for too."""
    names = [str(name) for name in optional_array(params, "select").values()]
    return None if not names or "*" in names else names


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
