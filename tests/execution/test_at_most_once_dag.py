"""In Airflow 3.3, whose task state store outlives a try: what must not be done twice, and a try that timed out."""

from __future__ import annotations

from datetime import datetime, timedelta

import airflow
import pytest

from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24AddPaymentOperator

if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3):
    pytest.skip("only Airflow 3.3 has a task state store", allow_module_level=True)


def dag_of(operator, **arguments):
    from airflow.sdk import DAG

    with DAG("once", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        operator(task_id="add", retries=3, execution_timeout=timedelta(seconds=2.5), **arguments)
    return dag


def test_an_item_is_not_added_again_by_the_next_try(portal, connection, run_dag, task_instance, all_output):
    portal.fault("slow", "crm.item.add", seconds=4.0)
    run = run_dag(dag_of(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "Oak door"}))
    added = task_instance(run, "add")
    assert added.state == "failed"
    # Not the last try: no other one was made.
    assert 2 <= added.try_number < 4
    assert portal.executed("crm.item.add") == 1
    assert "an earlier try of this task was killed or timed out while it called this method" in all_output.printed


def test_a_payment_that_the_try_before_added_is_found(portal, connection, run_dag, xcom, task_instance):
    before = {row["id"] for row in portal.payments()}
    portal.fault("slow", "crm.item.payment.add", seconds=4.0)
    run = run_dag(dag_of(Bitrix24AddPaymentOperator, entity_id=1, deduplicate=True))
    assert task_instance(run, "add").state == "success"
    assert task_instance(run, "add").try_number >= 2
    assert {row["id"] for row in portal.payments()} - before == {xcom(run, "add")}
    assert portal.executed("crm.item.payment.add") == 1
