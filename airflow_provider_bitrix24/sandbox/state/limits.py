"""
The portal's clock and its two limits: how many requests, and how much running time per method.

Source: Bitrix24 REST docs, "Limits"; who pays for a batch differs between sources, so it is a setting.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from airflow_provider_bitrix24.sandbox.php import SERVER_ZONE

#: Seconds of running time that a method may use per request without being counted (server source).
UNCOUNTED_SECONDS = 0.1

#: Running time is summed over so many one-minute buckets.
WINDOW_MINUTES = 10


class Clock:
    """The computer's clock plus what :meth:`advance` added."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def now(self) -> float:
        """Unix seconds at the portal."""
        return time.time() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """
        Move the portal's clock: request bucket, operating time and tokens age at once.

        :raises ValueError: ``seconds`` is not a number, or below 0.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
            raise ValueError(f"seconds={seconds!r} is not valid: give a number of seconds, 0 or more.")
        self._ahead_seconds += seconds

    def iso(self, at: float | None = None) -> str:
        """``at`` (default: now) as the portal writes it, e.g. ``2026-01-31T12:00:00+03:00``."""
        return _iso(int(self.now() if at is None else at))


@lru_cache(maxsize=64)
def _iso(second: int) -> str:
    # Every answer tells two moments, and those of a batch are all of the same second.
    return datetime.fromtimestamp(second, SERVER_ZONE).isoformat()


class RequestBucket:
    """
    Leaky bucket per source address: each request adds 1, every whole second takes ``rate`` out.

    The request that would go above ``burst`` is refused and not counted.
    """

    def __init__(self, clock: Clock, rate: float | None, burst: int | None) -> None:
        self.clock = clock
        self.rate = 2.0 if rate is None and burst is not None else rate
        self.burst = 50 if burst is None else burst
        self._levels: dict[str, tuple[float, float]] = {}

    def admits(self, address: str) -> bool:
        if self.rate is None:
            return True
        now = self.clock.now()
        level, drained_at = self._levels.get(address, (0.0, now))
        whole_seconds = int(now - drained_at)
        level, drained_at = max(0.0, level - self.rate * whole_seconds), drained_at + whole_seconds
        admitted = level + 1 <= self.burst
        self._levels[address] = (level + 1 if admitted else level, drained_at)
        return admitted


class OperatingTime:
    """Seconds used per method and credential in the last ten minutes."""

    def __init__(self, clock: Clock, limit: float | None, method_seconds: Mapping[str, float]) -> None:
        self.clock = clock
        self.limit = limit
        self._method_seconds = {pattern.lower(): seconds for pattern, seconds in method_seconds.items()}
        self._minutes: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)

    def seconds_of(self, method: str) -> float:
        """How long one call is said to take; nobody really waits for it."""
        for pattern, seconds in self._method_seconds.items():
            if fnmatchcase(method, pattern):
                return seconds
        return 0.0

    def used(self, method: str, credential: str) -> float:
        minutes = self._minutes.get((method, credential))
        if not minutes:
            return 0
        oldest = int(self.clock.now() // 60) - WINDOW_MINUTES + 1
        for minute in [minute for minute in minutes if minute < oldest]:
            del minutes[minute]
        return sum(minutes.values())

    def is_over(self, method: str, credential: str) -> bool:
        return self.limit is not None and self.used(method, credential) > self.limit

    def add(self, method: str, credential: str, seconds: float) -> None:
        minutes = self._minutes[method, credential]
        minute = int(self.clock.now() // 60)
        minutes[minute] = minutes.get(minute, 0.0) + seconds

    def reset_at(self, method: str, credential: str) -> int:
        """Unix seconds when the oldest used minute drops out of the sum; ten minutes from now if none was used."""
        self.used(method, credential)
        minutes = self._minutes.get((method, credential))
        return ((min(minutes) if minutes else int(self.clock.now() // 60)) + WINDOW_MINUTES) * 60


class Bill:
    """Running time of one HTTP request: what a method uses counts once it is above the uncounted 0.1 s."""

    def __init__(self, operating: OperatingTime, credential: str) -> None:
        self._operating = operating
        self._credential = credential
        self._totals: defaultdict[str, float] = defaultdict(float)

    def add(self, method: str, seconds: float) -> None:
        before = self._totals[method]
        self._totals[method] = total = before + seconds
        if total > UNCOUNTED_SECONDS:
            self._operating.add(method, self._credential, seconds if before > UNCOUNTED_SECONDS else total)
