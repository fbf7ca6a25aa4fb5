"""Which ranges of ids are read side by side: arithmetic on what is known of how densely a list fills its ids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Densities at both ends of a list that differ more than so many times say nothing of what is between them.
_MOST_UNEVEN = 3.0
#: How many ranges that brought less than half of what was expected are borne with, and one more for so many good ones.
_POOR_RANGES, _GOOD_FOR_ONE_POOR = 2.0, 4.0
#: So many standard deviations of the number of rows are left free in a range: one that overflows takes a request more.
_MARGIN = 2.0
#: A list is long that takes more ranges than this; of such a one, so many are read first.
_MANY_RANGES, _FIRST_RANGES = 16, 4


@dataclass(slots=True)
class IdRange:
    """
    Ids that one request is to read.

    :param after: they are larger than this.
    :param up_to: the largest; None for no bound.
    :param pages: how many pages the request asks for.
    :param rows: how many rows are expected.
    """

    after: int
    up_to: int | None
    pages: int
    rows: float


class RangePlan:
    """
    Cuts the ids that have not been asked for into ranges.

    :param page_rows: rows of a full page.
    :param first: the smallest id.
    :param read: how many rows have been read, the last of which is the one with the id ``after``.
    :param top: the largest ids of the list, in any order.
    """

    def __init__(self, page_rows: int, *, first: int, read: int, after: int, top: Sequence[int]) -> None:
        self._page_rows = page_rows
        self.after, self._last = after, max(top)
        begin, end = _density(read, first, after), _density(len(top), min(top), self._last)
        uneven = max(begin, end) / min(begin, end)
        self._density = math.sqrt(begin * end)
        self._is_uneven = uneven > _MOST_UNEVEN
        #: Ranges that brought what was expected of them, and those that did not.
        self._good, self._good_in_a_row, self._poor = 0.0, 0, _POOR_RANGES - 1 if self._is_uneven else 0.0

    @property
    def is_done(self) -> bool:
        """Whether all ids have been given out."""
        return self.after >= self._last

    @property
    def is_even(self) -> bool:
        """Whether the list has filled its ids evenly so far, so that it can be said how many pages are left."""
        return not self._is_uneven and not self._poor

    @property
    def pages_left(self) -> float:
        """How many pages the ids seem to fill that have not been given out."""
        return self._rows_left() / self._page_rows

    def may_be_ahead(self, ranges: int, pages: int) -> bool:
        """
        Whether the ranges so far were good enough for one more beside so many.

        :param pages: how many pages a request may ask for.
        """
        if self._is_careful:
            return False
        # Of a long list, a few ranges show first whether they are as full as is thought, then twice as many.
        is_long = self._is_uneven or self._rows_left() > _MANY_RANGES * pages * self._page_rows
        return ranges < _FIRST_RANGES * 2**self._good_in_a_row or not is_long

    def next(self, pages: int) -> IdRange:
        """
        The next range.

        :param pages: how many pages a request may ask for.
        """
        after, density = self.after, self._density
        left = self._rows_left()
        capacity = pages * self._page_rows
        rows = max(capacity - _MARGIN * math.sqrt(capacity * (1.0 - density)) - (density < 1.0), capacity / 2)
        width = max(self._page_rows, int(rows / density))
        if self._is_careful or after + width >= self._last:
            self.after = self._last
            return IdRange(after, None, self._pages_for(left, pages), min(left, rows))
        self.after = after + width
        return IdRange(after, self.after, pages, rows)

    def rest_of(self, id_range: IdRange, after: int, pages: int) -> IdRange | None:
        """What is left of a range behind an id; None where the plan goes on there."""
        if id_range.up_to is None:
            self.after = after
            return None
        left = (id_range.up_to - after) * self._density
        return IdRange(after, id_range.up_to, self._pages_for(left, pages), left)

    def learn(self, id_range: IdRange, rows: int, at: int) -> None:
        """
        Learn what a range held.

        :param at: the id up to which its rows are known.
        """
        if id_range.rows >= self._page_rows:
            is_good = rows >= id_range.rows / 2
            self._good += is_good
            self._good_in_a_row = min(self._good_in_a_row + 1, 8) if is_good else 0
            self._poor += not is_good
        self._density = _density(max(rows, 1), id_range.after + 1, max(at, id_range.after + 1))

    def skip_to(self, after: int) -> None:
        """Leave out ids that are known to be none."""
        self.after = max(self.after, after)

    @property
    def _is_careful(self) -> bool:
        return self._poor >= _POOR_RANGES + self._good / _GOOD_FOR_ONE_POOR

    def _rows_left(self) -> float:
        return (self._last - self.after) * self._density

    def _pages_for(self, rows: float, most: int) -> int:
        return max(1, min(most, math.ceil(rows / self._page_rows) + 1))


def _density(rows: int, first: int, last: int) -> float:
    """Rows for each id, above 0 and at most 1."""
    return min(1.0, max(1, rows) / (last - first + 1))
