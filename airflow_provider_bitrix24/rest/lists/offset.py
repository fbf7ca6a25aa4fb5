"""Lists read by offset (``start``): the first page says how many rows there are, batches bring the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.concurrent_requests import ConcurrentRequests
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, Seen, SeenPages, id_of, rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import AHEAD_BYTES, PageRequests, Sent
from airflow_provider_bitrix24.rest.lists.request_sizes import SLOW_SECONDS, RequestSizes
from airflow_provider_bitrix24.rest.lists.totals import counts_more, incomplete, lacks_rows, take_total
from airflow_provider_bitrix24.types import Row


def by_offset(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    with ask.concurrent() as requests:
        yield from _by_offset(_PagesAhead(ask, listing, report, requests), ask, listing, report)


def _by_offset(pages: _PagesAhead, ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    rows, size = listing.rows, listing.rows.page_rows
    check = _order_check(listing, report)
    offset, first_page = 0, None
    waiting: list[Reply] = []
    while True:
        waiting = waiting or pages.at(offset)
        reply = waiting.pop(0)
        page = rows_in(reply.result, rows)
        all_came = report.rows == report.total
        if page and page == first_page and (all_came or (offset > size and not rows.total_is_true)):
            # Behind their end some methods begin again with the first page.
            break
        first_page = first_page or page
        take_total(reply.total, listing, report)
        check(page)
        if page:
            yield page
        if reply.next is not None and (not page or reply.next != offset + size):
            raise IncompleteList(
                f"after {len(page)} rows at {offset}, the portal says that the next page begins at {reply.next}"
            )
        # The count of a method that is not described may say 50 whatever the number, as that of crm.address.list does.
        counted = rows.at is not None and report.total is not None and offset + size >= report.total
        if reply.next is None and (len(page) < size or counted):
            break
        offset += size
    if lacks_rows(report) and counts_more(ask, listing, report):
        raise incomplete(report)


class _PagesAhead:
    """
    Pages in their order, of which several requests may be under way, each for a part of those that were counted.

    :param requests: those under way.
    """

    def __init__(self, ask: PageRequests, listing: Listing, report: ListReport, requests: ConcurrentRequests) -> None:
        self._ask, self._listing, self._report, self._requests = ask, listing, report, requests
        #: Offsets of the pages of each request.
        self._sent: deque[tuple[range, Sent]] = deque()
        #: The pages of the next request, where it could not be sent yet.
        self._next = range(0)
        #: Pages that were read and are not yet among the rows of the report.
        self._unreported = 0
        self._is_slow = False
        self._sizes: RequestSizes | None = None

    def at(self, offset: int) -> list[Reply]:
        """The page at an offset, and the next ones that one request brings."""
        self._unreported = 0
        if self._sent and self._sent[0][0].start != offset:
            # A page of the request before failed.
            for _, sent in self._sent:
                self._requests.forget(sent.future)
            self._sent.clear()
        self._send_ahead(offset)
        replies: list[Reply] = []
        if self._sent:
            while not self._sent[0][1].future.done():
                self._requests.wait()
                self._send_ahead(offset)
            replies = self._ask.read(self._sent.popleft()[1])
        if not replies:
            self._requests.wait_for_all()
            began = time.monotonic()
            params = [self._listing.at(position) for position in self._next_offsets(offset)]
            replies = self._ask.pages(params, self._requests) or [self._ask.page(self._listing.at(offset))]
            self._is_slow = self._is_slow or (not offset and time.monotonic() - began > SLOW_SECONDS)
        self._unreported = len(replies)
        self._send_ahead(offset + len(replies) * self._listing.rows.page_rows)
        return replies

    def _send_ahead(self, offset: int) -> None:
        """Send requests for the pages from an offset on, behind those that were sent."""
        if self._ask.is_in_turn:
            return
        while not self._requests.are_most:
            start = self._sent[-1][0].stop if self._sent else offset
            if not self._next or self._next.start != start:
                self._next = self._next_offsets(start, shares=not self._requests.is_held_back)
            offsets = self._next
            ahead = sum(self._ask.size_of(sent) for _, sent in self._sent)
            if not offsets or (self._sent and ahead + self._ask.size(len(offsets)) > AHEAD_BYTES):
                return
            sent = self._ask.start(self._requests, [self._listing.at(position) for position in offsets])
            if sent is None:
                return
            self._sent.append((offsets, sent))
            self._next = range(0)

    def _next_offsets(self, offset: int, *, shares: bool = False) -> range:
        """
        Offsets of the pages that one request brings; none where one page is asked for by itself.

        :param shares: whether what is left may be shared out among several requests.
        """
        size = self._listing.rows.page_rows
        if self._report.total is None or not offset:
            return range(0)
        left = -(-(self._report.total - offset) // size)
        ahead = self._unreported + sum(len(pages) for pages, _ in self._sent)
        number = min(left, self._ask.wanted(ahead), self._ask.most(self._listing.at(offset)))
        if shares and number > 1:
            wanted = min(left, self._ask.pages_to_limit(ahead))
            if self._sizes is None:
                self._sizes = RequestSizes(
                    self._ask.concurrency, wanted, number, sent=self._ask.sent, is_slow=self._is_slow
                )
            number = min(number, self._sizes.next(wanted, number, splits=True))
        return range(offset, offset + number * size, size) if number > 1 else range(0)


def _order_check(listing: Listing, report: ListReport) -> Callable[[list[Row]], None]:
    """What shows that no row comes twice: the order of ids where there is one, else all ids so far."""
    rows = listing.rows
    seen, cursor, pages = Seen(), Cursor(-1), SeenPages()

    def check(page: list[Row]) -> None:
        if not page:
            return
        if not report.proven:
            pages.add(page)
        elif rows.order_id and str(id_of(page[0], rows)).isdecimal():
            cursor.pass_over(page, rows)
        else:
            seen.add(page, rows)

    return check
