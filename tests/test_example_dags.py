"""The example DAGs are the first thing a user copies: each runs here, on a portal of its own."""

from __future__ import annotations

import importlib.util
from datetime import datetime
from pathlib import Path
from typing import Any

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
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (dag,) = {id(value): value for value in vars(module).values() if hasattr(value, "task_dict")}.values()
    return dag


def test_example_bitrix24_deals_to_storage(portal, connection, run_dag, xcom, tmp_path):
    portal.add_deals(60)
    run = run_dag(
        example_dag("example_bitrix24_deals_to_storage"), {"folder": f"file://{tmp_path}", "user_id": portal.clerk.id}
    )
    assert run.state == "success"
    told = xcom(run, "deals")
    assert told["report"]["complete"] is True
    bounds = portal.calls[0].params["filter"]
    start, end = (datetime.fromisoformat(bounds[key]) for key in (">=updatedTime", "<updatedTime"))
    assert start.tzinfo is not None
    assert start <= end
    (file,) = tmp_path.glob("*.jsonl")
    assert len(file.read_text().splitlines()) == told["rows"]
    sent = portal.calls[-1]
    assert (sent.method, sent.params["USER_ID"]) == ("im.notify.system.add", str(portal.clerk.id))
    assert sent.params["MESSAGE"].startswith(f"{told['rows']} deals changed on ")


def test_example_bitrix24_notify_after(portal, connection, run_dag):
    run = run_dag(example_dag("example_bitrix24_notify_after"), {"user_id": portal.clerk.id})
    assert run.state == "success"
    (sent,) = portal.calls
    assert sent.params["MESSAGE"] == "example_bitrix24_notify_after: 42 rows"
