"""
A real Airflow 3.3 with scheduler, API server and triggerer watches a portal, and its triggerer is killed five times.

It takes some minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time

import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.standalone import Standalone

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")
pytest.importorskip("airflow.triggers.shared_stream", reason="Airflow confirms what it stored from 3.3 on")

CHANGES = int(os.environ.get("BITRIX24_WATCHED_CHANGES", "300"))
RESTARTS = 5
PATIENCE_SECONDS = 600.0
SETTINGS = {
    # Another triggerer takes over soon.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
}


@pytest.fixture
def portal():
    with Sandbox(deals=CHANGES + 10) as portal:
        yield portal


def test_every_change_is_seen_once_though_the_triggerer_is_killed_five_times(portal, connect, tmp_path):
    app, chance = portal.application(), random.Random(1)
    connection = portal.oauth_connection_json(app, rate=100_000, burst=100_000)
    connect(conn_id="somebody", rate=100_000, burst=100_000)
    client = Bitrix24Hook("somebody").get_conn()
    airflow = Standalone(tmp_path / "home", connection, settings=SETTINGS)
    try:
        airflow.begin("from tests.triggers.watching_dag import deals, gone, twin  # airflow DAG\n")
        until(airflow, lambda: len(portal._state.events.bindings) == 2)
        share = CHANGES // (RESTARTS + 1) + 1
        deals = list(range(1, CHANGES + 1))
        for restart in range(RESTARTS + 1):
            part = deals[restart * share : (restart + 1) * share]
            commands = {n: ("crm.item.update", {"entityTypeId": 2, "id": n, "fields": {"title": "x"}}) for n in part}
            assert client.batch(commands, ordered=False).errors == {}
            if restart < RESTARTS:
                until(airflow, lambda: any(row["PROCESS_ID"] for row in portal._state.events.queue))
                time.sleep(chance.uniform(0, 4))
                airflow.kill_triggerer()
        client.call("crm.item.delete", {"entityTypeId": 2, "id": CHANGES + 5})
        until(airflow, lambda: all(len(seen(airflow, name)) >= CHANGES for name in ("deals", "twin")))
        until(airflow, lambda: bool(seen(airflow, "gone")) and not len(portal._state.events.queue))
    finally:
        airflow.stop()
        client.close()
    for name in ("deals", "twin"):
        ids = [event["id"] for event in seen(airflow, name)]
        assert len(ids) == len(set(ids)) == CHANGES
        assert {event["object_id"] for event in seen(airflow, name)} == set(deals)
    assert [event["object_id"] for event in seen(airflow, "gone")] == [CHANGES + 5]
    stored = asset_events(airflow)
    again = [payload for payload in stored if payload["redelivered"]]
    print(f"{len(stored)} asset events of {CHANGES} changes and 2 assets, {len(again)} of them marked as redelivered")
    # Without new_events: what comes twice says so.
    assert len(stored) - len(again) <= 2 * CHANGES + 1
    assert {place for secret in app.secrets() for place in airflow.places_of(secret)} == set()


def until(airflow, condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, airflow.said()
        time.sleep(0.5)


def seen(airflow, name):
    file = airflow.home / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def asset_events(airflow):
    with sqlite3.connect(f"file:{airflow.home}/airflow.db?mode=ro", uri=True, timeout=30) as database:
        rows = database.execute("SELECT extra FROM asset_event ORDER BY id")
        return [json.loads(extra)["payload"] for (extra,) in rows]
