"""
Delete the unpaid payments of all lost deals, each night.

Begin with ``dry_run=True``: the log and the report then say what would go, and nothing is deleted.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_clean_up_payments",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    # Airflow must be able to reach the folder from every worker.
    params={"folder": "s3://aws_default@my-bucket/clean-up"},
    tags=["example", "bitrix24"],
) as dag:
    Bitrix24DeletePaymentsOperator(
        task_id="delete_payments",
        # Deals that ended in a failure stage of any pipeline.
        entity_filter={"=stageSemanticId": "F"},
        payment_filter={"=paid": "N"},
        # More than this is unusual: the task fails, and nothing is deleted.
        max_deletions=5000,
        # A payment that cannot be deleted does not stop the others; the report says which and why.
        on_error="continue",
        report="{{ params.folder }}/{{ run_id }}.jsonl",
        retries=3,
    )
