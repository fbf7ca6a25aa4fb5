"""Requests for the pages of one list: one page a request, or many in a batch."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_exchange import (
    CommandAnswer,
    exchange,
    read_answer,
    read_batch,
    send_once,
)
from airflow_provider_bitrix24.rest.batches.commands import MAX_REQUEST_BYTES, Command, make_command
from airflow_provider_bitrix24.rest.concurrent_requests import ConcurrentRequests
from airflow_provider_bitrix24.rest.conversation import Conversation, UnreadReply
from airflow_provider_bitrix24.rest.encoding import has_reference, query
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS, seconds_of
from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing

log = logging.getLogger(__name__)

#: What a command has beside its parameters: its key, the method's name, the reference to the page before it.
_ROOM_BYTES = 256
#: Most bytes of the answers that are under way or unread.
AHEAD_BYTES = 32 * 1024 * 1024
#: Requests with room or time for no more pages than this are not worth a page of the largest ids in each.
_FEWEST = 4
#: A limit of so many rows is two requests away.
_FEW_ROWS = 5_000


class Sent(NamedTuple):
    """A request for several pages that is under way, or whose answer is unread."""

    pack: list[Command[int]]
    future: Future[UnreadReply]
    requests: ConcurrentRequests


class PageRequests:
    """
    Asks for pages of a list, and counts the requests in its report.

    :param limit: how many rows the caller wants; None for all.
    """

    def __init__(self, conversation: Conversation, listing: Listing, report: ListReport, limit: int | None) -> None:
        self._conversation, self._listing, self._report, self._limit = conversation, listing, report, limit
        #: The largest id of the list, where it was seen ahead of its turn.
        self.largest_id: int | None = None

    def page(self, params: dict[str, Any]) -> Reply:
        """
        One page, with all that a call does.

        :raises Bitrix24Error: it could not be had.
        """
        self._report.requests += 1
        reply = self._conversation.call(self._listing.method, params, self._conversation.patience())
        self._conversation.command_costs.learn(self._listing.name, seconds_of(reply.time), reply.size)
        return reply

    def pages(self, params_of_pages: Sequence[dict[str, Any]], beside: ConcurrentRequests | None = None) -> list[Reply]:
        """
        One request for several pages, up to the first that failed.

        None at all where they have no form in a batch, or where the answer was lost or too large: the next request is
        then for half as many. Asked for by itself, a page that failed is waited for and asked for again, or raises.

        :param beside: requests whose answers may not have been read.
        """
        pack = self._pack(params_of_pages)
        if not pack:
            return []
        self._report.requests += 1
        try:
            unread = None if beside is None else beside.unread_seconds
            answers, whole = exchange(self._conversation, pack, halt=False, repeatable=False, unread_seconds=unread)
        except (AnswerLost, ServerFault) as error:
            self._log_failure(pack, error)
            return []
        return self._replies(pack, answers, whole)

    def start(self, requests: ConcurrentRequests, params_of_pages: Sequence[dict[str, Any]]) -> Sent | None:
        """Send one request for several pages beside others; None where it may not be sent now."""
        pack = self._pack(params_of_pages)
        names = [self._listing.name] * len(pack)
        send = partial(send_once, self._conversation, pack, requests.patience())
        future = requests.start(send, names) if pack else None
        if future is None:
            return None
        self._report.requests += 1
        return Sent(pack, future, requests)

    def read(self, sent: Sent) -> list[Reply]:
        """The pages of a request that was started, as :meth:`pages` returns them."""
        try:
            answers, whole = read_batch(self._conversation, sent.pack, sent.requests.result(sent.future))
        except (AnswerLost, ServerFault, NotSent, QueryLimitExceeded, OperationTimeLimit, Unauthorized) as error:
            # Asked for by itself, the next page waits, renews the token or raises.
            self._log_failure(sent.pack, error)
            return []
        return self._replies(sent.pack, answers, whole)

    def size(self, pages: int) -> float:
        """How many bytes the answer to a request for so many pages takes, by the answers before."""
        return pages * self._conversation.command_costs.size(self._listing.name)

    def size_of(self, sent: Sent) -> float:
        """How many bytes the answer to a request takes that was started, measured where it has come."""
        if sent.future.done() and sent.future.exception() is None:
            return sent.future.result().answer.size
        return self.size(len(sent.pack))

    def concurrent(self) -> ConcurrentRequests:
        return ConcurrentRequests(self._conversation)

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return self._report.requests

    @property
    def concurrency(self) -> Concurrency:
        return self._conversation.concurrency

    def monotonic(self) -> float:
        """Seconds, never set back."""
        return self._conversation.monotonic()

    def _pack(self, params_of_pages: Sequence[dict[str, Any]]) -> list[Command[int]]:
        """Commands for pages; none where they have no form in a batch."""
        method = self._listing.method
        pack = [make_command(index, method, params, references=True) for index, params in enumerate(params_of_pages)]
        return pack if all(command.text is not None for command in pack) else []

    def _log_failure(self, pack: Sequence[Command[int]], error: Bitrix24Error) -> None:
        # Its text and not the error, whose frames hold rows: a handler may keep the record.
        log.info(
            "%s: a request for %d pages failed, so the next is for fewer: %s", self._listing.name, len(pack), str(error)
        )

    def _replies(self, pack: Sequence[Command[int]], answers: Sequence[CommandAnswer], whole: Reply) -> list[Reply]:
        replies: list[Reply] = []
        for command, answer in zip(pack, answers, strict=True):
            try:
                replies.append(read_answer(self._conversation, command, answer, whole))
            except Bitrix24Error:
                break
        return replies

    @property
    def is_in_turn(self) -> bool:
        """Whether one request is sent after the other."""
        return self._conversation.portal.parallel == 1

    @property
    def takes_ranges(self) -> bool:
        """Whether several ranges of ids may be read at once, as far as is known of what a page takes."""
        is_short = self._limit is not None and self._limit <= _FEW_ROWS
        if is_short or self.is_in_turn or not self._listing.takes_ranges:
            return False
        fit = self._conversation.command_costs.fit(self._listing.name)
        return min(fit, self.most(self._listing.after(1, 1))) > _FEWEST

    def wanted(self, ahead: int = 0) -> int:
        """
        How many pages the next request should bring.

        :param ahead: how many are under way.
        """
        fit = self._conversation.command_costs.fit(self._listing.name)
        return int(min(fit, self.pages_to_limit(ahead)))

    def pages_to_limit(self, ahead: int = 0) -> float:
        """How many pages more the caller wants, beside those that are under way."""
        if self._limit is None:
            return math.inf
        return -(-(self._limit - self._report.rows) // self._listing.rows.page_rows) - ahead

    def most(self, params: dict[str, Any]) -> int:
        """How many pages such as this one a request has room for; 0 where it has no form in a batch."""
        text = None if has_reference(self._listing.params) else query(params)
        return 0 if text is None else min(MAX_COMMANDS, MAX_REQUEST_BYTES // (len(text) + _ROOM_BYTES))
