"""
5,000 payments deleted by a task of a real Airflow 3.3 (scheduler, LocalExecutor, state store), killed and retried.

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3):
    pytest.skip("only Airflow 3.3 has a task state store", allow_module_level=True)

from tests.standalone import PATIENCE_SECONDS, Standalone

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")

DELETE = "crm.item.payment.delete"
KILLS, PAYMENTS, DEALS = 3, 5000, 300


def kill_when(portal: Sandbox, pids: Path, number: int, requests: int) -> None:
    """SIGKILL to the task's n-th process when the portal has received this many requests."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        started = pids.read_text().split() if pids.exists() else []
        if len(started) >= number and portal.requests >= requests:
            # It may be done already.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(started[number - 1]), signal.SIGKILL)
            return
        time.sleep(0.002)
    raise AssertionError(f"try {number} has not begun: {portal.requests} requests")


def stored(home: Path) -> tuple[int, dict[str, Any]]:
    with sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30) as database:
        (tries,) = database.execute("SELECT try_number FROM task_instance").fetchone()
        (value,) = database.execute("SELECT value FROM xcom WHERE key = 'return_value'").fetchone()
    return tries, json.loads(value)


def test_a_killed_task_is_retried_by_airflow_and_goes_on_from_its_state_store(tmp_path, monkeypatch):
    pids, seed = tmp_path / "pids", random.randrange(10**6)
    chance = random.Random(seed)
    monkeypatch.setenv("BITRIX24_TEST_PIDS", str(pids))
    with Sandbox(deals=DEALS) as portal:
        for payment in portal.payments():
            portal.remove_payment(payment["id"])
        for index in range(PAYMENTS):
            portal.add_payment(1 + index % DEALS)
        airflow = Standalone(tmp_path / "home", portal.connection_json())
        try:
            airflow.begin("from tests.operators.killed_deletion_dag import dag  # airflow DAG\n")
            for number in range(1, KILLS + 1):
                kill_when(portal, pids, number, portal.requests + chance.randrange(1, 30))
            assert airflow.wait_for("killed_deletion", 1) == ["success"]
        finally:
            airflow.stop()
        tries, result = stored(tmp_path / "home")
        earlier = result.pop("deleted_earlier", 0)
        batches = [call for call in portal.calls if DELETE in {command.method for command in call.commands}]
        print(f"seed {seed}: {tries} tries, {len(batches)} deleting requests, {earlier} deleted_earlier")
        assert tries == KILLS + 1
        assert portal.payments() == []
        assert portal.executed(DELETE) == PAYMENTS
        assert result == {
            "rows": PAYMENTS, "deleted": PAYMENTS - earlier, "missing": 0, "denied": 0, "paid": 0, "failed": 0,
            "unknown": 0, "not_done": 0, "outcomes": None, "report": None,
        }  # fmt: skip
        # 20 steps may be under way at a kill.
        assert earlier <= 50 * 20 * KILLS
        assert 100 <= len(batches) <= 100 + 20 * KILLS
