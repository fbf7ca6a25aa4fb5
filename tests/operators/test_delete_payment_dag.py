"""A payment deleted from a DAG that Airflow itself runs, and all that is said and stored meanwhile."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.sandbox.web.server import unused_port
from tests.secrecy import assert_untold
from tests.sleepless import SleeplessDelete

DELETE = "crm.item.payment.delete"


def dag_of(
    name: str, operator: type[Bitrix24DeletePaymentOperator] = Bitrix24DeletePaymentOperator, **arguments: Any
) -> Any:
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="delete", retries=3, **arguments)
    return dag


@pytest.fixture
def untold(portal, all_output):
    """Call it at the end: neither code is in any log, on standard output, or in Airflow's database."""

    def search() -> None:
        for user in (portal.admin, portal.clerk):
            assert_untold(user.code, all_output)

    return search


def test_the_payment_is_gone_and_true_is_in_xcom(portal, connection, run_dag, xcom, task_instance, all_output, untold):
    payment_id = portal.add_payment(1)
    run = run_dag(dag_of("delete_one", payment_id="{{ dag_run.conf['payment'] }}"), {"payment": payment_id})
    assert run.state == "success"
    assert xcom(run, "delete") is True
    assert task_instance(run, "delete").try_number == 1
    assert portal.payment(payment_id) is None
    assert (portal.requests, portal.executed(DELETE)) == (1, 1)
    assert f"payment {payment_id} deleted in" in all_output.printed + all_output.records
    untold()


def test_each_mapped_id_is_deleted_by_a_task_of_its_own(portal, connection, run_dag, xcom, untold):
    payments = [portal.add_payment(1) for _ in range(3)]
    with DAG("delete_mapped", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24DeletePaymentOperator.partial(task_id="delete").expand(payment_id=payments)
    run = run_dag(dag)
    assert run.state == "success"
    assert [xcom(run, "delete", index) for index in range(3)] == [True] * 3
    assert not [payment for payment in payments if portal.payment(payment)]
    assert portal.executed(DELETE) == 3
    untold()


def test_a_missing_payment_is_false_in_xcom_where_that_is_fine(portal, connection, run_dag, xcom):
    run = run_dag(dag_of("delete_missing", payment_id=999_999, missing_ok=True))
    assert run.state == "success"
    assert xcom(run, "delete") is False


def test_a_missing_right_fails_on_the_first_try(portal, connect, run_dag, xcom, task_instance, all_output, untold):
    connect(portal.clerk)
    payment_id = portal.add_payment(1)
    run = run_dag(dag_of("delete_denied", payment_id=payment_id))
    task = task_instance(run, "delete")
    assert (run.state, task.state, task.try_number, task.max_tries) == ("failed", "failed", 1, 3)
    assert portal.requests == 1
    assert portal.payment(payment_id) is not None
    assert (
        "the connection's user needs the right to change the payment's order" in all_output.printed + all_output.records
    )
    with pytest.raises(LookupError):
        xcom(run, "delete")
    untold()


def test_what_is_not_an_id_fails_on_the_first_try_and_nothing_is_sent(portal, connection, run_dag, task_instance):
    run = run_dag(dag_of("delete_number", payment_id="{{ '3653/1' }}"))
    task = task_instance(run, "delete")
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.connections == 0


def test_a_limit_passes_with_a_retry(portal, connection, run_dag, xcom, task_instance, untold):
    portal.fault("operation_time_limit", DELETE)
    payment_id = portal.add_payment(1)
    run = run_dag(dag_of("delete_limited", payment_id=payment_id))
    assert run.state == "success"
    assert xcom(run, "delete") is True
    assert task_instance(run, "delete").try_number == 2
    assert [call.error for call in portal.calls] == ["OPERATION_TIME_LIMIT", None]
    untold()


def test_a_lost_network_is_repaired_by_a_retry(portal, connection, run_dag, xcom, task_instance, monkeypatch, untold):
    """The first try finds nobody; before the second one the portal is back."""
    payment_id, right = portal.add_payment(1), os.environ["AIRFLOW_CONN_BITRIX24_DEFAULT"]
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", right.replace(str(portal.port), str(unused_port())))
    dag = dag_of(
        "delete_retried",
        SleeplessDelete,
        payment_id=payment_id,
        on_retry_callback=lambda context: monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", right),
    )
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom(run, "delete") is True
    assert task_instance(run, "delete").try_number == 2
    assert (portal.requests, portal.executed(DELETE)) == (1, 1)
    untold()


def test_what_never_recovers_uses_up_the_retries(portal, connection, run_dag, task_instance, all_output, untold):
    portal.fault("close_before", DELETE, times=None)
    payment_id = portal.add_payment(1)
    run = run_dag(dag_of("delete_lost", SleeplessDelete, payment_id=payment_id))
    task = task_instance(run, "delete")
    assert (run.state, task.state, task.try_number) == ("failed", "failed", 4)
    assert portal.executed(DELETE) == 0
    assert "the payment may already be deleted" in all_output.printed + all_output.records
    untold()
