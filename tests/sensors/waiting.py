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
    BaseSensorOperator,
)
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from tests.operators.context import context
from tests.sleepless import sleepless

#: How a task ends.
ENDS = {
    AirflowSkipException: "skipped",
    AirflowSensorTimeout: "timeout",
    AirflowFailException: "failed",
    Bitrix24Error: "retried",
}


class PassingTime:
    """
    In place of ``time`` in the sensors.

    :param happens: what happens at the portal, by the number of the sleep during which it does, from 1.
    """

    def __init__(self, portal: Any, happens: dict[int, Callable[[], object]]) -> None:
        self.slept: list[float] = []
        self._portal, self._happens = portal, happens
        self._start = portal.clock.now()

    def monotonic(self) -> float:
        return self._portal.clock.now() - self._start

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._portal.clock.advance(seconds)
        self._happens.get(len(self.slept), lambda: None)()


class Waiting:
    """How sensors end that are run one after the other."""

    def __init__(self, portal: Any, monkeypatch: Any) -> None:
        self.portal, self._monkeypatch = portal, monkeypatch
        self.slept: list[float] = []

    def __call__(
        self, sensor: type, *, happens: dict[int, Callable[[], object]] | None = None, **arguments: Any
    ) -> tuple[str, Any]:
        """How it ended, and what went to XCom or the message."""
        passing = PassingTime(self.portal, happens or {})
        self.slept = passing.slept
        clock = SimpleNamespace(sleep=passing.sleep, monotonic=passing.monotonic)
        for module in (BaseSensorOperator.__module__, "airflow_provider_bitrix24.sensors.base_sensor"):
            self._monkeypatch.setattr(sys.modules[module], "time", clock)
        task = sleepless(sensor)(task_id="waits", **{"timeout": 600, **arguments})
        try:
            return "success", task.execute(context())
        except tuple(ENDS) as error:
            return next(end for kind, end in ENDS.items() if isinstance(error, kind)), str(error)
