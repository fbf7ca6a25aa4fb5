"""When Airflow 3.3 tries a failed task again: the default of all operators there. Older versions have no policies."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_bitrix24._compat import conf
from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error, ServerFault, TransportError
from airflow_provider_bitrix24.hooks.limit_end import seconds_to_limit_end

#: After a failure of the network or of the portal: so many seconds, then twice as many each time, up to the second.
FIRST_SECONDS, MOST_SECONDS = 30.0, 600.0


class Bitrix24RetryPolicy(RetryPolicy):
    """
    Give each failure its own delay: a limit until it ends, the network and faults of the portal a growing one.

    What a retry cannot help fails at once. A task's own ``retry_delay`` or ``retry_exponential_backoff`` is kept, other
    than for limits. How many retries there are is left to ``retries``.

    :param clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide by the exception; one that is not ours is left to Airflow."""
        if not isinstance(exception, Bitrix24Error):
            return RetryDecision.default()
        name = type(exception).__name__
        if not exception.retryable:
            return RetryDecision.fail(f"{name}: a retry cannot help")
        limited = seconds_to_limit_end(exception, self._clock())
        if limited is not None:
            return RetryDecision.retry(timedelta(seconds=limited), f"{name}: until the limit ends")
        if not isinstance(exception, (TransportError, ServerFault, BatchError)) or _has_own_delay(context):
            return RetryDecision.default()
        seconds = min(FIRST_SECONDS * 2 ** min(max(try_number - 1, 0), 10), MOST_SECONDS)
        return RetryDecision.retry(timedelta(seconds=seconds), f"{name}: a growing delay")

    def serialize(self) -> dict[str, Any]:
        """Return what makes it again: nothing."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Bitrix24RetryPolicy:
        """Make it again."""
        return cls()


def _has_own_delay(context: Any) -> bool:
    """Whether the author of the DAG has said how long to wait."""
    task = (context or {}).get("task")
    delay = getattr(task, "retry_delay", None)
    usual = timedelta(seconds=conf.getfloat("core", "default_task_retry_delay", fallback=300.0))
    return bool(getattr(task, "retry_exponential_backoff", False)) or (delay is not None and delay != usual)
