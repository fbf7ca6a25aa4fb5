"""A sensor that runs to its end while time passes at once, for it and at the portal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from airflow_provider_bitrix24._compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    TaskDeferred,
)
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from tests.operators.context import context
from tests.sleepless import sleepless
from tests.triggers.accelerated import Accelerated, run

#: How a task ends.
ENDS = {
    AirflowSkipException: "skipped",
    AirflowSensorTimeout: "timeout",
    AirflowFailException: "failed",
    AirflowTaskTimeout: "out of time",
    Bitrix24Error: "retried",
}


class PassingTime:
    """
    In place of ``time`` in the sensors.

    :param happens: what happens at the portal, by the number of the sleep during which it does, from 1.
    :param at: or by the seconds from the start, at the end of the sleep in which they pass.
    """

    def __init__(
        self,
        portal: Any,
        happens: dict[int, Callable[[], object]] | None = None,
        at: dict[float, Callable[[], object]] | None = None,
    ) -> None:
        self.slept: list[float] = []
        self._portal, self._happens, self._at = portal, happens or {}, dict(at or {})
        self._start = portal.clock.now()

    def time(self) -> float:
        return self._portal.clock.now()

    def monotonic(self) -> float:
        return self._portal.clock.now() - self._start

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._portal.clock.advance(seconds)
        self._happens.get(len(self.slept), lambda: None)()
        for moment in [moment for moment in self._at if moment <= self.monotonic()]:
            self._at.pop(moment)()


class Waiting:
    """How sensors end that are run one after the other."""

    def __init__(self, portal: Any, monkeypatch: Any) -> None:
        self.portal, self._monkeypatch = portal, monkeypatch
        self.slept: list[float] = []
        #: What each deferral went on with.
        self.deferrals: list[str] = []

    def __call__(
        self,
        sensor: type,
        *,
        happens: dict[int, Callable[[], object]] | None = None,
        at: dict[float, Callable[[], object]] | None = None,
        **arguments: Any,
    ) -> tuple[str, Any]:
        """How it ended in a worker, and what went to XCom or the message."""
        passing = PassingTime(self.portal, happens, at)
        self.slept = passing.slept
        self._keep_time_by(passing)
        arguments = {"timeout": 600, "deferrable": False, **arguments}
        return _end(lambda: _made(sensor, arguments).execute(context()))

    def deferred(
        self, sensor: type, *, at: dict[float, Callable[[], object]] | None = None, **arguments: Any
    ) -> tuple[str, Any]:
        """The same of one that is deferred after its first look, and resumed as another object."""
        clock = Accelerated(self.portal, at)
        self._keep_time_by(PassingTime(self.portal))
        arguments = {"timeout": 600, "deferrable": True, **arguments}
        work = lambda: _made(sensor, arguments).execute(context())  # noqa: E731
        while True:
            try:
                return _end(work)
            except TaskDeferred as error:
                deferral = error
            # What dag.test() would lose.
            assert deferral.kwargs is None
            self.deferrals.append(deferral.method_name)
            (event,) = run(clock, self._monkeypatch, deferral.trigger)
            resumed = _made(sensor, arguments)
            work = lambda resumed=resumed, name=deferral.method_name, event=event: resumed.resume_execution(  # noqa: E731
                name, {"event": event}, context()
            )

    def _keep_time_by(self, passing: PassingTime) -> None:
        clock = SimpleNamespace(sleep=passing.sleep, monotonic=passing.monotonic, time=passing.time)
        for module in (BaseSensorOperator.__module__, "airflow_provider_bitrix24.sensors.base_sensor"):
            self._monkeypatch.setattr(sys.modules[module], "time", clock)


def _made(sensor: type, arguments: dict[str, Any]) -> Any:
    """The sensor; with what fails when the DAG is parsed, as if templates had come out so."""
    try:
        return sleepless(sensor)(task_id="waits", **arguments)
    except AirflowFailException:
        templated = {name: value for name, value in arguments.items() if name in sensor.template_fields}
    task = sleepless(sensor)(task_id="waits", **{**arguments, **dict.fromkeys(templated, "{{ x }}")})
    for name, value in templated.items():
        setattr(task, name, value)
    return task


def _end(work: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "success", work()
    except tuple(ENDS) as error:
        return next(end for kind, end in ENDS.items() if isinstance(error, kind)), str(error)
