"""A DAG that an outgoing webhook starts, for a real Airflow; made for ``test_started_in_airflow.py``."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

try:
    from airflow.sdk import task
except ImportError:
    from airflow.decorators import task

with DAG("on_deal", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:

    @task
    def changed(**context):
        return context["dag_run"].conf["event"]

    changed()
