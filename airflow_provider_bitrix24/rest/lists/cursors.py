"""Lists read by the other cursors: REST 3.0 pagination, limit and offset, last id, page number, or one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, Seen, SeenPages, id_of, rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.totals import take_total
from airflow_provider_bitrix24.types import Row


def by_pagination(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    """REST 3.0. Portals clamp the documented limit of 1,000, so only an empty page ends the list."""
    size, conditions = listing.rows.page_rows, listing.conditions()
    if conditions is None:
        return _until_empty(ask, listing, report, lambda rows, last: {"pagination": {"limit": size, "offset": rows}})
    return _by_condition(conditions, ask, listing)


def _by_condition(conditions: list[Any], ask: PageRequests, listing: Listing) -> Iterator[list[Row]]:
    """By id, so that no row is missed when others are deleted meanwhile."""
    rows = listing.rows
    params = {**listing.params, **listing.order(), "pagination": {"limit": rows.page_rows, "offset": 0}}
    cursor = Cursor(-1)
    while page := rows_in(ask.page(params).result, rows):
        cursor.pass_over(page, rows)
        yield page
        params = {**params, rows.filter or "filter": [*conditions, [rows.filter_id, ">", cursor.at]]}


def by_limit_and_offset(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    limit, offset = listing.rows.limit or "limit", listing.rows.cursor or "offset"
    size = listing.rows.page_rows
    return _until_empty(ask, listing, report, lambda rows, last: {limit: size, offset: rows})


def by_last_id(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    cursor = listing.rows.cursor or "LAST_ID"
    size = {listing.rows.limit: listing.rows.page_rows} if listing.rows.limit else {}
    return _until_empty(ask, listing, report, lambda rows, last: size if last is None else {**size, cursor: last})


def by_page_number(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    numbers, cursor = count(1), listing.rows.cursor or "page"
    return _until_empty(ask, listing, report, lambda rows, last: {cursor: next(numbers)})


def _until_empty(
    ask: PageRequests, listing: Listing, report: ListReport, position: Callable[[int, Any], dict[str, Any]]
) -> Iterator[list[Row]]:
    """
    Pages up to an empty one.

    :param position: parameters of the next page, by the number of rows so far and the id of the last one.
    """
    rows = listing.rows
    seen, pages = Seen(), SeenPages()
    number, last = 0, None
    while True:
        page = rows_in(ask.page({**listing.params, **listing.order(), **position(number, last)}).result, rows)
        if not page:
            return
        if report.proven:
            seen.add(page, rows)
            last = id_of(page[-1], rows)
        else:
            pages.add(page)
        yield page
        number += len(page)


def in_one_answer(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    """The only page of a method that answers all rows at once, or of which nobody says how it goes on."""
    rows = listing.rows
    reply = ask.page(listing.params)
    page = rows_in(reply.result, rows)
    if report.proven and rows.id_key:
        Seen().add(page, rows)
    if rows.paging == "unknown" and (len(page) >= rows.page_rows or reply.next is not None):
        raise IncompleteList(
            f"{len(page)} rows came, and there may be more: how this method pages is not documented",
            next_step="narrow the filter, or describe its paging with Methods.adding(Method(…, rows=Rows(…)))",
        )
    if reply.next is not None:
        raise IncompleteList(
            f"the portal says that more rows begin at {reply.next}, but this method answers all rows at once"
        )
    take_total(reply.total, listing, report)
    if report.total is not None and len(page) < report.total:
        raise IncompleteList(f"the portal counts {report.total} rows, but {len(page)} came")
    yield page
