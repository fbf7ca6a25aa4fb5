"""What a sensor defers to: it looks until what is waited for is there, can no longer come, or the time is over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timezone
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bitrix24.exceptions import Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.triggers.outcome import Ending, event_of
from airflow_provider_bitrix24.triggers.poller import Poller, polling
from airflow_provider_bitrix24.triggers.watch import Watch, back_off, is_limit

log = logging.getLogger(__name__)


class Bitrix24SensorTrigger(BaseTrigger):
    """
    Looks until what a sensor waits for is there. It only reads, so it may run any number of times, anywhere.

    The question may hold what the DAG's author wrote, such as values of a filter; nothing that the portal answered is
    kept.

    :param bitrix24_conn_id: the connection's id.
    :param watch: what is asked, and what the answer means, see :meth:`Watch.as_json`.
    :param began: when the task began to wait, ISO 8601 with a zone.
    :param deadline: when it ends, the same.
    :param poke_interval: seconds between two looks.
    :param exponential_backoff: wait twice as long after each look.
    :param max_wait: most seconds between two looks then.
    :param tolerated_failures: how many looks in a row may fail for a reason that passes; None for any number.
    :param failures: how many have failed in a row before it.
    """

    def __init__(
        self,
        *,
        bitrix24_conn_id: str,
        watch: Mapping[str, Any],
        began: str,
        deadline: str,
        poke_interval: float,
        exponential_backoff: bool,
        max_wait: float | None,
        tolerated_failures: int | None,
        failures: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bitrix24_conn_id = bitrix24_conn_id
        self.watch = dict(watch)
        self.began, self.deadline = began, deadline
        self.poke_interval, self.exponential_backoff, self.max_wait = poke_interval, exponential_backoff, max_wait
        self.tolerated_failures, self.failures = tolerated_failures, failures

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("bitrix24_conn_id", "watch", "began", "deadline", "poke_interval", "exponential_backoff", "max_wait")
        arguments = {name: getattr(self, name) for name in (*names, "tolerated_failures", "failures")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.bitrix24_conn_id} {self.watch.get('method')} until {self.deadline}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            ending = await self._wait()
        except Exception as error:
            # Airflow would fail the task with the name of the exception alone.
            log.debug("The trigger failed.", exc_info=True)
            failure = error if isinstance(error, Bitrix24Error) else _unexpected(error)
            ending = Ending("failed", error=failure)
        yield event_of(ending)

    async def _wait(self) -> Ending:
        watch, question = Watch.from_json(self.watch), Watch.from_json(self.watch).question
        deadline, failures = _unix(self.deadline), self.failures
        with polling(self.bitrix24_conn_id) as poller:
            now = poller.clock.now()
            at = now + back_off(failures) if failures else poller.next_round(self._interval(now))
            while True:
                outcome = await poller.ask(question, min(at, deadline))
                now = poller.clock.now()
                try:
                    verdict = watch.judge(outcome)
                except Bitrix24Error as error:
                    if is_limit(error):
                        at = self._after_limit(error, poller)
                    elif not error.retryable:
                        return Ending("failed", error=error)
                    else:
                        failures += 1
                        if self.tolerated_failures is not None and failures > self.tolerated_failures:
                            return Ending("failed", error=error)
                        at = now + back_off(failures)
                        tolerated = "any number" if self.tolerated_failures is None else self.tolerated_failures
                        log.warning(
                            "Failure %d of %s that are tolerated; the next look is in %.0f s: %s",
                            failures,
                            tolerated,
                            at - now,
                            error,
                        )
                else:
                    if verdict.met:
                        return Ending("met", verdict.seen)
                    failures = 0
                    at = poller.next_round(self._interval(now))
                if now >= deadline:
                    return Ending("timeout")

    def _after_limit(self, error: Bitrix24Error, poller: Poller) -> float:
        log.info("Not known yet: %s", error)
        at = poller.next_round(self._interval(poller.clock.now()))
        reset_at = error.reset_at if isinstance(error, OperationTimeLimit) else None
        return at if reset_at is None else max(at, reset_at)

    def _interval(self, now: float) -> float:
        """Seconds until the next look: by how long the task has waited, so that a restart changes nothing."""
        wait = self.poke_interval
        if self.exponential_backoff:
            ended = _unix(self.began) + wait
            while ended <= now and wait < (self.max_wait or float("inf")):
                wait = max(wait * 2, 1.0)
                ended += wait
        return min(wait, self.max_wait or wait) if self.exponential_backoff else wait


def _unexpected(error: Exception) -> Bitrix24Error:
    return Bitrix24Error(f"the trigger failed: {type(error).__name__}", ran="yes", retryable=True)


def _unix(moment: str) -> float:
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
