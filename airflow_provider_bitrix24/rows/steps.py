"""Which rows are sent together: the steps of earlier tries as they were, then new ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, PreparedRows
from airflow_provider_bitrix24.rows.remembered_steps import RememberedRow, RememberedSteps


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

    :param size: most rows of the next step.
    :param object_of: what no two rows of a step may be about.
    """

    def __init__(
        self,
        memory: RememberedSteps,
        size: Callable[[], int],
        object_of: Callable[[PreparedRow], Hashable | None],
    ) -> None:
        self._memory = memory
        self._size = size
        self._object_of = object_of
        #: The first row that is another one than in the try before, ``3 (line 5)``; empty where none is.
        self.changed_from = ""
        #: Whether an earlier try may have done rows of the steps that have changed.
        self.may_have_run = False
        #: Rows that an earlier try had, and that are not among the rows any more. Known at the end.
        self.taken_out: list[RememberedRow] = []
        #: Rows that were read, but not sent since the source could not be read further.
        self.unsent: list[PreparedRow] = []

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
            step = [_as_remembered(row, earlier) for row, earlier in zip(step, remembered, strict=True)]
            yield Step(number, step, step)
            number += 1
        for step in self._grouped(rows, rows):
            yield Step(number, step, step)
            number += 1

    def _of_changed_plan(self, number: int, left: Iterator[PreparedRow], rows: PreparedRows) -> Iterator[Step]:
        """Steps of rows that differ from those of the try before; what that has done is found by the rows' digests."""
        remembered: dict[str, list[RememberedRow]] = {}
        while (earlier := self._memory.step(number)) is not None:
            for row in earlier:
                self.may_have_run |= row.may_have_run
                _keep_latest(remembered.setdefault(row.digest, []), row)
            number += 1

        def known(row: PreparedRow) -> PreparedRow:
            same = remembered.get(row.digest)
            return _as_remembered(row, same.pop(0)) if same else row

        for step in self._grouped(map(known, left), rows):
            new = [row for row in step if not row.is_settled]
            yield Step(number, step, new)
            number += bool(new)
        if rows.error is None:
            self.taken_out = list(chain.from_iterable(remembered.values()))

    def _grouped(self, left: Iterator[PreparedRow], rows: PreparedRows) -> Iterator[list[PreparedRow]]:
        step: list[PreparedRow] = []
        objects: set[Hashable] = set()
        for row in left:
            about = None if row.content is None else self._object_of(row)
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


def _as_remembered(row: PreparedRow, earlier: RememberedRow) -> PreparedRow:
    return replace(row, earlier=earlier.outcome(row.number), may_have_run=earlier.is_unclear)


def _keep_latest(rows: list[RememberedRow], row: RememberedRow) -> None:
    """A row that a later step has sent again stands in both: the later one tells."""
    for place, earlier in enumerate(rows):
        if earlier.step < row.step and not earlier.is_settled:
            rows[place] = row
            return
    rows.append(row)
