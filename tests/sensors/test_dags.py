"""Sensors in DAGs that Airflow itself runs."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from tests.fixtures.airflow import AIRFLOW
from tests.rest.clients import client_of

GET = "crm.item.payment.get"
RESCHEDULED = pytest.param(
    {"mode": "reschedule"},
    marks=pytest.mark.skipif(AIRFLOW == (3, 0), reason="dag.test() of Airflow 3.0 cannot run a sensor again"),
)


@pytest.fixture
def after_looks(portal):
    """``after_looks(3, work)`` does it, as somebody at the portal, when payments have been looked at so often."""
    threads = []

    def begin(looks, work):
        def wait():
            while portal.count(GET) < looks:
                time.sleep(0.02)
            work()

        threads.append(threading.Thread(target=wait, daemon=True))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def empty_dag(name, **arguments):
    return DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None, **arguments)


@pytest.mark.parametrize("arguments", [RESCHEDULED, {"mode": "poke"}, {"deferrable": True}])
def test_a_payment_of_another_task_is_waited_for(
    portal, connection, run_dag, xcom, task_instance, all_output, after_looks, arguments
):
    (deal,) = portal.add_deals(1)
    payment_id = portal.add_payment(deal)
    with empty_dag(f"waits_{'_'.join(map(str, arguments.values()))}") as dag:
        payments = Bitrix24ListPaymentsOperator(task_id="payments", entity_id=deal, ids_only=True)
        Bitrix24PaymentSensor(
            task_id="paid",
            payment_id="{{ ti.xcom_pull(task_ids='payments')[0] }}",
            poke_interval=1,
            timeout=60,
            **{"deferrable": False, **arguments},
        ).set_upstream(payments)
    after_looks(2, lambda: client_of(portal).call("crm.item.payment.pay", {"id": payment_id}))
    run = run_dag(dag)
    assert run.state == "success"
    assert (xcom(run, "paid")["id"], xcom(run, "paid")["paid"]) == (payment_id, "Y")
    assert task_instance(run, "paid").try_number == 1
    assert portal.count(GET) >= 3
    assert all_output.places_of(portal.admin.code) == []


def test_mapped_sensors_are_deferred_each_with_its_own_payment(portal, connection, run_dag, xcom, task_instance):
    paid, gone = portal.add_payment(1, paid=True), portal.add_payment(1)
    portal.remove_payment(gone)
    with empty_dag("mapped_sensors") as dag:
        Bitrix24PaymentSensor.partial(task_id="paid", deferrable=True, soft_fail=True, retries=0).expand(
            payment_id=[paid, gone, str(paid)]
        )
    run = run_dag(dag)
    assert [task_instance(run, "paid", index).state for index in range(3)] == ["success", "skipped", "success"]
    assert xcom(run, "paid", 2)["id"] == paid


def test_a_template_that_finds_nothing_never_means_anything(portal, connection, run_dag, task_instance):
    with empty_dag("lost_sensors") as dag:
        lost = {"task_id": "payment", "payment_id": "{{ params.get('x') }}"}
        Bitrix24PaymentSensor(**lost, deferrable=True, retries=3)
        Bitrix24ItemSensor(
            task_id="filter",
            entity_type_id=2,
            item_filter={"=title": "{{ params.get('x') }}"},
            deferrable=True,
            retries=3,
        )
        Bitrix24ItemSensor(
            task_id="condition",
            entity_type_id=2,
            item_id=1,
            condition={"result_path": "stageId", "operator": "!=", "value": "{{ params.get('x') }}"},
            deferrable=True,
            retries=3,
        )
        Bitrix24Sensor(
            task_id="method",
            method="crm.deal.list",
            method_params={"filter": {">ID": "{{ params.get('x') }}"}},
            condition="any row",
            deferrable=True,
            retries=3,
        )
    run = run_dag(dag)
    for name in ("payment", "filter", "condition", "method"):
        assert (task_instance(run, name).state, task_instance(run, name).try_number) == ("failed", 1)
    assert portal.count(GET) + portal.count("crm.item.list") + portal.count("crm.deal.list") == 0
