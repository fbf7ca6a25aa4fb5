"""
A portal starts DAGs of a real Airflow: the examples with their watchers (3.x), and an outgoing webhook (2.11 and 3.x).

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox, unused_port
from tests.rest.clients import client_of
from tests.whole_airflow import IS_2, WholeAirflow

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")

ROOT = Path(__file__).parents[2]
PAID, WON = "example_bitrix24_payment_paid", "example_bitrix24_deal_won"


@pytest.mark.skipif(IS_2, reason="Airflow 2 watches nothing")
def test_a_payment_that_is_paid_and_a_deal_that_is_won_start_the_examples(tmp_path):
    with Sandbox(deals=3) as portal:
        (deal,) = portal.add_deals(1, stageId="NEW")
        payment_id = portal.add_payment(deal, sum=250.5)
        app, admin = portal.application(), client_of(portal)
        whole = WholeAirflow(tmp_path / "home", portal.oauth_connection_json(app))
        try:
            whole.wait_until_healthy()
            for name in (PAID, WON):
                text = (ROOT / "example_dags" / f"{name}.py").read_text()
                (whole.home / "dags" / f"{name}.py").write_text(text.replace("/tmp/won_deals", f"{tmp_path}/won"))
            whole.until(lambda: portal.count("event.bind") and portal.count("crm.item.list"), "both watch")
            admin.call("crm.item.payment.pay", {"id": payment_id})
            admin.call("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"stageId": "WON"}})
            whole.until(lambda: list(tmp_path.glob("won/*.jsonl")), "the row of the deal is written")
            whole.until(lambda: whole.task_states(PAID).get("ship") == "success", "the payment is shipped")
            shipped = whole.rows("SELECT value FROM xcom WHERE dag_id = ? AND task_id = 'ship'", PAID)
            kinds = whole.rows("SELECT DISTINCT run_type FROM dag_run")
        finally:
            whole.stop()
        currency = portal.payment(payment_id)["currency"]
        assert [json.loads(value) for (value,) in shipped] == [f"payment {payment_id}: 250.5 {currency}"]
        (file,) = tmp_path.glob("won/*.jsonl")
        assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [deal]
        assert kinds == [("asset_triggered",)]


def receiver(headers: dict[str, str], port: int) -> str:
    """The receiver of the documentation, as a reader adapts it."""
    (code,) = re.findall(
        r"```python\n(import os\nimport uuid\n.*?)```", (ROOT / "docs/events.md").read_text(), re.DOTALL
    )
    changes = {"8088": str(port)}
    if IS_2:
        changes |= {"/api/v2/": "/api/v1/", '"logical_date": None, ': "", "Bearer {": "Basic {"}
    for written, own in changes.items():
        assert written in code
        code = code.replace(written, own)
    return code


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_an_outgoing_webhook_starts_a_dag_through_the_api_of_airflow(tmp_path, monkeypatch):
    with Sandbox(deals=9) as portal:
        app = portal.application()
        monkeypatch.setenv("AIRFLOW_CONN_APP", portal.oauth_connection_json(app))
        settings = {"AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth"} if IS_2 else {}
        whole = WholeAirflow(tmp_path / "home", portal.connection_json(), settings)
        server = None
        try:
            headers, port = whole.serve_api(), unused_port()
            whole.begin("from tests.events.pushed_dag import dag  # airflow DAG\n")
            whole.until(lambda: whole.rows("SELECT 1 FROM dag WHERE dag_id = 'on_deal'"), "the DAG is there")
            (tmp_path / "receiver.py").write_text(receiver(headers, port))
            environment = {
                **whole.environment,
                "AIRFLOW_URL": whole.url,
                "AIRFLOW_TOKEN": headers["authorization"].partition(" ")[2],
                "BITRIX24_APPLICATION_TOKEN": app.application_token,
            }
            server = subprocess.Popen(
                [sys.executable, str(tmp_path / "receiver.py")], env=environment, stderr=whole.log
            )
            whole.until(lambda: listens(port), "the receiver is there")
            handler = f"http://127.0.0.1:{port}/"
            Bitrix24Hook("app").call("event.bind", {"event": "ONCRMDEALUPDATE", "handler": handler})
            client_of(portal).call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "x"}})
            whole.until(lambda: whole.task_states("on_deal").get("changed") == "success", "the DAG has run")
            event = whole.xcoms("on_deal")["changed"]
        finally:
            if server is not None:
                server.kill()
                server.wait()
            whole.stop()
        assert (event["event"], event["object_id"], event["member_id"]) == ("ONCRMDEALUPDATE", 7, portal.member_id)
