"""Requests for the pages of one list: one page a request, or many in a batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ServerFault
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_exchange import exchange, read_answer
from airflow_provider_bitrix24.rest.batches.commands import MAX_REQUEST_BYTES, make_command
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.encoding import has_reference, query
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS, seconds_of
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.rest.lists.listing import Listing

log = logging.getLogger(__name__)

#: What a command has beside its parameters: its key, the method's name, the reference to the page before it.
_ROOM_BYTES = 256


class PageRequests:
    """
    Asks for pages of a list, and counts the requests in its report.

    :param limit: how many rows the caller wants; None for all.
    """

    def __init__(self, conversation: Conversation, listing: Listing, report: ListReport, limit: int | None) -> None:
        self._conversation, self._listing, self._report, self._limit = conversation, listing, report, limit

    def page(self, params: dict[str, Any]) -> Reply:
        """
        One page, with all that a call does.

        :raises Bitrix24Error: it could not be had.
        """
        self._report.requests += 1
        reply = self._conversation.call(self._listing.method, params, self._conversation.patience())
        self._conversation.command_costs.learn(self._listing.name, seconds_of(reply.time), reply.size)
        return reply

    def pages(self, params_of_pages: Sequence[dict[str, Any]]) -> list[Reply]:
        """
        One request for several pages, up to the first that failed.

        None at all where they have no form in a batch, or where the answer was lost or too large: the next request is
        then for half as many. Asked for by itself, a page that failed is waited for and asked for again, or raises.
        """
        method = self._listing.method
        pack = [make_command(index, method, params, references=True) for index, params in enumerate(params_of_pages)]
        if not pack or any(command.text is None for command in pack):
            return []
        self._report.requests += 1
        replies: list[Reply] = []
        try:
            answers, whole = exchange(self._conversation, pack, halt=False, repeatable=False)
        except (AnswerLost, ServerFault) as error:
            log.info("%s: a request for %d pages failed, so the next is for fewer: %s", method.name, len(pack), error)
            return []
        for command, answer in zip(pack, answers, strict=True):
            try:
                replies.append(read_answer(self._conversation, command, answer, whole))
            except Bitrix24Error:
                break
        return replies

    def wanted(self) -> int:
        """How many pages the next request should bring."""
        fit = self._conversation.command_costs.fit(self._listing.name)
        if self._limit is None:
            return fit
        return min(fit, -(-(self._limit - self._report.rows) // self._listing.rows.page_rows))

    def most(self, params: dict[str, Any]) -> int:
        """How many pages such as this one a request has room for; 0 where it has no form in a batch."""
        text = None if has_reference(self._listing.params) else query(params)
        return 0 if text is None else min(MAX_COMMANDS, MAX_REQUEST_BYTES // (len(text) + _ROOM_BYTES))
