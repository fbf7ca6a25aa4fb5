"""
Tell a user in Bitrix24 how a pipeline ended, whatever its end.

Run it with ``airflow dags test example_bitrix24_notify_after -c '{"user_id": 1}'``.
"""

from __future__ import annotations

from datetime import datetime

from airflow_provider_bitrix24.operators.messages import Bitrix24SendMessageOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

with DAG(
    dag_id="example_bitrix24_notify_after",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"user_id": 1},
    tags=["example", "bitrix24"],
) as dag:

    @task
    def work() -> str:
        """Whatever the pipeline does."""
        return "42 rows"

    notify = Bitrix24SendMessageOperator(
        task_id="notify",
        user_id="{{ params.user_id }}",
        message="{{ dag.dag_id }}: {{ ti.xcom_pull(task_ids='work') or 'failed, see the log' }}",
        # After a failure too. A message that may have been sent is not sent again: the task fails instead.
        trigger_rule="all_done",
    )
    work() >> notify
