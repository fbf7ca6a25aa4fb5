"""One step in this try: what becomes of each of its rows, sent or not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error
from airflow_provider_bitrix24.rest.concurrent_requests import shows_trouble
from airflow_provider_bitrix24.rows.outcomes import FAILED, NOT_DONE, UNKNOWN, Outcome, is_stop
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow
from airflow_provider_bitrix24.rows.row_writer import RowWriter
from airflow_provider_bitrix24.rows.steps import Step


class StepRun:
    """
    A step on its way, from what is known before it is sent to the outcome of every row.

    :param ordered: whether its rows wait for those before; None leaves that to the writer.
    """

    def __init__(self, step: Step, writer: RowWriter, ordered: bool | None) -> None:
        self.step = step
        self._writer = writer
        #: By number of the row; those that are about to be sent have none.
        self.outcomes: dict[int, Outcome] = {}
        self.pending: Sequence[PreparedRow] = []
        self._sort()
        #: Rows with an error, as far as that is known, and whether one of them stops the task.
        self.failures, self.stops = self._count_failures(), False
        self.is_in_order = any(map(writer.keeps_order, self.pending)) if ordered is None else ordered
        self.objects: set[Hashable] = {writer.kept_apart(row) for row in self.pending} - {None}
        self.size = sum(row.size for row in step.rows)
        #: How many steps in a row had got no answer when it was begun.
        self.losses_before = 0
        self._has_begun = False
        self._sent: list[Outcome] | None = None
        #: What ended the task while the step was under way.
        self.interruption: BaseException | None = None
        #: In the order of the rows, once each has one.
        self.results: list[Outcome] | None = None

    def _sort(self) -> None:
        """Which rows are to be sent, and how the others have ended."""
        pending = []
        for row in self.step.rows:
            if row.is_settled and row.earlier is not None:
                self.outcomes[row.number] = row.earlier
            elif row.error is not None:
                self.outcomes[row.number] = Outcome.of(row.number, row.error)
            elif row.unsent:
                self.outcomes[row.number] = Outcome(row.number, row.unsent, row.id)
            elif row.may_have_run and not self._writer.may_repeat(row):
                self.outcomes[row.number] = self._left_unknown(row)
            else:
                pending.append(row)
        self.pending = pending

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

    @property
    def methods(self) -> list[str]:
        """Those of its commands."""
        return [self._writer.method] * -(-len(self.pending) // self._writer.rows_per_command)

    def send(self) -> None:
        """
        Send the pending rows, in a thread.

        :raises Bitrix24Error: the portal did not answer well, for those who count that; how each row ended is kept.
        """
        self._has_begun = True
        rows = self.pending
        try:
            sent = list(self._writer.send(rows))
        except Bitrix24Error as error:
            sent = [Outcome.of(row.number, error.but(ran="no"), row.id) for row in rows]
        except BaseException as error:
            # Raised in the task's own thread, once what is under way has ended.
            self.interruption = error
            sent = [Outcome.of(row.number, self._interrupted(error), row.id) for row in rows]
        self._sent = sent
        for outcome in sent:
            if outcome.error is not None and shows_trouble(outcome.error):
                raise outcome.error.but()

    def _interrupted(self, error: BaseException) -> AnswerLost:
        return AnswerLost(
            f"the task was interrupted while this row was under way ({type(error).__name__})",
            method=self._writer.method,
        )

    @property
    def was_sent(self) -> bool:
        return self._has_begun

    @property
    def is_answered(self) -> bool:
        """Whether it was sent, and is not under way any more."""
        return self._sent is not None

    @property
    def is_ended(self) -> bool:
        return self.results is not None

    def end(self) -> None:
        """Give every row its outcome, once the step is not under way any more."""
        if self._sent is None and self._has_begun:
            lost = self._interrupted(RuntimeError())
            self._sent = [Outcome.of(row.number, lost, row.id) for row in self.pending]
        for row, outcome in zip(self.pending, self._sent or [], strict=True):
            seen = self._without_repetition(row, _in_view_of_earlier(row, outcome))
            self.outcomes[row.number] = _noted(row, seen)
        self._finish()

    def leave(self, word: str, error: Bitrix24Error | None = None) -> None:
        """Send none of its rows: ``word`` is the outcome of those that were to be sent."""
        for row in self.pending:
            outcome = Outcome(row.number, word, row.id, error, 0 if error else row.cleared)
            self.outcomes[row.number] = _noted(row, _in_view_of_earlier(row, outcome))
        self._finish()

    def _finish(self) -> None:
        self.failures = self._count_failures()
        self.stops = any(map(is_stop, self.outcomes.values()))
        self.results = [self.outcomes[row.number].named(row.name) for row in self.step.rows]

    def _without_repetition(self, row: PreparedRow, outcome: Outcome) -> Outcome:
        lost = outcome.error
        if lost is None or lost.ran != "unknown" or self._writer.may_repeat(row):
            return outcome
        return replace(outcome, error=lost.but(retryable=False))

    def _count_failures(self) -> int:
        return sum(outcome.error is not None for outcome in self.outcomes.values())

    @property
    def sent(self) -> list[Outcome]:
        """Outcomes of the rows that were sent."""
        return [self.outcomes[row.number] for row in self.pending]


def _noted(row: PreparedRow, outcome: Outcome) -> Outcome:
    return replace(outcome, note=row.note) if row.note and outcome.error is None and not outcome.note else outcome


def _in_view_of_earlier(row: PreparedRow, outcome: Outcome) -> Outcome:
    """This try has not done the row, but an earlier one may have."""
    if not row.may_have_run or outcome.error is None or outcome.outcome not in (FAILED, NOT_DONE):
        return outcome
    return replace(outcome, outcome=UNKNOWN, error=outcome.error.but(ran="unknown"))
