"""
Each night, write the deals that changed yesterday to a file, and update contacts from a CSV of another program.

The CSV is as German and Russian programs write it: ``id;discount`` in the first line, ``17;12,5`` in the others.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_nightly_exchange",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"folder": "s3://aws_default@my-bucket/exchange"},
    default_args={"retries": 3},
    tags=["example", "bitrix24"],
) as dag:
    Bitrix24ListItemsOperator(
        task_id="deals",
        entity_type_id="deal",
        item_filter={">=updatedTime": "{{ data_interval_start }}", "<updatedTime": "{{ data_interval_end }}"},
        destination="{{ params.folder }}/deals-{{ ds }}.jsonl",
    )
    Bitrix24BulkWriteOperator(
        task_id="contacts",
        operation="update",
        entity_type_id="contact",
        rows="{{ params.folder }}/contacts.csv",
        csv={"delimiter": ";", "decimal": ","},
        mapping={"UF_CRM_DISCOUNT": "$discount"},
        report="{{ params.folder }}/contacts-{{ ds }}.jsonl",
    )
