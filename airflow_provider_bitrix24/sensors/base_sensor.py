"""What all sensors share: a look at the portal, what is tolerated, and how waiting ends in either mode."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import BaseSensorOperator, PokeReturnValue
from airflow_provider_bitrix24.exceptions import Bitrix24Error, TaskStopped
from airflow_provider_bitrix24.execution.arguments import number_from_zero
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.rendered import check_texts

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.answers.reply import Reply
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.triggers.condition import Condition
    from airflow_provider_bitrix24.triggers.watch import Verdict, Watch

log = logging.getLogger(__name__)


class Bitrix24BaseSensor(BaseSensorOperator, Bitrix24BaseOperator):
    """
    Base of the sensors: a subclass says what is asked and when the waiting ends, in ``watch``.

    ``timeout``, ``poke_interval``, ``mode``, ``soft_fail``, ``silent_fail``, ``never_fail``, ``exponential_backoff``
    and ``max_wait`` are Airflow's, of every sensor.

    :param tolerated_failures: how many looks in a row may fail for a reason that passes (the network, a fault of the
        portal). The next look is 10, 20, 40, 80, 160 and then 300 seconds later. One failure more fails the task, and
        its ``retries`` apply. A limit of the portal does not count.
    """

    def __init__(self, *, tolerated_failures: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tolerated_failures = self.fixed(number_from_zero, tolerated_failures, "tolerated_failures")
        self._watch: Watch | None = None
        self._began: float | None = None
        #: How a worker waits after a look that failed.
        self._sleep: Callable[[float], object] = time.sleep

    @abstractmethod
    def watch(self, client: Client) -> Watch:
        """
        What is asked, and what the answer means.

        :raises ConfigurationError: an argument is wrong.
        """

    def condition_in(self, name: str) -> Condition | None:
        """
        The condition in an argument that :meth:`given` was called with; None where it was left out.

        :raises ConfigurationError: it is none, or a template has put a text of nothing into it.
        """
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.condition import Condition

        given = getattr(self, name)
        if given is None:
            return None
        check_texts(self.as_written(name), given, name)
        return Condition.of(given, name)

    def judge(self, watch: Watch, outcome: Reply | Bitrix24Error) -> Verdict:
        """What an answer means, see :meth:`Watch.judge`."""
        return watch.judge(outcome)

    def poke(self, context: Any) -> PokeReturnValue:
        if self._began is None:
            self._began = time.monotonic()
        seen: PokeReturnValue = self.connected(context)
        return seen

    def run(self, client: Client, context: Any) -> PokeReturnValue:
        failures = 0
        while True:
            try:
                verdict = self._look(client)
            except Bitrix24Error as error:
                failures += 1
                if not error.retryable or isinstance(error, TaskStopped) or failures > self.tolerated_failures:
                    raise
                self._wait_after(error, failures)
                if self._is_late():
                    return PokeReturnValue(False)
                continue
            if verdict.met:
                log.info("What was waited for has come true.")
            return PokeReturnValue(verdict.met, verdict.seen if verdict.met else None)

    def _look(self, client: Client) -> Verdict:
        # Only the run needs them.
        from airflow_provider_bitrix24.triggers.watch import Verdict, is_limit

        try:
            if self._watch is None:
                self._watch = self.watch(client)
            return self.judge(self._watch, client.ask(self._watch.method, self._watch.params))
        except Bitrix24Error as error:
            failure = error
        if is_limit(failure):
            log.info("Not known yet: %s", failure)
            return Verdict(False)
        if self._watch is None or failure.retryable:
            raise failure
        return self.judge(self._watch, failure)

    def _wait_after(self, error: Bitrix24Error, failures: int) -> None:
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.watch import back_off

        seconds = back_off(failures)
        log.warning(
            "Failure %d of %d that are tolerated; the next look is in %.0f s: %s",
            failures,
            self.tolerated_failures,
            seconds,
            error,
        )
        self._sleep(seconds)

    def _is_late(self) -> bool:
        return self._began is not None and time.monotonic() - self._began > self.timeout
