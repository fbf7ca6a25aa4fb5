"""Which rows are sent together: the steps of earlier tries as they were, then new ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from airflow_provider_bitrix24.rows.changed_adds import ChangedAdds
from airflow_provider_bitrix24.rows.kept_rows import KeptRows
from airflow_provider_bitrix24.rows.outcomes import UNKNOWN, Outcome
from airflow_provider_bitrix24.rows.preparation import PreparedRows
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow
from airflow_provider_bitrix24.rows.remembered_steps import EarlierRows, RememberedRow, RememberedSteps
from airflow_provider_bitrix24.rows.row_writer import RowWriter


@dataclass(frozen=True)
class Step:
    """
    Rows that are remembered together.

    :param remembered: those whose digests are its value; all of them but in a plan that has changed, where rows that
        an earlier try has settled are part of its steps.
    """

    number: int
    rows: Sequence[PreparedRow]
    remembered: Sequence[PreparedRow]


class Steps:
    """
    The steps of one try.

    :param writer: what no two rows of a step may be about, and whether rows may be repeated.
    :param size: most rows of the next step.
    """

    def __init__(self, memory: RememberedSteps, writer: RowWriter, size: Callable[[], int]) -> None:
        self._memory = memory
        self._writer, self._size = writer, size
        #: The first row that is another one than in the try before, ``3 (line 5)``; empty where none is.
        self.changed_from = ""
        #: Whether nothing may be sent: what an earlier try may have added is not among the rows as it was.
        self.are_refused = False
        #: What became of rows that an earlier try had, and that are not among the rows any more. Known at the end.
        self.taken_out: list[Outcome] = []
        #: Rows that were read, but not sent since the source could not be read further.
        self.unsent: list[PreparedRow] = []
        #: The step of the try before that comes next, None after its last one; its rows where those of this are others.
        self._next: int | None = 0
        self._earlier: EarlierRows | None = None

    def not_reached(self) -> Iterator[Outcome]:
        """What the try before did with rows that this one did not come to, or that are not among its rows any more."""
        if self._earlier is not None:
            left = [row for _, row in self._earlier.missing(0, len(self._earlier))]
        else:
            left = []
            while self._next is not None and (remembered := self._memory.step(self._next)) is not None:
                left += remembered
                self._next += 1
        return (row.outcome(None) or Outcome(None, UNKNOWN) for row in left)

    def of(self, rows: PreparedRows) -> Iterator[Step]:
        number = 0
        while (remembered := self._memory.step(number)) is not None:
            step = list(islice(rows, len(remembered)))
            if rows.error is not None:
                self.unsent = step
                return
            if [row.digest for row in step] != [row.digest for row in remembered]:
                self.changed_from = _first_difference(step, remembered)
                yield from self._of_changed_plan(number, chain(step, rows), rows)
                return
            step = [earlier.of(row) for row, earlier in zip(step, remembered, strict=True)]
            self._next = number + 1
            yield Step(number, step, step)
            number += 1
        self._next = None
        for step in self._grouped(rows, rows):
            yield Step(number, step, step)
            number += 1

    def _of_changed_plan(self, number: int, left: Iterator[PreparedRow], rows: PreparedRows) -> Iterator[Step]:
        """Steps of rows that differ from those of the try before; what that has done is found by the rows' digests."""
        earlier = self._earlier = EarlierRows()
        while (remembered := self._memory.step(number)) is not None:
            for row in remembered:
                earlier.add(row)
            number += 1
        changed = ChangedAdds(earlier, self._writer.method)
        # Without a name, it is gone with its process, however that ends.
        with tempfile.TemporaryFile(prefix="bitrix24-rows-") as file:
            kept = KeptRows(file)
            # Until all that may have been added is found as it was, any other row may be a new version of it.
            while not self._writer.repeats and earlier.may_be_missing and (next_row := next(left, None)) is not None:
                kept.add(*earlier.take(next_row))
            is_unclear = not self._writer.repeats and earlier.may_be_missing > 0
            if is_unclear and rows.error is not None:
                # What is missing may be among the rows that could not be read.
                self.unsent = [replace(row, content=None) for _, row in kept]
                return
            self.are_refused = is_unclear
            found = chain((row for _, row in kept), (earlier.take(row)[1] for row in left))
            for step in self._grouped(changed.compared(kept) if is_unclear else found, rows):
                new = [row for row in step if not row.is_settled]
                yield Step(number, step, new)
                number += bool(new)
        if rows.error is not None:
            return
        if self.are_refused:
            self.taken_out = list(changed.taken_out())
        else:
            self.taken_out = list(self.not_reached())

    def _grouped(self, left: Iterator[PreparedRow], rows: PreparedRows) -> Iterator[list[PreparedRow]]:
        step: list[PreparedRow] = []
        objects: set[Hashable] = set()
        for row in left:
            about = None if row.content is None else self._writer.object_of(row)
            if about in objects:
                # What a batch cannot carry, or what is repeated, comes after the others.
                yield step
                step, objects = [], set()
            step.append(row)
            if about is not None:
                objects.add(about)
            if len(step) >= self._size():
                # Sent before another row is asked for.
                yield step
                step, objects = [], set()
        if rows.error is not None:
            self.unsent = step
        elif step:
            yield step


def _first_difference(step: Sequence[PreparedRow], remembered: Sequence[RememberedRow]) -> str:
    for row, earlier in zip(step, remembered, strict=False):
        if row.digest != earlier.digest:
            return f"{row.number}" if row.name.line is None else f"{row.number} (line {row.name.line})"
    return f"{step[-1].number + 1 if step else 0}"
