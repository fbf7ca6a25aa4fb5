"""Operators, and the trigger that waits for limits, on the portal's clock: hours pass at once, and nobody waits."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.triggers.wait import Bitrix24WaitTrigger
from tests.rest.clients import Naps

#: As it is outside of tests.
_HOW_TO_WAIT = Bitrix24BaseOperator.how_to_wait


class Blocks(Naps):
    """
    A clock on which a blocked method is free after a wait, until it is blocked again.

    :param after: calls of the method before each block.
    """

    def __init__(self, portal: Sandbox, method: str, *after: int) -> None:
        super().__init__(portal)
        self._portal_of_blocks, self._method, self._after = portal, method, list(after)
        self._fault: Any = None
        self._block()

    def _block(self) -> None:
        self._portal_of_blocks.clear_faults()
        self._fault = None
        if self._after:
            after = self._after.pop(0)
            self._fault = self._portal_of_blocks.fault("operation_time_limit", self._method, after=after, times=None)

    def __call__(self, seconds: float) -> None:
        super().__call__(seconds)
        if seconds > 30 and self._fault is not None and self._fault.hits:
            self._block()


def accelerated(operator: type, naps: Naps) -> type:
    """The same operator on this clock."""

    class Hook(Bitrix24Hook):
        def get_conn(self) -> Client:
            return Client(self.get_portal(), sleep=naps, clock=naps.now, bucket=LocalBucket(naps.monotonic))

    own = {
        "hook": property(lambda self: Hook(self.bitrix24_conn_id)),
        "sleep": lambda self, seconds: naps(seconds),
        "now": staticmethod(naps.now),
        "how_to_wait": _HOW_TO_WAIT,
    }
    return type(operator.__name__, (operator,), own)


def accelerate_trigger(naps: Naps, monkeypatch: pytest.MonkeyPatch) -> list[Bitrix24WaitTrigger]:
    """The trigger on this clock; return those that have run, as their own serialization makes them again."""
    ran: list[Any] = []
    run = Bitrix24WaitTrigger.run

    async def sleep(seconds: float) -> None:
        naps(seconds)

    async def recorded(self: Bitrix24WaitTrigger) -> Any:
        _, kwargs = self.serialize()
        ran.append(Bitrix24WaitTrigger(**kwargs))
        async for event in run(ran[-1]):
            yield event

    monkeypatch.setattr(Bitrix24WaitTrigger, "sleep", staticmethod(sleep))
    monkeypatch.setattr(Bitrix24WaitTrigger, "now", staticmethod(naps.now))
    monkeypatch.setattr(Bitrix24WaitTrigger, "run", recorded)
    return ran
