"""
Query strings as PHP reads and writes them: ``filter[>ID]=5&select[]=ID`` is a nested value.

Read into ``dict`` and ``list``: a PHP array whose keys are 0..n-1 is a list, every other one a dict with string keys.
Every value is a string. Source: Bitrix24 REST docs, "Data encoding", and the PHP manual, ``parse_str``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote_plus

#: As `max_input_nesting_level` of PHP: what is nested deeper is dropped.
_MAX_DEPTH = 64
#: Whole numbers of PHP have 64 bits; longer keys are texts.
_INDEX_DIGITS = 18


def parse_query(query: str) -> dict[str, Any]:
    """Nested parameters of one query string; of two values for one name the later one stays."""
    tree: dict[str, Any] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        path = _path_of(unquote_plus(name, errors="replace"))
        if 0 < len(path) <= _MAX_DEPTH:
            _put(tree, path, unquote_plus(value, errors="replace"))
    return {key: _as_php_array(value) for key, value in tree.items()}


def _path_of(name: str) -> list[str]:
    """``a[b][]`` -> ``["a", "b", ""]``. PHP turns blanks and dots of the first part into underscores."""
    base, bracket, rest = name.lstrip(" ").partition("[")
    base = base.replace(".", "_").replace(" ", "_")
    if not base:
        return []
    if not bracket:
        return [base]
    if "]" not in rest:
        return [f"{base}_{rest}"]
    path, rest = [base], "[" + rest
    while rest.startswith("[") and "]" in rest:
        part, _, rest = rest[1:].partition("]")
        path.append(part)
    return path


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        key = part or _next_index(tree)
        child = tree.get(key)
        if not isinstance(child, dict):
            child = tree[key] = {}
        tree = child
    tree[path[-1] or _next_index(tree)] = value


def _next_index(tree: dict[str, Any]) -> str:
    return str(max((int(key) for key in tree if _is_index(key)), default=-1) + 1)


def _is_index(key: str) -> bool:
    return key == "0" or (key.isascii() and key.isdigit() and key[0] != "0" and len(key) <= _INDEX_DIGITS)


def _as_php_array(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return as_list_if_counted({key: _as_php_array(item) for key, item in value.items()})


def as_list_if_counted(array: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """What ``json_encode`` makes of a PHP array: a list if its keys are 0..n-1 in this order, so ``[]`` if empty."""
    if all(key == str(index) for index, key in enumerate(array)):
        return list(array.values())
    return array


def as_map(value: Any) -> dict[str, Any]:
    """The PHP array ``value`` by string keys; anything but an array is an empty one."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def build_query(params: dict[str, Any]) -> str:
    """Nested parameters as PHP's ``http_build_query`` writes them: true is 1, false 0; null and empty arrays vanish."""
    pairs: list[str] = []
    for key, value in params.items():
        _write(pairs, quote(str(key), safe=""), value)
    return "&".join(pairs)


def _write(pairs: list[str], name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, (dict, list)):
        for key, item in as_map(value).items():
            _write(pairs, f"{name}%5B{quote(key, safe='')}%5D", item)
        return
    if isinstance(value, bool):
        value = int(value)
    pairs.append(f"{name}={quote(str(value), safe='')}")
