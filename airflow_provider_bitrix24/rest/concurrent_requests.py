"""
Several requests of one list or batch under way at once, each in a thread and on a kept-alive connection of its own.

How many there may be is found in ``limits/concurrency.py``; the bucket of the portal and the permits of the host bound
it too. A request that has none beside it needs no permit, so a task always gets on.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event, Thread, current_thread
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
from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency
from airflow_provider_bitrix24.rest.retry import Patience

T = TypeVar("T")

#: How long a sleep may outlast :meth:`ConcurrentRequests.close`.
_NAP_SECONDS = 0.5
#: A request has so long to be answered before others are sent beside it: a portal that answers at once is asked one by
#: one, over one connection.
AT_ONCE_SECONDS = 0.03
#: How long to wait at least before the bucket is asked again.
_LEAST_WAIT_SECONDS = 0.005


class Place:
    """
    Room for one more request, whatever becomes of the others; given back with its answer.

    :param commands: methods, with how often the request calls each.
    :param free_permit: None for the request that needs no permit.
    """

    def __init__(
        self,
        submit: Callable[[Callable[[], Any]], Future[Any]],
        commands: Counter[str],
        free_permit: Callable[[], object] | None,
    ) -> None:
        self._submit = submit
        self.commands, self.free_permit = commands, free_permit
        #: None until the request is sent.
        self.future: Future[Any] | None = None
        self._thread: Thread | None = None
        self._is_done = Event()

    def start(self, send: Callable[[], T]) -> Future[T]:
        """Send the request in a thread."""
        self.future = future = self._submit(partial(self._run, send))
        return future

    def _run(self, send: Callable[[], T]) -> T:
        self._thread = current_thread()
        try:
            return send()
        finally:
            self._is_done.set()

    def end(self) -> None:
        """Wait until the thread is not needed any more, if it has begun."""
        if self._thread is not None:
            # An exception in the middle of join() would leave a thread that counts as ended.
            self._is_done.wait()
            self._thread.join()


class ConcurrentRequests:
    """
    Requests under way, until :meth:`close`: use it as a context manager, by one thread.

    :param conversation: what they are sent with.
    :param concurrency: how many there may be; by default what the client has found for all of its requests.
    """

    def __init__(self, conversation: Conversation, concurrency: Concurrency | None = None) -> None:
        self._conversation = conversation
        self._concurrency = concurrency or conversation.concurrency
        self._executor: ThreadPoolExecutor | None = None
        self._places: list[Place] = []
        #: The methods of requests whose answers have not been taken: nothing has been learned from them.
        self._untaken: dict[Future[Any], Counter[str]] = {}
        #: Since when there are any.
        self._since = -math.inf
        #: How long until one more may be sent, where the last place was refused for a time that is known.
        self._seconds_to_place: float | None = None
        #: Whether it is the bucket that keeps the number of requests low.
        self.is_held_back = False
        self._is_closed = False

    def __enter__(self) -> ConcurrentRequests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def are_under_way(self) -> bool:
        """Whether there is one at least."""
        return bool(self._places)

    @property
    def are_answered(self) -> bool:
        """Whether one was answered well so far."""
        return self._concurrency.is_known

    @property
    def are_most(self) -> bool:
        """Whether as many are under way as the portal is known to take."""
        self._give_back()
        return len(self._places) >= self._concurrency.number

    @property
    def come_at_once(self) -> bool:
        """Whether none is under way, and the last answer came before another request would have been sent."""
        self._give_back()
        return not self._places and self._concurrency.last_seconds < AT_ONCE_SECONDS

    @property
    def unread_seconds(self) -> dict[str, float]:
        """By method, about the operating time of requests whose answers have not been taken."""
        costs = self._conversation.command_costs
        commands = sum(self._untaken.values(), Counter[str]())
        return {name: number * costs.seconds(name) for name, number in commands.items()}

    def stay_alone(self) -> bool:
        """Whether what is under way still has time to be answered at once: :meth:`wait` then ends with that time."""
        seconds = self._since + AT_ONCE_SECONDS - time.monotonic()
        if not self._places or seconds <= 0:
            return False
        self._seconds_to_place = seconds
        return True

    def patience(self) -> Patience:
        """An allowance of sleeping for one request, which ends with :meth:`close`."""
        return self._conversation.patience(self._sleep)

    def start(self, send: Callable[[], T], methods: Sequence[str]) -> Future[T] | None:
        """
        Send a request in a thread, if one more may be under way now.

        :param send: what sends it.
        :param methods: of each of its commands.
        :return: None where it may not; the only request always may, if every answer before it has been taken.
        """
        place = self.place(methods)
        if place is None:
            return None
        future = place.start(send)
        self._untaken[future] = place.commands
        return future

    def sent(self, send: Callable[[], T], commands: int) -> T:
        """
        Send a request that none is beside, and wait for its answer; a thread would take longer than it does.

        :raises Bitrix24Error: it failed.
        """
        return self._measured(send, commands, 0)

    def result(self, future: Future[T]) -> T:
        """
        Take what a request has brought that was started here.

        :raises Bitrix24Error: it failed.
        """
        self._untaken.pop(future, None)
        failure = future.exception()
        if isinstance(failure, Bitrix24Error):
            # Raised by the future itself, it would hold the frames of all callers, and the future in one of them: a
            # circle with the rows of an answer in it.
            raise failure.but()
        return future.result()

    def forget(self, future: Future[Any]) -> None:
        """Let go of the answer to a request that was started here and is not wanted any more."""
        self._untaken.pop(future, None)

    def place(self, methods: Sequence[str]) -> Place | None:
        """
        Room for a request, for a caller who has something to do before it is sent; see :meth:`start`.

        It counts as under way from now on.
        """
        commands = Counter(methods)
        free_permit: Callable[[], object] | None = None
        self._seconds_to_place = None
        self._give_back()
        is_beside = bool(self._places)
        # Answers that were not taken count too, though their requests are not under way any more.
        if (is_beside or self._untaken) and not self._has_time_for(commands):
            return None
        if not is_beside:
            self._since = time.monotonic()
        else:
            if self.are_most:
                return None
            if self.stay_alone():
                return None
            has_one_without_permit = any(place.free_permit is None for place in self._places)
            if has_one_without_permit and (free_permit := self._permit()) is None:
                return None
        # Taken here and not by the thread, so that the next one does not count on the same slot.
        slot, seconds = self._conversation.slots.take_free()
        self.is_held_back |= slot is None
        if is_beside and slot is None:
            self._seconds_to_place = seconds
            if free_permit is not None:
                free_permit()
            return None
        place = Place(partial(self._submit, len(methods), slot), commands, free_permit)
        self._places.append(place)
        if self.are_most:
            self.is_held_back = False
        return place

    def wait(self) -> None:
        """Wait until one of the requests under way has its answer or has failed, or until one more may be sent."""
        seconds = None if self._seconds_to_place is None else max(_LEAST_WAIT_SECONDS, self._seconds_to_place)
        self._seconds_to_place = None
        under_way = [place.future for place in self._places if place.future]
        wait(under_way, timeout=seconds, return_when=FIRST_COMPLETED)
        self._give_back()

    def wait_for_all(self) -> None:
        """Wait until none is under way, so that a request that is sent by itself has none beside it."""
        wait([place.future for place in self._places if place.future])
        self._give_back()

    def close(self) -> None:
        """Send nothing more, and wait for the answers of what is under way."""
        self._is_closed = True
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            # The executor does not know of a thread whose start was interrupted by a signal.
            for place in self._places:
                place.end()
            self._executor.shutdown(wait=True)
            self._executor = None
        self._give_back()

    def _submit(self, commands: int, slot: float | None, send: Callable[[], T]) -> Future[T]:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._concurrency.most, "bitrix24")
        if slot is not None:
            send = partial(self._conversation.slots.given_to, send, slot)
        return self._executor.submit(self._measured, send, commands, len(self._places) - 1)

    def _give_back(self) -> None:
        """Free the permits of requests that have ended, and of those that will not be sent any more."""
        for place in list(self._places):
            if self._is_closed if place.future is None else place.future.done():
                self._places.remove(place)
                if place.free_permit is not None:
                    place.free_permit()

    def _permit(self) -> Callable[[], object] | None:
        portal = self._conversation.portal
        return self._conversation.bucket.take_permit(portal.parallel - 1)

    def _has_time_for(self, commands: Counter[str]) -> bool:
        """Whether these commands and those that were sent leave every method enough operating time."""
        costs = self._conversation.command_costs
        under_way = [place.commands for place in self._places if place.future not in self._untaken]
        together = sum([*under_way, *self._untaken.values()], commands)
        return self._conversation.operating.has_time_for(
            {name: number * costs.seconds(name) for name, number in together.items()}
        )

    def _measured(self, send: Callable[[], T], commands: int, beside: int) -> T:
        concurrency = self._concurrency
        ticket, began = concurrency.begin(commands, beside), self._conversation.monotonic()
        try:
            sent = send()
        except Bitrix24Error as error:
            if shows_trouble(error):
                concurrency.failed(ticket)
            raise
        seconds = self._conversation.monotonic() - began
        # Those that were sent later slowed it too.
        under_way = sum(place.future is not None and not place.future.done() for place in list(self._places))
        concurrency.answered(ticket, seconds, under_way - 1)
        return sent

    def _sleep(self, seconds: float) -> None:
        while seconds > 0:
            if self._is_closed:
                raise TaskStopped("not sent again: the call has ended")
            self._conversation.sleep(min(seconds, _NAP_SECONDS))
            seconds -= _NAP_SECONDS


def shows_trouble(error: Bitrix24Error) -> bool:
    """Whether the portal may be overwhelmed by what is under way."""
    if isinstance(error, QueryLimitExceeded):
        # Without a status it was held back by us, not refused by the portal.
        return error.status is not None
    return isinstance(error, (ServerFault, NotSent)) or (isinstance(error, AnswerLost) and not error.too_much)
