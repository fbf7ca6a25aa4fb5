"""
Delete the unpaid payments of all lost deals, each night.

See first what would go: ``airflow dags test example_bitrix24_clean_up_payments -c '{"dry_run": true}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

DEAL = 2  # entityTypeId
UNPAID = {"=paid": "N"}

with DAG(
    dag_id="example_bitrix24_clean_up_payments",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    # Airflow must be able to reach the folder from every worker.
    params={"folder": "s3://aws_default@my-bucket/clean-up", "dry_run": False},
    tags=["example", "bitrix24"],
) as dag:

    @task(retries=3)
    def lost_deals() -> list[int]:
        """Ids of the deals that ended in a failure stage of any pipeline."""
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        params = {"entityTypeId": DEAL, "select": ["id"], "filter": {"=stageSemanticId": "F"}}
        with Bitrix24Hook().get_conn() as client:
            return [deal["id"] for deal in client.list("crm.item.list", params)]

    @task.branch
    def really(params: dict[str, bool]) -> str:
        """A dry run only says what would go."""
        return "would_be_deleted" if params["dry_run"] else "delete_payments"

    deals, way = lost_deals(), really()
    plan = Bitrix24DeletePaymentsOperator(
        task_id="would_be_deleted", entity_ids=deals, payment_filter=UNPAID, dry_run=True, retries=3
    )
    delete = Bitrix24DeletePaymentsOperator(
        task_id="delete_payments",
        entity_ids=deals,
        payment_filter=UNPAID,
        # More than this is unusual: the task fails, and nothing is deleted.
        max_deletions=5000,
        # A payment that cannot be deleted does not stop the others; the report says which and why.
        on_error="continue",
        report="{{ params.folder }}/{{ run_id }}.jsonl",
        retries=3,
    )
    way >> [plan, delete]
