"""
Load the CRM into tables of a database: each night what has changed, and on Sundays everything.

Run it with ``airflow dags test example_bitrix24_crm_to_sql -c '{"sql_conn_id": "my_postgres"}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.transfers.crm import bitrix24_crm_to

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_crm_to_sql",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # A load begins where the one before it began.
    max_active_runs=1,
    default_args={"retries": 3},
    params={"sql_conn_id": "postgres_default"},
    tags=["example", "bitrix24"],
) as dag:
    # Names of stages, people and choices stand beside their codes: stage_id_label.
    bitrix24_crm_to(sql_conn_id="{{ params.sql_conn_id }}", labels=True)
