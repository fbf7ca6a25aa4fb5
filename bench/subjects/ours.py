"""The client of this project, as the hook gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits import PLANS, STANDARD, Bucket
from airflow_provider_bitrix24.rest.portal import Portal, Webhook

_UNLIMITED = Bucket(rate=1e6, burst=1e6)


def calls(webhook: str, deal_ids: Sequence[int], *, limited: bool) -> list[str]:
    with _client(webhook, limited) as client:
        return [client.call("crm.deal.get", {"id": deal_id})["ID"] for deal_id in deal_ids]


def rows(webhook: str, *, limited: bool) -> Iterator[dict[str, Any]]:
    with _client(webhook, limited) as client:
        yield from client.list("crm.deal.list")


def delete(webhook: str, payment_ids: Sequence[int], *, limited: bool) -> int:
    with _client(webhook, limited) as client:
        deleted = client.batch({one: ("crm.item.payment.delete", {"id": one}) for one in payment_ids})
    return sum(result is True for result in deleted.results.values())


def _client(webhook: str, limited: bool) -> Client:
    address = urlsplit(webhook)
    _, user_id, code = address.path.strip("/").split("/")
    return Client(
        Portal(
            host=address.hostname or "",
            port=address.port,
            credentials=Webhook(user_id, code),
            bucket=PLANS[STANDARD] if limited else _UNLIMITED,
        )
    )
