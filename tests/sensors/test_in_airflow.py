"""
Sensors that are deferred in a real Airflow with its scheduler and triggerer, 2.11 and 3.

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import json
import os

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of
from tests.sensors.waiting_dag import PAYMENTS
from tests.whole_airflow import WholeAirflow

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")

GET = "crm.item.payment.get"
ENDS = {
    **dict.fromkeys(("edited", "paid", "renewed", "won"), "success"),
    **dict.fromkeys(("gone", "late"), "failed"),
    "skipped": "skipped",
}


def test_tasks_wait_through_a_restart_an_outage_an_edited_connection_and_a_new_token(tmp_path, monkeypatch):
    with Sandbox(deals=1) as portal:
        (deal,) = portal.add_deals(1, stageId="NEW")
        ids = {name: portal.add_payment(1) for name in PAYMENTS} | {"won": deal}
        monkeypatch.setenv("BITRIX24_TEST_IDS", json.dumps(ids))
        app = portal.application()
        whole = WholeAirflow(tmp_path / "home", portal.connection_json())
        try:
            run(whole, portal, app, ids)
            places = {place for secret in (portal.admin.code, *app.secrets()) for place in whole.places_of(secret)}
        finally:
            whole.stop()
    assert places == set()


def run(whole, portal, app, ids):
    whole.wait_until_healthy()
    whole.connect(bitrix24_edited=portal.connection_json(portal.clerk), bitrix24_app=portal.oauth_connection_json(app))
    whole.begin("from tests.sensors.waiting_dag import dag  # airflow DAG\n")
    waiting = set(ENDS) - {"late", "skipped"}
    whole.until(
        lambda: {name for name, state in whole.task_states("waiting").items() if state == "deferred"} >= waiting,
        "all are deferred",
    )
    looks = portal.count(GET)
    whole.until(lambda: portal.count(GET) > looks + 20, "the triggerer looks")
    # No slot is held: nothing runs, and nothing waits for one.
    assert {whole.task_states("waiting")[name] for name in waiting} == {"deferred"}

    # What waits on one connection is asked together.
    portal.reset_calls()
    whole.until(lambda: portal.count(GET) > 20, "the triggerer looks")
    assert portal.requests < portal.count(GET) + portal.count("crm.item.get")

    whole.kill_triggerer()
    portal.reset_calls()
    whole.until(lambda: portal.count(GET) > 10, "the new triggerer looks")
    assert {whole.task_states("waiting")[name] for name in waiting} == {"deferred"}

    whole.connect(bitrix24_edited=portal.connection_json(portal.admin))
    portal.reset_calls()
    whole.until(lambda: portal.count(GET) > 10, "the edited connection is read")
    portal.clerk.rights.discard("read")

    app.expire_access_tokens()
    portal.fault("error", "*", times=None)
    portal.reset_calls()
    whole.until(lambda: portal.requests > 12, "the portal is away")
    portal.clear_faults()

    admin = client_of(portal)
    for name in ("edited", "paid", "renewed"):
        admin.call("crm.item.payment.pay", {"id": ids[name]})
    admin.call("crm.item.update", {"entityTypeId": 2, "id": ids["won"], "fields": {"stageId": "WON"}})
    portal.remove_payment(ids["gone"])
    whole.wait_for("waiting", len(ENDS))
    assert whole.task_states("waiting") == ENDS
    seen = whole.xcoms("waiting")
    assert {name: row["id"] for name, row in seen.items()} == {name: ids[name] for name in seen}
    assert set(seen) == {name for name, end in ENDS.items() if end == "success"}
    assert portal.renewals == 1
