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
from airflow_provider_bitrix24.rows.outcomes import FAILED, NOT_DONE, READY, UNKNOWN, Outcome, RowNumbers, Tally
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, PreparedRows, RowContent
from airflow_provider_bitrix24.rows.remembered_steps import RememberedSteps
from airflow_provider_bitrix24.rows.row_names import RowName
from airflow_provider_bitrix24.rows.steps import Step, Steps

log = logging.getLogger(__name__)

#: Failures of rows that a task logs one by one.
MOST_LOGGED = 20
#: So many steps in a row that got no answer stop the task: that is the portal or the network, not the rows.
LOST_IN_A_ROW = 2


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

    def name(self, row: Any) -> RowName:
        """What a row that cannot be sent says of its object: the id, or the key."""
        ...

    def may_repeat(self, row: PreparedRow) -> bool:
        """``repeats`` of a single row."""
        ...

    def step_size(self) -> int:
        """Most rows of the next step."""
        ...

    def takes(self, step: Sequence[PreparedRow], row: PreparedRow) -> bool:
        """Whether a row may be sent together with the rows of a step."""
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
        self.rows = PreparedRows(source, writer.prepare, writer.name, writer.method)
        self._writer = writer
        self._dry_run = dry_run
        self._lasting = checkpoint.lasting
        self._memory = RememberedSteps(checkpoint)
        self._steps = Steps(self._memory, writer.step_size, writer.takes)
        self._not_done, self._lines_not_done = RowNumbers(), RowNumbers()
        self._lost_in_a_row = 0
        self._lost: Bitrix24Error | None = None
        self._answered = False
        self._interruption: BaseException | None = None

    def outcomes(self) -> Iterator[Outcome]:
        """Write the rows up to where the tally is over, and yield how each ended; nothing is raised on the way."""
        for step in self._steps.of(self.rows):
            for outcome in self._outcomes_of(step):
                yield self._counted(outcome)
            log.info("%d rows: %s", self.tally.counts.total(), dict(self.tally.counts))
            reads_on = self._is_refused or self._dry_run
            if self._interruption is not None or (self.tally.is_over() and not reads_on):
                return
        if self._lost is not None and not self._answered:
            self.tally.stop(self._lost.but(retryable=False, advice="no row got an answer"))
        unread = ConfigurationError("not sent: the rows after it cannot be read")
        for row in self._steps.unsent:
            outcome = row.earlier or Outcome(row.number, NOT_DONE, error=unread)
            yield self._counted(outcome.named(row.name))
        for remembered in self._steps.taken_out:
            yield self._counted(remembered.outcome(None) or Outcome(None, UNKNOWN))

    def failure(self) -> BaseException | None:
        """
        What the task fails with; None if it does not.

        Where nothing remembers what was done, a retry may begin only if it does no harm.
        """
        counts = dict(self.tally.counts)
        if self._is_refused:
            rows, lines = str(self._not_done) or "none", str(self._lines_not_done)
            return self._refusal().but(advice=f"(not done: {rows}{lines and f' (lines {lines})'}; {counts})")
        failure = self.tally.failure()
        ended_by = self._interruption or (None if self.tally.is_too_many else self.rows.error)
        if isinstance(ended_by, Bitrix24Error):
            failure = ended_by.but(advice=f"({counts} before; nothing after them was written)")
        elif ended_by is not None:
            log.warning("%s: %s before; nothing after them was written.", type(ended_by).__name__, counts)
            return ended_by
        if failure is None:
            return None
        if failure.retryable and (self._lasting or self._writer.repeats):
            return failure
        return failure.but(retryable=False, advice=self._hint_before_clearing())

    def _hint_before_clearing(self) -> str:
        words = {FAILED, NOT_DONE}
        if self._writer.repeats or self._dry_run or not any(word not in words for word in self.tally.counts):
            return ""
        return "run the other rows by themselves: a task that is cleared writes all of them again"

    @property
    def _is_refused(self) -> bool:
        """Whether the rows differ from those of the try before, and which of them replace added rows is unknown."""
        return self._steps.may_have_run and not self._writer.repeats

    def _refusal(self) -> ConfigurationError:
        return ConfigurationError(
            f"the rows from {self._steps.changed_from} on differ from those of the try before, which may have written "
            "some of them, and nothing was sent",
            method=self._writer.method,
            next_step="write the rows that are not done by themselves; a task that is cleared writes all of them again",
        )

    def _counted(self, outcome: Outcome) -> Outcome:
        self.tally.add(outcome)
        if outcome.outcome == NOT_DONE and outcome.row is not None:
            self._not_done.add(outcome.row)
            if outcome.line is not None:
                self._lines_not_done.add(outcome.line)
        if outcome.error is not None and self.tally.unwritten <= MOST_LOGGED:
            log.warning("Row %s: %s: %s", outcome.place, outcome.outcome, outcome.error)
        elif outcome.note and self.tally.noted <= MOST_LOGGED:
            log.warning("Row %s: %s: %s", outcome.place, outcome.outcome, outcome.note)
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
            elif row.unsent:
                outcomes[row.number] = Outcome(row.number, row.unsent, row.id)
            elif row.may_have_run and not self._writer.may_repeat(row):
                outcomes[row.number] = self._left_unknown(row)
            else:
                pending.append(row)
        held_back = self._reason_to_hold_back(outcomes.values())
        if self._dry_run:
            outcomes |= {row.number: Outcome(row.number, READY, row.id, cleared=row.cleared) for row in pending}
        elif held_back is not None:
            outcomes |= {
                row.number: _in_view_of_earlier(row, Outcome(row.number, NOT_DONE, row.id, held_back))
                for row in pending
            }
        else:
            self._send(step, pending, outcomes)
        return [outcomes[row.number].named(row.name) for row in step.rows]

    def _reason_to_hold_back(self, outcomes: Iterable[Outcome]) -> ConfigurationError | None:
        """Why the other rows of a step are not sent."""
        if self._is_refused:
            return self._refusal()
        if self.tally.is_over(sum(outcome.error is not None for outcome in outcomes)):
            return ConfigurationError("not sent: more rows have failed than max_failures allows")
        return None

    def _send(self, step: Step, pending: Sequence[PreparedRow], outcomes: dict[int, Outcome]) -> None:
        if all(row.earlier for row in step.remembered) and not pending:
            return
        # A step without a value would be the end of what the next try reads.
        try:
            self._memory.put(step.number, step.remembered, outcomes)
        except Bitrix24Error:
            # Another process writes this report.
            raise
        except BaseException as error:
            self._interruption = error
            unsent = ConfigurationError(f"not sent: that it is under way cannot be remembered ({type(error).__name__})")
            for row in pending:
                outcomes[row.number] = _in_view_of_earlier(row, Outcome(row.number, NOT_DONE, row.id, unsent))
            return
        if not pending:
            return
        for row, outcome in zip(pending, self._sent(pending), strict=True):
            outcomes[row.number] = outcome = _in_view_of_earlier(row, outcome)  # noqa: PLW2901
            lost = outcome.error
            if lost is not None and lost.ran == "unknown" and not self._writer.may_repeat(row):
                outcomes[row.number] = replace(outcome, error=lost.but(retryable=False))
        if self._interruption is None:
            try:
                self._memory.put(step.number, step.remembered, outcomes)
            except BaseException as error:
                # What is done is reported first.
                self._interruption = error
            self._stop_if_lost([outcomes[row.number] for row in pending])

    def _sent(self, rows: Sequence[PreparedRow]) -> list[Outcome]:
        try:
            return list(self._writer.send(rows))
        except Bitrix24Error as error:
            return [Outcome.of(row.number, error.but(ran="no"), row.id) for row in rows]
        except BaseException as error:
            # The task's timeout among others: what was written before is reported first.
            self._interruption = error
            unclear = AnswerLost(
                f"the task was interrupted while this row was under way ({type(error).__name__})",
                method=self._writer.method,
            )
            return [Outcome.of(row.number, unclear, row.id) for row in rows]

    def _stop_if_lost(self, outcomes: Sequence[Outcome]) -> None:
        """Where any number of rows may fail, nothing else stops a task that gets no answers."""
        if any(outcome.outcome != UNKNOWN for outcome in outcomes):
            self._answered = True
            self._lost_in_a_row = 0
            return
        self._lost = outcomes[-1].error
        self._lost_in_a_row += 1
        if self._lost is not None and self._lost_in_a_row >= LOST_IN_A_ROW:
            self.tally.stop(self._lost.but(retryable=True, advice=f"{LOST_IN_A_ROW} steps in a row got no answer"))

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


def _in_view_of_earlier(row: PreparedRow, outcome: Outcome) -> Outcome:
    """This try has not done the row, but an earlier one may have."""
    if not row.may_have_run or outcome.error is None or outcome.outcome not in (FAILED, NOT_DONE):
        return outcome
    return replace(outcome, outcome=UNKNOWN, error=outcome.error.but(ran="unknown"))
