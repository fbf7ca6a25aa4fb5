"""
A DAG file, functions of tasks and a test, as people write them who have installed the package.

``.ci/run`` checks it against the installed wheel, with mypy and pyright in strict mode: every class, argument and
result that it uses must have a type, seen from outside. ``assert_type`` holds which one. Nothing here is run.
"""

# pyright: strict
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, Context
from typing_extensions import assert_type

from airflow_provider_bitrix24.events import new_events, verified_event
from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    BatchError,
    Bitrix24Error,
    IncompleteList,
    OperationTimeLimit,
    RestError,
)
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.hooks.retry_policy import Bitrix24RetryPolicy
from airflow_provider_bitrix24.methods import Method, Rows
from airflow_provider_bitrix24.notifications.bitrix24 import Bitrix24Notifier, bitrix24_failure_message
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import payments_of
from airflow_provider_bitrix24.operators.messages import Bitrix24SendMessageOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.payment_items import Bitrix24ListPaymentProductsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from airflow_provider_bitrix24.transfers.crm import bitrix24_crm_to
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from airflow_provider_bitrix24.triggers.changes import Bitrix24ChangesTrigger
from airflow_provider_bitrix24.triggers.events import Bitrix24EventTrigger

DEALS = Asset(
    name="deals",
    watchers=[
        AssetWatcher(name="events", trigger=Bitrix24EventTrigger(events=["ONCRMDEALUPDATE"], connector="airflow")),
        AssetWatcher(name="changes", trigger=Bitrix24ChangesTrigger(entity_type_id="deal", poll_interval=60)),
    ],
)

with DAG(
    "consumer",
    schedule=[DEALS],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    on_failure_callback=Bitrix24Notifier(
        message="{{ dag.dag_id }} failed", chat_id=7, group_within=timedelta(minutes=5)
    ),
    default_args={"retry_policy": Bitrix24RetryPolicy()},
) as dag:
    unpaid = payments_of(4, payment_filter={"=paid": "N"})
    # Airflow's own `expand` has a list of unknown in its signature.
    Bitrix24DeletePaymentOperator.partial(task_id="each", retries=3).expand(  # pyright: ignore[reportUnknownMemberType]
        payment_id=unpaid
    )
    Bitrix24DeletePaymentsOperator(task_id="all", entity_filter={"=stageId": "LOSE"}, max_deletions=100)
    Bitrix24ListPaymentProductsOperator(task_id="products", payment_id=7)
    added = Bitrix24AddItemOperator(task_id="add", entity_type_id="deal", fields={"title": "Oak"})
    listed = Bitrix24ListItemsOperator(
        task_id="list", entity_type_id=2, item_filter={"=stageId": "WON"}, destination="s3://a@bucket/{{ ds }}.jsonl"
    )
    Bitrix24BulkWriteOperator(
        task_id="write", operation="update", entity_type_id="contact", rows=[{"id": 1, "name": "A"}]
    )
    Bitrix24ImportItemsOperator(task_id="import", entity_type_id="lead", rows="file:///tmp/leads.csv")
    Bitrix24UpsertItemsOperator(
        task_id="upsert", entity_type_id="company", key="originId", sql="SELECT 1", sql_conn_id="d"
    )
    Bitrix24Operator(task_id="call", method="crm.deal.get", method_params={"ID": added.output})
    Bitrix24BatchOperator(task_id="batch", commands={"a": ("crm.deal.get", {"ID": 7})})
    Bitrix24ListOperator(task_id="rows", method="crm.deal.list", method_params={"select": ["ID"]}, limit=10)
    Bitrix24PaymentSensor(task_id="paid", payment_id=7, deferrable=True, timeout=3600)
    Bitrix24ItemSensor(task_id="won", entity_type_id="deal", item_id=7, field="stageId", values=["WON"])
    Bitrix24Sensor(
        task_id="ready",
        method="crm.deal.get",
        method_params={"ID": 7},
        condition={"result_path": "STAGE_ID", "operator": "=", "value": "WON"},
    )
    # Types are also there to refuse: an ignored error that is none is an error of mypy.
    Bitrix24SendMessageOperator(task_id="wrong", user_id=1, message=7)  # type: ignore[arg-type]
    Bitrix24SendMessageOperator(task_id="say", user_id=1, message="done")
    files = Bitrix24ToObjectStorageOperator(task_id="files", entity_type_id="deal", destination="s3://a@bucket/deals")
    Bitrix24ToSqlOperator(task_id="table", entity_type_id="deal", table="deals", sql_conn_id="d", write="upsert")
    bitrix24_crm_to(sql_conn_id="d", objects=["deal", "company"])
    files.set_downstream(listed)


def won_deals(context: Context) -> list[int]:
    hook = Bitrix24Hook("bitrix24_default")
    with airflow_outcome(), hook.get_conn() as client:
        assert_type(client, Client)
        return [event["object_id"] for event in new_events(context)]


def everything_of(client: Client) -> Mapping[int, Any]:
    client.methods = client.methods.adding(
        Method("acme.visit.list", rows=Rows(at="visits", id_key="id", paging="single"))
    )
    deals = client.list("crm.deal.list", {"filter": {">ID": 7}}, limit=100)
    for deal in deals:
        assert_type(deal, dict[str, Any])
    assert_type(deals.report.rows, int)
    assert_type(client.activity.requests, int)
    reply = client.ask("crm.deal.get", {"ID": 7})
    assert_type(reply.total, int | None)
    for deal_id, product in client.children(
        "crm.item.productrow.list", [7, 8], lambda id_: {"filter": {"=ownerId": id_}}
    ):
        assert_type(deal_id, int)
        assert_type(product, dict[str, Any])
    outcome = client.batch({7: ("crm.deal.get", {"ID": 7}), 8: ("crm.deal.get", {"ID": 8})}, ordered=False)
    assert_type(outcome.errors, dict[int, Bitrix24Error])
    assert_type(outcome.not_run, list[int])
    return outcome.all_results()


def what_went_wrong(hook: Bitrix24Hook, body: bytes) -> str:
    try:
        hook.call("crm.deal.update", {"ID": verified_event(body, "token")["object_id"]})
    except OperationTimeLimit as error:
        assert_type(error.reset_at, float | None)
    except RestError as error:
        assert_type(error.code, str | None)
    except AnswerLost as error:
        assert_type(error.too_much, bool)
    except IncompleteList as error:
        assert_type(error.rows, int)
    except BatchError as error:
        assert_type(error.errors, dict[Any, Bitrix24Error])
    except Bitrix24Error as error:
        assert_type(error.retryable, bool)
    return bitrix24_failure_message


def test_deletes(bitrix24_portal: Sandbox, bitrix24_connection: str) -> None:
    payment_id = bitrix24_portal.add_payment(deal_id=5)
    assert_type(payment_id, int)
    fault = bitrix24_portal.fault("reset_after", "crm.item.payment.delete")
    Bitrix24Hook(bitrix24_connection).call("crm.item.payment.delete", {"id": payment_id})
    assert_type(bitrix24_portal.payment(payment_id), dict[str, Any] | None)
    assert_type(fault.hits, int)
    bitrix24_portal.assert_called("crm.item.payment.delete", id=payment_id)
    with Sandbox(deals=3) as other:
        assert_type(other.connection_json(other.clerk), str)
