"""The steps that earlier tries of a task have taken: which rows each had, and how they ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_bitrix24.execution.checkpoint import DIGEST_LENGTH, Checkpoint
from airflow_provider_bitrix24.rows.outcomes import FAILED, NOT_DONE, SKIPPED, UNCHANGED, UNKNOWN, Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow


@dataclass(frozen=True)
class RememberedRow:
    """
    A row of an earlier try.

    :param step: the number of its step.
    :param values: what is kept of its outcome; None where the row was sent, and its answer not remembered.
    """

    step: int
    digest: str
    values: Sequence[Any] | None

    def outcome(self, number: int | None) -> Outcome | None:
        """
        :param number: of the row in this try; None where it is not among the rows any more.
        """
        return None if self.values is None else Outcome.from_memory(number, self.values)

    @property
    def is_settled(self) -> bool:
        """Whether the next try leaves it as it is."""
        outcome = self.outcome(None)
        return outcome is not None and outcome.is_final

    @property
    def is_unclear(self) -> bool:
        """Whether it was sent, and it is not known what became of it."""
        outcome = self.outcome(None)
        return outcome is None or outcome.outcome == UNKNOWN

    @property
    def may_have_run(self) -> bool:
        """Whether it is not certain that it was not done."""
        outcome = self.outcome(None)
        return outcome is None or outcome.outcome not in (FAILED, NOT_DONE, SKIPPED, UNCHANGED)

    def of(self, row: PreparedRow) -> PreparedRow:
        """The row in this try, with what the earlier one did with it."""
        return replace(row, earlier=self.outcome(row.number), may_have_run=self.is_unclear)


class EarlierRows:
    """Rows of an earlier try, in its order, until they are found among those of this one by their content."""

    def __init__(self) -> None:
        self._rows: list[RememberedRow] = []
        self._is_missing = bytearray()
        self._places: dict[str, deque[int]] = {}
        #: How many of them may have been done, and have not been found yet.
        self.may_be_missing = 0
        #: Whether it is not known of one what became of it.
        self._has_unclear = False

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: RememberedRow) -> None:
        """A row that a later step has sent again stands in both: the later one tells."""
        self._has_unclear |= row.is_unclear
        places = self._places.setdefault(row.digest, deque())
        for place in places:
            earlier = self._rows[place]
            if earlier.step < row.step and not earlier.is_settled:
                self.may_be_missing += row.may_have_run - earlier.may_have_run
                self._rows[place] = row
                return
        places.append(len(self._rows))
        self._rows.append(row)
        self._is_missing.append(True)
        self.may_be_missing += row.may_have_run

    def take(self, row: PreparedRow) -> tuple[int | None, PreparedRow]:
        """The place of a row among them, and the row with what the earlier try did with it; None for a new row."""
        places = self._places.get(row.digest)
        if not places:
            # With other values, an earlier version under the same key may still be on its way.
            has_key = row.content is not None and bool(row.content.key)
            return None, replace(row, may_have_run=True) if has_key and self._has_unclear else row
        place = places.popleft()
        self._is_missing[place] = False
        self.may_be_missing -= self._rows[place].may_have_run
        return place, self._rows[place].of(row)

    def missing(self, start: int, end: int) -> list[tuple[int, RememberedRow]]:
        """Those of some places that have not been found, with their places."""
        return [(place, self._rows[place]) for place in range(start, end) if self._is_missing[place]]


class RememberedSteps:
    """
    One value for each step, by its number: the digests of its rows, and their outcomes as far as they are known.

    It is put before the rows are sent, and again when they are answered.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def step(self, number: int) -> list[RememberedRow] | None:
        """The rows of a step; None where no try has come to it, nor to a later one."""
        step = self._checkpoint.get(str(number))
        if step is None:
            return None
        digests, length = step["rows"], DIGEST_LENGTH
        return [
            RememberedRow(number, digests[length * place : length * (place + 1)], values)
            for place, values in enumerate(step["outcomes"])
        ]

    def put(self, number: int, rows: Iterable[PreparedRow], outcomes: Mapping[int, Outcome]) -> None:
        """
        Remember a step.

        :param outcomes: by the number of the row; a row without one is about to be sent.
        """
        several = list(rows)
        known = [outcomes.get(row.number) for row in several]
        self._checkpoint.put(
            str(number),
            {
                "rows": "".join(row.digest for row in several),
                "outcomes": [outcome and outcome.as_memory() for outcome in known],
            },
        )
