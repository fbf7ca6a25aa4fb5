"""
Adds whose rows differ from those of the try before: which rows may be new versions of what that has added.

Only digests are remembered, so that a row that was corrected is another row. What tells is the place: between two rows
that both tries have, what is gone and what is new stand for each other where they are as many.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice, pairwise

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rows.outcomes import UNKNOWN, Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow
from airflow_provider_bitrix24.rows.refused_adds import Names
from airflow_provider_bitrix24.rows.remembered_steps import EarlierRows, RememberedRow

#: So many rows are compared at least, and twice as many as are remembered: more would take more memory than those.
LEAST_COMPARED = 10_000
#: Ids that a message gives.
_MOST_IDS = 5


class ChangedAdds:
    """
    Rows of adds that must not be sent, as something that the try before has added, or may have, is not among them as it
    was: one of them may be its new version, and would stand beside it.

    :param earlier: what the try before had, from the first row on that differs.
    :param method: for messages.
    """

    def __init__(self, earlier: EarlierRows, method: str) -> None:
        self._earlier = earlier
        self._method = method
        #: Numbers of the rows that stand where an earlier row stood, by the place of that.
        self._in_place_of: dict[int, int] = {}
        #: What an earlier try has added, or may have, and what is not among the rows as it was.
        self._gone: list[RememberedRow] = []
        #: Whether some of that has no row in its place.
        self._is_astray = False
        #: Numbers of new rows where no row stood that may have been added: one that was may have moved there.
        self._in_doubt: set[int] = set()

    def compared(self, rows: Iterable[tuple[int | None, PreparedRow]]) -> Iterator[PreparedRow]:
        """
        The rows: those of an earlier try with their outcome there, and new ones that may be another version.

        :param rows: all of them, each with its place among those of the earlier try; read twice.
        """
        first = islice(rows, max(LEAST_COMPARED, 2 * len(self._earlier)))
        compared = [(place, _unsent(row, is_new=place is None)) for place, row in first]
        versions = self._versions([row for _, row in compared], [place for place, _ in compared])
        del compared
        for place, row in rows:
            known = _unsent(row, is_new=place is None)
            yield known if place is not None else self._new(known, versions)

    def _versions(self, rows: Sequence[PreparedRow], places: Sequence[int | None]) -> Mapping[int, RememberedRow]:
        """What an earlier try has added where a new row stands now, by the number of the row."""
        versions: dict[int, RememberedRow] = {}
        pairs = [(index, place) for index, place in enumerate(places) if place is not None]
        ends = [(-1, -1), *_in_both_orders(pairs), (len(rows), len(self._earlier))]
        for (index, place), (next_index, next_place) in pairwise(ends):
            gone = self._earlier.missing(place + 1, next_place)
            new = [row for row, at in zip(rows[index + 1 : next_index], places[index + 1 : next_index], strict=True)
                   if at is None and not row.unsent]  # fmt: skip
            added = [row for _, row in gone if row.may_have_run]
            self._gone += added
            # The try before may have had more rows behind those that it remembers.
            is_last = next_place == len(self._earlier)
            if len(new) != len(gone):
                self._is_astray |= bool(added)
                self._in_doubt.update(() if is_last else (row.number for row in new))
                if not (is_last and len(new) > len(gone)):
                    continue
            for row, (at, earlier) in zip(new, gone, strict=False):
                self._in_place_of[at] = row.number
                if earlier.may_have_run:
                    versions[row.number] = earlier
                elif added:
                    self._in_doubt.add(row.number)
        return versions

    def _new(self, row: PreparedRow, versions: Mapping[int, RememberedRow]) -> PreparedRow:
        if row.unsent:
            return row
        if (version := versions.get(row.number)) is not None:
            earlier = version.outcome(None)
            id_ = None if earlier is None else earlier.id
            return self._unclear(row, self._of_place(id_, may=version.is_unclear), id_)
        is_doubtful = self._is_astray or (self._gone and row.number in self._in_doubt)
        return self._unclear(row, self._of_any) if is_doubtful else row

    def _unclear(self, row: PreparedRow, error: Bitrix24Error, id_: int | str | None = None) -> PreparedRow:
        return replace(row, earlier=Outcome(row.number, UNKNOWN, id_, error), error=None)

    def _of_place(self, id_: int | str | None, *, may: bool) -> Bitrix24Error:
        named = "it" if id_ is None else f"id {id_}"
        added = "may have added" if may else "has added"
        return self._error(
            f"not sent: an earlier try {added} the row that stood in this place, with other values"
            f"{'' if id_ is None else f', as id {id_}'}",
            f"look for {named} in the portal: if it is this row, update it there; if not, look whether another row "
            "here is its new version before you write any of them",
        )

    @cached_property
    def _of_any(self) -> Bitrix24Error:
        ids = Names(_MOST_IDS)
        for row in self._gone:
            outcome = row.outcome(None)
            ids.add("" if outcome is None or outcome.id is None else f"id {outcome.id}")
        return self._error(
            "not sent: it may be another version of a row that an earlier try has added, or may have: of those, "
            f"{ids} are not among the rows as they were",
            "look at them first: update what is the same object, and write this row by itself only if it is none of "
            "them",
        )

    def _error(self, reason: str, next_step: str) -> Bitrix24Error:
        return Bitrix24Error(reason, method=self._method, ran="unknown", retryable=False, next_step=next_step)

    def taken_out(self) -> Iterator[Outcome]:
        """What an earlier try did with rows that are not among the rows any more, and what stands there now."""
        for place, row in self._earlier.missing(0, len(self._earlier)):
            outcome = row.outcome(None) or Outcome(None, UNKNOWN)
            if row.may_have_run:
                number = self._in_place_of.get(place)
                note = "not among the rows as it was" if number is None else f"row {number} stands in its place now"
                error = outcome.error and outcome.error.but(advice=f"({note})")
                outcome = replace(outcome, error=error, note=note)
            yield outcome


def _unsent(row: PreparedRow, *, is_new: bool) -> PreparedRow:
    """What is not sent is not kept in memory."""
    return replace(row, content=None) if (is_new or row.is_settled) and not row.unsent else row


def _in_both_orders(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of the pairs as can be had in ascending order of both of their numbers; the first one ascends."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else None)
        if length == len(tails):
            tails.append(place)
            ends.append(at)
        else:
            tails[length], ends[length] = place, at
    chosen: list[tuple[int, int]] = []
    at_end = ends[-1] if ends else None
    while at_end is not None:
        chosen.append(pairs[at_end])
        at_end = before[at_end]
    return chosen[::-1]
