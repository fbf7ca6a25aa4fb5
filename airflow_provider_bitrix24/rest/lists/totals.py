"""The portal's own count of a list, held against the rows that came."""

from __future__ import annotations

import logging
from typing import TypeGuard

from airflow_provider_bitrix24.exceptions import (
    IncompleteList,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TransportError,
)
from airflow_provider_bitrix24.rest.lists.exactness import rows_in
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests

log = logging.getLogger(__name__)


def take_total(total: int | None, listing: Listing, report: ListReport) -> None:
    """
    Keep a count that came with a page, where the method gives a believable one.

    :raises IncompleteList: it is smaller than the one before.
    """
    if not _is_count(total, listing):
        return
    if report.total is not None and total < report.total:
        raise IncompleteList(
            f"rows were deleted while the list was read ({report.total} before, {total} now), "
            "and the rows after them moved to pages that had been read",
            retryable=True,
            next_step="read it again",
        )
    report.total = total


def lacks_rows(report: ListReport) -> bool:
    """Whether the portal counted more rows than came."""
    return report.total is not None and report.rows < report.total


def counts_more(ask: PageRequests, listing: Listing, report: ListReport) -> bool:
    """
    Whether there are more rows than came, by a count of now: rows come and go.

    :raises IncompleteList: the count contradicts the answer that it comes with.
    """
    try:
        reply = ask.page(listing.first())
    except (TransportError, ServerFault, OperationTimeLimit, QueryLimitExceeded) as error:
        log.info("%s: the rows could not be counted (%s).", report.method, error.reason)
        return lacks_rows(report)
    rows = len(rows_in(reply.result, listing.rows))
    # 0 beside rows is how some methods do not count.
    if _is_count(reply.total, listing) and (reply.total or not rows):
        if reply.total < rows:
            raise IncompleteList(
                f"the portal counts {reply.total} rows in an answer that has {rows}, so nothing proves the end",
                retryable=True,
                next_step="read it again",
            )
        report.total = reply.total
    return lacks_rows(report)


def incomplete(report: ListReport) -> IncompleteList:
    return IncompleteList(f"only {report.rows} of {report.total} rows came", retryable=True, next_step="read it again")


def _is_count(total: int | None, listing: Listing) -> TypeGuard[int]:
    return total is not None and total >= 0 and listing.rows.total_is_true
