"""Operators and a trigger that use a token pair at moments that a test chooses."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bitrix24._compat import BaseOperator
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.hooks.async_client import aget_client
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook


class Rounds(BaseOperator):
    """Connects to the test, calls ``profile`` for each line that it hears, and tells the user id or the error."""

    def __init__(self, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> int:
        hook, count = Bitrix24Hook(), 0
        with socket.create_connection(("127.0.0.1", int(os.environ["BITRIX24_TEST_PORT"]))) as conductor:
            for _ in conductor.makefile():
                try:
                    result = hook.call("profile")["ID"]
                except Bitrix24Error as error:
                    result = f"{error}"
                conductor.sendall(f"{result}\n".encode())
                count += 1
        return count


class ProfileTrigger(BaseTrigger):
    """Says whose token it is, ``calls`` times at once."""

    def __init__(self, conn_id: str, calls: int = 1) -> None:
        super().__init__()
        self.conn_id, self.calls = conn_id, calls

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {"conn_id": self.conn_id, "calls": self.calls}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            client = await aget_client(self.conn_id)
            called = (asyncio.to_thread(client.call, "profile") for _ in range(self.calls))
            yield TriggerEvent({"users": [answer["ID"] for answer in await asyncio.gather(*called)]})
        except Bitrix24Error as error:
            yield TriggerEvent({"error": str(error)})


class DeferredProfile(BaseOperator):
    """Defers to :class:`ProfileTrigger` and returns what it found."""

    def __init__(self, conn_id: str = "bitrix24_default", calls: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id, self.calls = conn_id, calls

    def execute(self, context: Any) -> None:
        self.defer(trigger=ProfileTrigger(self.conn_id, self.calls), method_name="resume")

    def resume(self, context: Any, event: dict[str, Any], **_: Any) -> list[str]:
        return event["users"]
