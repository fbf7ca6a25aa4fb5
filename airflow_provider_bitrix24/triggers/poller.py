"""
One poller for each connection in a process: what its tasks wait for is asked in shared batches, 50 questions a request.

A round answers everything that is due; equal questions are asked once. Rounds stand on a grid of the clock, so that
tasks with the same interval meet in the same round whenever they began. HTTP runs in one thread for each connection.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.hooks.async_client import aget_portal, client_in_threads

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.answers.reply import Reply
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.portal import Portal
    from airflow_provider_bitrix24.triggers.watch import Question

log = logging.getLogger(__name__)

#: What came of a question.
Outcome: TypeAlias = "Reply | Bitrix24Error"

#: The poller looks this often whether something is due; what is due so soon is asked in the same round.
TICK_SECONDS = 1.0
#: Part of the operating budget that a method has used, and by how much intervals are then stretched.
STRETCHES = ((0.8, 8), (0.65, 4), (0.5, 2))


class Clock:
    """Time, as the pollers see it."""

    #: Options of the client that wait as this clock does.
    client_options: Mapping[str, Any] = {}

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


#: The clock of pollers that begin from now on.
CLOCK = Clock()
#: By event loop, then by connection id.
_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


@contextmanager
def polling(conn_id: str) -> Iterator[Poller]:
    """The poller of a connection; it begins with the first task that waits, and ends with the last."""
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(conn_id)
    if poller is None:
        poller = pollers[conn_id] = Poller(conn_id)
    poller.users += 1
    try:
        yield poller
    finally:
        poller.users -= 1
        if not poller.users:
            del pollers[conn_id]
            poller.end()


class Poller:
    """
    Asks what tasks wait for at one portal.

    :param conn_id: the connection's id; it is read before each round, since somebody may have edited it.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id, self.clock = conn_id, CLOCK
        self.users = 0
        #: By how much intervals are stretched.
        self.stretch = 1
        self._waiting: dict[asyncio.Future[Outcome], tuple[float, Question]] = {}
        self._portal: Portal | None = None
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bitrix24_poller")
        # In a context of its own: that of the first task would put the log of all into the log of one.
        self._task: asyncio.Task[None] = Context().run(asyncio.get_running_loop().create_task, self._run())

    def next_round(self, interval_seconds: float) -> float:
        """The moment, in Unix seconds, of the next round of those who look so often."""
        step = max(interval_seconds, TICK_SECONDS) * self.stretch
        return (math.floor(self.clock.now() / step) + 1) * step

    async def ask(self, question: Question, at: float) -> Outcome:
        """
        The answer to a question, or the error in its place.

        :param at: when to ask, in Unix seconds.
        """
        asked: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[asked] = at, question
        try:
            return await asked
        finally:
            # Also of a task that is cancelled.
            self._waiting.pop(asked, None)

    def end(self) -> None:
        """Ask nothing more; a request that is under way is not called back."""
        self._task.cancel()
        if self._client is not None:
            self._client.stop()
            self._thread.submit(self._client.close)
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        while True:
            now = self.clock.now()
            soonest = min((at for at, _ in self._waiting.values()), default=math.inf)
            if soonest > now:
                await self.clock.sleep(min(TICK_SECONDS, soonest - now))
                continue
            due = {asked: question for asked, (at, question) in self._waiting.items() if at <= now + TICK_SECONDS}
            answers = await self._round(list(dict.fromkeys(due.values())))
            for asked, question in due.items():
                self._waiting.pop(asked, None)
                if not asked.done():
                    asked.set_result(answers[question])

    async def _round(self, questions: Sequence[Question]) -> Mapping[Question, Outcome]:
        try:
            client = await self._connected()
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self._thread, _ask_all, client, questions)
            self._stretch_by(client.operating_share({question.method for question in questions}))
        except Bitrix24Error as error:
            return dict.fromkeys(questions, error)
        except Exception as error:
            # What Airflow raises where its database or its supervisor does not answer.
            log.debug("A round failed.", exc_info=True)
            failure = Bitrix24Error(
                f"connection {self.conn_id!r} could not be asked: {type(error).__name__}", retryable=True
            )
            return dict.fromkeys(questions, failure)
        return answers

    async def _connected(self) -> Client:
        # One request after the other: nobody hurries who waits, and others use the portal too.
        portal = replace(await aget_portal(self.conn_id), parallel=1)
        if self._client is None or portal != self._portal:
            if self._client is not None:
                self._client.close()
            self._portal = portal
            self._client = client_in_threads(portal, self.conn_id, **self.clock.client_options)
        return self._client

    def _stretch_by(self, share: float) -> None:
        stretch = next((factor for above, factor in STRETCHES if share > above), 1)
        if stretch != self.stretch:
            log.warning(
                "Connection %s: %.0f %% of the operating budget is used, so waiting tasks look %s.",
                self.conn_id,
                share * 100,
                "as often as they are set to" if stretch == 1 else f"{stretch} times less often",
            )
            self.stretch = stretch


def _ask_all(client: Client, questions: Sequence[Question]) -> dict[Question, Outcome]:
    if len(questions) == 1:
        (question,) = questions
        try:
            return {question: client.ask(question.method, question.params)}
        except Bitrix24Error as error:
            return {question: error}
    try:
        done = client.batch(
            {question: (question.method, question.params) for question in questions},
            # They were checked before they began to wait.
            check_fields=False,
        )
    except ConfigurationError:
        # One of them cannot be sent, and none was: the others must not suffer.
        middle = len(questions) // 2
        return {**_ask_all(client, questions[:middle]), **_ask_all(client, questions[middle:])}
    except Bitrix24Error as error:
        return dict.fromkeys(questions, error)
    return {**done.replies, **done.errors}
