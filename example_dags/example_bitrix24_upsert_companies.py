"""
Bring the companies of a database into Bitrix24 each night: those that are there are updated, the others added.

It needs a connection ``erp`` to a database with a table ``company (id, name, phone, revenue)``, of any type whose
Airflow provider has a ``DbApiHook``. Its first task only looks whether all rows can be sent.

    airflow dags test example_bitrix24_upsert_companies -c '{"report": "file:///tmp/companies.jsonl"}'
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

COMPANIES = {
    "entity_type_id": "company",
    # Tells which company is which: the id that the database knows it by, and whose id that is.
    "key": ["originatorId", "originId"],
    "sql": "SELECT id, name, phone, revenue FROM company ORDER BY id",
    "sql_conn_id": "erp",
    "mapping": {
        "originatorId": "ERP",
        "originId": "$id",
        "title": "$name",
        "revenue": "$revenue",
        "PHONE": "$phone",
        "opened": True,
    },
}

with DAG(
    dag_id="example_bitrix24_upsert_companies",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # Two runs at once could both add a company that is new.
    max_active_runs=1,
    params={"report": "s3://aws_default@my-bucket/companies.jsonl"},
    tags=["example", "bitrix24"],
) as dag:
    check = Bitrix24UpsertItemsOperator(task_id="check", dry_run=True, **COMPANIES)
    upsert = Bitrix24UpsertItemsOperator(
        task_id="upsert", max_failures=10, report="{{ params.report }}", retries=3, **COMPANIES
    )
    check >> upsert
