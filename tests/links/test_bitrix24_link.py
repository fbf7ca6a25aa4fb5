"""The link of a task, as Airflow's API reads it: from the DAG as it is stored, and from what the task has left."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.links.bitrix24 import XCOM_KEY, Bitrix24Link
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24DeleteItemOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.operators.messages import Bitrix24AddTaskOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.sandbox import unused_port
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.operators.context import context


def dag_of(name: str, operator: type, **arguments: Any) -> Any:
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="task", retries=0, **arguments)
    return dag


def as_stored(dag: Any) -> Any:
    """The DAG as the API server and the web server have it."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    return Serialization.from_dict(json.loads(json.dumps(Serialization.to_dict(dag))))


def link_of(dag: Any, run: Any, map_index: int = -1) -> str | None:
    """What Airflow's API answers for the task's links."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        where = {"dag_id": run.dag_id, "run_id": run.run_id, "task_id": "task", "map_index": map_index}
        ti = session.query(TaskInstance).filter_by(**where).one()
        task = as_stored(dag).get_task("task")
        assert list(task.extra_links) == [Bitrix24Link.name]
        return task.get_extra_links(ti, Bitrix24Link.name) or None


@pytest.mark.parametrize(
    ("operator", "arguments", "state", "page"),
    [
        (Bitrix24DeletePaymentOperator, {"payment_id": "{{ 1000 + 1 }}"}, "success",
         "/shop/orders/payment/details/1001/"),
        (Bitrix24DeletePaymentOperator, {"payment_id": 999_999}, "failed", "/shop/orders/payment/details/999999/"),
        (Bitrix24DeleteItemOperator, {"entity_type_id": "deal", "item_id": 999}, "failed", "/crm/deal/details/999/"),
        (Bitrix24ListPaymentsOperator, {"entity_id": "{{ 3 }}"}, "success", "/crm/deal/details/3/"),
        (Bitrix24Operator, {"method": "crm.deal.get", "method_params": {"ID": "{{ 4 }}"}}, "success",
         "/crm/deal/details/4/"),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "limit": 1}, "success", "/crm/deal/list/"),
        (Bitrix24ItemSensor, {"entity_type_id": "deal", "item_id": 3}, "success", "/crm/deal/details/3/"),
        (Bitrix24PaymentSensor, {"payment_id": 1001, "state": "unpaid"}, "success",
         "/shop/orders/payment/details/1001/"),
        (Bitrix24Operator, {"method": "server.time"}, "success", None),
    ],
)  # fmt: skip
def test_a_task_links_to_what_it_is_about(operator, arguments, state, page, portal, connection, run_dag):
    dag = dag_of("linked", operator, **arguments)
    run = run_dag(dag)
    assert run.state == state
    assert link_of(dag, run) == (page and f"{portal.url}{page}")


def test_each_mapped_task_has_its_own_link(portal, connection, run_dag):
    with DAG("linked_mapped", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24DeletePaymentOperator.partial(task_id="task").expand(payment_id=[1001, 999_999])
    run = run_dag(dag)
    pages = [f"{portal.url}/shop/orders/payment/details/{number}/" for number in (1001, 999_999)]
    assert [link_of(dag, run, index) for index in (0, 1)] == pages


@pytest.mark.parametrize(
    ("operator", "arguments", "page"),
    [
        (Bitrix24AddItemOperator, {"entity_type_id": "lead", "fields": {"title": "x"}}, "/crm/lead/details/{}/"),
        (Bitrix24UpsertItemOperator, {"entity_type_id": "company", "key": "originId",
                                      "fields": {"originId": "F1", "title": "x"}}, "/crm/company/details/{id}/"),
        (Bitrix24AddTaskOperator, {"title": "x", "responsible_id": 1}, "/company/personal/user/1/tasks/task/view/{}/"),
    ],
)  # fmt: skip
def test_what_a_task_has_added_is_where_its_link_leads(operator, arguments, page, portal, connection):
    given = context()
    made = operator(task_id="task", **arguments).execute(given)
    page = page.format(**made) if isinstance(made, dict) else page.format(made)
    assert given["ti"].pushed[XCOM_KEY] == f"{portal.url}{page}"


def test_a_load_links_to_the_list_of_its_kind(portal, connection, tmp_path):
    given = context()
    arguments = {"entity_type_id": "contact", "destination": f"file://{tmp_path}/contacts/", "window": "all"}
    Bitrix24ToObjectStorageOperator(task_id="task", **arguments).execute(given)
    assert given["ti"].pushed[XCOM_KEY] == f"{portal.url}/crm/contact/list/"


# What must never happen


def test_the_address_has_no_secret(portal, connect):
    connect(webhook_url=f"{portal.url}/rest/1/{portal.admin.code}/")
    given = context()
    Bitrix24DeletePaymentOperator(task_id="task", payment_id=1001).execute(given)
    assert given["ti"].pushed == {XCOM_KEY: f"{portal.url}/shop/orders/payment/details/1001/"}


def test_a_portal_that_is_away_leaves_the_link_and_the_outcome_as_they_are(monkeypatch):
    port = unused_port()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", f"bitrix24://1:CODE1234@127.0.0.1:{port}")
    given = context()
    operator = Bitrix24Operator(task_id="task", method="crm.deal.get", method_params={"ID": 7})
    with pytest.raises(Exception, match=r"crm\.deal\.get: no connection"):
        operator.execute(given)
    assert given["ti"].pushed == {XCOM_KEY: f"https://127.0.0.1:{port}/crm/deal/details/7/"}


@pytest.mark.parametrize("error", [RuntimeError("no database"), OSError(28, "no space"), ValueError("x" * 99)])
def test_a_link_that_cannot_be_kept_changes_nothing(error, portal, connection, all_output):
    given = context()

    def refuse(**_: Any) -> None:
        raise error

    given["ti"].xcom_push = refuse
    assert Bitrix24DeletePaymentOperator(task_id="task", payment_id=1001).execute(given) is True
    assert portal.payment(1001) is None
    assert f"The link to Bitrix24 cannot be kept: {type(error).__name__}" in all_output.printed + all_output.records


def test_a_link_that_cannot_be_made_changes_nothing(portal, connection, all_output):
    """JSON with a name twice is refused by whoever reads it; here by the link before the call itself."""
    method_params = '{"id": 7, "id": 8}'
    operator = Bitrix24Operator(task_id="task", method="crm.deal.get", method_params="{{ params }}")
    operator.method_params = method_params
    with pytest.raises(Exception, match="method_params has the name 'id' twice"):
        operator.execute(context())
    assert "The link to Bitrix24 cannot be kept: ConfigurationError" in all_output.printed + all_output.records


def test_a_link_that_cannot_be_read_is_none(monkeypatch):
    from airflow_provider_bitrix24 import _compat

    def refuse(**_: Any) -> None:
        raise RuntimeError("a backend of others")

    monkeypatch.setattr(_compat.XCom, "get_value", refuse)
    assert Bitrix24Link().get_link(None, ti_key=None) == ""


def test_a_sensor_leaves_its_link_with_its_first_look_alone(portal, connection):
    given, pushes = context(), []
    given["ti"].xcom_push = lambda key, value: pushes.append(key)
    sensor = Bitrix24PaymentSensor(task_id="task", payment_id=1001)
    for _ in range(3):
        sensor.poke(given)
    assert pushes == [XCOM_KEY]
