"""Tasks that succeed, fail and are mapped; made for ``test_in_airflow.py``."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator

with DAG("linked", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False) as dag:
    Bitrix24ListItemsOperator(task_id="deals", entity_type_id="deal", limit=1)
    Bitrix24Operator(task_id="time", method="server.time")
    Bitrix24DeletePaymentOperator.partial(task_id="delete", retries=0).expand(payment_id=[1001, 999_999])
