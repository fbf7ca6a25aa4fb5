"""
How many requests a client has under way at once: found by how the portal answers, as TCP finds its window.

It begins with a few, goes up to the most that is allowed when so many were answered well, halves when an answer fails,
and shrinks when answers take longer than they would alone: a portal that is busy is not made busier, and one that does
one request at a time, or answers so fast that the reader is slower, is asked one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Most requests under way where the connection does not say.
MOST_UNDER_WAY = 20
#: With how many at once a client begins, before it has seen an answer.
FIRST_UNDER_WAY = 4
#: An answer that takes so many times what it takes alone, and so many seconds more, shows that the portal is busy.
_SLOW_TIMES, _SLOW_SECONDS = 2.0, 0.2
#: What a request takes alone is known from one that was, unless it has so many times its commands.
_TIMES_LARGER = 2
#: So many times more than before, one answer that was alone may show that each takes.
_SLOWER_AT_ONCE = 1.5
#: What is left of the number after an answer that failed, and after a slow one.
_AFTER_FAILURE, _AFTER_SLOW = 0.5, 0.7
#: Where there was trouble, so many good answers allow one more; twice as many each time that only one was left.
_ANSWERS_FOR_ONE_MORE, _MOST_ANSWERS_FOR_ONE_MORE = 5, 160


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    One request under way.

    :param change: how often the number had been reduced when it began.
    :param beside: how many others were under way then.
    """

    change: int
    commands: int
    beside: int


class Concurrency:
    """
    What one client has found. May be used by threads: a step that is lost between two of them is found again.

    :param most: never more than this many.
    """

    def __init__(self, most: int = MOST_UNDER_WAY) -> None:
        self.most = most
        self._number = float(min(FIRST_UNDER_WAY, most))
        #: Up to this number it doubles; above, there was trouble. None where there was none yet.
        self._untroubled: float | None = None
        self._answers_for_one_more = _ANSWERS_FOR_ONE_MORE
        self._answers = 0
        #: Good answers since the number changed, and how often it was reduced.
        self._good = self._changes = 0
        #: What a request takes at least, and each of its commands.
        self._shortest = self._per_command = math.inf
        #: What the last good answer took.
        self.last_seconds = math.inf
        #: How many commands the largest request had that was answered alone.
        self._alone_commands = 0
        #: Whether several answers at once have shown how the portal takes that.
        self.is_found = most == 1

    @property
    def number(self) -> int:
        """How many may be under way now."""
        return int(self._number)

    @property
    def is_known(self) -> bool:
        """Whether the portal has answered so far: until then, requests are short."""
        return self._answers > 0

    def begin(self, commands: int, beside: int = 0) -> Ticket:
        """
        :param commands: how many commands the request carries.
        :param beside: how many others are under way.
        """
        return Ticket(self._changes, max(1, commands), beside)

    def answered(self, ticket: Ticket, seconds: float, beside: int = 0) -> None:
        """
        Learn from a good answer that took so long.

        :param beside: how many others were under way at its end.
        """
        self._answers += 1
        self.last_seconds = seconds
        beside = max(beside, ticket.beside)
        self._shortest = min(self._shortest, seconds)
        self._per_command = min(self._per_command, seconds / ticket.commands)
        alone = max(self._shortest, self._per_command * ticket.commands)
        is_known = ticket.commands <= _TIMES_LARGER * self._alone_commands
        if not beside:
            self._alone_commands = max(self._alone_commands, ticket.commands)
            # The portal may have become slower, and not for what is under way. One answer may be late by chance.
            slower = min(seconds / alone, _SLOWER_AT_ONCE) if alone else 1.0
            self._shortest, self._per_command = self._shortest * slower, self._per_command * slower
        # The latter: one after the other, they would have taken no longer.
        elif seconds > min(_SLOW_TIMES * alone + _SLOW_SECONDS, (1 + beside) * alone):
            self._reduce(ticket, _AFTER_SLOW if is_known else 0.0)
            return
        elif self._changes and not is_known:
            # Where there was trouble, it is not guessed from smaller ones that this one took no longer than alone.
            self._reduce(ticket, 0.0)
            return
        if ticket.change == self._changes:
            self._good += 1
            self._number = min(self.most, self._next_number())

    def _next_number(self) -> float:
        if self._untroubled is not None and self._number >= self._untroubled:
            return self._number + 1 / self._answers_for_one_more
        if self._good < self.number:
            return self._number
        # All that were under way together: the first of them may have been answered before the others came.
        self._good, self.is_found = 0, True
        return self.most if self._untroubled is None else min(2 * self._number, self._untroubled)

    def failed(self, ticket: Ticket) -> None:
        """Learn that a request was refused, or got no good answer."""
        self.last_seconds = math.inf
        self._reduce(ticket, _AFTER_FAILURE)

    def _reduce(self, ticket: Ticket, share: float) -> None:
        # What was under way together tells the same once.
        if ticket.change != self._changes:
            return
        self._changes += 1
        self._good, self.is_found = 0, True
        before, self._number = self._number, max(1.0, float(int(self._number * share)))
        # Until it is known what a request takes alone, one is sent alone, and then as many as half of those again.
        self._untroubled = self._number if share else before / 2
        if share and before > self._number == 1.0:
            self._answers_for_one_more = min(2 * self._answers_for_one_more, _MOST_ANSWERS_FOR_ONE_MORE)
