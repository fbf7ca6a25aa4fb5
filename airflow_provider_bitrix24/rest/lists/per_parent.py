"""A list per parent (product rows of deals, comments of tasks), many parents to a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from operator import length_hint
from typing import TypeVar

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_call import BatchCall
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS
from airflow_provider_bitrix24.rest.lists.exactness import Seen, rows_in
from airflow_provider_bitrix24.rest.lists.field_check import check_fields
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.page_requests import AHEAD_BYTES
from airflow_provider_bitrix24.rest.lists.row_list import RowList
from airflow_provider_bitrix24.rest.progress import Progress
from airflow_provider_bitrix24.types import Params, Row

log = logging.getLogger(__name__)

Parent = TypeVar("Parent", bound=Hashable)

#: Most requests at once. Their pages are in memory together, where JSON takes about so many times its size.
_MOST_REQUESTS, _TIMES_IN_MEMORY = 7, 4

#: How lists are paged whose first page can show that it is the last.
_ENDS_VISIBLY = frozenset({"keyset", "start", "single", "unknown"})


def children(
    conversation: Conversation, name: str, parents: Iterable[Parent], params_of: Callable[[Parent], Params]
) -> Iterator[tuple[Parent, Row]]:
    """See :meth:`Client.children`."""
    method = conversation.method(name)
    progress, total, done = Progress(log, name, "lists"), length_hint(parents), 0
    waiting, requests = _unique(parents), 1
    while group := list(islice(waiting, requests * MAX_COMMANDS)):
        params = {parent: params_of(parent) for parent in group}
        listings = {parent: Listing(method, params[parent]) for parent in group}
        for listing in listings.values():
            check_fields(conversation, listing)
        first_pages = BatchCall[Parent](conversation).run(
            {parent: (method.name, listing.first()) for parent, listing in listings.items()}
        )
        page_bytes = conversation.command_costs.size(method.name) or 1.0
        fitting = AHEAD_BYTES / (_TIMES_IN_MEMORY * MAX_COMMANDS * page_bytes)
        requests = max(1, min(_MOST_REQUESTS, conversation.portal.parallel, int(fitting)))
        for parent, listing in listings.items():
            if parent in first_pages.errors:
                raise first_pages.errors[parent]
            rows: Iterable[Row] | None = _all_on_first_page(first_pages.replies[parent], listing)
            if rows is None:
                # From the start: what was on the first page may have changed since.
                rows = RowList(conversation, Listing(method, params[parent]), None)
            for row in rows:
                yield parent, listing.without_added_id(row)
            done += 1
            progress.note(done, total)


def _unique(parents: Iterable[Parent]) -> Iterator[Parent]:
    """Each parent once, taken only when it is needed: parents may come from a list that is being read."""
    if isinstance(parents, (str, bytes)) or not isinstance(parents, Iterable):
        raise ConfigurationError("the parents are not a list", next_step="write e.g. [7, 9]")
    seen: set[Parent] = set()
    for parent in parents:
        if not isinstance(parent, Hashable):
            raise ConfigurationError(f"a parent is a {type(parent).__name__}", next_step="write ids, e.g. [7, 9]")
        if parent not in seen:
            seen.add(parent)
            yield parent


def _all_on_first_page(reply: Reply, listing: Listing) -> list[Row] | None:
    """The rows of a list that one page holds; None where it has to be read to its end."""
    try:
        rows = rows_in(reply.result, listing.rows)
        if listing.rows.unique_id and listing.rows.id_key:
            Seen().add(rows, listing.rows)
    except IncompleteList as error:
        raise error.but(method=listing.name) from None
    total = reply.total if listing.rows.total_is_true else None
    if reply.next is not None or (total is not None and total > len(rows)):
        return None
    if listing.rows.paging not in _ENDS_VISIBLY:
        # The portal chooses the size of their pages, so only an empty one is the end.
        return None if rows else []
    if listing.rows.paging == "keyset" and rows:
        # A page may be short because the user must not see some of its rows.
        return rows if total == len(rows) else None
    counted = total == len(rows) and listing.rows.at is not None
    if len(rows) >= listing.rows.page_rows and not counted and listing.rows.paging != "single":
        return None
    return rows
