"""How far long work is, in a line of the log every ten seconds: rows, rows a second, share, time left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: How often a line is written.
PROGRESS_SECONDS = 10.0


class Progress:
    """
    Logs long work: ``crm.deal.list: 12,500 rows, 830 a second, 25 %, 0:45 left``.

    :param log: of the module that works.
    :param what: what is worked on, e.g. a method.
    :param of: what is counted.
    :param clock: seconds, never set back.
    """

    def __init__(
        self, log: logging.Logger, what: str, of: str = "rows", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._what, self._of, self._clock = log, what, of, clock
        self._began = self._logged = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._began

    def note(self, done: int, total: float | None = None, *, about: bool = False) -> None:
        """
        Log how far the work is, if the last line is old enough.

        :param done: how many so far.
        :param total: how many in all, where that is known.
        :param about: it is estimated.
        """
        now = self._clock()
        if now - self._logged < PROGRESS_SECONDS:
            return
        self._logged = now
        # A clock may stand still.
        rate = done / max(now - self._began, 1e-3)
        line = f"{self._what}: {done:,} {self._of}, {rate:,.{0 if rate >= 10 else 1}f} a second"
        if total and done <= total:
            line += f", {'about ' if about else ''}{100 * done // total:.0f} %"
            if rate:
                line += f", {_clock_time((total - done) / rate)} left"
        self._log.info("%s", line)


def _clock_time(seconds: float) -> str:
    """``0:45``, ``12:07``, ``3:00:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
