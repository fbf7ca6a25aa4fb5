"""
The one way in which many rows are written.

Rows are taken from their source, prepared, and grouped into steps. A step is remembered before it is sent and when it
is answered, so that the next try of the task goes on behind it. What differs between operators is a ``RowWriter``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
from airflow_provider_bitrix24.rows.outcomes import NOT_DONE, UNKNOWN, Outcome, RowNumbers, Tally
from airflow_provider_bitrix24.rows.prepared import PreparedRow, PreparedRows, RowContent
from airflow_provider_bitrix24.rows.remembered import RememberedSteps
from airflow_provider_bitrix24.rows.steps import Step, Steps

log = logging.getLogger(__name__)

#: Failures of rows that a task logs one by one.
MOST_LOGGED = 20
#: The outcome of a row in a dry run.
READY = "ready"


class RowWriter(Protocol):
    """
    How rows are written with one method, or one set of methods.

    :param method: for messages.
    :param words: outcomes of its own, counted also where there are none.
    :param repeats: whether rows may be sent again when it is not known whether they were done.
    """

    method: str
    words: tuple[str, ...]
    repeats: bool

    def prepare(self, row: Any) -> RowContent:
        """
        What a row of the source means.

        :raises ConfigurationError: it cannot be sent.
        """
        ...

    def may_repeat(self, row: PreparedRow) -> bool:
        """``repeats`` of a single row."""
        ...

    def takes(self, step: Sequence[PreparedRow], row: PreparedRow) -> bool:
        """Whether a row still goes into a step with the rows that it has."""
        ...

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        """
        Send rows of a step, and say how each ended, in their order.

        :raises Bitrix24Error: none of them was sent, for this reason.
        """
        ...


class RowEngine:
    """
    One try of a task that writes rows: read :meth:`outcomes` to its end, then ask :meth:`failure`.

    :param tally: counts, and says when to stop.
    :param dry_run: send and remember nothing.
    """

    def __init__(
        self, writer: RowWriter, source: Iterable[Any], checkpoint: Checkpoint, tally: Tally, *, dry_run: bool = False
    ) -> None:
        self.tally = tally
        self.rows = PreparedRows(source, writer.prepare, writer.method)
        self._writer = writer
        self._dry_run = dry_run
        self._lasting = checkpoint.lasting
        self._memory = RememberedSteps(checkpoint)
        self._steps = Steps(self._memory, writer.takes)
        self._not_done = RowNumbers()

    def outcomes(self) -> Iterator[Outcome]:
        """Write the rows up to where the tally is over, and yield how each ended."""
        for step in self._steps.of(self.rows):
            for outcome in self._outcomes_of(step):
                yield self._counted(outcome)
            log.info("%d rows: %s", self.tally.counts.total(), dict(self.tally.counts))
            if self.tally.is_over() and not (self._is_refused or self._dry_run):
                return
        unread = ConfigurationError("not sent: the rows behind it cannot be read")
        for row in self._steps.unsent:
            yield self._counted(row.earlier or Outcome(row.number, NOT_DONE, row.id, unread))
        for remembered in self._steps.taken_out:
            yield self._counted(remembered.outcome(None) or Outcome(None, UNKNOWN))

    def failure(self) -> Exception | None:
        """
        What the task fails with; None if it does not.

        Where nothing remembers what was done, a retry may begin only if it does no harm.
        """
        unread = self.rows.error
        counts = dict(self.tally.counts)
        if self._is_refused:
            return self._refusal().but(advice=f"(not done: {self._not_done or 'none'}; {counts})")
        failure: Bitrix24Error | None = self.tally.failure()
        if unread is not None and not self.tally.is_too_many:
            if not isinstance(unread, Bitrix24Error):
                log.warning("The rows cannot be read further (%s before).", counts)
                return unread
            failure = unread.but(advice=f"({counts} before; nothing behind them was written)")
        may_retry = self._lasting or self._writer.repeats
        return failure and failure.but(retryable=failure.retryable and may_retry)

    @property
    def _is_refused(self) -> bool:
        """The rows are others than in the try before, and nothing tells which of them replace rows that were added."""
        return self._steps.may_have_run and not self._writer.repeats

    def _refusal(self) -> ConfigurationError:
        return ConfigurationError(
            f"the rows from {self._steps.changed_from} on are others than in the try before, which may have written "
            "some of them, and nothing was sent",
            method=self._writer.method,
            next_step="write the rows that are not done by themselves; a task that is cleared writes all of them again",
        )

    def _counted(self, outcome: Outcome) -> Outcome:
        self.tally.add(outcome)
        if outcome.outcome == NOT_DONE and outcome.row is not None:
            self._not_done.add(outcome.row)
        if outcome.error is not None and self.tally.unwritten <= MOST_LOGGED:
            name = f"Row {outcome.row}" if outcome.id is None else f"Row {outcome.row} (id {outcome.id})"
            log.warning("%s: %s: %s", name, outcome.outcome, outcome.error)
        return outcome

    def _outcomes_of(self, step: Step) -> list[Outcome]:
        """Do what is left of a step."""
        outcomes: dict[int, Outcome] = {}
        pending: list[PreparedRow] = []
        for row in step.rows:
            if row.is_settled and row.earlier is not None:
                outcomes[row.number] = row.earlier
            elif row.error is not None:
                outcomes[row.number] = Outcome.of(row.number, row.error)
            elif row.may_have_run and not self._writer.may_repeat(row):
                outcomes[row.number] = self._left_unknown(row)
            else:
                pending.append(row)
        held_back = self._reason_to_hold_back(outcomes.values())
        if self._dry_run:
            outcomes |= {row.number: Outcome(row.number, READY, row.id) for row in pending}
        elif held_back is not None:
            outcomes |= {row.number: Outcome(row.number, NOT_DONE, row.id, held_back) for row in pending}
        else:
            self._send(step, pending, outcomes)
        return [outcomes[row.number] for row in step.rows]

    def _reason_to_hold_back(self, outcomes: Iterable[Outcome]) -> ConfigurationError | None:
        """Why the other rows of a step are not sent."""
        if self._is_refused:
            return self._refusal()
        if self.tally.is_over(sum(outcome.error is not None for outcome in outcomes)):
            return ConfigurationError("not sent: more rows have failed than may")
        return None

    def _send(self, step: Step, pending: Sequence[PreparedRow], outcomes: dict[int, Outcome]) -> None:
        if all(row.earlier for row in step.remembered) and not pending:
            return
        # A step without a value would be the end of what the next try reads.
        self._memory.put(step.number, step.remembered, outcomes)
        if not pending:
            return
        try:
            sent = list(self._writer.send(pending))
        except Bitrix24Error as error:
            sent = [Outcome.of(row.number, error.but(ran="no"), row.id) for row in pending]
        for row, outcome in zip(pending, sent, strict=True):
            outcomes[row.number] = outcome
            lost = outcome.error
            if lost is not None and lost.ran == "unknown" and not self._writer.may_repeat(row):
                outcomes[row.number] = replace(outcome, error=lost.but(retryable=False))
        self._memory.put(step.number, step.remembered, outcomes)

    def _left_unknown(self, row: PreparedRow) -> Outcome:
        """A row that an earlier try has sent, and that must not be sent again."""
        if row.earlier is not None and row.earlier.error is not None:
            return replace(row.earlier, error=row.earlier.error.but(retryable=False))
        lost = AnswerLost(
            "an earlier try was killed while it wrote this row",
            method=self._writer.method,
            retryable=False,
            next_step="look whether it is there before you write it again",
        )
        return Outcome.of(row.number, lost, row.id)
