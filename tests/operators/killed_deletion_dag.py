"""A bulk deletion that writes down which process it runs in; made for ``test_killed_deletion_dag.py``."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator


class TellingItsProcess(Bitrix24DeletePaymentsOperator):
    def run(self, client: Any, context: Any) -> Any:
        with Path(os.environ["BITRIX24_TEST_PIDS"]).open("a") as file:
            file.write(f"{os.getpid()}\n")
        return super().run(client, context)


with DAG("killed_deletion", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False) as dag:
    TellingItsProcess(
        task_id="delete",
        entity_ids=list(range(1, 301)),
        max_deletions=5000,
        retries=5,
        retry_delay=timedelta(seconds=1),
    )
