"""The example DAGs are the first thing a user copies: each runs here, on a portal of its own."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import threading
import time
from contextlib import ExitStack, nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.fixtures.airflow import AIRFLOW
from tests.rest.clients import client_of
from tests.sqlite import sqlite_connection

EXAMPLES = Path(__file__).parent.parent / "example_dags"


def test_there_is_a_test_for_each_example():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_example_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_example_bitrix24_delete_payment(portal, connection, run_dag, xcom, task_instance):
    paid, first, second = (portal.add_payment(2, paid=paid) for paid in (True, False, False))

    run = run_dag(example_dag("example_bitrix24_delete_payment"), {"deal_id": 2})

    assert run.state == "success"
    assert [payment["id"] for payment in portal.payments() if payment["dealId"] == 2] == [paid]
    assert xcom(run, "unpaid_payments") == [first, second]
    assert [xcom(run, "delete_payment", index) for index in (0, 1)] == [True, True]
    assert [task_instance(run, "delete_payment", index).try_number for index in (0, 1)] == [1, 1]


def example_dag(name: str) -> Any:
    (dag,) = {id(value): value for value in vars(imported(name)).values() if hasattr(value, "task_dict")}.values()
    return dag


def imported(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def watched(airflow_db, run_dag):
    """``watched(name, asset, ids)`` runs the DAG of an example after its watcher has fired; None on Airflow 2."""

    def run(name, asset_name, ids, conf=None):
        from airflow.models.variable import Variable

        if importlib.util.find_spec("airflow.sdk") is None:
            module = imported(name)
            assert module.dag is None
            return None
        from airflow.assets.manager import AssetManager
        from airflow.models.asset import AssetModel
        from airflow.utils.session import create_session

        dag = example_dag(name)
        # It brings the asset to the database.
        assert run_dag(dag, conf).state == "success"
        with create_session() as session:
            asset = session.query(AssetModel).filter_by(name=asset_name).one().to_serialized()
            for number in ids:
                payload = {"id": f"{number}@x", "object_id": number, "time": "2026-01-31T09:00:00Z"}
                extra = {"from_trigger": True, "payload": payload}
                AssetManager.register_asset_change(asset=asset, extra=extra, session=session)
        # No scheduler says what triggered this run.
        (task_id,) = (task.task_id for task in dag.tasks if task.inlets)
        Variable.set(f"bitrix24_new_events__{name}__{task_id}", '{"since": "2026-01-01T00:00:00+00:00", "runs": {}}')
        return run_dag(dag, conf)

    return run


def test_example_bitrix24_payment_paid(portal, connection, watched, xcom):
    paid, unpaid, gone = (portal.add_payment(2, paid=each, sum=250.5) for each in (True, False, True))
    portal.remove_payment(gone)
    run = watched("example_bitrix24_payment_paid", "bitrix24_payments", [paid, unpaid, paid, gone])
    if run is None:
        return
    assert run.state == "success"
    assert [row["payment"] for row in xcom(run, "paid")] == [paid]
    assert xcom(run, "ship", 0).startswith(f"payment {paid}: 250.5 ")


def test_example_bitrix24_deal_won(portal, connection, watched, xcom, tmp_path):
    won, lost = (portal.add_deals(1, stageId=stage)[0] for stage in ("WON", "LOSE"))
    conf = {"folder": f"file://{tmp_path}"}
    run = watched("example_bitrix24_deal_won", "bitrix24_won_deals", [won, lost], conf)
    if run is None:
        return
    assert run.state == "success"
    (file,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [won]


def test_example_bitrix24_deals_to_storage(portal, connection, run_scheduled, xcom, tmp_path):
    """A run of the scheduler's has the rows of its day, and no others."""
    day = datetime(2026, 1, 12, tzinfo=timezone.utc)
    next_day = day + timedelta(days=1)
    (first,) = portal.add_deals(1, updatedTime="2026-01-12T03:00:00+03:00")
    before, after = "2026-01-12T02:59:59+03:00", "2026-01-13T03:00:00+03:00"
    others = [portal.add_deals(1, updatedTime=moment)[0] for moment in (before, after)]
    changed = [deal["id"] for deal in portal.items(2) if deal["id"] not in others]
    run = run_scheduled(
        example_dag("example_bitrix24_deals_to_storage"),
        day,
        {"folder": f"file://{tmp_path}", "user_id": portal.clerk.id},
    )
    assert run.state == "success"
    result = xcom(run, "deals")
    assert (result["report"]["complete"], result["rows"]) == (True, len(changed))
    bounds = portal.calls[0].params["filter"]
    start, end = (datetime.fromisoformat(bounds[key]) for key in (">=updatedTime", "<updatedTime"))
    assert (start, end) == (day, next_day)
    (file,) = tmp_path.glob("*.jsonl")
    assert file.stem == "2026-01-12"
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == changed
    assert first in changed
    sent = portal.calls[-1]
    assert (sent.method, sent.params["USER_ID"]) == ("im.notify.system.add", str(portal.clerk.id))
    assert sent.params["MESSAGE"].startswith(f"{result['rows']} deals changed on ")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_example_bitrix24_nightly_tables(kind, portal, connection, run_scheduled, xcom, tmp_path, monkeypatch):
    """The first night takes everything, the second one what has changed since."""
    from bench.postgres import PostgresServer
    from tests.transfers.databases import VARIABLE, postgres_target, sqlite_target

    dag, kinds = example_dag("example_bitrix24_nightly_tables"), ("deals", "contacts", "tasks")
    with PostgresServer() if kind == "postgres" else nullcontext() as server, ExitStack() as stack:
        target = postgres_target(server) if server else stack.enter_context(sqlite_target(tmp_path))
        monkeypatch.setenv(VARIABLE, target.connection_json)
        run = run_scheduled(dag, datetime(2026, 1, 12, tzinfo=timezone.utc), {"sql_conn_id": "target"})
        assert run.state == "success"
        assert [len(target.rows("deals")), xcom(run, "deals")["window"]] == [len(portal.items(2)), {}]
        portal.clock.advance(24 * 3600)
        (added,) = portal.add_deals(1, updatedTime=f"{datetime.fromtimestamp(portal.clock.now(), timezone.utc):%FT%TZ}")
        run = run_scheduled(dag, datetime(2026, 1, 13, tzinfo=timezone.utc), {"sql_conn_id": "target"})
        assert run.state == "success"
        assert {name: xcom(run, name)["rows"] for name in kinds} == {"deals": 1, "contacts": 0, "tasks": 0}
        assert [row[0] for row in target.rows("deals", "id")] == sorted(deal["id"] for deal in portal.items(2))
        assert added in [row[0] for row in target.rows("deals", "id")]


