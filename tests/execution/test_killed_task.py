"""Tasks that Airflow itself runs and that get its SIGTERM while a request is under way: no other request follows."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import airflow
import pytest
from airflow import DAG
from airflow.utils.session import create_session
from sqlalchemy import text

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24PayPaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator
from airflow_provider_bitrix24.rest.limits.concurrency import FIRST_UNDER_WAY

PATIENCE_SECONDS = 60
TITLED = {"entityTypeId": 2, "fields": {"title": "Oak door"}}


@pytest.fixture
def terminate(portal) -> Iterator[Callable[[], threading.Thread]]:
    """``terminate()`` sends SIGTERM to the process of the task as soon as the portal has a request."""
    unexpected: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: unexpected.append(number))
    threads = []

    def wait_and_kill() -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while portal.requests == 0 and time.monotonic() < until:
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGTERM)

    def start() -> threading.Thread:
        threads.append(threading.Thread(target=wait_and_kill))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    signal.signal(signal.SIGTERM, before)
    assert unexpected == []


#: An operator that has more to ask than one request, and the first method that it calls.
CASES: dict[str, tuple[type, dict[str, Any], str]] = {
    "batch": (
        Bitrix24BatchOperator,
        {"commands": {f"a{i}": ["crm.item.add", TITLED] for i in range(120)}, "on_error": "continue"},
        "batch",
    ),
    "list": (Bitrix24ListOperator, {"method": "crm.item.list", "method_params": {"entityTypeId": 2}}, "crm.item.list"),
    "delete payments": (
        Bitrix24DeletePaymentsOperator,
        {"payment_ids": list(range(5001, 5601)), "on_error": "continue", "missing_ok": True},
        "batch",
    ),
    "bulk write": (
        Bitrix24BulkWriteOperator,
        {"method": "crm.item.add", "rows": [TITLED] * 120, "max_failures": None},
        "batch",
    ),
    "import": (
        Bitrix24ImportItemsOperator,
        {"entity_type_id": "deal", "rows": [{"title": "Oak door"}] * 120, "max_failures": None},
        "crm.item.fields",
    ),
    "upsert": (
        Bitrix24UpsertItemOperator,
        {"entity_type_id": "deal", "key": "originId", "fields": {"originId": "7", "title": "Oak door"}},
        "crm.item.fields",
    ),
    "pay": (Bitrix24PayPaymentOperator, {"payment_id": 1}, "crm.item.payment.get"),
}


def run(run_dag: Callable[..., Any], operator: type, **arguments: Any) -> tuple[str, int]:
    """The state of the task at the end, and its tries. Airflow 2 ends the whole run with the signal."""
    dag_id = f"killed_{uuid.uuid4().hex}"
    with DAG(dag_id, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="task", **arguments)
    try:
        run_dag(dag)
    except BaseException as ended:
        if type(ended).__name__ != "AirflowTaskTerminated":
            raise
    with create_session() as session:
        query = text("SELECT state, try_number FROM task_instance WHERE dag_id = :dag_id")
        ((state, tries),) = session.execute(query, {"dag_id": dag_id})
    return state, tries


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_sent_after_airflows_signal(name, portal, connection, run_dag, terminate):
    operator, arguments, first = CASES[name]
    portal.fault("slow", first, seconds=0.3)
    terminate()
    assert run(run_dag, operator, **arguments) == ("failed", 1)
    # Deletions are sent several steps at once: those that were under way with the first one are all.
    assert 1 <= portal.requests <= (FIRST_UNDER_WAY if operator is Bitrix24DeletePaymentsOperator else 1)


@pytest.mark.skipif(airflow.__version__.startswith("2."), reason="dag.test of Airflow 2 ends with the signal")
@pytest.mark.parametrize("name", ["delete payments", "bulk write"])
def test_the_next_try_does_the_rest(name, portal, connection, run_dag, terminate, tmp_path):
    operator, arguments, _ = CASES[name]
    payments = [portal.add_payment(1) for _ in range(120)]
    if name == "delete payments":
        arguments = {**arguments, "payment_ids": payments}
    portal.fault("slow", "batch", seconds=0.3)
    terminate()
    assert run(run_dag, operator, retries=1, report=str(tmp_path / "report.jsonl"), **arguments) == ("success", 2)
    method = "crm.item.payment.delete" if name == "delete payments" else "crm.item.add"
    assert portal.executed(method) == 120
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 120


class KilledBeforeItsClient(Bitrix24PayPaymentOperator):
    """Gets the signal while the connection is looked up."""

    @property
    def hook(self) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().hook


def test_nothing_is_sent_where_the_signal_comes_before_the_connection(portal, connection, run_dag):
    assert run(run_dag, KilledBeforeItsClient, payment_id=portal.add_payment(1)) == ("failed", 1)
    assert portal.requests == 0
