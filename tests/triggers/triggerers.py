"""
What a triggerer does with a watcher, inside the test: it runs it, stores its events and says so.

On Airflow 3.3 the stream is Airflow's own; the wire, the portal and the watcher are real everywhere. A triggerer dies
by ``kill``: what it was about to do does not happen, and what it did stays done.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

try:
    from airflow.triggers.shared_stream import SharedStreamManager
except ImportError:
    SharedStreamManager = None

HAS_STREAMS = SharedStreamManager is not None
PATIENCE_SECONDS = 300.0


class Store:
    """The state store of one asset."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.broken = False

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        if self.broken:
            raise RuntimeError("the API server is away")
        self.values[key] = value


class Stores:
    """The state stores of the assets of one trigger, as Airflow 3.3 hands them over."""

    def __init__(self, **by_name: Store) -> None:
        self._by_name = by_name
        self._by_uri: dict[str, Store] = {}


class Asset:
    """Its events, and what is remembered of it: both outlive a triggerer."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.store = Store()

    @property
    def ids(self) -> list[str]:
        return [payload["id"] for payload in self.payloads]

    @property
    def objects(self) -> set[int]:
        return {payload["object_id"] for payload in self.payloads}


class Naps:
    """In place of sleeping: nobody waits, the portal's clock goes on, and other coroutines get their turn."""

    def __init__(self, portal: Any) -> None:
        self._portal = portal
        self.taken: list[float] = []
        #: Whoever sleeps so long never wakes up.
        self.endless: set[float] = set()

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        if seconds in self.endless:
            await asyncio.Event().wait()
        self._portal.clock.advance(seconds)
        await asyncio.sleep(0.001)

    def now(self) -> float:
        return self._portal.clock.now()


class Triggerer:
    """
    :param watched: for each trigger its assets. A trigger gets its arguments from its row, as Airflow makes it.
    :param sleep: in place of sleeping.
    """

    def __init__(self, watched: list[tuple[Any, list[Asset]]], sleep: Naps) -> None:
        self._watched = watched
        self._sleep = sleep
        self._ids = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._manager = SharedStreamManager() if HAS_STREAMS else None
        #: Stored and not yet confirmed: Airflow says so a round later.
        self._stored: list[int] = []
        self.failures: list[BaseException] = []
        self.confirms = True

    def start(self) -> None:
        for template, assets in self._watched:
            kind = type(template)
            # Under the name of the original, by which triggers of one stream know each other.
            names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
            hurried = type(
                kind.__name__,
                (kind,),
                {**names, "sleep": staticmethod(self._sleep), "clock": staticmethod(self._sleep.now)},
            )
            trigger = hurried(**template.serialize()[1])
            if HAS_STREAMS:
                trigger.asset_state_store = Stores(**{str(n): asset.store for n, asset in enumerate(assets)})
            self._tasks.append(asyncio.create_task(self._run(next(self._ids), trigger, assets)))
        self._tasks.append(asyncio.create_task(self._sync()))

    async def _run(self, number: int, trigger: Any, assets: list[Asset]) -> None:
        key = trigger.shared_stream_key() if self._manager else None
        events = trigger.run()
        if self._manager:
            stream = self._manager.subscribe(trigger_id=number, trigger=trigger, key=key)
            events = trigger.filter_shared_stream(stream)
        try:
            async for event in events:
                sequence = self._manager.bind_pending_event(trigger_id=number, key=key) if self._manager else None
                for asset in assets:
                    asset.payloads.append(event.payload)
                if sequence is not None:
                    self._stored.append(sequence)
        except Exception as error:
            self.failures.append(error)
        finally:
            await events.aclose()
            if self._manager:
                await self._manager.unsubscribe(number, key)

    async def _sync(self) -> None:
        while self._manager:
            await asyncio.sleep(0.002)
            if self.confirms:
                confirmed, self._stored = self._stored, []
                self._manager.confirm_persisted(confirmed)

    async def end(self, place: int) -> None:
        """Nobody watches these assets any more."""
        self._tasks[place].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[place]

    async def kill(self) -> None:
        """Nothing that waits is done any more: what Airflow stored last is never confirmed."""
        self.confirms = False
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._manager:
            await self._manager.stop_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                if self.failures:
                    raise self.failures[0]
                await asyncio.sleep(0.002)
