"""Lists read by offset (``start``): the first page says how many rows there are, batches bring the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, Seen, SeenPages, id_of, rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.totals import counts_more, incomplete, lacks_rows, take_total
from airflow_provider_bitrix24.types import Row


def by_offset(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    rows, size = listing.rows, listing.rows.page_rows
    check = _order_check(listing, report)
    offset, first_page = 0, None
    waiting: list[Reply] = []
    while True:
        waiting = waiting or _pages_at(offset, ask, listing, report)
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


def _pages_at(offset: int, ask: PageRequests, listing: Listing, report: ListReport) -> list[Reply]:
    """The page at an offset, and the next ones that one batch brings."""
    size = listing.rows.page_rows
    left = -(-(report.total - offset) // size) if report.total is not None else 1
    number = min(left, ask.wanted(), ask.most(listing.at(offset)))
    offsets = [offset + index * size for index in range(number)] if number > 1 and offset else []
    return ask.pages([listing.at(position) for position in offsets]) or [ask.page(listing.at(offset))]


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
