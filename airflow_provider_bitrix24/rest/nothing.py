"""What templates, data frames and databases make of nothing: never a value, and never a wish for everything."""

from __future__ import annotations

import json
from typing import Any

#: Texts that templates and data frames make of nothing.
NOTHING = frozenset({"", "None", "null", "nan", "NaN", "NaT"})


def nothing_hint(value: Any) -> str:
    """What to do about None, and about a text that a template or a data frame makes of it; empty for anything else."""
    nothing = str(value).strip() in NOTHING if isinstance(value, (str, float)) else value is None
    return "nothing was found for it: look at the template, or at what the other task returned" if nothing else ""


def text_hint(value: Any) -> str:
    """What to do where a template has made text of an object or a list, or of nothing."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "[", "(") and from_json(value) is value:
        return "if a template wrote it, add | tojson to it, or set render_template_as_native_obj=True in the DAG"
    return nothing_hint(value)


def from_json(value: Any) -> Any:
    """What JSON text says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
