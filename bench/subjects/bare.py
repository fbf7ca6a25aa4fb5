"""``requests.Session`` and nothing else: the least that any client on requests can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import requests


class Subject(ExitStack):
    def __init__(self, webhook: str, *, limited: bool) -> None:
        super().__init__()
        self._webhook = webhook
        self._session = self.enter_context(requests.Session())

    def calls(self, deal_ids: Sequence[int]) -> list[str]:
        return [self._result("crm.deal.get", {"id": deal_id})["ID"] for deal_id in deal_ids]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Page by page, by id."""
        params: dict[str, Any] = {"order": {"ID": "ASC"}, "start": -1}
        while page := self._result("crm.deal.list", params):
            yield from page
            params["filter"] = {">ID": page[-1]["ID"]}

    def delete(self, payment_ids: Sequence[int]) -> int:
        deleted = 0
        for start in range(0, len(payment_ids), 50):
            batch = payment_ids[start : start + 50]
            commands = {f"c{payment_id}": f"crm.item.payment.delete?id={payment_id}" for payment_id in batch}
            answer = self._result("batch", {"halt": 0, "cmd": commands})
            deleted += sum(result is True for result in answer["result"].values())
        return deleted

    def _result(self, method: str, params: dict[str, Any]) -> Any:
        response = self._session.post(self._webhook + method, json=params, timeout=60)
        response.raise_for_status()
        return response.json()["result"]
