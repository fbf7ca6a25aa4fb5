"""Checks of operators' arguments, after rendering: templates make texts of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: Texts that templates and data frames make of nothing.
NOTHING = frozenset({"", "None", "null", "nan", "NaN", "NaT"})


def positive_id(value: Any, name: str, hint: str = "") -> int:
    """
    ``value`` as a whole number above 0: ``1035``, ``"1035"`` and ``" 1035 "`` are taken.

    :param hint: how to find the id, for the message.
    :raises ConfigurationError: anything else, booleans and ``1035.0`` included.
    """
    number = _whole(value)
    if number is None or not 0 < number < 10**18:
        raise ConfigurationError(
            f"{name} must be a whole number above 0, not {shown(value)}", next_step=_cure_of_number(value) or hint
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
            f"{name} must be a whole number, 0 or above, not {shown(value)}", next_step=_cure_of_number(value)
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
    return cure_of_nothing(value)


def something(value: Any, name: str) -> Any:
    """
    ``value``, if it is one.

    :raises ConfigurationError: None, an empty text, or one such as ``None`` that a template makes of nothing.
    """
    if cure := cure_of_nothing(value):
        raise ConfigurationError(f"{name} is {shown(value)}", next_step=cure)
    return value


def cure_of_nothing(value: Any) -> str:
    """What to do about None, and about a text that a template or a data frame makes of it; empty for anything else."""
    nothing = str(value).strip() in NOTHING if isinstance(value, (str, float)) else value is None
    return "nothing was found for it: look at the template, or at what the other task returned" if nothing else ""


def parameters(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as the parameters of a method: an object, or its JSON text, which templates make of objects.

    :raises ConfigurationError: anything else; also empty text, which may be a filter that a template has lost.
    """
    if value is None:
        return {}
    found = _read(value)
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        # What else it holds may be a secret.
        told = f", but {shown(value)}" if cure_of_nothing(value) else ""
        cure = cure_of_text(value) or 'write e.g. {"id": 7}, or the same as JSON text'
        raise ConfigurationError(f"{name} is not an object{told}", next_step=cure)
    return dict(found)


def ids(value: Any, name: str, hint: str = "") -> list[int]:
    """
    ``value`` as a list of whole numbers above 0, each once: a list, a lazy XCom sequence, or JSON text of one.

    :raises ConfigurationError: anything else.
    """
    found = _read(value)
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        cure = cure_of_text(value) or hint or "write e.g. [7, 9]"
        raise ConfigurationError(f"{name} is not a list of ids, but {shown(value)}", next_step=cure)
    return list(dict.fromkeys(positive_id(one, f"an id in {name}", hint) for one in found))


def _read(value: Any) -> Any:
    """What JSON text says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def cure_of_text(value: Any) -> str:
    """What to do where a template has made text of an object or a list, or of nothing."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "[", "(") and _read(value) is value:
        return "if a template wrote it, add | tojson to it, or set render_template_as_native_obj=True in the DAG"
    return cure_of_nothing(value)


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


def flag(value: Any, name: str) -> bool:
    """
    ``value``, if it is True or False.

    :raises ConfigurationError: anything else: a text such as ``"false"`` would count as true.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{name} must be True or False, not {shown(value)}", next_step="write it without quotes; it is no template"
        )
    return value


def names(value: Any, name: str) -> list[str]:
    """
    ``value`` as a list of names: a list of texts, its JSON text, or one name.

    :raises ConfigurationError: anything else.
    """
    found = _read(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    cure = cure_of_text(value)
    if isinstance(found, str) and not cure and "," not in found:
        found = [found]
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        told = f", but {shown(value)}" if isinstance(value, str) else ""
        raise ConfigurationError(f"{name} is not a list of names{told}", next_step=cure or 'write e.g. ["id", "title"]')
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
