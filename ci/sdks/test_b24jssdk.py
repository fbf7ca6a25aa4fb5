"""@bitrix24/b24jssdk, the official SDK for JavaScript, in Node.js, as it is in the package registry."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.state.applications import Application

SCENARIOS = Path(__file__).with_name("b24jssdk.mjs")
DEALS = {"method": "crm.deal.list", "params": {"select": ["ID"]}, "idKey": "ID"}
ITEMS = {
    "method": "crm.item.list",
    "params": {"entityTypeId": 2, "select": ["id"]},
    "idKey": "id",
    "customKeyForResult": "items",
}


def run(scenario: str, portal: Sandbox, **settings: Any) -> Any:
    """What the SDK returned in a scenario of ``b24jssdk.mjs``."""
    done = subprocess.run(
        ["node", str(SCENARIOS), scenario],
        input=json.dumps({"webhook": portal.webhook(), **settings}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The SDK's own warnings may stand before the answer.
    return json.loads(done.stdout.splitlines()[-1])


def test_a_call_gets_a_deal(portal: Sandbox) -> None:
    answer = run("call", portal, method="crm.deal.get", params={"id": 1})

    assert answer["success"]
    assert answer["result"]["ID"] == "1"


def test_an_item_is_added(portal: Sandbox) -> None:
    params = {"entityTypeId": 2, "fields": {"title": "Made by an SDK"}}
    item = run("call", portal, method="crm.item.add", params=params)["result"]["item"]

    assert portal.item(2, item["id"])["title"] == "Made by an SDK"
    portal.remove_item(2, item["id"])


def test_an_item_is_added_under_upper_case_names(portal: Sandbox) -> None:
    params = {"entityTypeId": 2, "fields": {"TITLE": "LOUD", "CONTACT_IDS": [2, 3]}}
    item = run("call", portal, method="crm.item.add", params=params)["result"]["item"]
    assert (item["title"], item["contactIds"]) == ("LOUD", [2, 3])

    contacts = run("call", portal, method="crm.deal.contact.items.get", params={"id": item["id"]})["result"]
    assert [(row["CONTACT_ID"], row["IS_PRIMARY"]) for row in contacts] == [(2, "Y"), (3, "N")]
    portal.remove_item(2, item["id"])


def test_a_task_and_its_time_are_kept(portal: Sandbox) -> None:
    added = run("call", portal, method="tasks.task.add", params={"fields": {"TITLE": "By an SDK", "RESPONSIBLE_ID": 1}})
    task_id = int(added["result"]["task"]["id"])
    entry = {"TASKID": task_id, "ARFIELDS": {"SECONDS": 120, "COMMENT_TEXT": "x"}}
    assert run("call", portal, method="task.elapseditem.add", params=entry)["success"]
    entries = run(
        "call", portal, method="task.elapseditem.getlist", params={"TASKID": task_id, "ORDER": {"ID": "desc"}}
    )
    assert [row["MINUTES"] for row in entries["result"]] == ["2"]
    assert run("call", portal, method="tasks.task.delete", params={"taskId": task_id})["result"] == {"task": True}
    assert run("call", portal, method="tasks.task.get", params={"taskId": task_id})["result"] == []


def test_a_missing_item_is_the_error_of_the_sdk(portal: Sandbox) -> None:
    answer = run("refusal", portal, method="crm.item.get", params={"entityTypeId": 2, "id": 999_999_999})

    assert not answer["success"]
    assert "not found" in answer["errors"][0].lower()


def test_a_missing_deal_is_an_error_whose_reason_the_sdk_drops(portal: Sandbox) -> None:
    """A fault of the SDK: old methods say ``"error": ""``, and it takes an empty code for none."""
    answer = run("refusal", portal, method="crm.deal.get", params={"id": 999_999_999})

    assert not answer["success"]
    assert answer["errors"] == ["Request failed with status code 400"]


def test_what_the_clerk_may_not_do_is_the_error_of_the_sdk(portal: Sandbox) -> None:
    payment = portal.add_payment(deal_id=1)
    webhook = portal.webhook(portal.clerk)
    answer = run("refusal", portal, webhook=webhook, method="crm.item.payment.delete", params={"id": payment})

    assert not answer["success"]
    assert "denied" in answer["errors"][0].lower()
    assert portal.payment(payment) is not None


@pytest.mark.parametrize("way", ["callList", "fetchList"])
@pytest.mark.parametrize("listing", [DEALS, ITEMS], ids=["deals", "items"])
def test_its_lists_read_every_deal_in_order(
    portal: Sandbox, deal_ids: list[int], way: str, listing: dict[str, Any]
) -> None:
    assert run(way, portal, list=listing)["ids"] == deal_ids


@pytest.mark.parametrize("way", ["callListMethod", "pages"])
def test_its_older_ways_by_offset_read_every_deal(portal: Sandbox, deal_ids: list[int], way: str) -> None:
    assert sorted(run(way, portal, list=DEALS)["ids"]) == deal_ids


def test_a_batch_answers_by_key_and_tells_which_command_failed(portal: Sandbox) -> None:
    calls = {
        "first": {"method": "crm.deal.get", "params": {"id": 1}},
        "missing": {"method": "crm.item.get", "params": {"entityTypeId": 2, "id": 999_999_999}},
    }
    answer = run("batch", portal, calls=calls)

    assert answer["results"]["first"]["ID"] == "1"
    assert "missing" not in answer["results"]
    assert "not found" in answer["errors"][0].lower()


def test_payments_are_deleted_in_batches(portal: Sandbox, payment_ids: list[int]) -> None:
    answer = run("batchByChunk", portal, payments=payment_ids)

    assert answer["success"], answer["errors"]
    assert answer["results"] == [True] * len(payment_ids)
    assert [portal.payment(payment_id) for payment_id in payment_ids] == [None] * len(payment_ids)


def test_a_method_of_rest_3_answers(portal: Sandbox) -> None:
    task_id = int(portal.tasks()[0]["id"])
    answer = run("v3", portal, method="tasks.task.get", params={"id": task_id, "select": ["id", "title"]})

    assert answer["success"], answer["errors"]
    assert answer["result"]["item"]["id"] == task_id


def test_calls_side_by_side_renew_a_token_once_that_the_sdk_knows_to_be_expired(portal: Sandbox) -> None:
    application = portal.application()
    answer = _renew(portal, application, expires=0, together=True)

    assert answer["deals"] == ["1", "2", "3"]
    assert application.renewals == 1
    assert application.valid_refresh_token(answer["renewed"][0])


def test_a_token_is_renewed_that_only_the_portal_knows_to_be_expired(portal: Sandbox) -> None:
    """One call after the other: side by side, the SDK may renew again for an answer that comes after the renewal."""
    application = portal.application()
    answer = _renew(portal, application, expires=int(time.time()) + 3600, together=False)

    assert answer["deals"] == ["1", "2", "3"]
    assert application.renewals == 1
    assert application.valid_refresh_token(answer["renewed"][0])


def _renew(portal: Sandbox, application: Application, *, expires: int, together: bool) -> Any:
    pair = application.grant()
    application.expire_access_tokens()
    keys = {"client_id": application.client_id, "client_secret": application.client_secret}
    return run("renew", portal, pair=pair, application=keys, expires=expires, together=together)