def test_example_bitrix24_nightly_files(portal, connection, run_scheduled, xcom, tmp_path):
    """The first night takes everything, the second one what has changed since."""
    dag, kinds = example_dag("example_bitrix24_nightly_files"), ("deals", "contacts", "tasks")
    folder = {"folder": f"file://{tmp_path}"}
    run = run_scheduled(dag, datetime(2026, 1, 12, tzinfo=timezone.utc), folder)
    assert run.state == "success"
    first = {kind: xcom(run, kind) for kind in kinds}
    assert {kind: done["window"] for kind, done in first.items()} == {kind: {} for kind in kinds}
    assert first["deals"]["rows"] == len(portal.items(2))
    portal.clock.advance(24 * 3600)
    (added,) = portal.add_deals(1, updatedTime=f"{datetime.fromtimestamp(portal.clock.now(), timezone.utc):%FT%TZ}")
    run = run_scheduled(dag, datetime(2026, 1, 13, tzinfo=timezone.utc), folder)
    assert run.state == "success"
    assert {kind: xcom(run, kind)["rows"] for kind in kinds} == {"deals": 1, "contacts": 0, "tasks": 0}
    (part,) = Path(xcom(run, "deals")["path"].removeprefix("file://")).glob("part-*.parquet")
    assert pyarrow.parquet.read_table(part).column("id").to_pylist() == [added]
    assert len(list(tmp_path.glob("*/load=*/_SUCCESS"))) == 6


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_example_bitrix24_crm_to_sql(kind, portal, connection, run_scheduled, xcom, tmp_path, monkeypatch):
    """A run with everything, and one with what has changed since."""
    from bench.postgres import PostgresServer
    from tests.transfers.databases import VARIABLE, postgres_target, sqlite_target

    dag = example_dag("example_bitrix24_crm_to_sql")
    with PostgresServer() if kind == "postgres" else nullcontext() as server, ExitStack() as stack:
        target = postgres_target(server) if server else stack.enter_context(sqlite_target(tmp_path))
        monkeypatch.setenv(VARIABLE, target.connection_json)
        for day, rows in ((12, len(portal.items(2))), (13, 1)):
            run = run_scheduled(dag, datetime(2026, 1, day, tzinfo=timezone.utc), {"sql_conn_id": "target"})
            assert (run.state, xcom(run, "bitrix24_crm.deals")["rows"]) == ("success", rows)
            portal.clock.advance(24 * 3600)
            moment = datetime.fromtimestamp(portal.clock.now(), timezone.utc)
            added = portal.add_deals(1, updatedTime=f"{moment:%FT%TZ}")
        deals = {deal["id"] for deal in portal.items(2)} - set(added)
        assert {row[0] for row in target.rows("bitrix24_deals", "id")} == deals
        assert "stage_id_label" in target.columns("bitrix24_deals")
        assert len(target.rows("bitrix24_payments", "id")) == len(portal.payments())


