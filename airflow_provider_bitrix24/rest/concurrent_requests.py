"""
Several requests of one list or batch under way at once, each in a thread and on a kept-alive connection of its own.

How many there may be is found in ``limits/concurrency.py``; the bucket of the portal and the permits of the host bound
it too. A request that has none beside it needs no permit, so a task always gets on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    NotSent,
    QueryLimitExceeded,
    ServerFault,
    TaskStopped,
)
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.retry import Patience

T = TypeVar("T")

#: How long a sleep may outlast :meth:`ConcurrentRequests.close`.
_NAP_SECONDS = 0.5


class ConcurrentRequests:
    """
    Requests under way, until :meth:`close`: use it as a context manager, by one thread.

    :param conversation: what they are sent with.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._executor: ThreadPoolExecutor | None = None
        #: Each request under way, with what frees its permit: None for the one that needs none.
        self._under_way: dict[Future[Any], tuple[Callable[[], object] | None, Counter[str]]] = {}
        self._is_closed = False

    def __enter__(self) -> ConcurrentRequests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def are_most(self) -> bool:
        """Whether as many are under way as the portal is known to take."""
        self._free_permits()
        return len(self._under_way) >= self._conversation.concurrency.number

    def patience(self) -> Patience:
        """An allowance of sleeping for one request, which ends with :meth:`close`."""
        return self._conversation.patience(self._sleep)

    def start(self, send: Callable[[], T], methods: Sequence[str]) -> Future[T] | None:
        """
        Send a request in a thread, if one more may be under way now.

        :param send: what sends it.
        :param methods: of each of its commands.
        :return: None where it may not; the only request always may.
        """
        commands = Counter(methods)
        permit: Callable[[], object] | None = None
        self._free_permits()
        if self._under_way:
            conversation = self._conversation
            if self.are_most or not self._has_time_for(commands):
                return None
            # With a patience below 0 nothing is taken: a request that would have to wait is not sent beside others.
            if conversation.bucket.reserve(conversation.portal.bucket, -1.0) > 0:
                return None
            has_one_without_permit = any(free_permit is None for free_permit, _ in self._under_way.values())
            if has_one_without_permit and (permit := self._permit()) is None:
                return None
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._conversation.concurrency.most, "bitrix24")
        future = self._executor.submit(self._measured, send, len(methods))
        self._under_way[future] = (permit, commands)
        return future

    def wait(self) -> None:
        """Wait until one of the requests under way has its answer, or has failed."""
        wait(self._under_way, return_when=FIRST_COMPLETED)
        self._free_permits()

    def close(self) -> None:
        """Send nothing more, and wait for the answers of what is under way."""
        self._is_closed = True
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
        self._free_permits()

    def _free_permits(self) -> None:
        for future in [future for future in self._under_way if future.done()]:
            permit, _ = self._under_way.pop(future)
            if permit is not None:
                permit()

    def _permit(self) -> Callable[[], object] | None:
        portal = self._conversation.portal
        return self._conversation.bucket.take_permit(portal.parallel - 1)

    def _has_time_for(self, commands: Counter[str]) -> bool:
        """Whether these commands and those under way leave every method enough operating time."""
        costs = self._conversation.command_costs
        together = sum((under_way for _, under_way in self._under_way.values()), commands)
        return self._conversation.operating.has_time_for(
            {name: number * costs.seconds(name) for name, number in together.items()}
        )

    def _measured(self, send: Callable[[], T], commands: int) -> T:
        concurrency = self._conversation.concurrency
        ticket, began = concurrency.begin(commands), time.monotonic()
        try:
            sent = send()
        except Bitrix24Error as error:
            if _shows_trouble(error):
                concurrency.failed(ticket)
            raise
        concurrency.answered(ticket, time.monotonic() - began)
        return sent

    def _sleep(self, seconds: float) -> None:
        while seconds > 0:
            if self._is_closed:
                raise TaskStopped("not sent again: the call has ended")
            self._conversation.sleep(min(seconds, _NAP_SECONDS))
            seconds -= _NAP_SECONDS


def _shows_trouble(error: Bitrix24Error) -> bool:
    """Whether the portal may be overwhelmed by what is under way."""
    if isinstance(error, QueryLimitExceeded):
        # Without a status it was held back by us, not refused by the portal.
        return error.status is not None
    return isinstance(error, (ServerFault, NotSent)) or (isinstance(error, AnswerLost) and not error.too_much)
