"""The example DAGs are the first thing a user copies: each runs here, on a portal of its own."""

from __future__ import annotations

import importlib.util
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
    (dag,) = (value for value in vars(module).values() if getattr(value, "dag_id", None) == name)
    return dag
