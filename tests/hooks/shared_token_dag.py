"""Tasks that use one token pair at the same moment, and a trigger that does; for ``test_local_executor.py``."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from tests.hooks.token_tasks import DeferredProfile, Rounds

WORKERS = 16

with DAG("shared_token", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False) as shared:
    Rounds.partial(task_id="rounds").expand(number=list(range(WORKERS)))

with DAG("shared_token_deferred", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False) as deferred:
    DeferredProfile.partial(task_id="deferred").expand(calls=[1, 2, 3])
