"""
Triggers that watch a portal for ever, and how each Airflow lets them acknowledge.

Airflow 3.3: all triggers of one stream share one loop (:meth:`WatcherTrigger.shared_stream_key`), and Airflow says when
the events of a change are stored (:class:`Producer`). Airflow 3.0 to 3.2 does not say it: :meth:`WatcherTrigger.run`
gives it time.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from airflow_provider_bitrix24._compat import BaseEventTrigger, TriggerEvent
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.triggers.change_loop import Change, ChangeLoop, Source
from airflow_provider_bitrix24.triggers.progress import StateStore, stores_of

#: How long the first listener of a stream waits for others: what is read before they are there, they would miss.
JOIN_SECONDS = 5.0
#: How long an Airflow that does not say it has to store an event. It needs two rounds of its triggerer, a second each.
STORE_SECONDS = 10.0


class Audience:
    """The triggers of this process that listen to one stream now."""

    def __init__(self) -> None:
        self.triggers: list[WatcherTrigger] = []

    @contextmanager
    def joined_by(self, trigger: WatcherTrigger) -> Iterator[None]:
        self.triggers.append(trigger)
        try:
            yield
        finally:
            self.triggers.remove(trigger)

    def stores(self) -> list[StateStore]:
        return [store for trigger in self.triggers for store in stores_of(getattr(trigger, "asset_state_store", None))]

    def interval(self) -> float:
        return min((trigger.poll_interval for trigger in self.triggers), default=JOIN_SECONDS)


class WatcherTrigger(BaseEventTrigger):
    """
    Fires an event for each change, for ever. Only for asset watchers, Airflow 3.0 or newer.

    :param bitrix24_conn_id: the connection.
    :param poll_interval: seconds between two questions while there is no news.
    """

    _audiences: ClassVar[dict[Hashable, Audience]] = {}

    def __init__(self, bitrix24_conn_id: str, poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(bitrix24_conn_id, str) or nothing_hint(bitrix24_conn_id):
            raise ConfigurationError(
                f"bitrix24_conn_id is {preview(bitrix24_conn_id)}",
                next_step="write the id of a connection, e.g. 'bitrix24_default'",
            )
        if isinstance(poll_interval, bool) or not isinstance(poll_interval, (int, float)) or not poll_interval >= 1:
            raise ConfigurationError(f"poll_interval must be a number of seconds, 1 or more, not {poll_interval!r}")
        self.bitrix24_conn_id = bitrix24_conn_id
        self.poll_interval = poll_interval

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Wait without holding anything up. With :meth:`clock`, what a test may replace."""
        await asyncio.sleep(seconds)

    @staticmethod
    def clock() -> float:
        """Seconds that only grow."""
        return time.monotonic()

    @abstractmethod
    def stream(self) -> tuple[str, ...]:
        """What triggers that share a loop have in common."""

    @abstractmethod
    def wants(self, payload: dict[str, Any]) -> bool:
        """Whether a change of the stream is for this trigger."""

    @abstractmethod
    def source(self, audience: Audience) -> Source:
        """Make the source. Called in a thread: what it imports would hold up the event loop."""

    def shared_stream_key(self) -> Hashable:
        """Airflow 3.3: triggers with the same key share a loop."""
        return (f"{type(self).__module__}.{type(self).__qualname__}", *self.stream())

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """Airflow 3.3: make the loop, which is asked to acknowledge what has been stored."""
        return Producer(cls(**kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Airflow 3.3: pick this trigger's changes."""
        with self.audience().joined_by(self):
            async for payload in shared_stream:
                if self.wants(payload):
                    yield self._event(payload)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Airflow 3.0 to 3.2: a loop for each trigger."""
        label, audience = self.label(), self.audience()
        if any(self.overlaps(other) for other in audience.triggers):
            await self.sleep(STORE_SECONDS)
            raise ConfigurationError(
                f"{label}: another trigger reads the same events of the same queue, and each would get a part of them",
                next_step="give both assets one trigger with the same arguments, or give each a connector of its own "
                "(Airflow 3.3 and newer share them)",
            )
        alone = Audience()
        with audience.joined_by(self), alone.joined_by(self):
            source = await asyncio.to_thread(self.source, alone)
            try:
                async for changes in ChangeLoop(source, alone.interval, label, sleep=self.sleep).batches():
                    for change in changes:
                        yield self._event(change.payload)
                    await self.sleep(STORE_SECONDS)
                    await source.acknowledge(changes)
            finally:
                await source.forget_client()

    def _event(self, payload: dict[str, Any]) -> TriggerEvent:
        """Two portals number their events alike: only the connection tells them apart."""
        event: TriggerEvent = TriggerEvent({**payload, "bitrix24_conn_id": self.bitrix24_conn_id})  # type: ignore[no-untyped-call]
        return event

    def overlaps(self, other: WatcherTrigger) -> bool:
        """Whether two triggers of one stream would take changes from each other."""
        return False

    def label(self) -> str:
        return f"{type(self).__name__}({', '.join(filter(None, self.stream()))})"

    def audience(self) -> Audience:
        """Who listens to the same stream in this process."""
        return self._audiences.setdefault(self.shared_stream_key(), Audience())


class Producer:
    """
    The loop of a stream on Airflow 3.3: what Airflow calls a ``SharedStreamProducer``.

    It hands over a batch, waits until Airflow has stored what its listeners made of it, and then goes on.
    """

    def __init__(self, trigger: WatcherTrigger) -> None:
        self._trigger = trigger
        self._source: Source | None = None
        self._outstanding = 0
        self._resolved = asyncio.Event()

    async def open_stream(self) -> AsyncIterator[tuple[dict[str, Any], Change]]:
        trigger, audience = self._trigger, self._trigger.audience()
        source = self._source = await asyncio.to_thread(trigger.source, audience)
        await trigger.sleep(min(JOIN_SECONDS, audience.interval()))
        async for changes in ChangeLoop(source, audience.interval, trigger.label(), sleep=trigger.sleep).batches():
            self._outstanding = len(changes)
            self._resolved.clear()
            for change in changes:
                yield change.payload, change
            await self._resolved.wait()

    def get_advance_lane(self, broker_payload: Change) -> Hashable:
        """One lane: in the order in which they were handed over."""
        return None

    async def advance(self, batch: Sequence[Any]) -> None:
        """Airflow calls this when the fate of changes is known. An exception here would end the stream."""
        stored = [item.broker_payload for item in batch if item.outcome.is_clean]
        lost = [item.broker_payload for item in batch if not item.outcome.is_clean]
        if self._source is not None:
            self._source.put_back(lost)
            await self._source.acknowledge(stored)
        self._outstanding -= len(batch)
        if self._outstanding <= 0:
            self._resolved.set()

    async def aclose(self) -> None:
        if self._source is not None:
            await self._source.forget_client()
