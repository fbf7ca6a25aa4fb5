"""
Values that went missing on their way into an argument, and objects that became text.

A template, a data frame or a database turns a missing value into None, NaN or a text such as ``"None"``. It is never
sent as a value, and never taken for "all" or "no limit": it is refused with the hint that is made here.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.scalars import json_number

#: Texts that templates and data frames make of a missing value.
NOTHING = frozenset({"", "None", "null", "nan", "NaN", "NaT", "<NA>"})

#: Without one of these a phone, an amount of money and the like is nothing, whatever else the object has.
CARRIERS = frozenset({"value", "amount"})

#: Signs that nobody sees, beside blanks: zero-width spaces, joiners, the mark at the beginning of a file.
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"
_BLANK_TEXT = re.compile(rf"[\s{UNSEEN}]*")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
#: What Airflow makes of the results of a mapped task as text.
LAZY = ("LazySelectSequence", "LazyXComSequence")

#: What pandas has for a missing value.
_MISSING_TYPES = frozenset({"NAType", "NaTType"})


def is_blank_text(value: Any) -> bool:
    """Whether ``value`` is a text in which nobody sees anything: empty, or of blanks and signs without a width."""
    return isinstance(value, str) and _BLANK_TEXT.fullmatch(value) is not None


def is_missing(value: Any) -> bool:
    """Whether ``value`` is None, a missing value of a data frame (NaN, NaT, NA), or an undefined one of a template."""
    if value is None:
        return True
    # The most frequent types first: this runs for each value of each row.
    if isinstance(value, (str, int)):
        return False
    if isinstance(value, float):
        return value != value  # noqa: PLR0124
    if isinstance(value, Decimal):
        return value.is_nan()
    kind = type(value)
    if kind.__name__ in _MISSING_TYPES:
        return True
    if kind.__module__ == "numpy":
        return str(value) in ("nan", "NaT")
    return any(base.__name__ == "Undefined" and base.__module__.startswith("jinja2") for base in kind.__mro__)


def nothing_hint(value: Any) -> str:
    """Return what to do about None, NaN, and the texts that stand for them; empty for any other value."""
    is_nothing = value.strip() in NOTHING if isinstance(value, str) else is_missing(value)
    return "it has no value: check the template, or what the upstream task returned" if is_nothing else ""


def text_hint(value: Any) -> str:
    """Return what to do where an object or a list, or nothing, arrived as text; empty for any other value."""
    if isinstance(value, str) and value.strip()[:1] in _BRACKETS and not is_json(value):
        return "if a template wrote it, add | tojson to it, or set render_template_as_native_obj=True in the DAG"
    return nothing_hint(value)


def is_written_structure(value: Any) -> bool:
    """Whether ``value`` is what Python or JSON writes for a list or an object, or Airflow for the results of a task."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    return (text[:1] in _BRACKETS and text[-1] == _BRACKETS[text[0]]) or text.startswith(LAZY)


def from_json(value: Any, name: str = "JSON text") -> Any:
    """
    Return the value of JSON text; anything else, text that is not JSON included, as it is. Numbers keep their digits,
    see :func:`json_number`.

    :param name: the argument, for the message.
    :raises ConfigurationError: an object in it has a name twice, of which JSON would keep the last value alone.
    """
    if not isinstance(value, str):
        return value

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, member in pairs:
            if key in members:
                raise ConfigurationError(
                    f"{name} has the name {key[:100]!r} twice in one object, and only one of them would count",
                    next_step="write each name once; several values of one field are a list",
                )
            members[key] = member
        return members

    try:
        return json.loads(value, object_pairs_hook=once_each, parse_float=json_number)
    except ConfigurationError:
        raise
    except ValueError:
        return value


def is_json(text: str) -> bool:
    """Whether ``text`` is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
