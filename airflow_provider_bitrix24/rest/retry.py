"""
When to try again and how long to wait: decisions as small values, without waiting inside.

«Did it run?» decides. What surely did not run may be asked again whatever the method; what may have run only when
repeating is harmless by the method's nature.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TransportError,
    Unauthorized,
)

#: Most seconds that one call sleeps in all; longer waits are raised, so that a task can defer.
PATIENCE_SECONDS = 30.0
#: No new attempt is begun later than this many seconds after the first: slow failures must not add up.
CALL_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Doubling:
    """Wait ``first`` seconds, then twice as long each time up to ``cap``; ``attempts`` attempts in all."""

    first: float
    cap: float
    attempts: int

    def __call__(self, attempt: int) -> float | None:
        """Seconds to wait after failed attempt ``attempt`` (from 1); None after the last one."""
        return min(self.first * 2 ** (attempt - 1), self.cap) if attempt < self.attempts else None


#: The bucket drains 2 requests a second, so growing waits of about 25 s in all empty it («Limits»).
QUERY_LIMIT = Doubling(first=1.0, cap=8.0, attempts=6)
#: The same network rarely comes back within seconds; Airflow's own retries are for longer outages.
NO_CONNECTION = Doubling(first=0.5, cap=5.0, attempts=3)
LOST_ANSWER = Doubling(first=1.0, cap=10.0, attempts=4)
#: Also answered while the authorization server is away: twice more, then it is taken for what it says.
UNABLE_TO_AUTHORIZE = Doubling(first=1.0, cap=5.0, attempts=3)


def delay_before_retry(
    error: Bitrix24Error, attempt: int, *, repeatable: bool, patience_seconds: float, now: float
) -> float | None:
    """
    Seconds to wait after failed attempt ``attempt`` (from 1) before the next; None gives the error up.

    :param repeatable: whether running the method twice does no harm.
    :param patience_seconds: how long this call may still sleep.
    :param now: Unix seconds by the portal's clock.
    """
    delay: float | None
    if isinstance(error, OperationTimeLimit):
        # One wait to the known moment; without one, guessing would only use up the patience.
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
