"""
Values that went missing on their way into an argument, and objects that became text.

A template, a data frame or a database turns a missing value into None, NaN or a text such as ``"None"``. It is never
sent as a value, and never taken for "all" or "no limit": it is refused with the hint that is made here.
"""

from __future__ import annotations

import json
from typing import Any

#: Texts that templates and data frames make of a missing value.
NOTHING = frozenset({"", "None", "null", "nan", "NaN", "NaT"})


def nothing_hint(value: Any) -> str:
    """Return what to do about None, NaN, and the texts that stand for them; empty for any other value."""
    is_nothing = str(value).strip() in NOTHING if isinstance(value, (str, float)) else value is None
    return "it has no value: check the template, or what the upstream task returned" if is_nothing else ""


def text_hint(value: Any) -> str:
    """Return what to do where an object or a list, or nothing, arrived as text; empty for any other value."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "[", "(") and from_json(value) is value:
        return "if a template wrote it, add | tojson to it, or set render_template_as_native_obj=True in the DAG"
    return nothing_hint(value)


def from_json(value: Any) -> Any:
    """Return the value of JSON text; anything else, text that is not JSON included, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
