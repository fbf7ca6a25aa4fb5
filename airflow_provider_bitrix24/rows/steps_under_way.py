"""Steps that were begun, in the order of the rows, until their outcomes are taken: several may be under way at once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.rows.step_runs import StepRun

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.concurrent_requests import Place

#: Most steps that are kept behind one that is still under way, and most characters of their rows as JSON.
MOST_STEPS, MOST_CHARACTERS = 40, 32 * 1024 * 1024


class StepsUnderWay:
    """
    Decides which steps may be under way together, and keeps those that ended out of turn.

    How many requests there may be is found by the client; see ``rest/concurrent_requests.py``.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._requests = client.concurrent()
        self._runs: deque[StepRun] = deque()

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def has_answers(self) -> bool:
        """Whether a step has been answered well."""
        return self._requests.are_answered

    @property
    def ended(self) -> list[StepRun]:
        return [run for run in self._runs if run.is_ended]

    @property
    def answered(self) -> list[StepRun]:
        """Those that have come back and wait for their end."""
        return [run for run in self._runs if run.is_answered and not run.is_ended]

    @property
    def _open(self) -> list[StepRun]:
        return [run for run in self._runs if not run.is_ended]

    @property
    def has_room(self) -> bool:
        """Whether another step is worth reading: a source is not read further than what may be sent soon."""
        under_way = self._open
        if len(self._runs) >= MOST_STEPS or any(run.is_in_order for run in under_way):
            return False
        if len(under_way) >= self._client.portal.parallel:
            # Answers that are not remembered yet count too: after a crash, no more steps than that are sent again.
            return False
        return not under_way or not self._requests.are_most

    def place(self, run: StepRun) -> Place | None:
        """Room for a step beside those that are under way; None where it may not be sent now."""
        under_way = self._open
        if len(under_way) >= self._client.portal.parallel:
            return None
        if under_way:
            if run.is_in_order or any(other.is_in_order or other.objects & run.objects for other in under_way):
                return None
            if sum(other.size for other in self._runs) + run.size > MOST_CHARACTERS:
                return None
        return self._requests.place(run.methods)

    def add(self, run: StepRun) -> None:
        self._runs.append(run)

    def remove(self, run: StepRun) -> None:
        """Forget the step that was added last."""
        self._runs.remove(run)

    @property
    def has_next(self) -> bool:
        """Whether the first of the steps has ended."""
        return bool(self._runs) and self._runs[0].is_ended

    def next(self) -> StepRun:
        """The first of the steps."""
        return self._runs.popleft()

    def wait(self) -> None:
        """Wait until a step comes back."""
        self._requests.wait()

    def stop(self) -> list[StepRun]:
        """
        Send nothing more, wait for the answers to what is under way, and return the steps without an end.

        A task may get one signal after another: none of them ends the wait, which lasts as long as an answer.
        """
        self._client.stop()
        while True:
            try:
                self._requests.close()
            except BaseException:  # noqa: S112 - the first one is what the task ends with
                continue
            return self._open

    def close(self) -> None:
        """Let the threads end."""
        self._requests.close()
