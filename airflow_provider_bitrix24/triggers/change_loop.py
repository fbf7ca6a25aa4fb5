"""The loop of a watcher: it asks, waits, has patience with failures, and hands over what was found."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, OperationTimeLimit

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[object]]

#: Most changes that are handed over and not yet acknowledged. Airflow 3.3 ends a watcher whose events are not all
#: stored within five minutes, and it would get the same again and again: a slow database takes a second for each.
WINDOW = 100
#: Most seconds that one call sleeps in all, in a thread: longer waits are the loop's, without one.
PATIENCE_SECONDS = 5.0
#: Failures in a row after which the trigger ends with the last of them; Airflow starts it again.
TOLERATED_FAILURES = 10
#: The first wait after a failure, which doubles up to the longest.
FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 300.0
#: The wait after a failure that only a person can help, before the trigger ends: Airflow starts it again at once.
HELPLESS_SECONDS = 600.0


@dataclass(frozen=True)
class Change:
    """
    Something changed at the portal.

    :param payload: what Airflow stores: ids and times.
    :param receipt: what its source needs to acknowledge it.
    """

    payload: dict[str, Any]
    receipt: Any

    def again(self) -> Change:
        """The same, marked: it may have been delivered before."""
        return replace(self, payload={**self.payload, "redelivered": True})


class Source(Protocol):
    """Where changes come from."""

    async def take(self) -> list[Change]:
        """Return changes that have not been acknowledged, each at most once until it is put back; none: no news."""

    async def acknowledge(self, changes: Sequence[Change]) -> None:
        """Never hand these over again: Airflow has stored their events. Raises nothing; what fails is tried again."""

    def put_back(self, changes: Sequence[Change]) -> None:
        """Hand these over again: nobody stored them."""

    async def forget_client(self) -> None:
        """Read the connection again before the next call: it may have been corrected."""


class ChangeLoop:
    """
    Asks a source for changes again and again.

    :param interval: seconds between two questions without news.
    :param label: of the watcher, for the log.
    """

    def __init__(
        self,
        source: Source,
        interval: Callable[[], float],
        label: str,
        *,
        sleep: Sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._interval = interval
        self._label = label
        self._sleep = sleep
        self._clock = clock

    async def batches(self) -> AsyncIterator[list[Change]]:
        """
        Yield changes, :data:`WINDOW` at most at once. Ask for the next when they have been acknowledged or put back.

        :raises Bitrix24Error: more failures in a row than are tolerated, or one that only a person can help.
        """
        failures = 0
        while True:
            try:
                changes = await self._source.take()
            except Exception as error:
                failures += 1
                await self._endure(error, failures)
                continue
            if failures:
                log.info("%s: goes on after %s failures", self._label, failures)
            failures = 0
            if changes:
                yield changes
            if len(changes) < WINDOW:
                await self._sleep(self._interval())

    async def _endure(self, error: Exception, failures: int) -> None:
        await self._source.forget_client()
        # What a lost answer reserved is found again.
        if isinstance(error, Bitrix24Error) and not error.retryable and not isinstance(error, AnswerLost):
            log.error("%s: %s. The trigger ends, and is started again in %d s", self._label, error, HELPLESS_SECONDS)
            await self._sleep(HELPLESS_SECONDS)
            raise error
        delay = min(FIRST_DELAY_SECONDS * 2 ** (failures - 1), LONGEST_DELAY_SECONDS)
        if isinstance(error, OperationTimeLimit) and error.reset_at is not None:
            delay = min(max(delay, error.reset_at - self._clock()), HELPLESS_SECONDS)
        reason = str(error) if isinstance(error, Bitrix24Error) else f"{type(error).__name__}: {error}"
        log.warning("%s: failure %s of %s: %s", self._label, failures, TOLERATED_FAILURES, reason)
        await self._sleep(delay)
        if failures >= TOLERATED_FAILURES:
            raise error