def test_example_bitrix24_crm_to_storage(portal, connection, run_scheduled, xcom, tmp_path):
    run = run_scheduled(
        example_dag("example_bitrix24_crm_to_storage"),
        datetime(2026, 1, 12, tzinfo=timezone.utc),
        {"folder": f"file://{tmp_path}"},
    )
    assert run.state == "success"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "deal_funnels",
        "deal_stage_history",
        "deals",
        "statuses",
    ]
    (part,) = Path(xcom(run, "bitrix24_crm.deals")["path"].removeprefix("file://")).glob("part-*.parquet")
    assert pyarrow.parquet.read_table(part).column("id").to_pylist() == [deal["id"] for deal in portal.items(2)]


def test_example_bitrix24_upsert_companies(portal, connection, run_dag, xcom, tmp_path, monkeypatch):
    database, dag = tmp_path / "erp.db", example_dag("example_bitrix24_upsert_companies")
    monkeypatch.setenv("AIRFLOW_CONN_ERP", sqlite_connection(database))
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE company (id INTEGER, name TEXT, phone TEXT, revenue NUMERIC)")
        rows = [(1, "Acme", "+1", 10.5), (2, "Berg & Co", None, None)]
        db.executemany("INSERT INTO company VALUES (?, ?, ?, ?)", rows)
    results = []
    for name in ("Acme", "Acme Ltd"):
        with sqlite3.connect(database) as db:
            db.execute("UPDATE company SET name = ? WHERE id = 1", [name])
        run = run_dag(dag, {"report": f"file://{tmp_path}/report.jsonl"})
        assert run.state == "success"
        results.append(xcom(run, "upsert"))
    assert [(result["created"], result["updated"]) for result in results] == [(2, 0), (0, 2)]
    acme, berg = (item for item in portal.items(4) if item.get("originatorId") == "ERP")
    assert (acme["title"], acme["revenue"], [entry["value"] for entry in acme["fm"]]) == ("Acme Ltd", 10.5, ["+1"])
    assert (berg["originId"], berg["title"]) == ("2", "Berg & Co")


def test_example_bitrix24_payment_announced(portal, connection, run_dag, task_instance):
    paid, unpaid = (portal.add_payment(2, paid=each, sum=250.5) for each in (True, False))
    run = run_dag(example_dag("example_bitrix24_payment_announced"), {"payment_id": paid, "deal_id": 2})
    assert run.state == "success"
    comment, message = (call.params for call in portal.calls if call.method.endswith(".add"))
    assert comment["fields"]["COMMENT"] == message["MESSAGE"] == f"Payment {paid} is paid: [b]250.5[/b]"
    portal.remove_payment(unpaid)
    run = run_dag(example_dag("example_bitrix24_payment_announced"), {"payment_id": unpaid, "deal_id": 2})
    assert (run.state, task_instance(run, "notify").state) == ("failed", "upstream_failed")
    last = portal.notifications()[-1]["MESSAGE"].splitlines()
    assert last[0] == "Task paid of DAG example_bitrix24_payment_announced failed"
    # dag.test() of Airflow 3.0 gives a callback no error.
    assert AIRFLOW == (3, 0) or "Error: crm.item.payment.get" in last[3]


def test_example_bitrix24_notify_after(portal, connection, run_dag):
    run = run_dag(example_dag("example_bitrix24_notify_after"), {"user_id": portal.clerk.id})
    assert run.state == "success"
    (sent,) = portal.calls
    assert sent.params["MESSAGE"] == "example_bitrix24_notify_after: 42 rows"


