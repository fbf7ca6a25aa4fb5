"""The settings of the sandbox on whose values sources disagree, combined so that any two readings meet."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

#: Setting of the sandbox -> its readings. "Server source" and "documentation" where one of them says so.
READINGS: dict[str, tuple[Any, ...]] = {
    "auth_status": (401, 403),
    "zero_code": ("0", 0),
    "batch_billing": ("commands", "batch", "none"),
    "operating_shared": (True, False),
    "operating_limit": (420.0, 480.0),
    "generation": ("current", "middle", "old"),
    "offline_queue": ("source", "documentation"),
    "notify_tags": ("source", "documentation"),
}


def _pairs(reading: dict[str, Any]) -> set[Any]:
    return set(combinations(reading.items(), 2))


def pairwise() -> list[dict[str, Any]]:
    """Combinations in which any two readings of two settings meet, by always taking the one with most new pairs."""
    every = [dict(zip(READINGS, values, strict=True)) for values in product(*READINGS.values())]
    missing = set().union(*map(_pairs, every))
    chosen = []
    while missing:
        chosen.append(max(every, key=lambda reading: len(_pairs(reading) & missing)))
        missing -= _pairs(chosen[-1])
    return chosen


def named(reading: dict[str, Any]) -> str:
    """How a test run tells of it: ``401-0-commands-True-…``."""
    return "-".join(map(str, reading.values()))
