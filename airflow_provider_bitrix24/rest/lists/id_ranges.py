"""
Lists read by id, several ranges of ids at once: each is a chain of pages with both bounds. Rows come in order of id.

A range ends where its rows reach its last id, or the largest id that the portal has in it; where neither shows, by an
empty page. A request ahead that fails costs nothing: its range is read with patience when its turn comes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.concurrent_requests import ConcurrentRequests
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, id_of, number, rows_in
from airflow_provider_bitrix24.rest.lists.id_chain import chain_params, page_after, pages_after
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import AHEAD_BYTES, PageRequests, Sent
from airflow_provider_bitrix24.rest.lists.range_plan import IdRange, RangePlan
from airflow_provider_bitrix24.rest.lists.request_sizes import FEW_PAGES, SLOW_SECONDS, RequestSizes
from airflow_provider_bitrix24.types import Row


def pages_in_ranges(
    cursor: Cursor, ask: PageRequests, listing: Listing, report: ListReport
) -> Generator[list[Row], None, bool]:
    """Pages after the cursor up to the end of the list; return whether an empty page came after a full one."""
    rows = listing.rows
    began = time.monotonic()
    page = rows_in(page_after(cursor, ask, listing, report), rows)
    seconds = time.monotonic() - began
    cursor.pass_over(page, rows)
    if not page:
        return False
    first, is_full = number(id_of(page[0], rows)), len(page) == rows.page_rows
    yield page
    page = []
    if not is_full or not ask.takes_ranges:
        return (yield from pages_after(cursor, ask, listing, report))
    reader = _RangeReader(cursor, ask, listing, first=first, is_slow=seconds > SLOW_SECONDS)
    ended = yield from reader.begin()
    if ended is None and reader.plan is not None:
        ended = yield from reader.read(reader.plan)
    if ended is not None:
        return ended
    # Where the ranges lead no further, what is left is read in one chain.
    at = cursor.at
    after_full_page = yield from pages_after(cursor, ask, listing, report)
    return after_full_page or cursor.at == at


@dataclass(slots=True)
class _Range:
    """A range, and its request where one was sent."""

    ids: IdRange
    sent: Sent | None = None

    @property
    def is_answered(self) -> bool:
        return self.sent is not None and self.sent.future.done()


class _RangeReader:
    """
    Reads on behind a full first page.

    :param cursor: at the last row of that page; moves on with the rows.
    :param first: the smallest id.
    :param is_slow: whether the portal took its time for it.
    """

    def __init__(self, cursor: Cursor, ask: PageRequests, listing: Listing, *, first: int, is_slow: bool) -> None:
        self._cursor, self._ask, self._listing, self._first = cursor, ask, listing, first
        self._is_slow = is_slow
        self._ranges: deque[_Range] = deque()
        #: How many pages a request has room for, beside the page of the largest ids.
        self._room = min(ask.most(listing.after(1, 1)), MAX_COMMANDS) - 1
        #: Pages that were read and are not yet among the rows of the report.
        self._unreported = 0
        #: None where it is not known where the list ends.
        self.plan: RangePlan | None = None
        self._sizes: RequestSizes

    def begin(self) -> Generator[list[Row], None, bool | None]:
        """
        Pages of the first range, which show where the list ends.

        :return: where the list has ended, whether by an empty page after a full one.
        """
        most = self._most_pages()
        # Of a slow portal few: they show where the list ends.
        id_range = IdRange(self._cursor.at, None, min(FEW_PAGES, most) if self._is_slow else most, 0)
        began, ticket = self._ask.monotonic(), self._ask.concurrency.begin(id_range.pages)
        replies = self._ask.pages(self._params(id_range))
        if replies:
            self._ask.concurrency.answered(ticket, self._ask.monotonic() - began)
        top = self._top(replies)
        self._ask.largest_id = max(top) if top else None
        came = yield from self._deliver(replies[1:], None)
        if top is None or came is None:
            return None
        if not top:
            return None if came else True
        if max(top) <= self._cursor.at:
            return False
        rows = self._listing.rows
        self.plan = RangePlan(
            rows.page_rows, first=self._first, read=rows.page_rows + came, after=self._cursor.at, top=top
        )
        pages = min(self.plan.pages_left, self._ask.pages_to_limit())
        self._sizes = RequestSizes(self._ask.concurrency, pages, most, sent=self._ask.sent, is_slow=self._is_slow)
        return None

    def read(self, plan: RangePlan) -> Generator[list[Row], None, bool | None]:
        """
        Pages of all ranges.

        :return: False where the list has ended; None where the ranges lead no further.
        """
        with self._ask.concurrent() as requests:
            while self._ranges or not plan.is_done:
                goes_on = yield from self._read_next(requests, plan)
                if not goes_on:
                    return False if goes_on is None else None
        return None

    def _read_next(self, requests: ConcurrentRequests, plan: RangePlan) -> Generator[list[Row], None, bool | None]:
        """Pages of the next range; return whether the ranges lead on, None where the list has ended."""
        cursor = self._cursor
        self._send_ahead(requests, plan)
        while requests.are_under_way and not self._ranges[0].is_answered:
            requests.wait()
            self._send_ahead(requests, plan)
        ids, sent = self._ranges[0].ids, self._ranges[0].sent
        self._ranges.popleft()
        replies = self._ask.read(sent) if sent is not None else []
        sent = None
        if not replies:
            requests.wait_for_all()
            replies = self._ask.pages(self._params(ids), requests)
        self._unreported = max(0, len(replies) - 1)
        self._send_ahead(requests, plan)
        self._unreported = 0
        top = self._top(replies)
        came = yield from self._deliver(replies[1:], ids.up_to)
        if came is None:
            return False
        if cursor.at == ids.up_to or (came and top and max(top) <= cursor.at):
            # All rows that the portal has in it: behind the last range, the list ends.
            plan.learn(ids, came, ids.up_to or cursor.at)
            return None if ids.up_to is None else True
        plan.learn(ids, came, cursor.at if came else ids.up_to or ids.after)
        if came:
            rest = plan.rest_of(ids, cursor.at, self._most_pages())
            if rest is not None:
                self._ranges.appendleft(_Range(rest))
            return True
        requests.wait_for_all()
        return self._skip_empty(ids, plan)

    def _skip_empty(self, ids: IdRange, plan: RangePlan) -> bool:
        """Behind a range without rows: a portal in trouble answers empty pages too, so one page is asked for again."""
        if ids.up_to is None:
            return False
        page = rows_in(self._ask.page(self._listing.after(self._cursor.at)).result, self._listing.rows)
        if not page:
            return False
        next_id = number(id_of(page[0], self._listing.rows))
        if next_id <= ids.up_to:
            return False
        while self._ranges and (up_to := self._ranges[0].ids.up_to) is not None and up_to < next_id:
            dropped = self._ranges.popleft().sent
            if dropped is not None:
                dropped.requests.forget(dropped.future)
        plan.skip_to(next_id - 1)
        return True

    def _deliver(self, replies: Sequence[Reply], up_to: int | None) -> Generator[list[Row], None, int | None]:
        """Pages of a chain up to the first that is not full; return how many rows, None where a bound was ignored."""
        rows, came = self._listing.rows, 0
        for reply in replies:
            page = rows_in(reply.result, rows)
            # The ids of a page grow, which is checked next, so that its last one tells whether any is too large.
            if up_to is not None and page and number(id_of(page[-1], rows)) > up_to:
                return None
            self._cursor.pass_over(page, rows)
            if not page:
                break
            came += len(page)
            yield page
            if len(page) < rows.page_rows:
                # The commands after it refer to a row that is not there.
                break
        return came

    def _send_ahead(self, requests: ConcurrentRequests, plan: RangePlan) -> None:
        """Send as many ranges as may be under way and unread."""
        # Asked first: the commands of a request take longer to write than to find that it may not be sent.
        while not requests.are_most:
            waiting = next((entry for entry in self._ranges if entry.sent is None), None)
            if waiting is None:
                ahead = self._unreported + sum(entry.ids.pages for entry in self._ranges)
                pages = self._most_pages(ahead)
                may_be_ahead = pages > 0 and plan.may_be_ahead(len(self._ranges), pages)
                if plan.is_done or (self._ranges and not may_be_ahead):
                    return
                left = min(plan.pages_left, self._ask.pages_to_limit(ahead))
                splits = plan.is_even and not requests.is_held_back
                waiting = _Range(plan.next(self._sizes.next(left, max(1, pages), splits=splits)))
                self._ranges.append(waiting)
            unread = sum(self._ask.size_of(entry.sent) for entry in self._ranges if entry.sent is not None)
            if waiting is not self._ranges[0] and unread + self._ask.size(waiting.ids.pages) > AHEAD_BYTES:
                return
            waiting.sent = self._ask.start(requests, self._params(waiting.ids))
            if waiting.sent is None:
                return

    def _most_pages(self, ahead: int = 0) -> int:
        """How many pages one request may ask for."""
        return min(self._room, self._ask.wanted(ahead))

    def _params(self, ids: IdRange) -> list[dict[str, object]]:
        # First the largest ids: what is read after them reaches as far.
        return [
            self._listing.top(ids.after, ids.up_to),
            *chain_params(self._listing, ids.after, ids.pages, ids.up_to, behind=1),
        ]

    def _top(self, replies: Sequence[Reply]) -> list[int] | None:
        """The largest ids of a range; None where they did not come, or not in descending order as asked for."""
        if not replies:
            return None
        rows = self._listing.rows
        ids = [number(id_of(row, rows)) for row in rows_in(replies[0].result, rows)]
        return ids if all(larger > smaller for larger, smaller in pairwise(ids)) else None
