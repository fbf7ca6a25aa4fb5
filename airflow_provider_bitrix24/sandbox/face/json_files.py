"""JSON that a user gives as a file or as an object of the same form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

#: A path, or what stands in such a file.
Data: TypeAlias = str | Path | Mapping[str, Any]


def read_object(data: Data, what: str, example: str) -> Mapping[str, Any]:
    """
    The object, read from its file if it is a path.

    :param what: how a message begins: ``The data``.
    :raises ValueError: the file cannot be read or is not JSON, or holds something else than an object.
    """
    content: Any = data
    if isinstance(data, (str, Path)):
        try:
            content = json.loads(Path(data).read_text(encoding="utf-8-sig"), object_pairs_hook=_without_twins)
        except OSError as problem:
            raise ValueError(f"{what} cannot be read from {data}: {problem.strerror}. Name a JSON file.") from None
        except UnicodeDecodeError:
            raise ValueError(f"{data} is in another charset than UTF-8: save it in UTF-8.") from None
        except (ValueError, RecursionError) as problem:
            raise ValueError(f"{data} is not JSON: {problem}.") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} is not an object: write {example}.")
    return content


def check_json(content: object, what: str) -> None:
    """:raises ValueError: JSON cannot hold it; Python reads and writes NaN, which no portal can send."""
    try:
        json.dumps(content, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise ValueError(f"{what} is not JSON: {problem}.") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of two values under one name Python would drop the first silently."""
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"the name {name!r} stands twice in one object")
        content[name] = value
    return content
