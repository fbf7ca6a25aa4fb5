"""Exact lists: every row once, in ascending order of id where the method has one, or an error. Never fewer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.methods import Paging
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.lists.cursors import (
    by_last_id,
    by_limit_and_offset,
    by_page_number,
    by_pagination,
    in_one_answer,
)
from airflow_provider_bitrix24.rest.lists.exactness import id_of
from airflow_provider_bitrix24.rest.lists.field_check import check_fields
from airflow_provider_bitrix24.rest.lists.keyset import by_id
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.offset import by_offset
from airflow_provider_bitrix24.rest.lists.page_requests import PageRequests
from airflow_provider_bitrix24.rest.lists.stream import Stream
from airflow_provider_bitrix24.rest.progress import Progress
from airflow_provider_bitrix24.types import Row

log = logging.getLogger(__name__)

#: Reads the pages of a list; raises :class:`IncompleteList` where it cannot prove that all rows came.
Strategy: TypeAlias = Callable[[PageRequests, Listing, ListReport], Iterator[list[Any]]]

STRATEGIES: Mapping[Paging, Strategy] = {
    "keyset": by_id,
    "start": by_offset,
    "nav-params": by_offset,
    "v3": by_pagination,
    "limit-offset": by_limit_and_offset,
    "last-id": by_last_id,
    "page": by_page_number,
    "single": in_one_answer,
    "unknown": in_one_answer,
}


class RowList(Stream[Row]):
    """
    The rows of a list, one by one in their order. Those of one request are in memory, and unread answers beside them.

    ``report`` says what was read so far, and after the last row whether it is all. After an error every further row is
    the same error.

    :param limit: at most this many rows; None for all.
    """

    def __init__(self, conversation: Conversation, listing: Listing, limit: int | None) -> None:
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigurationError("limit must be a whole number above 0", method=listing.name)
        rows = listing.rows
        self.report = ListReport(listing.name, rows.paging, rows.unique_id and not rows.of_values)
        # The generator does not know this object: without a circle it ends, and with it what is under way, as soon as
        # nobody holds the list any more.
        super().__init__(_rows(conversation, listing, self.report, limit))


def _rows(conversation: Conversation, listing: Listing, report: ListReport, limit: int | None) -> Iterator[Row]:
    ask = PageRequests(conversation, listing, report, limit)
    progress = Progress(log, listing.name)
    try:
        check_fields(conversation, listing)
        for page in STRATEGIES[listing.rows.paging](ask, listing, report):
            report.pages += 1
            for row in page:
                report.rows += 1
                if report.proven:
                    report.last_id = id_of(row, listing.rows)
                    if report.rows == 1:
                        report.first_id = report.last_id
                yield listing.without_added_id(row)
                if report.rows == limit:
                    return
            _note(progress, report, limit, ask.largest_id)
        report.complete = True
    except IncompleteList as error:
        raise error.but(rows=report.rows, method=listing.name) from None
    finally:
        report.seconds = progress.seconds
        conversation.activity.reads(listing.name, report.rows)


def _note(progress: Progress, report: ListReport, limit: int | None, largest_id: int | None) -> None:
    """Note how far a list is: by its count, by the limit, or by where its ids are between the first and the last."""
    total = limit if report.total is None else report.total if limit is None else min(report.total, limit)
    if total is not None or largest_id is None or not report.proven:
        progress.note(report.rows, total)
        return
    first = int(report.first_id)
    share = (int(report.last_id) - first + 1) / (largest_id - first + 1)
    progress.note(report.rows, report.rows / share if share > 0 else None, about=True)
