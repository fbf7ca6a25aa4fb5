"""The client of this project, as the hook gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, STANDARD, Bucket
from airflow_provider_bitrix24.rest.limits.concurrency import MOST_UNDER_WAY
from airflow_provider_bitrix24.rest.portal import Portal, Webhook


class Subject(ExitStack):
    def __init__(self, webhook: str, *, limited: bool, parallel: int = MOST_UNDER_WAY) -> None:
        super().__init__()
        address = urlsplit(webhook)
        _, user_id, code = address.path.strip("/").split("/")
        portal = Portal(
            host=address.hostname or "",
            port=address.port,
            credentials=Webhook(user_id, code),
            bucket=PLANS[STANDARD] if limited else Bucket(rate=1e6, burst=1e6),
            parallel=parallel,
        )
        self._client = self.enter_context(Client(portal))

    def calls(self, deal_ids: Sequence[int]) -> list[str]:
        return [self._client.call("crm.deal.get", {"id": deal_id})["ID"] for deal_id in deal_ids]

    def rows(self) -> Iterator[dict[str, Any]]:
        return self._client.list("crm.deal.list")

    def delete(self, payment_ids: Sequence[int]) -> int:
        commands = {id_: ("crm.item.payment.delete", {"id": id_}) for id_ in payment_ids}
        deleted = self._client.batch(commands, ordered=False)
        return sum(result is True for result in deleted.results.values())
