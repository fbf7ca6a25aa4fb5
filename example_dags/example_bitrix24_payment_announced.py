"""
Wait until a payment is paid, write that into the timeline of its deal, and notify a user; of a failure too.

Run it with ``airflow dags test example_bitrix24_payment_announced -c '{"payment_id": 1003, "deal_id": 2}'``.
"""

from __future__ import annotations

from datetime import datetime

from airflow_provider_bitrix24.notifications.bitrix24 import Bitrix24Notifier
from airflow_provider_bitrix24.operators.messages import Bitrix24AddCommentOperator, Bitrix24SendMessageOperator
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_payment_announced",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"payment_id": 1003, "deal_id": 2, "user_id": 1},
    default_args={"on_failure_callback": Bitrix24Notifier(user_id="{{ params.user_id }}")},
    tags=["example", "bitrix24"],
) as dag:
    paid = Bitrix24PaymentSensor(task_id="paid", payment_id="{{ params.payment_id }}", timeout=3600)
    text = "Payment {{ params.payment_id }} is paid: [b]{{ ti.xcom_pull(task_ids='paid')['sum'] }}[/b]"
    comment = Bitrix24AddCommentOperator(
        task_id="comment", entity_type_id="deal", item_id="{{ params.deal_id }}", comment=text
    )
    notify = Bitrix24SendMessageOperator(task_id="notify", user_id="{{ params.user_id }}", message=text)
    paid >> comment >> notify
