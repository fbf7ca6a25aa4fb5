"""fast_bitrix24, the client that most Python programs in Russia use, as it is on the package index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

# Its own limit of two requests a second is real time, and no business of the portal here.
UNLIMITED = {"request_pool_size": 1_000_000, "requests_per_second": 1e6, "verbose": False}


@pytest.fixture
def client(portal: Sandbox) -> Any:
    # aiohttp reads the trusted certificates once, when it is imported.
    from fast_bitrix24 import Bitrix

    return Bitrix(portal.webhook(), **UNLIMITED)


def test_a_call_gets_a_deal(client: Any) -> None:
    assert _only(client.call("crm.deal.get", {"ID": 1}))["ID"] == "1"


def test_a_raw_call_shows_the_whole_answer(client: Any) -> None:
    answer = client.call("crm.deal.get", {"ID": 1}, raw=True)

    assert answer["result"]["ID"] == "1"
    assert answer["time"]["duration"] >= 0


def test_a_raw_call_shows_the_running_time(client: Any) -> None:
    times = client.call("crm.deal.fields", raw=True)["time"]

    assert times["operating"] >= 0
    assert times["operating_reset_at"] > times["finish"]


def test_contacts_of_a_deal_are_one_relation(client: Any) -> None:
    deal_id = client.call("crm.deal.add", {"fields": {"TITLE": "With contacts", "CONTACT_IDS": [1, 2]}})
    contacts = client.call("crm.deal.contact.items.get", {"ID": deal_id}, raw=True)["result"]

    assert [row["CONTACT_ID"] for row in contacts] == [1, 2]
    client.call("crm.deal.delete", {"ID": deal_id})


def test_deals_are_added_by_one_call(client: Any, portal: Sandbox) -> None:
    added = client.call("crm.deal.add", [{"fields": {"TITLE": f"Deal {number}"}} for number in range(70)])
    # It sends both batches at once: which one comes first is chance.
    assert {portal.item(2, deal_id)["title"] for deal_id in added} == {f"Deal {number}" for number in range(70)}

    client.call("crm.deal.delete", [{"ID": deal_id} for deal_id in added])
    assert [portal.item(2, deal_id) for deal_id in added] == [None] * 70


def test_get_all_reads_every_deal(client: Any, deal_ids: list[int]) -> None:
    rows = client.get_all("crm.deal.list", {"select": ["ID"]})

    assert sorted(int(row["ID"]) for row in rows) == deal_ids


def test_get_all_reads_every_item(client: Any, deal_ids: list[int]) -> None:
    items = client.get_all("crm.item.list", {"entityTypeId": 2, "select": ["id"]})

    assert sorted(item["id"] for item in items) == deal_ids


def test_list_and_get_reads_every_deal_whole(client: Any, deal_ids: list[int]) -> None:
    deals = client.list_and_get("crm.deal")

    assert sorted(int(deal_id) for deal_id in deals) == deal_ids
    assert deals[str(deal_ids[0])]["TITLE"]


def test_get_by_id_reads_the_deals_asked_for(client: Any) -> None:
    deals = client.get_by_ID("crm.deal.get", range(1, 121))

    assert {int(deal_id): deal["ID"] for deal_id, deal in deals.items()} == {id_: str(id_) for id_ in range(1, 121)}


def test_a_batch_of_the_callers_own_answers_by_key(client: Any) -> None:
    answer = client.call_batch(
        {"halt": 0, "cmd": {"one": "crm.deal.get?ID=1", "two": "crm.deal.get?ID=$result[one][ID]"}}
    )

    assert [answer["one"]["ID"], answer["two"]["ID"]] == ["1", "1"]


def test_payments_are_deleted_by_one_call(client: Any, portal: Sandbox, payment_ids: list[int]) -> None:
    answers = client.call("crm.item.payment.delete", [{"id": payment_id} for payment_id in payment_ids])

    assert list(answers) == [True] * len(payment_ids)
    assert [portal.payment(payment_id) for payment_id in payment_ids] == [None] * len(payment_ids)


def test_a_missing_deal_is_the_error_of_the_client(client: Any) -> None:
    from fast_bitrix24.server_response import ErrorInServerResponseException

    with pytest.raises(ErrorInServerResponseException, match=r"(?i)not found"):
        client.call("crm.deal.get", [{"ID": 999_999_999}])


def test_a_token_function_is_asked_again_when_a_token_expires(portal: Sandbox) -> None:
    from fast_bitrix24 import Bitrix

    application = portal.application()
    pairs: Iterator[dict[str, Any]] = iter([application.grant()])
    application.expire_access_tokens()
    asked = []

    async def access_token() -> str:
        pair = next(pairs, None) or application.grant()
        asked.append(pair["access_token"])
        return str(pair["access_token"])

    client = Bitrix(f"{portal.url}/rest/", token_func=access_token, **UNLIMITED)

    assert _only(client.call("crm.deal.get", {"ID": 1}))["ID"] == "1"
    assert len(asked) == 2


def _only(answer: dict[str, Any]) -> Any:
    """The answer to one call of a method that answers with a row: the client names it by its place in the batch."""
    [(_, row)] = answer.items()
    return row
