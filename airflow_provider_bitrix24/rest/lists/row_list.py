"""Exact lists: every row once, in ascending order of id where the method has one, or an error. Never fewer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    ConfigurationError,
    IncompleteList,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TransportError,
)
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.commands import MAX_REQUEST_BYTES, make_command
from airflow_provider_bitrix24.rest.batches.exchange import exchange, read_answer
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.encoding import has_reference, query
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS, seconds_of
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, Seen, SeenPages, Stream, id_of, rows_in
from airflow_provider_bitrix24.rest.lists.field_check import check_fields
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.types import Row

log = logging.getLogger(__name__)

#: What a command has beside its parameters: its key, the method's name, the reference to the page before it.
_ROOM_BYTES = 256

#: A long list tells this often how far it is.
PROGRESS_SECONDS = 10.0


@dataclass
class ListReport:
    """
    What can be said of a list: final after its last row, so far before it.

    :param strategy: ``keyset``, ``start``, ``single``, ``v3``, ``limit-offset``, ``last-id``, ``page`` or ``unknown``.
    :param requests: HTTP requests, repetitions not counted.
    :param first_id: id of the first row as it was sent; None without rows or ids.
    :param complete: the end of the list was reached, and nothing contradicts it.
    :param proven: each row has an id of its own, so a missing or doubled page would have been noticed.
    :param total: the portal's own count, where it gives a believable one.
    """

    method: str
    strategy: str
    proven: bool
    rows: int = 0
    pages: int = 0
    requests: int = 0
    first_id: Any = None
    last_id: Any = None
    complete: bool = False
    total: int | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        end = "complete" if self.complete else "not read to its end"
        doubt = "" if self.proven else ", cannot be proven: its rows have no id of their own"
        return (
            f"{self.method}: {self.rows} rows, {end}{doubt}; {self.pages} pages in {self.requests} requests "
            f"and {self.seconds:.1f} s, by {self.strategy}, ids {self.first_id} to {self.last_id}"
        )


class RowList(Stream[Row]):
    """
    The rows of a list, one by one as they come; at most one request's rows are in memory.

    ``report`` says what was read so far, and after the last row whether it is all. After an error every further row is
    the same error.
    """

    def __init__(self, conversation: Conversation, listing: Listing, limit: int | None) -> None:
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigurationError("limit must be a whole number above 0", method=listing.name)
        self._conversation, self._listing, self._limit = conversation, listing, limit
        rows = listing.rows
        self.report = ListReport(listing.name, rows.paging, rows.unique_id and not rows.of_values)
        self._began = self._told = time.monotonic()
        super().__init__(self._rows())

    def _rows(self) -> Iterator[Row]:
        report, rows = self.report, self._listing.rows
        try:
            check_fields(self._conversation, self._listing)
            for page in self._pages():
                report.pages += 1
                for row in page:
                    report.rows += 1
                    if report.proven:
                        report.last_id = id_of(row, rows)
                        if report.rows == 1:
                            report.first_id = report.last_id
                    yield self._listing.without_added_id(row)
                    if report.rows == self._limit:
                        return
                self._progress()
            self._check_total()
            report.complete = True
        except IncompleteList as error:
            raise error.but(rows=report.rows, method=self._listing.name) from None
        finally:
            report.seconds = time.monotonic() - self._began

    def _pages(self) -> Iterator[list[Row]]:
        strategies: dict[str, Callable[[], Iterator[list[Row]]]] = {
            "keyset": self._by_id,
            "start": self._by_offset,
            "v3": self._by_pagination,
            "limit-offset": self._by_limit_and_offset,
            "last-id": self._by_last_id,
            "page": self._by_page_number,
        }
        return strategies.get(self._listing.rows.paging, self._one_page)()

    def _ask(self, params: dict[str, Any]) -> Reply:
        self.report.requests += 1
        reply = self._conversation.call(self._listing.method, params, self._conversation.patience())
        self._conversation.command_costs.learn(self._listing.name, seconds_of(reply.time), reply.size)
        return reply

    def _ask_many(self, pages: list[dict[str, Any]]) -> list[Reply]:
        """
        One request for several pages, up to the first that failed.

        None at all where their parameters have no form in a batch.
        """
        pack = [
            make_command(index, self._listing.method, params, references=True) for index, params in enumerate(pages)
        ]
        if not pack or any(command.text is None for command in pack):
            return []
        self.report.requests += 1
        replies: list[Reply] = []
        answers, whole_reply = exchange(self._conversation, pack, halt=False, repeatable=True)
        for command, answer in zip(pack, answers, strict=True):
            try:
                replies.append(read_answer(self._conversation, command, answer, whole_reply))
            except Bitrix24Error:
                # Asked for by itself, the page is waited for, asked for again, or raises.
                break
        return replies

    def _pages_wanted(self) -> int:
        """How many pages the next request should bring."""
        fit = self._conversation.command_costs.fit(self._listing.name)
        if self._limit is None:
            return fit
        return min(fit, -(-(self._limit - self.report.rows) // self._listing.rows.page_rows))

    def _pages_in_a_request(self, page: dict[str, Any]) -> int:
        """How many pages such as this one request has room for; 0 where it has no form in a batch."""
        text = None if has_reference(self._listing.params) else query(page)
        return 0 if text is None else min(MAX_COMMANDS, MAX_REQUEST_BYTES // (len(text) + _ROOM_BYTES))

    # By id: one page first, then chains of pages in a batch. Only the empty page behind the last id is the end:
    # a page may be short because the user must not see some of its rows.

    def _by_id(self) -> Iterator[list[Row]]:
        cursor = Cursor(self._listing.lower_bound)
        behind_full_page = yield from self._behind(cursor)
        # A portal in trouble answers empty pages where rows are.
        while behind_full_page or self._lacks_rows():
            if not self._counts_more():
                return
            at = cursor.at
            behind_full_page = yield from self._behind(cursor)
            if cursor.at == at:
                raise self._incomplete()

    def _behind(self, cursor: Cursor) -> Generator[list[Row], None, bool]:
        """Pages behind the cursor up to an empty one; return whether that came behind a full page."""
        listing, rows = self._listing, self._listing.rows
        # References need to know where the id of the last row is.
        known_place = rows.at is not None and rows.id_key is not None
        most = self._pages_in_a_request(listing.after(1)) if known_place else 0
        full = chain_next = False
        while True:
            results, wanted = self._chain(cursor.at, most) if chain_next else ([], 0)
            for result in results or [self._one_behind(cursor)]:
                page = rows_in(result, rows)
                cursor.pass_over(page, rows)
                if not page:
                    return full
                yield page
                full = len(page) == rows.page_rows
                if not full:
                    # The commands behind it refer to a row that is not there, or that is not the last one.
                    break
            # Where a chain broke off, the next page is asked for by itself, which waits, repeats or raises.
            chain_next = most > 1 and full and len(results) == wanted
            # Before the next request, so that the rows of one request at most are in memory.
            results = []

    def _one_behind(self, cursor: Cursor) -> Any:
        reply = self._ask(self._listing.after(cursor.at))
        if cursor.at == self._listing.lower_bound and reply.total:
            # Not asked for, but some portals count all the same.
            self._count(reply.total)
        return reply.result

    def _chain(self, after: int, most: int) -> tuple[list[Any], int]:
        """Results of the pages behind an id, up to the first that failed, and how many were asked for."""
        listing, rows = self._listing, self._listing.rows
        path = "".join(
            f"[{key}]" for key in (*(rows.at or "").split("."), rows.page_rows - 1, rows.id_key) if key != ""
        )
        pages = [listing.after(after)]
        for index in range(1, min(most, max(1, self._pages_wanted()))):
            pages.append(listing.after(f"$result[c{index - 1}]{path}"))
        return [reply.result for reply in self._ask_many(pages)], len(pages)

    # By offset.

    def _by_offset(self) -> Iterator[list[Row]]:
        rows, size = self._listing.rows, self._listing.rows.page_rows
        check = self._order_check()
        offset, first_page = 0, None
        waiting: list[Reply] = []
        while True:
            waiting = waiting or self._offsets(offset)
            reply = waiting.pop(0)
            page = rows_in(reply.result, rows)
            all_came = self.report.rows == self.report.total
            if page and page == first_page and (all_came or (offset > size and not rows.total_is_true)):
                # Behind their end some methods begin again with the first page.
                return
            first_page = first_page or page
            self._count(reply.total)
            check(page)
            if page:
                yield page
            if reply.next is not None and (not page or reply.next != offset + size):
                raise IncompleteList(
                    f"the next page is said to begin at {reply.next} after {len(page)} rows at {offset}"
                )
            # Of a method that nobody described, the count may say 50 whatever the number, as that of crm.address.list.
            counted = rows.at is not None and not self._lacks_rows(offset + size)
            if reply.next is None and (len(page) < size or counted):
                return
            offset += size

    def _offsets(self, offset: int) -> list[Reply]:
        """The page at an offset, and those behind it that one batch brings."""
        size, total = self._listing.rows.page_rows, self.report.total
        left = -(-(total - offset) // size) if total is not None else 1
        number = min(left, self._pages_wanted(), self._pages_in_a_request(self._listing.at(offset)))
        offsets = [offset + index * size for index in range(number)] if number > 1 and offset else []
        return self._ask_many([self._listing.at(one) for one in offsets]) or [self._ask(self._listing.at(offset))]

    def _order_check(self) -> Callable[[list[Row]], None]:
        """What tells that no row comes twice: the order of ids where there is one, else all ids so far."""
        rows = self._listing.rows
        seen, cursor, pages = Seen(), Cursor(-1), SeenPages()

        def check(page: list[Row]) -> None:
            if not page:
                return
            if not self.report.proven:
                pages.add(page)
            elif rows.order_id and str(id_of(page[0], rows)).isdecimal():
                cursor.pass_over(page, rows)
            else:
                seen.add(page, rows)

        return check

    def _count(self, total: int | None) -> None:
        if total is None or total < 0 or not self._listing.rows.total_is_true:
            return
        if self.report.total is not None and total < self.report.total:
            raise IncompleteList(
                f"rows were deleted while the list was read ({self.report.total} before, {total} now), "
                "and those behind them moved to pages that had been read",
                retryable=True,
                next_step="read it again",
            )
        self.report.total = total

    def _lacks_rows(self, rows: int | None = None) -> bool:
        """Whether the portal counted more than so many rows, by default those that came; by offset, True if unknown."""
        if self.report.total is None:
            return rows is not None
        return (self.report.rows if rows is None else rows) < self.report.total

    def _counts_more(self) -> bool:
        """Whether there are more rows than came, by a count of now: rows come and go."""
        try:
            total = self._ask(self._listing.first()).total
        except (TransportError, ServerFault, OperationTimeLimit, QueryLimitExceeded) as error:
            log.info("%s: the rows could not be counted (%s).", self.report.method, error.reason)
            return self._lacks_rows()
        if total is not None and total >= 0 and self._listing.rows.total_is_true:
            self.report.total = total
        return self._lacks_rows()

    def _check_total(self) -> None:
        if self.report.strategy == "start" and self._lacks_rows() and self._counts_more():
            raise self._incomplete()

    def _incomplete(self) -> IncompleteList:
        return IncompleteList(
            f"incomplete list: {self.report.rows} of {self.report.total} rows came",
            retryable=True,
            next_step="read it again",
        )

    # Other cursors.

    def _by_pagination(self) -> Iterator[list[Row]]:
        # Portals clamp the documented limit of 1,000, so only an empty page ends the list.
        size, conditions = self._listing.rows.page_rows, self._listing.conditions()
        if conditions is None:
            return self._until_empty(lambda number, last: {"pagination": {"limit": size, "offset": number}})
        return self._by_condition(conditions)

    def _by_condition(self, conditions: list[Any]) -> Iterator[list[Row]]:
        # By id none is missed when others are deleted meanwhile.
        listing, rows = self._listing, self._listing.rows
        params = {**listing.params, **listing.order(), "pagination": {"limit": rows.page_rows, "offset": 0}}
        cursor = Cursor(-1)
        while page := rows_in(self._ask(params).result, rows):
            cursor.pass_over(page, rows)
            yield page
            params = {**params, rows.filter or "filter": [*conditions, [rows.filter_id, ">", cursor.at]]}

    def _by_limit_and_offset(self) -> Iterator[list[Row]]:
        rows = self._listing.rows
        return self._until_empty(
            lambda number, last: {rows.limit or "limit": rows.page_rows, rows.cursor or "offset": number}
        )

    def _by_last_id(self) -> Iterator[list[Row]]:
        rows = self._listing.rows
        size = {rows.limit: rows.page_rows} if rows.limit else {}
        return self._until_empty(
            lambda number, last: size if last is None else {**size, rows.cursor or "LAST_ID": last}
        )

    def _by_page_number(self) -> Iterator[list[Row]]:
        rows = self._listing.rows
        pages = iter(range(1, 1_000_000))
        return self._until_empty(lambda number, last: {rows.cursor or "page": next(pages)})

    def _until_empty(self, move: Callable[[int, Any], dict[str, Any]]) -> Iterator[list[Row]]:
        listing, rows = self._listing, self._listing.rows
        seen, pages = Seen(), SeenPages()
        number, last = 0, None
        while True:
            page = rows_in(self._ask({**listing.params, **listing.order(), **move(number, last)}).result, rows)
            if not page:
                return
            if self.report.proven:
                seen.add(page, rows)
                last = id_of(page[-1], rows)
            else:
                pages.add(page)
            yield page
            number += len(page)

    def _one_page(self) -> Iterator[list[Row]]:
        rows = self._listing.rows
        reply = self._ask(self._listing.params)
        page = rows_in(reply.result, rows)
        if self.report.proven and rows.id_key:
            Seen().add(page, rows)
        if rows.paging == "unknown" and (len(page) >= rows.page_rows or reply.next is not None):
            raise IncompleteList(
                f"exactly {len(page)} rows came, a full page, and how this method goes on is documented nowhere",
                next_step="narrow the filter, or tell its paging with Methods.adding(Method(…, rows=Rows(…)))",
            )
        if reply.next is not None:
            raise IncompleteList(f"the portal says that more rows begin at {reply.next}, where none are expected")
        self._count(reply.total)
        if self._lacks_rows(len(page)) and self.report.total is not None:
            raise IncompleteList(f"the portal counts {self.report.total} rows and gave {len(page)}, all in one answer")
        yield page

    # Checks and progress.

    def _progress(self) -> None:
        report, now = self.report, time.monotonic()
        if now - self._told < PROGRESS_SECONDS:
            return
        self._told = now
        share = f", {100 * report.rows // report.total} %" if report.total else ""
        log.info("%s: %d rows so far, %.0f a second%s.", report.method, report.rows,
                 report.rows / (now - self._began), share)  # fmt: skip
