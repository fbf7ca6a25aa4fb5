"""
Faults on request: which of them hits which call. How each looks on the wire is in ``delivery.py``.

A fault is for whole HTTP requests. Those in :data:`IN_BATCH` also hit single commands of a ``batch`` whose method
matches, unless the ``batch`` request itself was hit.
"""

from __future__ import annotations

import codecs
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

#: Kind of fault -> the options it takes, with their defaults.
KINDS: Mapping[str, Mapping[str, Any]] = {
    "reset_before": {},
    "reset_after": {},
    "close_before": {},
    "close_after": {},
    "status_before": {"status": 502, "title": None},
    "status_after": {"status": 502, "title": None},
    "error": {"code": "INTERNAL_SERVER_ERROR", "description": "Internal server error", "status": 500},
    "query_limit": {},
    "operation_time_limit": {},
    "overload": {},
    "body": {"body": b"", "status": 200, "content_type": "application/json; charset=utf-8", "executed": True},
    "truncated": {},
    "wrong_charset": {"charset": "cp1251", "declared": None},
    "redirect": {"location": None, "status": 302},
    "slow": {"seconds": 1.0, "executed": True},
    "drip": {"seconds": 0.05},
}

#: Kinds that a single command of a batch can meet.
IN_BATCH = frozenset({"error", "operation_time_limit"})

_RUNS_FIRST = frozenset({"reset_after", "close_after", "status_after", "truncated", "wrong_charset", "drip"})


@dataclass
class Fault:
    """One rule; ``hits`` tells how often it struck."""

    kind: str
    method: str
    #: Strikes left; ``None`` is for ever.
    times: int | None
    #: Matching calls to let pass first.
    after: int
    probability: float
    options: dict[str, Any]
    random: random.Random = field(repr=False)
    hits: int = 0

    @property
    def runs_first(self) -> bool:
        """The method runs and takes effect, and only its answer suffers."""
        return self.kind in _RUNS_FIRST or bool(self.options.get("executed", False))

    @property
    def is_silent(self) -> bool:
        """The client gets no answer at all."""
        return self.kind.startswith(("reset_", "close_"))

    def strikes(self, method: str) -> bool:
        """Whether this call is hit; counts it if so."""
        if self.times == 0 or not fnmatchcase(method.lower(), self.method):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True


class Faults:
    """The rules in force; of several that match the one added first strikes."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(
        self,
        kind: str,
        method: str = "*",
        *,
        times: int | None = 1,
        after: int = 0,
        probability: float = 1.0,
        seed: int = 0,
        **options: Any,
    ) -> Fault:
        """
        Add a rule. ``method`` is a pattern such as ``crm.item.payment.*``.

        :raises ValueError: an unknown kind or option, a missing ``location`` of a redirect, or a value that cannot be.
        """
        if kind not in tuple(KINDS):
            raise ValueError(f"No fault {kind!r}: choose one of {', '.join(KINDS)}.")
        unknown = set(options) - set(KINDS[kind])
        if unknown:
            takes = ", ".join(KINDS[kind]) or "no options"
            raise ValueError(f"Fault {kind!r} has no option {', '.join(sorted(unknown))}: it takes {takes}.")
        if kind == "redirect" and options.get("location") in (None, ""):
            raise ValueError("Fault 'redirect' needs location=, the address to send the client to.")
        if isinstance(options.get("body"), str):
            options["body"] = options["body"].encode()
        for name, value in {
            "times": times,
            "after": after,
            "probability": probability,
            "seed": seed,
            **options,
        }.items():
            wanted = _unfit(name, value)
            if wanted is not None:
                raise ValueError(f"Fault {kind!r} cannot have {name}={value!r}: give {wanted}.")
        fault = Fault(
            kind,
            method.lower(),
            times,
            after,
            probability,
            {**KINDS[kind], **options},
            random.Random(seed),
        )
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def for_request(self, method: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.strikes(method)), None)

    def for_command(self, method: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.kind in IN_BATCH and fault.strikes(method)), None)


def _unfit(name: str, value: Any) -> str | None:
    """What should stand in place of a value of a rule that cannot be; ``None`` if it can."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match name:
        case "times" if value is not None and not (is_count and value):
            return "a number of calls, or None for ever"
        case "after" if not is_count:
            return "a number of calls to let pass"
        case "probability" if not is_number or not 0 <= value <= 1:
            return "a number from 0 to 1"
        case "seconds" if not is_number or not 0 <= value < math.inf:
            return "a number of seconds"
        case "status" if not is_count or not 200 <= value <= 599:
            return "an HTTP status from 200 to 599"
        case "body" if not isinstance(value, bytes):
            return "text or bytes"
        case "charset" if not _is_charset(value):
            return "a charset that Python knows, such as 'cp1251'"
        case "code" if isinstance(value, bool) or not isinstance(value, str | int | None):
            return "the portal's code, a text or a number"
        case "title" | "declared" if not isinstance(value, str | None):
            return "a text"
        case "location" | "description" | "content_type" if not isinstance(value, str):
            return "a text"
        case "executed" if not isinstance(value, bool):
            return "True or False"
        case "seed" if not isinstance(value, int):
            return "a whole number"
    return None


def _is_charset(name: Any) -> bool:
    try:
        codecs.lookup(name)
    except (LookupError, TypeError):
        return False
    return True
