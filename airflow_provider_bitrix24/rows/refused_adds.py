"""What the message of refused adds says: which rows are not done, and at which to look first."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rows.outcomes import NOT_DONE, UNKNOWN, Outcome


class RefusedAdds:
    """
    Adds of rows that differ from those of the try before, which may have added some of them.

    :param method: for messages.
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._numbers = {NOT_DONE: RowNumbers(), UNKNOWN: RowNumbers()}
        self._lines = {NOT_DONE: RowNumbers(), UNKNOWN: RowNumbers()}
        #: What an earlier try has added and that is not among the rows as it was.
        self._ids = Names()

    def add(self, outcome: Outcome) -> None:
        """Take the outcome of a row into account."""
        word = outcome.outcome
        if outcome.row is None:
            # Its note says that it may have been added.
            if outcome.note and outcome.id is not None:
                self._ids.add(f"{outcome.id}")
        elif word in self._numbers:
            self._numbers[word].add(outcome.row)
            if outcome.line is not None:
                self._lines[word].add(outcome.line)

    def reason(self, changed_from: str) -> ConfigurationError:
        """
        Why a row was not sent.

        :param changed_from: the first row that differs.
        """
        return self._error(changed_from, "look at the rows that are unknown first, if there are any; then ")

    def failure(self, changed_from: str, counts: Mapping[str, int]) -> ConfigurationError:
        """What the task fails with."""
        not_done, unknown = self._named(NOT_DONE), self._named(UNKNOWN)
        first = ""
        if unknown:
            ids = f"; ids of what was added: {self._ids}" * bool(self._ids)
            first = f"look first at the rows that are unknown ({unknown}{ids}): update what is there already; then "
        return self._error(changed_from, first).but(advice=f"(not done: {not_done or 'none'}; {dict(counts)})")

    def _error(self, changed_from: str, first: str) -> ConfigurationError:
        return ConfigurationError(
            f"the rows from {changed_from} on differ from those of the try before, which may have written some of "
            "them, and nothing was sent",
            method=self._method,
            next_step=f"{first}write the rows that are not done by themselves; a task that is cleared writes all of "
            "them again",
        )

    def _named(self, word: str) -> str:
        rows, lines = str(self._numbers[word]), str(self._lines[word])
        return f"{rows} (lines {lines})" if lines else rows


class Names:
    """
    Names for a message, the first ones of many: ``id 7, id 9 and 3 more``.

    :param most: so many are named.
    """

    def __init__(self, most: int = 10) -> None:
        self._most = most
        self._first: list[str] = []
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._first)

    def add(self, name: str) -> None:
        """:param name: empty for something without one, which is counted."""
        if name and len(self._first) < self._most:
            self._first.append(name)
        else:
            self._left_out += 1

    def __str__(self) -> str:
        if not self._left_out:
            return ", ".join(self._first)
        return f"{', '.join(self._first)} and {self._left_out} more" if self._first else f"{self._left_out}"


class RowNumbers:
    """Numbers of rows in ascending order, for a message: ``3, 60 to 119``."""

    _MOST = 10

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []
        self._left_out = 0

    def add(self, number: int) -> None:
        if self._ranges and not self._left_out and self._ranges[-1][1] == number - 1:
            self._ranges[-1][1] = number
        elif len(self._ranges) < self._MOST:
            self._ranges.append([number, number])
        else:
            self._left_out += 1

    def __str__(self) -> str:
        ranges = [str(first) if first == last else f"{first} to {last}" for first, last in self._ranges]
        return ", ".join(ranges) + (f" and {self._left_out} more" if self._left_out else "")
