"""fast_bitrix24, a community client: asynchronous, up to 50 requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import aiohttp
from fast_bitrix24 import BitrixAsync


class Subject(ExitStack):
    def __init__(self, webhook: str, *, limited: bool) -> None:
        super().__init__()
        limits = {} if limited else {"request_pool_size": 1_000_000, "requests_per_second": 1e6}
        self._run = self.enter_context(asyncio.Runner()).run
        # With a session of the caller's own it keeps its connections from call to call.
        session = self._run(_session())
        self.callback(lambda: self._run(session.close()))
        self._client = BitrixAsync(webhook, verbose=False, client=session, **limits)

    def calls(self, deal_ids: Sequence[int]) -> list[str]:
        async def one_by_one() -> list[str]:
            return [
                (await self._client.call("crm.deal.get", {"id": deal_id}, raw=True))["result"]["ID"]
                for deal_id in deal_ids
            ]

        return self._run(one_by_one())

    def rows(self) -> list[dict[str, Any]]:
        """In no order, and all at once: it does not stream."""
        found: list[dict[str, Any]] = self._run(self._client.get_all("crm.deal.list"))
        return found

    def delete(self, payment_ids: Sequence[int]) -> int:
        items = [{"id": payment_id} for payment_id in payment_ids]
        return sum(answer is True for answer in self._run(self._client.call("crm.item.payment.delete", items)))


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(raise_for_status=True)
