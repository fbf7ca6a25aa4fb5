"""b24pysdk, the official SDK. It has no limit of its own: refused requests are repeated twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from b24pysdk import BitrixWebhook


class Subject(ExitStack):
    def __init__(self, webhook: str, *, limited: bool) -> None:
        super().__init__()
        address = urlsplit(webhook)
        self._token = BitrixWebhook(domain=address.netloc, webhook_token=address.path.removeprefix("/rest/").strip("/"))

    def calls(self, deal_ids: Sequence[int]) -> list[str]:
        return [self._token.call_method("crm.deal.get", {"id": deal_id})["result"]["ID"] for deal_id in deal_ids]

    def rows(self) -> Iterable[dict[str, Any]]:
        found: Iterable[dict[str, Any]] = self._token.call_list_fast("crm.deal.list")["result"]
        return found

    def delete(self, payment_ids: Sequence[int]) -> int:
        commands = {str(payment_id): ("crm.item.payment.delete", {"id": payment_id}) for payment_id in payment_ids}
        answer = self._token.call_batches(commands)
        return sum(result is True for result in answer["result"]["result"].values())
