"""
How fast a portal may be asked: the published request bucket, as arithmetic without clock or storage, and its plans.

Each request adds 1 to a counter that the portal keeps per portal *and source address*; the counter drops by Y each
second, and above X the next request is refused with 503 ``QUERY_LIMIT_EXCEEDED``. A batch is one request.

Source: Bitrix24 REST docs, "Limits". Where a bucket is kept: ``store``. Operating time of methods: ``operating``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

#: A longer queue than this many seconds and slots was left under other limits, such as a higher ``rate`` that a
#: connection to the same portal had before: it must not hold everybody up for hours.
LONGEST_WAIT_SECONDS, LONGEST_QUEUE = 600.0, 100.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    A leaky bucket whose waits are reservations: who takes a slot owns it, so all of the rate is used, first come first.

    Its state is a pair: the level, and the moment on any steadily growing clock when it had that level. What stands
    above ``burst`` are the slots of those who still wait.

    :param rate: requests that leak out each second.
    :param burst: requests that may go out at once when the bucket is empty.
    """

    rate: float
    burst: float

    def take(self, level: float, at: float, now: float) -> tuple[float, float, float]:
        """
        Take one slot.

        :return: the new level, its moment, and the seconds to wait before sending. Who does not want to wait so long
            forgets the new state, and no slot is lost.
        """
        level = self._leaked(level, at, now) + 1.0
        return level, now, max(0.0, (level - self.burst) / self.rate)

    def fill(self, level: float, at: float, now: float, pause_seconds: float) -> tuple[float, float]:
        """
        Fill the bucket, because the portal says that it is full: nothing leaks out for ``pause_seconds``.

        Filling twice is no more than filling once, so that many processes may report the same refusal.

        :return: the new level and its moment.
        """
        return max(self._leaked(level, at, now), self.burst + self.rate * pause_seconds), now

    def _leaked(self, level: float, at: float, now: float) -> float:
        level = min(level, self.burst + self.rate * LONGEST_WAIT_SECONDS + LONGEST_QUEUE)
        return max(0.0, level - self.rate * max(0.0, now - at))


class BucketStore(Protocol):
    """Where the bucket of one portal is kept. May be used by threads, and after a fork."""

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        """
        Take a slot, and return the seconds to wait before sending.

        A value above ``patience_seconds`` means that nothing was taken.
        """
        ...

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        """Note for all who share the bucket that it is full, because the portal refused; for ``pause_seconds`` more."""
        ...

    def take_permit(self, most: int) -> Callable[[], object] | None:
        """
        Take one of ``most`` permits that all processes of this host share, for a request beside another one.

        :return: what frees it; None where all are taken.
        """
        ...


def _published(blocked_above: float, drained_per_second: float) -> Bucket:
    # The portal drains once a second, in whole steps: just before a step its counter is one second's worth higher
    # than a steady leak would have it.
    return Bucket(rate=drained_per_second, burst=blocked_above - drained_per_second)


#: The plan that is assumed where none is named.
STANDARD = "standard"

#: Buckets by plan (Bitrix24 REST docs, "Limits"): X = 50 and Y = 2 a second; Enterprise X = 250 and Y = 5.
PLANS: Mapping[str, Bucket] = {STANDARD: _published(50, 2), "enterprise": _published(250, 5)}
