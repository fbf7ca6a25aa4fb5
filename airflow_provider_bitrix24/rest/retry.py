"""
Whether an attempt is repeated, and how long a call waits: decisions as small values.

The first question is "did it run?". What surely did not run may be asked again whatever the method; what may have run,
only where repeating the method does no harm.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TransportError,
    Unauthorized,
)

log = logging.getLogger(__name__)

#: Most seconds that one call sleeps in all; longer waits are raised, so that a task can defer.
PATIENCE_SECONDS = 30.0
#: No attempt begins later than this many seconds after the first one: slow failures must not add up.
CALL_SECONDS = 180.0
#: A wait longer than this is logged at INFO.
QUIET_SECONDS = 2.0
#: How long a sleep may outlast its end by :meth:`StoppableSleep.stop`.
_NAP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Doubling:
    """Wait ``first`` seconds, then twice as long each time up to ``cap``; ``attempts`` attempts in all."""

    first: float
    cap: float
    attempts: int

    def __call__(self, attempt: int) -> float | None:
        """Seconds to wait after failed attempt ``attempt`` (from 1); None after the last one."""
        return min(self.first * 2 ** (attempt - 1), self.cap) if attempt < self.attempts else None


#: The bucket drains 2 requests a second, so growing waits of about 25 s in all empty it ("Limits").
QUERY_LIMIT = Doubling(first=1.0, cap=8.0, attempts=6)
#: The network rarely comes back within seconds; Airflow's own retries are for longer outages.
NO_CONNECTION = Doubling(first=0.5, cap=5.0, attempts=3)
LOST_ANSWER = Doubling(first=1.0, cap=10.0, attempts=4)
#: Also answered while the authorization server is down: after two more attempts it means what it says.
UNABLE_TO_AUTHORIZE = Doubling(first=1.0, cap=5.0, attempts=3)


def delay_before_retry(
    error: Bitrix24Error, attempt: int, *, repeatable: bool, patience_seconds: float, now: float
) -> float | None:
    """
    Seconds to wait after failed attempt ``attempt`` (from 1) before the next one; None for no further attempt.

    :param repeatable: whether running the method twice does no harm.
    :param patience_seconds: how long this call may still sleep.
    :param now: Unix seconds on the clock of ``OperationTimeLimit.reset_at``.
    """
    delay: float | None
    if isinstance(error, OperationTimeLimit) and not isinstance(error, TransportError):
        # One wait until the known moment; without one, guessing would only use up the patience.
        delay = max(error.reset_at - now, 1.0) if error.reset_at is not None and attempt < 3 else None
    elif isinstance(error, QueryLimitExceeded):
        delay = QUERY_LIMIT(attempt)
    elif isinstance(error, NotSent):
        delay = NO_CONNECTION(attempt) if error.retryable else None
    elif isinstance(error, Unauthorized) and (error.code or "").upper() == "AUTHORIZATION_ERROR":
        delay = UNABLE_TO_AUTHORIZE(attempt)
    elif isinstance(error, (TransportError, ServerFault)):
        may_repeat = error.retryable and (repeatable or error.ran == "no")
        delay = LOST_ANSWER(attempt) if may_repeat else None
    else:
        delay = None
    return delay if delay is not None and delay <= patience_seconds else None


class StoppableSleep:
    """Sleeps that end a moment after :meth:`stop`."""

    def __init__(self) -> None:
        self.is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True

    def __call__(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        # In short parts: an event that a signal handler sets while its own thread waits for it may lock up.
        while not self.is_stopped and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_SECONDS))


class Patience:
    """
    How long one call may still sleep, its look-ups included.

    :param seconds: most seconds to sleep in all.
    :param clock: Unix seconds.
    :param waits: called with how long each sleep is.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        waits: Callable[[float], object],
    ) -> None:
        self.seconds_left = seconds
        self._clock, self._sleep, self._waits, self._began = clock, sleep, waits, clock()

    def spent_seconds(self) -> float:
        """Seconds since the call began, asleep or not."""
        return self._clock() - self._began

    def sleep(self, seconds: float) -> None:
        seconds = min(seconds, self.seconds_left)
        self.seconds_left -= seconds
        self._waits(seconds)
        self._sleep(seconds)

    def wait_or_raise(
        self, seconds: float, limit: type[QueryLimitExceeded | OperationTimeLimit], method: str, **fields: Any
    ) -> None:
        """
        Sleep until a limit allows the next request.

        :param limit: what is raised where that takes longer than the call may sleep, with ``fields``.
        """
        if seconds > self.seconds_left:
            # Another attempt inside this call would only use up what is left.
            self.seconds_left = 0.0
            raise limit(
                f"not sent: the limit allows it only in {seconds:.0f} s, longer than this call may wait",
                method=method,
                next_step="let the task's retries try again later",
                **fields,
            )
        if seconds > QUIET_SECONDS:
            log.info("%s: waiting %.1f s for the portal's limits.", method, seconds)
        self.sleep(seconds)
