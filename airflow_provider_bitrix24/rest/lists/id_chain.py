"""
A chain of pages by id: one page first, then many in a batch, each starting after the last row of the one before.

Only an empty page after the last id is the end: a page may be short because the user must not see some of its rows.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from airflow_provider_bitrix24.rest.lists.exactness import Cursor, rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.totals import take_total
from airflow_provider_bitrix24.types import Row


def pages_after(
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
        for result in results or [page_after(cursor, ask, listing, report)]:
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


def page_after(cursor: Cursor, ask: PageRequests, listing: Listing, report: ListReport) -> Any:
    """The result of one page after the cursor, asked for by itself."""
    reply = ask.page(listing.after(cursor.at))
    if cursor.at == listing.lower_bound and reply.total:
        # Not asked for, but some portals still count.
        take_total(reply.total, listing, report)
    return reply.result


def chain_params(
    listing: Listing, after: int, pages: int, up_to: int | None = None, *, behind: int = 0
) -> list[dict[str, Any]]:
    """
    Parameters of so many pages after an id, each after the last row of the one before.

    :param up_to: the largest id that they may hold.
    :param behind: how many other commands come first in the request.
    """
    rows = listing.rows
    path = "".join(f"[{key}]" for key in (*(rows.at or "").split("."), rows.page_rows - 1, rows.id_key) if key != "")
    references = (f"$result[c{behind + index}]{path}" for index in range(pages - 1))
    return [listing.after(after, up_to), *(listing.after(reference, up_to) for reference in references)]


def _chain(after: int, most: int, ask: PageRequests, listing: Listing) -> tuple[list[Any], int]:
    """Results of the pages after an id, up to the first that failed, and how many were asked for."""
    pages = chain_params(listing, after, min(most, max(1, ask.wanted())))
    return [reply.result for reply in ask.pages(pages)], len(pages)
