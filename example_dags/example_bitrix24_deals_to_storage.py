"""
Write the deals that changed in the last day to a file of JSON lines each night, and tell a user in Bitrix24 how many.

Run it with ``airflow dags test example_bitrix24_deals_to_storage -c '{"folder": "file:///tmp/deals", "user_id": 1}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator, Bitrix24Operator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

with DAG(
    dag_id="example_bitrix24_deals_to_storage",
    # With schedule="@daily" a run of Airflow 3 has no interval: its data_interval_start and _end are one moment.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    params={"folder": "s3://aws_default@my-bucket/deals", "user_id": 1},
    tags=["example", "bitrix24"],
) as dag:
    deals = Bitrix24ListOperator(
        task_id="deals",
        method="crm.item.list",
        method_params={
            "entityTypeId": 2,
            "select": ["id", "title", "stageId", "opportunity", "currencyId", "updatedTime"],
            # Bounds on both sides: a run that is repeated writes the same rows.
            "filter": {">=updatedTime": "{{ data_interval_start }}", "<updatedTime": "{{ data_interval_end }}"},
        },
        destination="{{ params.folder }}/{{ ds }}.jsonl",
        retries=3,
    )
    tell = Bitrix24Operator(
        task_id="tell",
        method="im.notify.system.add",
        method_params={
            "USER_ID": "{{ params.user_id }}",
            "MESSAGE": "{{ ti.xcom_pull(task_ids='deals')['rows'] }} deals changed on {{ ds }}.",
        },
    )
    deals >> tell
