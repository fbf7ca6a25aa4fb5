"""Sizes, limits and chances that a portal can have: whatever else a user gives is refused before the portal is made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.face.method_names import check_name

_Check = tuple[Callable[[Any], object], str]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


#: More would fill the memory of the computer before the portal listens.
_MOST_OBJECTS = 1_000_000

_COUNT: _Check = (
    lambda value: _is_count(value) and value <= _MOST_OBJECTS,
    f"a whole number from 0 to {_MOST_OBJECTS:,}",
)
_SECONDS: _Check = (_is_amount, "seconds, 0 or more")

_CHECKS: Mapping[str, _Check] = {
    **dict.fromkeys(("deals", "tasks", "employees"), _COUNT),
    **dict.fromkeys(("latency", "command_seconds", "operating_limit", "access_seconds", "refresh_seconds"), _SECONDS),
    "port": (lambda value: _is_count(value) and value <= 65535, "a port, or 0 for any free one"),
    "seed": (lambda value: isinstance(value, int), "a whole number"),
    "rate": (lambda value: _is_amount(value) and value > 0, "requests per second, above 0"),
    "burst": (lambda value: _is_count(value) and value > 0, "a number of requests, above 0"),
    "gaps": (lambda value: _is_amount(value) and value < 1, "a chance from 0 to below 1"),
    # It becomes a segment of the webhook's path, percent-encoded where it is odd.
    "code": (
        lambda value: isinstance(value, str) and re.fullmatch(r"[ -~]+", value) and not set(value) & set("/?#%\\:;,"),
        "letters and digits",
    ),
    "tls": (lambda value: isinstance(value, bool), "True or False"),
}


def check(method_seconds: Mapping[str, Any] | None = None, **given: Any) -> None:
    """
    Look at settings by the names that ``Sandbox`` gives them; ``None`` is a setting that was not given.

    :raises ValueError: names the setting and what it can be.
    """
    for name, value in given.items():
        fits, wanted = _CHECKS[name]
        if value is not None and not fits(value):
            # A code is a secret, though a short-lived one.
            shown = name if name == "code" else f"{name}={value!r}"
            raise ValueError(f"{shown} is not valid: give {wanted}.")
    if method_seconds is not None and not isinstance(method_seconds, Mapping):
        raise ValueError(f"method_seconds={method_seconds!r} is not valid: give a dict, such as {{'crm.item.*': 0.5}}.")
    for pattern, seconds in (method_seconds or {}).items():
        check_name(pattern)
        if not _is_amount(seconds):
            raise ValueError(f"method_seconds of {pattern!r} cannot be {seconds!r}: give {_SECONDS[1]}.")


def check_count(name: str, value: object) -> None:
    """:raises ValueError: no number of objects."""
    if not _COUNT[0](value):
        raise ValueError(f"{name}={value!r} is not valid: give {_COUNT[1]}.")


def check_id(name: str, value: object) -> None:
    """:raises ValueError: a text, say, as which an id may come out of XCom: nothing has it, whatever is there."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}={value!r} is not valid: give the id as a whole number.")


def check_number(name: str, value: object) -> None:
    """:raises ValueError: no amount of money or goods."""
    if not _is_amount(value):
        raise ValueError(f"{name}={value!r} is not valid: give a number, 0 or more.")
