"""A trigger in an event loop of its own, while time passes at once, for it and at the portal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.triggers import poller
from airflow_provider_bitrix24.triggers.poller import Clock
from airflow_provider_bitrix24.triggers.sensor import Bitrix24SensorTrigger
from airflow_provider_bitrix24.triggers.wait import Bitrix24WaitTrigger
from tests.rest.clients import Naps


class Accelerated(Clock):
    """
    The portal's clock, which the pollers' sleeps and those of their clients set forward.

    :param happens: what happens at the portal, by the first second from the start at which it may.
    """

    def __init__(self, portal: Any, happens: dict[float, Callable[[], object]] | None = None) -> None:
        self._portal = portal
        # On the grid of all intervals, so that a test knows when rounds are.
        portal.clock.advance(3600 - portal.clock.now() % 3600 + 0.001)
        self.happens = dict(sorted((happens or {}).items()))
        self.start = portal.clock.now()
        naps = Naps(portal)
        self.client_options = {"sleep": naps, "clock": naps.now, "jitter": lambda: 1.0}

    def now(self) -> float:
        return self._portal.clock.now()

    async def sleep(self, seconds: float) -> None:
        self._portal.clock.advance(seconds)
        passed = self.now() - self.start
        for moment in [moment for moment in self.happens if moment <= passed]:
            # The portal answers in a thread of its own, and may call back here for a token.
            await asyncio.to_thread(self.happens.pop(moment))
        await asyncio.sleep(0)


def travelled(trigger: Any) -> Any:
    """The trigger as the triggerer makes it of what was stored."""
    path, arguments = trigger.serialize()
    (kind,) = [kind for kind in (Bitrix24SensorTrigger, Bitrix24WaitTrigger) if path.endswith(f".{kind.__qualname__}")]
    assert path == f"{kind.__module__}.{kind.__qualname__}"
    return kind(**json.loads(json.dumps(arguments)))


async def first_event(trigger: Any) -> Any:
    """The payload of its event, as it comes back to the task."""
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    return json.loads(json.dumps(events[0].payload))


def run(clock: Clock, monkeypatch: Any, *triggers: Any) -> list[Any]:
    """The events of triggers that run together; what they leave behind is an error."""
    monkeypatch.setattr(poller, "CLOCK", clock)
    for name in ("now", "sleep"):
        monkeypatch.setattr(Bitrix24WaitTrigger, name, staticmethod(getattr(clock, name)))

    async def main() -> list[Any]:
        before = asyncio.all_tasks()
        events = await asyncio.gather(*(first_event(travelled(trigger)) for trigger in triggers))
        assert not poller._POLLERS.get(asyncio.get_running_loop())
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        return list(events)

    return asyncio.run(asyncio.wait_for(main(), 60))
