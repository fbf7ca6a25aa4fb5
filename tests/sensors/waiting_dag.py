"""Tasks that wait in the triggerer of a real Airflow; made for ``test_in_airflow.py``."""

from __future__ import annotations

import json
import os
from datetime import datetime

from airflow import DAG

from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor

#: Ids by task, and that of a deal.
IDS = json.loads(os.environ.get("BITRIX24_TEST_IDS", "{}"))
CONNECTIONS = {"edited": "bitrix24_edited", "renewed": "bitrix24_app"}
PAYMENTS = ("edited", "gone", "late", "paid", "renewed", "skipped")

# One slot for all: a task that waits does not hold it.
with DAG("waiting", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=1) as dag:
    for name in PAYMENTS:
        Bitrix24PaymentSensor(
            task_id=name,
            payment_id=IDS.get(name, 1),
            bitrix24_conn_id=CONNECTIONS.get(name, "bitrix24_default"),
            deferrable=True,
            poke_interval=2,
            timeout=20 if name in ("late", "skipped") else 900,
            soft_fail=name == "skipped",
            retries=0,
        )
    Bitrix24ItemSensor(
        task_id="won",
        entity_type_id="deal",
        item_id=IDS.get("won", 1),
        condition={"result_path": "STAGE_ID", "operator": "=", "value": "WON"},
        deferrable=True,
        poke_interval=2,
        timeout=900,
        retries=0,
    )
