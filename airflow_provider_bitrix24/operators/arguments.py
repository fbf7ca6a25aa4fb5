"""Checks of operators' arguments, after rendering: templates make texts of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError


def positive_id(value: Any, name: str, hint: str = "") -> int:
    """
    ``value`` as a whole number above 0: ``1035``, ``"1035"`` and ``" 1035 "`` are taken.

    :param hint: how to find the id, for the message.
    :raises ConfigurationError: anything else, booleans and ``1035.0`` included.
    """
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value, re.ASCII):
        number = int(value)
    if number is None or not 0 < number < 10**18:
        raise ConfigurationError(f"{name} must be a whole number above 0, not {shown(value)}", next_step=hint)
    return number


def parameters(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as the parameters of a method: an object, or its JSON text, which templates make of objects.

    :raises ConfigurationError: anything else.
    """
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            value = ()
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"{name} is not an object", next_step='write e.g. {"id": 7}, or the same as JSON text')
    return dict(value)


def number_from_zero(value: Any, name: str) -> int:
    """
    ``value`` as a whole number, 0 included.

    :raises ConfigurationError: anything else.
    """
    return 0 if value == 0 and not isinstance(value, bool) else positive_id(value, name)


def ids(value: Any, name: str, hint: str = "") -> list[int]:
    """
    ``value`` as a list of whole numbers above 0, each once: a list, a lazy XCom sequence, or JSON text of one.

    :raises ConfigurationError: anything else.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{name} is not a list of ids", next_step=hint or "write e.g. [7, 9]")
    return list(dict.fromkeys(positive_id(one, f"an id in {name}", hint) for one in value))


def one_of(value: Any, name: str, allowed: tuple[Any, ...]) -> Any:
    """
    ``value``, if it is one of those allowed.

    :raises ConfigurationError: it is not.
    """
    if value not in allowed or isinstance(value, bool):
        raise ConfigurationError(
            f"{name} is {shown(value)}", next_step=f"write one of: {', '.join(map(repr, allowed))}"
        )
    return value


def names(value: Any, name: str) -> list[str]:
    """
    ``value`` as a list of names: a list of texts, its JSON text, or one name.

    :raises ConfigurationError: anything else.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    found = [value] if isinstance(value, str) else value
    if isinstance(found, (bytes, Mapping)) or not isinstance(found, Iterable):
        raise ConfigurationError(f"{name} is not a list of names", next_step='write e.g. ["id", "title"]')
    found = list(found)
    if not all(isinstance(one, str) and one.strip() for one in found):
        raise ConfigurationError(f"{name} holds something that is no name", next_step='write e.g. ["id", "title"]')
    return [one.strip() for one in found]


def shown(value: Any, scrub: Callable[[str], str] = str) -> str:
    """
    ``value`` for a message, cut where it is long.

    :param scrub: takes secrets out of what a portal sent.
    """
    text = scrub(repr(value))
    return text if len(text) <= 60 else f"{text[:59]}…"
