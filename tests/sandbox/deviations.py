"""Where an answer is of another form than the one that the documentation prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def deviations(documented: Any, answer: Any, place: str = "") -> Iterator[str]:
    """
    Where an answer lacks a key of the documented one, or has another JSON type there.

    ``null`` and empty arrays say nothing of a type: ``[]`` also stands for an empty object. So an empty answer, where
    the documentation has something inside, is one too: nothing of that is compared. The first element of a documented
    list has its like among those of the answer, and so has a key that is an id. User fields are those of the
    documentation's own portal, and ``next`` depends on how much that holds.
    """
    if documented in (None, [], {}):
        return
    if answer in (None, []):
        if isinstance(documented, (dict, list)):
            yield f"{place} is empty"
        return
    if isinstance(documented, dict) and isinstance(answer, dict):
        for key, value in documented.items():
            if re.match("uf[A-Z]|UF_CRM|parentId|PARENT_ID", key) or (place, key) == ("", "next"):
                continue
            if key in answer:
                yield from deviations(value, answer[key], f"{place}.{key}")
            elif likes := _same_kind_of_key(key, answer):
                found = (list(deviations(value, answer[like], f"{place}.{key}")) for like in likes)
                yield from min(found, key=len)
            else:
                yield f"{place}.{key} is missing"
    elif isinstance(documented, list) and isinstance(answer, list):
        rows = (list(deviations(documented[0], row, f"{place}[0]")) for row in answer)
        yield from min(rows, key=len)
    elif _json_type(documented) != _json_type(answer):
        yield f"{place} is {answer!r}, documented as {documented!r}"


def _same_kind_of_key(key: str, answer: dict[str, Any]) -> list[str]:
    """Keys like a documented one that is an id, ``1669`` or ``PROPERTY_951``."""
    match = re.fullmatch(r"(PROPERTY_)?\d+", key)
    return [own for own in answer if match and re.fullmatch(rf"{match[1] or ''}\d+", own)]


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__
