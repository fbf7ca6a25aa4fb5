"""
Lists read by id: one page first, then chains of pages in a batch, each starting after the last row of the one before.

Only an empty page after the last id is the end: a page may be short because the user must not see some of its rows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from airflow_provider_bitrix24.rest.lists.exactness import Cursor, rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.totals import counts_more, incomplete, lacks_rows, take_total
from airflow_provider_bitrix24.types import Row


def by_id(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    cursor = Cursor(listing.lower_bound)
    after_full_page = yield from _pages_after(cursor, ask, listing, report)
    # A portal in trouble answers empty pages where rows are.
    while after_full_page or lacks_rows(report):
        if not counts_more(ask, listing, report):
            return
        at = cursor.at
        after_full_page = yield from _pages_after(cursor, ask, listing, report)
        if cursor.at == at:
            raise incomplete(report)


def _pages_after(
    cursor: Cursor, ask: PageRequests, listing: Listing, report: ListReport
) -> Generator[list[Row], None, bool]:
    """Pages after the cursor up to an empty one; return whether that came after a full page."""
    rows = listing.rows
    # References need to know where the id of the last row is.
    known_place = rows.at is not None and rows.id_key is not None
    most = ask.most(listing.after(1)) if known_place else 0
    full = chain_next = False
    while True:
        results, wanted = _chain(cursor.at, most, ask, listing) if chain_next else ([], 0)
        for result in results or [_page_after(cursor, ask, listing, report)]:
            page = rows_in(result, rows)
            cursor.pass_over(page, rows)
            if not page:
                return full
            yield page
            full = len(page) == rows.page_rows
            if not full:
                # The commands after it refer to a row that is not there, or that is not the last one.
                break
        # Where a chain broke off, the next page is asked for by itself, which waits, repeats or raises.
        chain_next = most > 1 and full and len(results) == wanted
        # Before the next request, so that the rows of one request at most are in memory.
        results = []


def _page_after(cursor: Cursor, ask: PageRequests, listing: Listing, report: ListReport) -> Any:
    reply = ask.page(listing.after(cursor.at))
    if cursor.at == listing.lower_bound and reply.total:
        # Not asked for, but some portals still count.
        take_total(reply.total, listing, report)
    return reply.result


def _chain(after: int, most: int, ask: PageRequests, listing: Listing) -> tuple[list[Any], int]:
    """Results of the pages after an id, up to the first that failed, and how many were asked for."""
    rows = listing.rows
    path = "".join(f"[{key}]" for key in (*(rows.at or "").split("."), rows.page_rows - 1, rows.id_key) if key != "")
    pages = [listing.after(after)]
    for index in range(1, min(most, max(1, ask.wanted()))):
        pages.append(listing.after(f"$result[c{index - 1}]{path}"))
    return [reply.result for reply in ask.pages(pages)], len(pages)
