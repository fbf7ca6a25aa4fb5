"""
The one way in which many rows are written.

Rows are taken from their source, prepared, and grouped into steps. A step is remembered before it is sent and when it
is answered, so that the next try of the task goes on behind it. What differs between operators is a ``RowWriter``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ConfigurationError, RestError
from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
from airflow_provider_bitrix24.rest.progress import Progress
from airflow_provider_bitrix24.rows.outcomes import FAILED, NOT_DONE, READY, SKIPPED, UNCHANGED, UNKNOWN, Outcome, Tally
from airflow_provider_bitrix24.rows.preparation import PreparedRows
from airflow_provider_bitrix24.rows.refused_adds import RefusedAdds
from airflow_provider_bitrix24.rows.remembered_steps import RememberedSteps
from airflow_provider_bitrix24.rows.row_writer import RowWriter
from airflow_provider_bitrix24.rows.step_runs import StepRun
from airflow_provider_bitrix24.rows.steps import Step, Steps
from airflow_provider_bitrix24.rows.steps_under_way import StepsUnderWay

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

#: Failures of rows that a task logs one by one.
MOST_LOGGED = 20
#: So many steps in a row that got no answer stop the task: that is the portal or the network, not the rows.
LOST_IN_A_ROW = 2
#: Rows of a step before the portal has shown how it takes several at once, where there are so many rows that a few
#: requests more are not half as many again.
FIRST_ROWS, MANY_ROWS = 10, 400


class RowEngine:
    """
    One try of a task that writes rows: read :meth:`outcomes` to its end, :meth:`close` it, then ask :meth:`failure`.

    :param client: what the writer sends with.
    :param tally: counts, and says when to stop.
    :param ordered: send one step after the other; None for those steps that the writer keeps in order.
    :param dry_run: send and remember nothing.
    """

    def __init__(
        self,
        client: Client,
        writer: RowWriter,
        source: Iterable[Any],
        checkpoint: Checkpoint,
        tally: Tally,
        *,
        ordered: bool | None = None,
        dry_run: bool = False,
    ) -> None:
        self.tally = tally
        self._activity = client.activity
        #: How many rows there are; 0 where nobody knows, as with a file or a query.
        self._total = length_hint(source)
        self.rows = PreparedRows(source, writer)
        self._writer = writer
        self._ordered, self._dry_run = ordered, dry_run
        self._lasting = checkpoint.lasting
        self._memory = RememberedSteps(checkpoint)
        self._steps = Steps(self._memory, writer, self._step_size)
        self._under_way = StepsUnderWay(client)
        self._begins_short = client.portal.parallel > 1 and not ordered and self._total >= MANY_ROWS
        #: The step that waits until it may be sent.
        self._waiting: StepRun | None = None
        self._has_begun = self._is_at_end = False
        self._refused = RefusedAdds(writer.method)
        self._lost_in_a_row = 0
        self._lost: Bitrix24Error | None = None
        self._answered = self._was_refused = self._memory_failed = False
        self._interruption: BaseException | None = None
        self._unreadable: BaseException | None = None

    def outcomes(self) -> Iterator[Outcome]:
        """
        Write the rows up to where the tally is over, and yield how each ended, in their order.

        Nothing is raised on the way, but where the very first row cannot be read, or another process writes the report.
        """
        steps = self._steps.of(self.rows)
        progress = Progress(log, self._writer.method)
        while self._go_on(steps):
            # All of them are counted: whoever reads on may fail.
            yield from [self._counted(outcome) for outcome in self._under_way.next().results or ()]
            progress.note(self.tally.counts.total(), self._total)
        if self._is_over:
            if self._interruption is None:
                if self._waiting is not None:
                    self._waiting.leave(NOT_DONE, ConfigurationError("not sent: the task stopped before this row"))
                    yield from [self._counted(outcome) for outcome in self._waiting.results or ()]
                yield from map(self._counted, self._steps.not_reached())
            return
        self._unreadable = self.rows.error
        if self._lost is not None and not self._answered:
            what = "the answer of no row says whether it was done" if self._was_refused else "no row got an answer"
            self.tally.stop(self._lost.but(retryable=False, advice=what))
        unread = ConfigurationError("not sent: the rows after it cannot be read")
        for row in self._steps.unsent:
            outcome = row.earlier or Outcome(row.number, NOT_DONE, error=unread)
            yield self._counted(outcome.named(row.name))
        for outcome in self._steps.taken_out:
            yield self._counted(outcome)

    def close(self) -> None:
        """Wait for the steps under way and count their rows, if :meth:`outcomes` was not read to its end."""
        if self._under_way:
            self._stop(None)
        while self._under_way:
            for outcome in self._under_way.next().results or ():
                self._counted(outcome)
        self._under_way.close()

    def failure(self) -> BaseException | None:
        """
        What the task fails with; None if it does not.

        Where nothing remembers what was done, a retry may begin only if it does no harm.
        """
        counts = dict(self.tally.counts)
        if self._steps.are_refused:
            return self._refused.failure(self._steps.changed_from, counts)
        failure = self.tally.failure()
        ended_by = self._interruption or (None if self.tally.is_too_many else self._unreadable)
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

    def _step_size(self) -> int:
        size = self._writer.step_size()
        return min(FIRST_ROWS, size) if self._begins_short and not self._under_way.has_answers else size

    def _counted(self, outcome: Outcome) -> Outcome:
        self.tally.add(outcome)
        if self._steps.are_refused:
            self._refused.add(outcome)
        if outcome.error is not None and self.tally.unwritten <= MOST_LOGGED:
            log.warning("Row %s: %s: %s", outcome.place, outcome.outcome, outcome.error)
        elif outcome.note and self.tally.noted <= MOST_LOGGED:
            log.warning("Row %s: %s: %s", outcome.place, outcome.outcome, outcome.note)
        return outcome

    @property
    def _is_over(self) -> bool:
        """Whether no further step is begun."""
        if self._interruption is not None:
            return True
        if self._steps.are_refused or self._dry_run:
            # Every row has its outcome in the report.
            return False
        ended = self._under_way.ended
        return self.tally.is_over(sum(run.failures for run in ended)) or any(run.stops for run in ended)

    def _go_on(self, steps: Iterator[Step]) -> bool:
        """Send what may be sent, until the next step in turn has ended; False where there is none any more."""
        try:
            while not self._under_way.has_next:
                for run in self._under_way.answered:
                    self._end(run)
                if self._interruption is not None:
                    self._stop(self._interruption)
                    break
                if not self._begin_more(steps) and not self._under_way:
                    return False
                if not (self._under_way.has_next or self._under_way.answered):
                    self._under_way.wait()
        except Bitrix24Error:
            raise
        except BaseException as error:
            # The task's timeout among others: what was written before is reported first.
            if not self._has_begun:
                raise
            self._stop(error)
        return self._under_way.has_next

    def _stop(self, error: BaseException | None) -> None:
        """Send nothing more, and give every step under way its end."""
        self._interruption = self._interruption or error
        for run in self._under_way.stop():
            self._end(run)

    def _begin_more(self, steps: Iterator[Step]) -> bool:
        """Begin steps until one has to wait; False where there is none."""
        while not (self._under_way.has_next or self._is_over):
            if self._lost_in_a_row and self._under_way:
                # A portal that loses answers is asked one by one until it answers again.
                return True
            if self._waiting is None:
                if not self._under_way.has_room:
                    return True
                step = None if self._is_at_end else next(steps, None)
                if step is None:
                    self._is_at_end = True
                    return False
                self._waiting = StepRun(step, self._writer, self._ordered)
                self._has_begun = True
            if not self._begin(self._waiting):
                return True
            self._waiting = None
        return False

    def _begin(self, run: StepRun) -> bool:
        """Begin a step; False where it may not be sent now."""
        held_back = None if self._dry_run else self._reason_to_hold_back(run)
        if self._dry_run or held_back is not None:
            run.leave(READY if held_back is None else NOT_DONE, held_back)
            self._under_way.add(run)
            return True
        place = self._under_way.place(run) if run.pending else None
        if place is None and run.pending:
            return False
        run.losses_before = self._lost_in_a_row
        self._under_way.add(run)
        try:
            if run.pending or not all(row.earlier for row in run.step.remembered):
                # A step without a value would be the end of what the next try reads.
                self._memory.put(run.step.number, run.step.remembered, run.outcomes)
        except Bitrix24Error:
            # Another process writes this report.
            self._under_way.remove(run)
            raise
        except BaseException as error:
            self._memory_failed, self._interruption = True, error
            reason = f"not sent: that it is under way cannot be remembered ({type(error).__name__})"
            run.leave(NOT_DONE, ConfigurationError(reason))
            return True
        if place is None:
            run.leave(NOT_DONE)
        else:
            place.start(run.send)
        return True

    def _reason_to_hold_back(self, run: StepRun) -> ConfigurationError | None:
        """Why the rows of a step that could be sent are not."""
        if self._steps.are_refused:
            return self._refused.reason(self._steps.changed_from)
        if self.tally.is_over(run.failures + sum(ended.failures for ended in self._under_way.ended)):
            return ConfigurationError("not sent: more rows have failed than max_failures allows")
        return None

    def _end(self, run: StepRun) -> None:
        """Give a step that is not under way any more its end."""
        if run.was_sent:
            run.end()
            done = [outcome for outcome in run.sent if outcome.error is None]
            written = sum(outcome.outcome not in (SKIPPED, UNCHANGED) for outcome in done)
            self._activity.writes(self._writer.method, written)
            self._interruption = self._interruption or run.interruption
        else:
            by = f" ({type(self._interruption).__name__})" if self._interruption else ""
            run.leave(NOT_DONE, ConfigurationError(f"not sent: the task was interrupted{by}"))
        if run.interruption is None and not self._memory_failed:
            try:
                self._memory.put(run.step.number, run.step.remembered, run.outcomes)
            except BaseException as error:
                # What is done is reported first.
                self._memory_failed, self._interruption = True, self._interruption or error
        if self._interruption is None:
            self._stop_if_lost(run)

    def _stop_if_lost(self, run: StepRun) -> None:
        """Where any number of rows may fail, nothing else stops a task that gets no answers."""
        outcomes = run.sent
        if any(outcome.outcome != UNKNOWN for outcome in outcomes):
            self._answered = True
            self._lost_in_a_row = 0
            return
        self._lost = outcomes[-1].error
        self._was_refused = self._was_refused or any(map(_is_refusal, outcomes))
        # What was under way together tells the same once.
        if run.losses_before == self._lost_in_a_row:
            self._lost_in_a_row += 1
        if self._lost is not None and self._lost_in_a_row >= LOST_IN_A_ROW:
            what = "no answer that says what was done" if self._was_refused else "no answer"
            self.tally.stop(self._lost.but(retryable=True, advice=f"{LOST_IN_A_ROW} steps in a row got {what}"))


def _is_refusal(outcome: Outcome) -> bool:
    """Whether the portal has answered, and the answer leaves open what it has done."""
    return isinstance(outcome.error, RestError) and not isinstance(outcome.error, AnswerLost)
