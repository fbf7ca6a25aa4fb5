"""How rows ended: one by one, counted, and as what the task returns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, Ran
from airflow_provider_bitrix24.execution.xcom import MAX_XCOM_KIB
from airflow_provider_bitrix24.rows.row_names import RowName

#: Where a task that fails leaves its summary in XCom.
XCOM_KEY = "bitrix24_rows"
#: Words for rows that were not done, besides those of an operator.
FAILED, UNKNOWN, NOT_DONE = "failed", "unknown", "not_done"
#: Words for rows of which nothing is sent: no cell has a value; nothing is left to change.
SKIPPED, UNCHANGED = "skipped", "unchanged"
#: The word for a row in a dry run that would be sent.
READY = "ready"
#: Counts values that were cleared.
CLEARED = "cleared"
#: Counts rows that are done, and that a reader should look at.
NOTED = "noted"
#: Counts rows that an earlier try had and that are not among the rows any more.
TAKEN_OUT = "taken_out"


@dataclass(frozen=True)
class Outcome:
    """
    How one row ended.

    :param row: its number, from 0; None of a row that an earlier try had and that is not among the rows any more.
    :param outcome: what was done, e.g. ``written``; ``failed``: surely not done, for a reason of its own; ``unknown``:
        it may have been done; ``not_done``: surely not done, for a reason that stops every row.
    :param id: of its object, where it is known.
    :param error: why it was not done; None also where nothing is wrong with that, as with a missing payment and
        ``missing_ok``.
    :param cleared: how many values of its object were cleared.
    :param note: what a reader should look at although the row is done.
    :param line: of the row in its text file, see :class:`RowName`. No try remembers it: the file may have changed.
    :param key: of the row, see :class:`RowName`.
    """

    row: int | None
    outcome: str
    id: int | str | None = None
    error: Bitrix24Error | None = None
    cleared: int = 0
    note: str = ""
    line: int | None = None
    key: Mapping[str, str] | None = None

    @classmethod
    def of(cls, row: int | None, error: Bitrix24Error, id_: int | str | None = None) -> Outcome:
        """The outcome of a row that ended with an error."""
        word = UNKNOWN if error.ran == "unknown" else NOT_DONE if stops_every_row(error) else FAILED
        return cls(row, word, id_, error)

    def named(self, name: RowName) -> Outcome:
        """The same with what the row is called."""
        return replace(self, id=name.id if self.id is None else self.id, line=name.line, key=name.key)

    @property
    def place(self) -> str:
        """``3, line 5, id 17``, for messages."""
        return RowName(self.line, self.id, self.key).after(self.row)

    @property
    def is_final(self) -> bool:
        """Whether the next try leaves the row as it is."""
        return self.error is None or not (self.error.retryable or self.outcome == NOT_DONE)

    def as_json(self) -> dict[str, Any]:
        """
        A line of the report: ``{"row": 0, "line": 2, "outcome": "written", "id": 17}``, with the key where no id is
        known; code, message and final of an error.
        """
        line: dict[str, Any] = {"row": self.row}
        if self.line is not None:
            line["line"] = self.line
        line["outcome"] = self.outcome
        if self.id is not None:
            line["id"] = self.id
        elif self.key:
            line["key"] = dict(self.key)
        if self.cleared:
            line["cleared"] = self.cleared
        if self.error is not None:
            line |= {"code": self.error.code, "message": str(self.error), "final": self.is_final}
        elif self.note:
            line["message"] = self.note
        return line

    def as_memory(self) -> list[Any]:
        """What the next try needs, see :meth:`from_memory`."""
        values = [self.outcome, self.id]
        if self.error is not None:
            return [*values, self.cleared, self.note, self.error.code, str(self.error), self.error.retryable]
        return [*values, self.cleared, self.note] if self.cleared or self.note else values

    @classmethod
    def from_memory(cls, row: int | None, remembered: Sequence[Any]) -> Outcome:
        """The outcome of an earlier try; of its error, the message, the code and ``retryable`` are left."""
        word, id_, cleared, note, *failure = remembered if len(remembered) > 2 else (*remembered, 0, "")
        error = None
        if failure:
            code, message, retryable = failure
            ran: Ran = "unknown" if word == UNKNOWN else "no"
            error = Bitrix24Error(message, code=code, ran=ran, retryable=retryable)
        return cls(row, word, id_, error, cleared, note)


def stops_every_row(error: Bitrix24Error) -> bool:
    """
    Whether what stopped one row stops the next one too, or may be fixed by a retry of the task.

    That is not a failure of the row: the task stops and fails, however many rows may fail.
    """
    return error.affects_every_row or error.retryable


def is_stop(outcome: Outcome) -> bool:
    """Whether a row that ended so stops the task."""
    return outcome.error is not None and (outcome.outcome == NOT_DONE or stops_every_row(outcome.error))


@dataclass
class Tally:
    """
    The outcomes so far, and whether to go on.

    :param most: so many rows may fail; None for any number.
    :param limit: names that number in a message: ``max_failures, 10``.
    """

    most: int | None
    limit: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    cleared: int = 0
    #: Rows that are done, and that a reader should look at.
    noted: int = 0
    #: Rows that failed for a reason of their own, ``unknown`` ones among them.
    failed: int = 0
    _first: Outcome | None = None
    _stop: Bitrix24Error | None = None

    def add(self, outcome: Outcome) -> None:
        self.counts[TAKEN_OUT if outcome.row is None else outcome.outcome] += 1
        if outcome.row is not None:
            self.cleared += outcome.cleared
            self.noted += bool(outcome.note)
        if outcome.error is None or outcome.row is None:
            return
        if is_stop(outcome):
            self.stop(outcome.error)
        else:
            self.failed += 1
            self._first = self._first or outcome

    def stop(self, error: Bitrix24Error) -> None:
        """Do nothing more, for a reason that stops every row."""
        self._stop = self._stop or error

    @property
    def unwritten(self) -> int:
        """Rows with an error."""
        return self.failed + self.counts[NOT_DONE]

    def is_over(self, more: int = 0) -> bool:
        """Whether the failures, and ``more``, are too many, or nothing more can be done at all."""
        too_many = self.most is not None and self.failed + more > self.most
        return too_many or self._stop is not None

    def failure(self) -> Bitrix24Error | None:
        """
        What the task fails with; None if it does not.

        Too many rows that a retry cannot fix come before what a retry may fix.
        """
        first = self._first
        if first is not None and first.error is not None and self.is_too_many:
            above = f"; more than {self.limit}" if self.limit else ""
            return first.error.but(advice=f"(row {first.place}; {dict(self.counts)}{above})")
        return None if self._stop is None else self._stop.but(advice=f"({dict(self.counts)})")

    @property
    def is_too_many(self) -> bool:
        return self.most is not None and self.failed > self.most


class SmallReport:
    """Outcomes that are kept as long as they fit into XCom; a file is what holds more."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] | None = []
        self._size = 0

    def add(self, line: Mapping[str, Any]) -> None:
        if self._lines is None:
            return
        self._size += len(json.dumps(line, ensure_ascii=False).encode()) + 2
        if self._size > MAX_XCOM_KIB * 1024:
            self._lines = None
        else:
            self._lines.append(dict(line))

    @property
    def lines(self) -> list[dict[str, Any]] | None:
        """All of them; None if they are too large."""
        return self._lines
