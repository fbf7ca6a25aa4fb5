"""How the commands of a batch ended before the task waits for a limit, so that only the others are sent after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import BatchError
from airflow_provider_bitrix24.execution.checkpoint import checkpoint, digest_of
from airflow_provider_bitrix24.execution.xcom import error_summary, is_small
from airflow_provider_bitrix24.hooks.limit_end import seconds_to_limit_end

#: Where the outcome of a batch that waits is in XCom.
XCOM_KEY = "bitrix24_before_wait"
_KEY = "batch"


class BatchProgress:
    """
    What is done of a batch.

    Results are kept in Airflow's task state store or in XCom, and never in the trigger: they are values of fields.

    :param commands: all of them, by name.
    :param unrepeatable: names of those that must not be done twice.
    """

    def __init__(self, context: Any, commands: Mapping[str, Any], unrepeatable: Iterable[str]) -> None:
        self._ti, self._memory = context["ti"], checkpoint(context)
        self._names, self._unrepeatable = list(commands), set(unrepeatable)
        self._digest = digest_of(commands)
        self.results: dict[str, Any] = {}
        self.errors: dict[str, Any] = {}
        kept = self._memory.get(_KEY)
        if kept is not None and kept["commands"] == self._digest:
            pull = {"task_ids": self._ti.task_id, "key": XCOM_KEY, "map_indexes": getattr(self._ti, "map_index", -1)}
            outcome = kept.get("outcome") or self._ti.xcom_pull(**pull) or {}
            self.results, self.errors = dict(outcome.get("results") or {}), dict(outcome.get("errors") or {})

    def left(self, commands: Mapping[str, Any]) -> dict[str, Any]:
        """The commands that have not ended."""
        return {name: command for name, command in commands.items() if name not in {*self.results, *self.errors}}

    def outcome_with(self, done: Any) -> dict[str, Any]:
        """The outcome of all commands in their order, with how those ended that were sent now."""
        results = self.results | done.results
        errors = self.errors | {name: error_summary(error) for name, error in done.errors.items()}
        return {
            "results": {name: results[name] for name in self._names if name in results},
            "errors": {name: errors[name] for name in self._names if name in errors},
            "not_run": list(done.not_run),
        }

    def done_for_good(self, done: Any) -> list[str]:
        """Names of the commands that were done and must not be done twice."""
        return [name for name in self._names if name in self._unrepeatable and name in {*self.results, *done.replies}]

    def wait(self, done: Any, now: float, *, whole: bool, fails: bool, waits_for: Callable[[BatchError], bool]) -> None:
        """
        Keep what is done, and let the task wait, where a limit alone is in the way of the other commands.

        :param now: Unix seconds.
        :param whole: whether the commands are sent again as a whole, because they refer to each other.
        :param fails: whether the task fails in any case where a command has failed by itself.
        :param waits_for: whether the task waits.
        :raises BatchError: it does.
        """
        refused = {n: error for n, error in done.errors.items() if seconds_to_limit_end(error, now) is not None}
        if not refused or (fails and len(refused) < len(done.errors)):
            return
        for_good = self.done_for_good(done)
        outcome = self.outcome_with(done)
        kept = {
            "results": outcome["results"],
            "errors": {name: error for name, error in outcome["errors"].items() if name not in refused},
            "not_run": [name for name in self._names if name in refused or name in done.not_run],
        }
        keeps = not whole and is_small(kept)
        if for_good and not keeps:
            return
        name, first = next(iter(refused.items()))
        limit = BatchError(
            f"a limit has refused {len(refused)} of {len(self._names)} commands; the first is {name!r}: {first}",
            method="batch",
            errors=refused,
            results={},
        ).but(ran="no", retryable=not for_good or self._memory.lasting)
        if not waits_for(limit):
            return
        if keeps and self._memory.lasting:
            self._memory.put(_KEY, {"commands": self._digest, "outcome": kept})
        elif keeps:
            self._ti.xcom_push(key=XCOM_KEY, value=kept)
            self._memory.put(_KEY, {"commands": self._digest})
        raise limit
