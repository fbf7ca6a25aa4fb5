"""
Delete the unpaid payments of one deal.

Run it with ``airflow dags test example_bitrix24_delete_payment -c '{"deal_id": 13}'``.
"""

from __future__ import annotations

from datetime import datetime

from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

DEAL = 2  # entityTypeId

with DAG(
    dag_id="example_bitrix24_delete_payment",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"deal_id": 1},
    tags=["example", "bitrix24"],
) as dag:

    @task
    def unpaid_payments(params: dict[str, int]) -> list[int]:
        """Ids of the payments that may be deleted: Bitrix24 refuses to delete a paid one."""
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        deal = {"entityTypeId": DEAL, "entityId": params["deal_id"]}
        payments = Bitrix24Hook().call("crm.item.payment.list", deal)
        return [payment["id"] for payment in payments if payment["paid"] == "N"]

    Bitrix24DeletePaymentOperator.partial(task_id="delete_payment", retries=3).expand(payment_id=unpaid_payments())
