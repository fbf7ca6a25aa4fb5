"""Checks of operators' arguments, after rendering: templates make texts of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.messages import preview
from airflow_provider_bitrix24.rest.nothing import from_json, nothing_hint, text_hint


def positive_id(value: Any, name: str, hint: str = "") -> int:
    """
    ``value`` as a whole number above 0: ``1035``, ``"1035"`` and ``" 1035 "`` are taken.

    :param hint: how to find the id, for the message.
    :raises ConfigurationError: anything else, booleans and ``1035.0`` included.
    """
    number = _whole(value)
    if number is None or not 0 < number < 10**18:
        raise ConfigurationError(
            f"{name} must be a whole number above 0, not {preview(value)}", next_step=_cure_of_number(value) or hint
        )
    return number


def number_from_zero(value: Any, name: str) -> int:
    """
    ``value`` as a whole number, 0 included.

    :raises ConfigurationError: anything else.
    """
    number = _whole(value)
    if number is None or not 0 <= number < 10**18:
        raise ConfigurationError(
            f"{name} must be a whole number, 0 or above, not {preview(value)}", next_step=_cure_of_number(value)
        )
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cure_of_number(value: Any) -> str:
    """What to do about what data frames, databases and templates make of a number, or of none."""
    text = f"{value}." if isinstance(value, Decimal) else str(value)
    if isinstance(value, (str, float, Decimal)) and re.fullmatch(r"\s*[1-9][0-9]*\.[0.]*\s*", text):
        return "make it whole with int(…), in a template with | float | int"
    return nothing_hint(value)


def required(value: Any, name: str) -> Any:
    """
    ``value``, if it is one.

    :raises ConfigurationError: None, an empty text, or one such as ``None`` that a template makes of nothing.
    """
    if cure := nothing_hint(value):
        raise ConfigurationError(f"{name} is {preview(value)}", next_step=cure)
    return value


def parameters(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as the parameters of a method: an object, or its JSON text, which templates make of objects.

    :raises ConfigurationError: anything else; also empty text, which may be a filter that a template has lost.
    """
    if value is None:
        return {}
    found = from_json(value)
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        # What else it holds may be a secret.
        told = f", but {preview(value)}" if nothing_hint(value) else ""
        cure = text_hint(value) or 'write e.g. {"id": 7}, or the same as JSON text'
        raise ConfigurationError(f"{name} is not an object{told}", next_step=cure)
    return dict(found)


def some_fields(value: Any) -> dict[str, Any]:
    """
    :raises ConfigurationError: no object, or an empty one.
    """
    given = parameters(value, "fields")
    if not given:
        raise ConfigurationError("fields is empty", next_step='write e.g. {"title": "Oak door"}')
    return given


def ids(value: Any, name: str, hint: str = "") -> list[int]:
    """
    ``value`` as a list of whole numbers above 0, each once: a list, a lazy XCom sequence, or JSON text of one.

    :raises ConfigurationError: anything else.
    """
    found = from_json(value)
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        cure = text_hint(value) or hint or "write e.g. [7, 9]"
        raise ConfigurationError(f"{name} is not a list of ids, but {preview(value)}", next_step=cure)
    return list(dict.fromkeys(positive_id(one, f"an id in {name}", hint) for one in found))


def one_of(value: Any, name: str, allowed: tuple[Any, ...]) -> Any:
    """
    ``value``, if it is one of those allowed.

    :raises ConfigurationError: it is not.
    """
    if value not in allowed or isinstance(value, bool):
        raise ConfigurationError(
            f"{name} is {preview(value)}", next_step=f"write one of: {', '.join(map(repr, allowed))}"
        )
    return value


def flag(value: Any, name: str) -> bool:
    """
    ``value``, if it is True or False.

    :raises ConfigurationError: anything else: a text such as ``"false"`` would count as true.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{name} must be True or False, not {preview(value)}",
            next_step="write it without quotes; it is no template",
        )
    return value


def names(value: Any, name: str) -> list[str]:
    """
    ``value`` as a list of names: a list of texts, its JSON text, or one name.

    :raises ConfigurationError: anything else.
    """
    found = from_json(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    cure = text_hint(value)
    if isinstance(found, str) and not cure and "," not in found:
        found = [found]
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        told = f", but {preview(value)}" if isinstance(value, str) else ""
        raise ConfigurationError(f"{name} is not a list of names{told}", next_step=cure or 'write e.g. ["id", "title"]')
    found = list(found)
    if not all(isinstance(one, str) and one.strip() for one in found):
        raise ConfigurationError(f"{name} holds something that is no name", next_step='write e.g. ["id", "title"]')
    return [one.strip() for one in found]
