"""A trigger that only waits: a task whose portal has reached a limit holds no worker meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

#: The longest sleep at once: the computer's clock may be set meanwhile.
_NAP_SECONDS = 60.0


class Bitrix24WaitTrigger(BaseTrigger):
    """
    Wait until a moment, and bring back what the task needs to go on.

    It is in the trigger and its event, because ``dag.test()`` drops what ``defer(kwargs=…)`` was given.

    :param until: Unix seconds.
    :param state: small JSON of ids, counts and digests: never a secret, nor the value of a field.
    """

    def __init__(self, until: float, state: Mapping[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.until, self.state = until, dict(state)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__name__}", {"until": self.until, "state": self.state}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while (left := self.until - self.now()) > 0:
            await self.sleep(min(left, _NAP_SECONDS))
        yield TriggerEvent({"until": self.until, "state": self.state})  # type: ignore[no-untyped-call]

    @staticmethod
    def now() -> float:
        """Unix seconds."""
        return time.time()

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
