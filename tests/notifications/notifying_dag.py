"""Tasks, a DAG and a deadline whose callbacks write to a portal; made for ``test_in_airflow.py``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException, BaseOperator
from airflow_provider_bitrix24.notifications.bitrix24 import Bitrix24Notifier

TASKS = 6


class Failing(BaseOperator):
    def __init__(self, number: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> None:
        raise AirflowFailException(f"number {self.number}")


def deadline() -> dict[str, Any]:
    """A deadline that is missed at once; Airflow 2 has none."""
    try:
        from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
    except ImportError:
        return {}
    callback = AsyncCallback(Bitrix24Notifier, kwargs={"dialog_id": "chat1", "group_seconds": 0})
    reference = DeadlineReference.DAGRUN_QUEUED_AT
    return {"deadline": DeadlineAlert(reference=reference, interval=timedelta(seconds=1), callback=callback)}


with DAG(
    "notifying",
    schedule="@once",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    on_failure_callback=Bitrix24Notifier(dialog_id="sg1", group_seconds=0),
    default_args={"on_failure_callback": Bitrix24Notifier(user_id=7, group_seconds=600), "retries": 0},
    **deadline(),
) as dag:
    Failing.partial(task_id="fail").expand(number=list(range(TASKS)))