def test_example_bitrix24_nightly_exchange(portal, connection, run_scheduled, xcom, tmp_path):
    day = datetime(2026, 1, 12, tzinfo=timezone.utc)
    (changed,) = portal.add_deals(1, updatedTime="2026-01-12T05:00:00+03:00")
    (other,) = portal.add_deals(1, updatedTime="2026-01-13T05:00:00+03:00")
    with Bitrix24Hook().get_conn() as client:
        client.call("crm.contact.userfield.add", {"fields": {"FIELD_NAME": "DISCOUNT", "USER_TYPE_ID": "double"}})
    first, second = (contact["id"] for contact in portal.items(3)[:2])
    (tmp_path / "contacts.csv").write_text(f"id;discount\n{first};12,5\n{second};1000,25\n")
    run = run_scheduled(example_dag("example_bitrix24_nightly_exchange"), day, {"folder": f"file://{tmp_path}"})
    assert run.state == "success"
    (file,) = tmp_path.glob("deals-*.jsonl")
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert (file.name, changed in ids, other in ids) == ("deals-2026-01-12.jsonl", True, False)
    assert xcom(run, "contacts")["written"] == 2
    with Bitrix24Hook().get_conn() as client:
        read = [client.call("crm.contact.get", {"id": contact})["UF_CRM_DISCOUNT"] for contact in (first, second)]
    assert [float(value) for value in read] == [12.5, 1000.25]


def test_example_bitrix24_clean_up_payments(portal, connection, run_dag, xcom, tmp_path):
    (lost,) = portal.add_deals(1, stageId="LOSE")
    (open_deal,) = portal.add_deals(1, stageId="NEW")
    paid, unpaid, kept = portal.add_payment(lost, paid=True), portal.add_payment(lost), portal.add_payment(open_deal)
    dag, conf = example_dag("example_bitrix24_clean_up_payments"), {"folder": f"file://{tmp_path}"}

    run = run_dag(dag, conf)
    assert run.state == "success"
    result = xcom(run, "delete_payments")
    assert result["deleted"] == result["rows"] == portal.executed("crm.item.payment.delete")
    assert result["entities"] == len([deal for deal in portal.items(2) if deal["stageSemanticId"] == "F"])
    assert portal.payment(unpaid) is None
    assert None not in (portal.payment(paid), portal.payment(kept))
    (report,) = tmp_path.glob("*.jsonl")
    assert len(report.read_text().splitlines()) == result["rows"]


def test_example_bitrix24_mark_paid(portal, connection, run_dag, xcom, task_instance, tmp_path):
    first, second = portal.add_payment(2, sum=250.5), portal.add_payment(3, sum=10)
    numbers = [portal.payment(payment)["accountNumber"] for payment in (first, second)]
    file = tmp_path / "bank.csv"
    file.write_text(f"deal,payment,amount\n2,{numbers[0]},250.50\n3,{numbers[1]},10\n")
    dag, conf = example_dag("example_bitrix24_mark_paid"), {"file": f"file://{file}"}

    run = run_dag(dag, conf)
    assert run.state == "success"
    assert [xcom(run, "pay", index) for index in (0, 1)] == [True, True]
    assert [portal.payment(payment)["paid"] for payment in (first, second)] == ["Y", "Y"]

    file.write_text(f"deal,payment,amount\n2,{numbers[0]},250.50\n3,{numbers[1]},11\n")
    run = run_dag(dag, conf)
    assert xcom(run, "pay", 0) is False
    assert task_instance(run, "complain").state == "failed"
    assert xcom(run, "matched")["unmatched"] == [{"deal": "3", "payment": numbers[1], "amount": "11"}]


def test_example_bitrix24_wait_for_payment(portal, connection, run_dag, xcom, task_instance):
    (deal,) = portal.add_deals(1, stageId="NEW")
    payment_id = portal.add_payment(deal)
    dag = example_dag("example_bitrix24_wait_for_payment")
    dag.get_task("paid").poke_interval = 1.0

    def pay_after_two_looks() -> None:
        while portal.count("crm.item.payment.get") < 2:
            time.sleep(0.05)
        client_of(portal).call("crm.item.payment.pay", {"id": payment_id})

    customer = threading.Thread(target=pay_after_two_looks, daemon=True)
    customer.start()
    run = run_dag(dag, {"deal_id": deal, "payment_id": payment_id})
    customer.join(10)
    assert run.state == "success"
    assert xcom(run, "paid")["id"] == payment_id
    assert portal.item(2, deal)["stageId"] == "EXECUTING"
    # Deferring and resuming is one try.
    assert task_instance(run, "paid").try_number == 1

    portal.remove_payment(payment_id)
    run = run_dag(dag, {"deal_id": deal, "payment_id": payment_id})
    assert [task_instance(run, name).state for name in ("paid", "move")] == ["skipped", "skipped"]
