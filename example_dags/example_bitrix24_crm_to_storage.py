"""
Load the CRM into Parquet files: each night what has changed, and on Sundays everything.

Run it with ``airflow dags test example_bitrix24_crm_to_storage -c '{"folder": "file:///tmp/crm"}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.transfers.crm import bitrix24_crm_to

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_crm_to_storage",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # A load begins where the one before it began.
    max_active_runs=1,
    default_args={"retries": 3},
    params={"folder": "s3://aws_default@my-bucket/crm"},
    tags=["example", "bitrix24"],
) as dag:
    bitrix24_crm_to(
        destination="{{ params.folder }}",
        # Names and phones of people stay in the portal.
        objects={
            "deals": {"select": ["title", "stageId", "opportunity", "currencyId", "createdTime", "updatedTime"]},
            "deal_stage_history": {},
            "statuses": {},
            "deal_funnels": {},
        },
    )
