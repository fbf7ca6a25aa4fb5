"""fast_bitrix24, the best-known community client: asynchronous, up to 50 requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
from fast_bitrix24 import Bitrix, BitrixAsync

_UNLIMITED: dict[str, Any] = {"request_pool_size": 1_000_000, "requests_per_second": 1_000_000.0}


def calls(webhook: str, deal_ids: Sequence[int], *, limited: bool) -> list[str]:
    return asyncio.run(_calls(webhook, deal_ids, {} if limited else _UNLIMITED))


async def _calls(webhook: str, deal_ids: Sequence[int], limits: dict[str, Any]) -> list[str]:
    # With a session of the caller's own it keeps its connection from call to call.
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        client = BitrixAsync(webhook, verbose=False, client=session, **limits)
        answers = [await client.call("crm.deal.get", {"id": deal_id}, raw=True) for deal_id in deal_ids]
    return [answer["result"]["ID"] for answer in answers]


def rows(webhook: str, *, limited: bool) -> list[dict[str, Any]]:
    """In no order, and all at once: it does not stream."""
    found: list[dict[str, Any]] = _client(webhook, limited).get_all("crm.deal.list")
    return found


def delete(webhook: str, payment_ids: Sequence[int], *, limited: bool) -> int:
    answers = _client(webhook, limited).call(
        "crm.item.payment.delete", [{"id": payment_id} for payment_id in payment_ids]
    )
    return sum(answer is True for answer in answers)


def _client(webhook: str, limited: bool) -> Bitrix:
    return Bitrix(webhook, verbose=False, **({} if limited else _UNLIMITED))
