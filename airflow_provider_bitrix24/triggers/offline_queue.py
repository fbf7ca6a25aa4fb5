"""
The offline queue as a source of changes: at least once, and none lost.

Rows are taken with ``clear=0``: the portal keeps them, reserved under a process id, until they are cleared. The process
id is remembered before any of its rows is handed over; if even that fails, the portal names it when it is asked for
reserved rows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from airflow_provider_bitrix24.exceptions import AnswerLost
from airflow_provider_bitrix24.hooks.async_client import aget_client
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.triggers.change_loop import PATIENCE_SECONDS, WINDOW, Change
from airflow_provider_bitrix24.triggers.progress import Progress, State
from airflow_provider_bitrix24.triggers.queue_calls import QueueCalls, QueueRow

log = logging.getLogger(__name__)

#: How long rows stay reserved by somebody unknown before they are taken over: another triggerer may be at work.
ADOPT_SECONDS = 600.0


class Receipt(NamedTuple):
    process_id: str
    row_id: int
    event: str


class OfflineQueue:
    """
    :param events: names of the events that somebody listens to now, in upper case.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        conn_id: str,
        connector: str,
        events: Callable[[], Collection[str]],
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conn_id = conn_id
        self._connector = connector
        self._events = events
        self._progress = progress
        self._clock = clock
        self._client: Client | None = None
        self._bound: set[str] = set()
        self._resumed = False
        #: Taken and neither handed over nor given up.
        self._ready: list[Change] = []
        #: Rows of each process that are not cleared yet.
        self._rows: defaultdict[str, set[int]] = defaultdict(set)
        #: Stored by Airflow, and not cleared yet.
        self._done: defaultdict[str, set[int]] = defaultdict(set)
        #: Process ids that nobody here knows, and when they were first seen.
        self._strangers: dict[str, float] = {}
        self._looked_at: float | None = None
        self._answer_lost = False

    async def take(self) -> list[Change]:
        calls, events = await self._calls(), set(self._events())
        await self._bind(calls, events)
        if not self._resumed:
            await self._resume(calls)
            self._resumed = True
        await self._clear(calls)
        await self._look_for_strangers(calls, events)
        if not self._wanted(events):
            await self._reserve(calls, events)
        wanted = self._wanted(events)[:WINDOW]
        if wanted:
            # Before anything else is done with them.
            await self._progress.save(self._state())
            taken = {change.receipt for change in wanted}
            self._ready = [change for change in self._ready if change.receipt not in taken]
        return wanted

    async def acknowledge(self, changes: Sequence[Change]) -> None:
        events = set(self._events())
        # Whoever listened to these is gone: they wait for its return.
        self.put_back([change for change in changes if change.receipt.event not in events])
        for change in changes:
            if change.receipt.event in events:
                self._done[change.receipt.process_id].add(change.receipt.row_id)
        try:
            # Until they are cleared: a triggerer that dies in between does not hand them over again.
            await self._progress.save(self._state())
            await self._clear(await self._calls())
        except Exception as error:
            log.warning("Acknowledged rows of the offline queue are cleared later: %s", error)
            await self.forget_client()

    def put_back(self, changes: Sequence[Change]) -> None:
        self._ready += [change.again() for change in changes]

    async def forget_client(self) -> None:
        client, self._client = self._client, None
        self._bound.clear()
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _calls(self) -> QueueCalls:
        if self._client is None:
            self._client = await aget_client(self._conn_id, patience_seconds=PATIENCE_SECONDS)
        return QueueCalls(self._client, self._connector)

    async def _bind(self, calls: QueueCalls, events: set[str]) -> None:
        if events <= self._bound:
            return
        bound = await asyncio.to_thread(calls.bound)
        for event in sorted(events - bound):
            await asyncio.to_thread(calls.bind, event)
        self._bound = bound | events

    async def _resume(self, calls: QueueCalls) -> None:
        """Go on where the watcher before this one was: for each asset at the row where it was."""
        states = await self._progress.load()
        done = [{number for number in state.get("done", []) if isinstance(number, int)} for state in states]
        done_for_all = set.intersection(*done) if done else set()
        for process_id in sorted({str(name) for state in states for name in state.get("processes", [])}):
            await self._read_again(calls, process_id, done_for_all)

    async def _read_again(self, calls: QueueCalls, process_id: str, done: Collection[int] = ()) -> None:
        rows = await asyncio.to_thread(calls.reserved, process_id, WINDOW)
        self._keep(process_id, rows)
        for row in rows:
            if row.id in done:
                self._done[process_id].add(row.id)
        self._ready = [
            change.again() if change.receipt.process_id == process_id else change
            for change in self._ready
            if change.receipt.row_id not in self._done.get(change.receipt.process_id, ())
        ]

    async def _look_for_strangers(self, calls: QueueCalls, events: set[str]) -> None:
        """Take over what somebody reserved and left: a watcher that died before it could remember the process id."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < ADOPT_SECONDS and not self._answer_lost:
            return
        unknown = await asyncio.to_thread(calls.unfinished, events) - set(self._rows) if events else set()
        for process_id in sorted(unknown):
            # A lost answer to our own reservation is the likely reason for a new one.
            if self._answer_lost or now - self._strangers.get(process_id, now) >= ADOPT_SECONDS:
                log.warning("Taking over rows of the offline queue that were left reserved")
                await self._read_again(calls, process_id)
        self._strangers = {name: self._strangers.get(name, now) for name in unknown - set(self._rows)}
        self._looked_at, self._answer_lost = now, False

    async def _reserve(self, calls: QueueCalls, events: set[str]) -> None:
        if not events:
            return
        room = WINDOW
        for event in sorted(await asyncio.to_thread(calls.waiting, events) & events):
            if room <= 0:
                break
            try:
                process_id, rows = await asyncio.to_thread(calls.reserve, event, room)
            except AnswerLost:
                self._answer_lost = True
                raise
            self._keep(process_id, rows)
            room -= len(rows)

    def _keep(self, process_id: str, rows: Sequence[QueueRow]) -> None:
        for row in rows:
            if row.id not in self._rows[process_id]:
                self._rows[process_id].add(row.id)
                self._ready.append(Change(row.payload(), Receipt(process_id, row.id, row.event)))
        if not self._rows[process_id]:
            del self._rows[process_id]

    async def _clear(self, calls: QueueCalls) -> None:
        for process_id in sorted(self._done):
            ids = self._done[process_id]
            if ids:
                await asyncio.to_thread(calls.clear, process_id, sorted(ids))
            self._rows[process_id] -= ids
            del self._done[process_id]
            if not self._rows[process_id]:
                del self._rows[process_id]

    def _wanted(self, events: Collection[str]) -> list[Change]:
        return [change for change in self._ready if change.receipt.event in events]

    def _state(self) -> State:
        return {
            "processes": sorted(self._rows),
            "done": sorted({number for ids in self._done.values() for number in ids}),
        }
