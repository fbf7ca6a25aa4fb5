"""Names and patterns of methods that tests write: a slip in one would make a test green for the wrong reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache

from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3
from airflow_provider_bitrix24.sandbox.methods.documented import documented

_WILDCARDS = frozenset("*?[")


def is_pattern(method: str) -> bool:
    """Whether it stands for more than one method, as ``crm.item.payment.*`` does."""
    return not _WILDCARDS.isdisjoint(method)


def check_name(method: object) -> None:
    """:raises ValueError: no name, or one much like those of methods, which is called by nobody."""
    if not isinstance(method, str) or not method:
        raise ValueError(f"method={method!r} is not valid: give a name or a pattern, such as 'crm.item.payment.*'.")
    near = _near(method.lower())
    if near:
        raise ValueError(f"There is no method {method!r}: write {' or '.join(near)}.")


def check_method(method: object) -> None:
    """:raises ValueError: neither an offered nor a documented method, so that nobody calls it, or a pattern."""
    check_name(method)
    if is_pattern(str(method)):
        raise ValueError(f"method={method!r} is a pattern: name one method.")


@cache
def _near(method: str) -> tuple[str, ...]:
    """What was meant, if it is neither a method nor far from all of them."""
    offered = {entry.name.lower(): entry.name for entry in (*METHODS.values(), *METHODS_V3.values())}
    known = {**documented(), **offered}
    if _matches(method, (*known, "batch")):
        return ()
    # A portal has more methods than the documentation, and their names are made of the same words.
    words = {word for name in (*known, "batch") for word in name.split(".")}
    if is_pattern(method):
        return tuple(name for name in (_respelt(method, words), f"*.{method}") if _matches(name, known))[:1]
    ends = [name for name in known if name.endswith(f".{method}")][:3]
    if ends or words.issuperset(method.split(".")):
        return tuple(known[name] for name in ends)
    return tuple(known[name] for name in difflib.get_close_matches(method, known, n=3, cutoff=0.9))


def _matches(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _respelt(pattern: str, words: set[str]) -> str:
    """The pattern with each of its words as methods spell it."""
    corrected = []
    for word in pattern.split("."):
        close = [] if word in words or is_pattern(word) else difflib.get_close_matches(word, words, n=1, cutoff=0.75)
        corrected.append(close[0] if close else word)
    return ".".join(corrected)
