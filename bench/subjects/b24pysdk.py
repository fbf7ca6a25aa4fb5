"""b24pysdk, the official SDK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from b24pysdk import BitrixWebhook


def calls(webhook: str, deal_ids: Sequence[int], *, limited: bool) -> list[str]:
    token = _token(webhook)
    return [token.call_method("crm.deal.get", {"id": deal_id})["result"]["ID"] for deal_id in deal_ids]


def rows(webhook: str, *, limited: bool) -> Iterator[dict[str, Any]]:
    found: Iterator[dict[str, Any]] = iter(_token(webhook).call_list_fast("crm.deal.list")["result"])
    return found


def delete(webhook: str, payment_ids: Sequence[int], *, limited: bool) -> int:
    commands = {str(payment_id): ("crm.item.payment.delete", {"id": payment_id}) for payment_id in payment_ids}
    answer = _token(webhook).call_batches(commands)
    return sum(result is True for result in answer["result"]["result"].values())


def _token(webhook: str) -> BitrixWebhook:
    address = urlsplit(webhook)
    return BitrixWebhook(domain=address.netloc, webhook_token=address.path.removeprefix("/rest/").strip("/"))
