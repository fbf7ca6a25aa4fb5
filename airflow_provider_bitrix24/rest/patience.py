"""How long one call may sleep, and what happens when a limit asks for more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.exceptions import OperationTimeLimit, QueryLimitExceeded

log = logging.getLogger(__name__)

#: A wait longer than this is told in the log.
QUIET_SECONDS = 2.0


class Patience:
    """How long a call may still sleep, its look-ups included."""

    def __init__(self, seconds: float, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self.seconds_left = seconds
        self._clock, self._sleep, self._began = clock, sleep, clock()

    def spent_seconds(self) -> float:
        """Seconds since the call began, asleep or not."""
        return self._clock() - self._began

    def sleep(self, seconds: float) -> None:
        seconds = min(seconds, self.seconds_left)
        self.seconds_left -= seconds
        self._sleep(seconds)

    def wait_or_raise(
        self, seconds: float, limit: type[QueryLimitExceeded | OperationTimeLimit], method: str, **facts: Any
    ) -> None:
        """Sleep before something that a limit does not allow yet, or raise it when that takes too long."""
        if seconds > self.seconds_left:
            # Trying again inside this call would only use up what is left.
            self.seconds_left = 0.0
            raise limit(
                f"not sent: the limit leaves room only in {seconds:.0f} s, longer than this call may wait",
                method=method,
                next_step="let the task's retries try again later",
                **facts,
            )
        if seconds > QUIET_SECONDS:
            log.info("%s: waiting %.1f s for the portal's limits.", method, seconds)
        self.sleep(seconds)
