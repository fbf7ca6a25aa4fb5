"""Lists read by id: in one chain of pages, or in several ranges of ids at once."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_bitrix24.rest.lists.exactness import Cursor
from airflow_provider_bitrix24.rest.lists.id_chain import pages_after
from airflow_provider_bitrix24.rest.lists.id_ranges import pages_in_ranges
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.totals import counts_more, incomplete, lacks_rows
from airflow_provider_bitrix24.types import Row


def by_id(ask: PageRequests, listing: Listing, report: ListReport) -> Iterator[list[Row]]:
    cursor = Cursor(listing.lower_bound)
    read = pages_in_ranges if ask.takes_ranges else pages_after
    after_full_page = yield from read(cursor, ask, listing, report)
    # A portal in trouble answers empty pages where rows are.
    while after_full_page or lacks_rows(report):
        if not counts_more(ask, listing, report):
            return
        at = cursor.at
        after_full_page = yield from pages_after(cursor, ask, listing, report)
        if cursor.at == at:
            raise incomplete(report)
