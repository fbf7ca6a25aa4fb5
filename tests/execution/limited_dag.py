"""Tasks that meet limits of the portal in a real Airflow; made for ``test_limits_in_airflow.py``."""

from __future__ import annotations

import os
from datetime import datetime

from airflow import DAG

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator

HOME = os.environ["AIRFLOW_HOME"]

# One slot for all: a task that waits does not hold it.
with DAG("limited", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=1) as dag:
    Bitrix24ToObjectStorageOperator(
        task_id="load",
        entity_type_id="deal",
        select=["id", "title"],
        destination=f"{HOME}/deals",
        bitrix24_conn_id="bitrix24_edited",
        file_format="jsonl",
        window="all",
        wait_for_limits="defer",
        retries=0,
    )
    Bitrix24BulkWriteOperator(
        task_id="write",
        entity_type_id="company",
        rows=f"{HOME}/companies.jsonl",
        report=f"{HOME}/report.jsonl",
        bitrix24_conn_id="bitrix24_app",
        wait_for_limits="defer",
        retries=0,
    )
