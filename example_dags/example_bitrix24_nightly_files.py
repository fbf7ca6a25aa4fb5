"""
Load what has changed of deals, contacts and tasks into Parquet files each night; the first night everything.

Run it with ``airflow dags test example_bitrix24_nightly_files -c '{"folder": "file:///tmp/bitrix24"}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_nightly_files",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # A load begins where the one before it began.
    max_active_runs=1,
    default_args={"retries": 3},
    params={"folder": "s3://aws_default@my-bucket/bitrix24"},
    tags=["example", "bitrix24"],
) as dag:
    for kind in ("deal", "contact"):
        Bitrix24ToObjectStorageOperator(
            task_id=f"{kind}s", entity_type_id=kind, destination=f"{{{{ params.folder }}}}/{kind}s"
        )
    Bitrix24ToObjectStorageOperator(task_id="tasks", method="tasks.task.list", destination="{{ params.folder }}/tasks")
