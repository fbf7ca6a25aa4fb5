"""What commands of each method took and answered lately, to size the next batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Most commands that one batch carries ("How to Execute a Batch Request").
MAX_COMMANDS = 50
#: A batch is made to last no longer than this, by what its methods took before: the cloud cuts a request at 60 s.
AIM_SECONDS = 40.0
#: A batch is made to answer no more bytes than this, by what its methods answered before.
AIM_RESPONSE_BYTES = 4 * 1024 * 1024
#: No command takes longer: a portal that says so is mistaken.
_LONGEST_SECONDS = 3600.0


class CommandCosts:
    """Seconds and bytes that a command of each method costs. Methods are named as they are sent."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._bytes: dict[str, float] = {}
        self._most: dict[str, int] = {}

    def learn(self, method: str, seconds: float, size: float) -> None:
        """
        Learn from an answer.

        :param size: bytes of the answer.
        """
        for costs, cost in ((self._seconds, seconds), (self._bytes, size)):
            # Growth counts at once, relief slowly: a batch that is too large costs all of its commands.
            costs[method] = max(cost, (costs.get(method, cost) + cost) / 2)
        if method in self._most:
            self._most[method] = min(self._most[method] + 1, MAX_COMMANDS)

    def lost(self, method: str, number: int) -> None:
        """
        Learn that a batch had no usable answer: the next ones carry half as many commands of this method.

        :param number: how many commands the batch carried.
        """
        self._most[method] = max(1, number // 2)

    def most(self, method: str) -> int:
        """How many commands a batch with this method may carry, whatever they cost; one more after each answer."""
        return self._most.get(method, MAX_COMMANDS)

    def seconds(self, method: str) -> float:
        """0 where nothing is known."""
        return self._seconds.get(method, 0.0)

    def size(self, method: str) -> float:
        """Bytes of an answer; 0 where nothing is known."""
        return self._bytes.get(method, 0.0)

    def fit(self, method: str) -> int:
        """How many commands of one method fit into a batch, from 1 to 50."""
        seconds, size = self.seconds(method), self.size(method)
        most = min(
            AIM_SECONDS / seconds if seconds else MAX_COMMANDS,
            AIM_RESPONSE_BYTES / size if size else MAX_COMMANDS,
            self.most(method),
        )
        return max(1, int(most))


def seconds_of(time: Mapping[str, Any]) -> float:
    """The ``duration`` in the ``time`` of an answer; 0 where there is none that can be true."""
    try:
        seconds = float(time.get("duration", 0))
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if 0.0 <= seconds <= _LONGEST_SECONDS else 0.0
