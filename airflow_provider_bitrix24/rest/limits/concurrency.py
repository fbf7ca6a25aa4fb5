"""
How many requests a client has under way at once: found by how the portal answers, as TCP finds its window.

It begins with a few, doubles with each good answer up to the most that is allowed, halves when an answer fails, and
shrinks when answers take longer than they did: a portal that is busy is not made busier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Most requests under way where the connection does not say.
MOST_UNDER_WAY = 20
#: With how many at once a client begins, before it has seen an answer.
FIRST_UNDER_WAY = 4
#: An answer that takes so many times the shortest one, and so many seconds more, shows that the portal is busy.
_SLOW_TIMES, _SLOW_SECONDS = 2.0, 0.2
#: What is left of the number after an answer that failed, and after a slow one.
_AFTER_FAILURE, _AFTER_SLOW = 0.5, 0.7
#: After a failure, so many good answers allow one more.
_ANSWERS_FOR_ONE_MORE = 10


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    One request under way.

    :param change: how often the number had been reduced when it began.
    """

    change: int
    commands: int


class Concurrency:
    """
    What one client has found. May be used by threads: a step that is lost between two of them is found again.

    :param most: never more than this many.
    """

    def __init__(self, most: int = MOST_UNDER_WAY) -> None:
        self.most = most
        self._number = float(min(FIRST_UNDER_WAY, most))
        self._answers = 0
        self._changes = 0
        self._has_failed = False
        self._shortest = self._per_command = math.inf

    @property
    def number(self) -> int:
        """How many may be under way now."""
        return int(self._number)

    @property
    def is_known(self) -> bool:
        """Whether the portal has answered so far: until then, requests are short."""
        return self._answers > 0

    def begin(self, commands: int) -> Ticket:
        """
        :param commands: how many commands the request carries.
        """
        return Ticket(self._changes, max(1, commands))

    def answered(self, ticket: Ticket, seconds: float) -> None:
        """Learn from a good answer that took so long."""
        self._answers += 1
        self._shortest = min(self._shortest, seconds)
        self._per_command = min(self._per_command, seconds / ticket.commands)
        usual = max(self._shortest, self._per_command * ticket.commands)
        if seconds > _SLOW_TIMES * usual + _SLOW_SECONDS:
            self._reduce(ticket, _AFTER_SLOW)
        elif ticket.change == self._changes:
            more = 1 / _ANSWERS_FOR_ONE_MORE if self._has_failed else self._number
            self._number = min(self.most, self._number + more)

    def failed(self, ticket: Ticket) -> None:
        """Learn that a request was refused, or got no good answer."""
        self._has_failed = True
        self._reduce(ticket, _AFTER_FAILURE)

    def _reduce(self, ticket: Ticket, share: float) -> None:
        # What was under way together tells the same once.
        if ticket.change == self._changes:
            self._changes += 1
            self._number = max(1.0, self._number * share)
