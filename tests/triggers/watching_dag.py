"""A DAG that a portal starts, for a real Airflow: it writes down which event was handed to which run."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_bitrix24.events import new_events
from airflow_provider_bitrix24.triggers.events import Bitrix24EventTrigger

TRIGGER = Bitrix24EventTrigger(["ONCRMDEALUPDATE"], poll_interval=1)
DEALS = Asset(name="deals", watchers=[AssetWatcher(name="deals", trigger=TRIGGER)])
# Another asset of the same trigger, and one of another trigger on the same queue.
TWIN = Asset(name="twin", watchers=[AssetWatcher(name="twin", trigger=TRIGGER)])
GONE = Asset(
    name="gone",
    watchers=[AssetWatcher(name="gone", trigger=Bitrix24EventTrigger(["ONCRMDEALDELETE"], poll_interval=2))],
)


def seen_by(name: str) -> Path:
    return Path(os.environ["AIRFLOW_HOME"]) / f"{name}.jsonl"


def watching(asset: Asset) -> DAG:
    with DAG(f"on_{asset.name}", schedule=[asset], start_date=datetime(2026, 1, 1), max_active_runs=1) as dag:

        @task(inlets=[asset], retries=5, retry_delay=timedelta(seconds=1))
        def write_down(**context):
            with seen_by(asset.name).open("a") as file:
                for event in new_events(context):
                    file.write(f"{json.dumps({**event, 'run_id': context['run_id']})}\n")

        write_down()
    return dag


deals, twin, gone = (watching(asset) for asset in (DEALS, TWIN, GONE))
