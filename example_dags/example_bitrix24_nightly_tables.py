"""
Load what has changed of deals, contacts and tasks into tables each night; the first night everything.

Run it with ``airflow dags test example_bitrix24_nightly_tables -c '{"sql_conn_id": "my_postgres"}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_nightly_tables",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # A load begins where the one before it began.
    max_active_runs=1,
    default_args={"retries": 3, "sql_conn_id": "{{ params.sql_conn_id }}"},
    params={"sql_conn_id": "postgres_default"},
    tags=["example", "bitrix24"],
) as dag:
    for kind in ("deal", "contact"):
        # Names of stages, people and choices stand beside their codes: stage_id_label.
        Bitrix24ToSqlOperator(task_id=f"{kind}s", entity_type_id=kind, table=f"{kind}s", labels=True)
    Bitrix24ToSqlOperator(task_id="tasks", method="tasks.task.list", table="tasks")
