"""What all sensors share: a look at the portal, what is tolerated, and how waiting ends in either mode."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_bitrix24._compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, TaskStopped
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, flag, number_from_zero
from airflow_provider_bitrix24.execution.base_operator import Bitrix24ConnectedOperator
from airflow_provider_bitrix24.execution.rendered import check_texts
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.answers.reply import Reply
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.triggers.condition import Condition
    from airflow_provider_bitrix24.triggers.watch import Verdict, Watch

log = logging.getLogger(__name__)

#: A trigger ends by itself at its deadline. So many seconds later Airflow ends the task: no triggerer has answered.
GRACE_SECONDS = 60.0
#: What Airflow resumes a task with whose trigger did not end by itself.
_NO_EVENT = "__fail__"


class Bitrix24BaseSensor(BaseSensorOperator, Bitrix24ConnectedOperator):
    """
    Base of the sensors: a subclass says what is asked and when the waiting ends, in ``watch``.

    ``timeout``, ``poke_interval``, ``mode``, ``soft_fail``, ``silent_fail``, ``never_fail``, ``exponential_backoff``
    and ``max_wait`` are Airflow's, of every sensor.

    :param deferrable: wait in the triggerer and hold no worker; by default as Airflow's setting
        ``[operators] default_deferrable`` says. The first look is made in the worker.
    :param tolerated_failures: how many looks in a row may fail for a reason that passes (the network, a fault of the
        portal). The next look is 10, 20, 40, 80, 160 and then 300 seconds later. One failure more fails the task, and
        its ``retries`` apply. A limit of the portal does not count.
    """

    def __init__(self, *, deferrable: bool | NotGiven = NOT_GIVEN, tolerated_failures: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if deferrable is NOT_GIVEN:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = self.fixed(flag, deferrable, "deferrable")
        self.tolerated_failures = self.fixed(number_from_zero, tolerated_failures, "tolerated_failures")
        self._watch: Watch | None = None
        #: When this run of the task began to wait, on the clock of this process and in Unix seconds.
        self._began: tuple[float, float] | None = None
        #: Looks in a row that failed before the sensor was deferred.
        self._failures = 0
        #: How a worker waits after a look that failed.
        self._sleep: Callable[[float], object] = time.sleep

    def check_literals(self, **hints: str) -> None:
        for name in ("condition", "fail_when"):
            # The one function that may be is no longer there, see Bitrix24Sensor.
            if callable(getattr(self, name, None)):
                with airflow_outcome():
                    raise ConfigurationError(
                        f"{name} is a function, and only condition of Bitrix24Sensor may be one",
                        next_step='write it as {"result_path": "stageId", "operator": "=", "value": "WON"}',
                    )
        super().check_literals(**hints)

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
            self._began = time.monotonic(), time.time()
        seen: PokeReturnValue = self.connected(context)
        return seen

    def run(self, client: Client, context: Any) -> PokeReturnValue:
        failures = self._failures
        while True:
            try:
                verdict = self._look(client)
            except Bitrix24Error as error:
                failures += 1
                passes = error.retryable and not isinstance(error, TaskStopped)
                endless = self.deferrable and self.silent_fail
                if not passes or (failures > self.tolerated_failures and not endless):
                    raise
                self._wait_after(error, failures)
                if self._is_late():
                    return PokeReturnValue(False)
                continue
            if verdict.met:
                log.info("What was waited for has come true.")
            elif self.deferrable:
                self._defer(self._watch) if self._watch is not None else self._defer_look(self.poke_interval, failures)
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
        if self.deferrable and self._watch is not None:
            self._defer(self._watch, failures)
        if self.deferrable:
            self._defer_look(seconds, failures)
        self._sleep(seconds)

    def _is_late(self) -> bool:
        return self._began is not None and time.monotonic() - self._began[0] > self._longest()

    def _longest(self) -> float:
        """Seconds that the task waits at most."""
        limit = self._cut_short_after()
        return float(self.timeout) if limit is None else limit

    def _cut_short_after(self) -> float | None:
        """When ``execution_timeout`` is over, where that is first: Airflow 3 does not look at it in a deferral."""
        if not self.deferrable or self.execution_timeout is None:
            return None
        seconds: float = self.execution_timeout.total_seconds()
        return seconds if seconds < self.timeout else None

    def _defer(self, watch: Watch, failures: int = 0) -> NoReturn:
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.sensor import Bitrix24SensorTrigger

        now = time.time()
        began = now if self._began is None else self._began[1]
        log.info("Not yet: the triggerer looks again, about every %.0f s.", self.poke_interval)
        trigger = Bitrix24SensorTrigger(
            bitrix24_conn_id=self.bitrix24_conn_id,
            watch=watch.as_json(),
            began=_iso(began),
            deadline=_iso(began + self._longest()),
            poke_interval=self.poke_interval,
            exponential_backoff=self.exponential_backoff,
            max_wait=None if self.max_wait is None else self.max_wait.total_seconds(),
            tolerated_failures=None if self.silent_fail else self.tolerated_failures,
            failures=failures,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=self._deferral_timeout(began, now))
        raise AssertionError("a task goes on after it was deferred")

    def _deferral_timeout(self, began: float, now: float) -> timedelta:
        return timedelta(seconds=max(began + self._longest() - now, 0.0) + GRACE_SECONDS)

    def _defer_look(self, seconds: float, failures: int) -> NoReturn:
        """Look for the first time after some seconds: what the triggerer would ask is not known yet."""
        # Airflow imports it with its triggerer.
        from airflow_provider_bitrix24.triggers.wait import Bitrix24WaitTrigger

        now = time.time()
        began = now if self._began is None else self._began[1]
        state = {"began": began, "failures": failures}
        timeout = self._deferral_timeout(began, now)
        until = now + seconds if self._cut_short_after() is None else min(now + seconds, began + self._longest() + 1)
        self.defer(trigger=Bitrix24WaitTrigger(until, state), method_name="look_again", timeout=timeout)
        raise AssertionError("a task goes on after it was deferred")

    def look_again(self, context: Any, event: Any = None, **_: Any) -> Any:
        """Look, after a deferral before the first look; what was seen goes to XCom."""
        now = time.time()
        try:
            began, self._failures = float(event["state"]["began"]), int(event["state"]["failures"])
        except (KeyError, TypeError, ValueError):
            return self.resume(context, event)
        self._began = time.monotonic() - (now - began), began
        if self._is_late():
            return self.resume(context, {"status": "timeout", "seen": None})
        with self._ends_as_in_a_worker():
            # It has come true, or the task is deferred again.
            return self.poke(context).xcom_value

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Turn Airflow's own timeout of a deferral into the end of the waiting, as in a worker."""
        reason = str((next_kwargs or {}).get("error", ""))
        if next_method == _NO_EVENT and "timeout" in reason.lower():
            next_method, next_kwargs = "resume", {"event": {"status": "timeout", "seen": _NO_EVENT}}
        # That of BaseSensorOperator has other ends than a sensor in a worker.
        return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def resume(self, context: Any, event: Any = None, **_: Any) -> Any:
        """
        End the task as the trigger's event says, as in a worker.

        :param event: see :mod:`airflow_provider_bitrix24.triggers.outcome`.
        """
        with self._ends_as_in_a_worker(), airflow_outcome(), self._log_of_failure():
            self._check_given()
            return self._end(event)

    @contextmanager
    def _ends_as_in_a_worker(self) -> Iterator[None]:
        """Skip where the author asked for it, as :class:`BaseSensorOperator` does with what a look raises."""
        try:
            yield
        except AirflowSensorTimeout as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipping: {error}") from error
            raise
        except Bitrix24Error as error:
            if self.never_fail:
                raise AirflowSkipException(f"Skipping: {error}") from error
            raise

    def _end(self, event: Any) -> Any:
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.outcome import ending_in

        ending = ending_in(event)
        if ending.error is not None:
            raise ending.error
        if ending.status == "timeout":
            silent = "; no triggerer answered: is one running?" if ending.seen == _NO_EVENT else ""
            if self._cut_short_after() is not None:
                # As Airflow ends a task in a worker: retries apply, soft_fail does not.
                raise AirflowTaskTimeout(f"execution_timeout is over after {self._longest():.0f} s{silent}")
            raise AirflowSensorTimeout(f"Sensor has timed out after {self.timeout:.0f} s{silent}")
        if not self.believes(ending.seen):
            raise Bitrix24Error(
                "the trigger's event is about something else", retryable=True, next_step="run the task again"
            )
        log.info("What was waited for has come true.")
        return ending.seen

    def believes(self, seen: Any) -> bool:
        """Whether what a trigger says it has seen can be what this task waits for."""
        return True


def _iso(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, timezone.utc).isoformat()
