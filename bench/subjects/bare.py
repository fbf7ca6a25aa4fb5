"""``requests.Session`` and nothing else: what any client over requests must at least take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import requests


def calls(webhook: str, deal_ids: Sequence[int], *, limited: bool) -> list[str]:
    with requests.Session() as session:
        return [_result(session, webhook, "crm.deal.get", {"id": deal_id})["ID"] for deal_id in deal_ids]


def rows(webhook: str, *, limited: bool) -> Iterator[dict[str, Any]]:
    """Page by page, by id."""
    last = "0"
    with requests.Session() as session:
        while page := _result(
            session, webhook, "crm.deal.list", {"filter": {">ID": last}, "order": {"ID": "ASC"}, "start": -1}
        ):
            yield from page
            last = page[-1]["ID"]


def delete(webhook: str, payment_ids: Sequence[int], *, limited: bool) -> int:
    deleted = 0
    with requests.Session() as session:
        for start in range(0, len(payment_ids), 50):
            commands = {
                f"c{payment_id}": f"crm.item.payment.delete?id={payment_id}"
                for payment_id in payment_ids[start : start + 50]
            }
            answer = _result(session, webhook, "batch", {"halt": 0, "cmd": commands})
            deleted += sum(result is True for result in answer["result"].values())
    return deleted


def _result(session: requests.Session, webhook: str, method: str, params: dict[str, Any]) -> Any:
    response = session.post(webhook + method, json=params, timeout=60)
    response.raise_for_status()
    return response.json()["result"]
