"""One task of each operator and sensor, whose portal refuses everything; made for ``test_limits_in_airflow.py``."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from airflow import DAG

from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.get_provider_info import get_provider_info
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from airflow_provider_bitrix24.sensors.base_sensor import Bitrix24BaseSensor

HOME = os.environ.get("AIRFLOW_HOME", "/tmp")
#: Airflow 2 runs one task after the other, so there it is one of each way to work.
FEW = (
    "Bitrix24Operator",
    "Bitrix24BatchOperator",
    "Bitrix24ListOperator",
    "Bitrix24BulkWriteOperator",
    "Bitrix24ToObjectStorageOperator",
    "Bitrix24PaymentSensor",
)
#: Of a task. Its sensors take a minute more, in which a triggerer may come late.
TIMEOUT = timedelta(seconds=180)
SENSOR_TIMEOUT_SECONDS = 100.0

_PAYMENT = {"payment_id": 1}
#: What each of them needs, by its name.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Bitrix24Operator": {"method": "profile"},
    "Bitrix24BatchOperator": {"commands": {"a": ["profile"]}},
    "Bitrix24ListOperator": {"method": "crm.deal.list"},
    "Bitrix24GetItemOperator": {"entity_type_id": "deal", "item_id": 1},
    "Bitrix24ListItemsOperator": {"entity_type_id": "deal"},
    "Bitrix24AddItemOperator": {"entity_type_id": "deal", "fields": {"title": "x"}},
    "Bitrix24UpdateItemOperator": {"entity_type_id": "deal", "item_id": 1, "fields": {"title": "x"}},
    "Bitrix24DeleteItemOperator": {"entity_type_id": "deal", "item_id": 1},
    "Bitrix24UpsertItemOperator": {"entity_type_id": "deal", "key": "originId", "fields": {"originId": "1"}},
    "Bitrix24BulkWriteOperator": {"entity_type_id": "deal", "rows": [{"title": "x"}]},
    "Bitrix24ImportItemsOperator": {"entity_type_id": "deal", "rows": [{"title": "x"}]},
    "Bitrix24UpsertItemsOperator": {"entity_type_id": "deal", "key": "originId", "rows": [{"originId": "1"}]},
    "Bitrix24DeletePaymentsOperator": {"payment_ids": [1]},
    "Bitrix24GetPaymentOperator": _PAYMENT,
    "Bitrix24ListPaymentsOperator": {"entity_id": 1},
    "Bitrix24AddPaymentOperator": {"entity_id": 1, "pay_system_id": 1},
    "Bitrix24UpdatePaymentOperator": {"payment_id": 1, "pay_system_id": 1},
    "Bitrix24PayPaymentOperator": _PAYMENT,
    "Bitrix24UnpayPaymentOperator": _PAYMENT,
    "Bitrix24DeletePaymentOperator": _PAYMENT,
    "Bitrix24AddPaymentProductOperator": {"payment_id": 1, "row_id": 1, "quantity": 1},
    "Bitrix24AddPaymentDeliveryOperator": {"payment_id": 1, "delivery_id": 1},
    "Bitrix24ListPaymentProductsOperator": _PAYMENT,
    "Bitrix24ListPaymentDeliveriesOperator": _PAYMENT,
    "Bitrix24SetPaymentProductQuantityOperator": {"item_id": 1, "quantity": 1},
    "Bitrix24SetPaymentDeliveryOperator": {"item_id": 1, "delivery_id": 1},
    "Bitrix24DeletePaymentProductOperator": {"item_id": 1},
    "Bitrix24DeletePaymentDeliveryOperator": {"item_id": 1},
    "Bitrix24GetPaymentPublicUrlOperator": _PAYMENT,
    "Bitrix24SendMessageOperator": {"message": "x", "user_id": 1},
    "Bitrix24AddCommentOperator": {"comment": "x", "entity_type_id": "deal", "item_id": 1},
    "Bitrix24AddTaskOperator": {"title": "x", "responsible_id": 1},
    "Bitrix24ToObjectStorageOperator": {"entity_type_id": "deal", "destination": f"{HOME}/deals"},
    "Bitrix24ToSqlOperator": {"entity_type_id": "deal", "sql_conn_id": "target", "table": "deals"},
    "Bitrix24ItemSensor": {"entity_type_id": "deal", "item_id": 1},
    "Bitrix24PaymentSensor": _PAYMENT,
    "Bitrix24Sensor": {"method": "profile", "condition": {"result_path": "ID", "operator": "=", "value": "9"}},
}


def operators() -> dict[str, type]:
    """All operators and sensors of the provider, by name."""
    info = get_provider_info()
    parts = [part for kind in ("operators", "sensors", "transfers") for part in info.get(kind, [])]
    modules = [name for part in parts for name in part.get("python-modules", [part.get("python-module")])]
    found = {}
    for module in map(import_module, filter(None, modules)):
        for name, value in vars(module).items():
            ours = isinstance(value, type) and issubclass(value, (Bitrix24BaseOperator, Bitrix24BaseSensor))
            if ours and value.__module__ == module.__name__ and "Base" not in name:
                found[name] = value
    return found


def made(names: Any) -> DAG:
    with DAG("unanswered", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False) as dag:
        for name, operator in operators().items():
            if name not in names:
                continue
            if issubclass(operator, Bitrix24BaseSensor):
                operator(task_id=name, **ARGUMENTS[name], deferrable=True, timeout=SENSOR_TIMEOUT_SECONDS, retries=0)
            else:
                wait = {"wait_for_limits": "defer", "execution_timeout": TIMEOUT}
                operator(task_id=name, **ARGUMENTS[name], **wait, retries=0)
        # As an author has it who sets nothing: asleep in the worker, where no triggerer may be.
        Bitrix24Operator(task_id="asleep", method="profile", patience=70, retries=0)
        Bitrix24Operator(task_id="impatient", method="profile", patience=30, retries=0)
    return dag
