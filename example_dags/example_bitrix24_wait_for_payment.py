"""
Wait until a payment of a deal is paid, without holding a worker, and move the deal to its next stage.

If nobody pays within a week, or the payment is deleted, both tasks are skipped.

Run it with ``airflow dags test example_bitrix24_wait_for_payment -c '{"deal_id": 1, "payment_id": 1}'``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_provider_bitrix24.operators.crm import Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_wait_for_payment",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"deal_id": 1, "payment_id": 1, "stage_id": "EXECUTING"},
    tags=["example", "bitrix24"],
) as dag:
    paid = Bitrix24PaymentSensor(
        task_id="paid",
        payment_id="{{ params.payment_id }}",
        deferrable=True,
        poke_interval=60,
        timeout=timedelta(days=7),
        soft_fail=True,
        retries=3,
    )
    move = Bitrix24UpdateItemOperator(
        task_id="move",
        entity_type_id="deal",
        item_id="{{ params.deal_id }}",
        fields={"stageId": "{{ params.stage_id }}"},
        retries=3,
    )
    paid >> move
