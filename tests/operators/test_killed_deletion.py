"""Many payments of 300 deals, deleted by a process that is killed (SIGKILL) at any moment and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

DELETE, LIST = "crm.item.payment.delete", "crm.item.payment.list"
DEALS = 300
#: More for a longer run: ``BITRIX24_PAYMENTS=5000``.
PAYMENTS = int(os.environ.get("BITRIX24_PAYMENTS", "1500"))
BATCHES = PAYMENTS // 50
ROOT = Path(__file__).parents[2]
#: More kills for a longer run: ``BITRIX24_KILLS=20``.
KILLS = int(os.environ.get("BITRIX24_KILLS", "3"))


@pytest.fixture
def portal() -> Iterator[Sandbox]:
    # It takes its time, so that several requests are under way.
    with Sandbox(deals=DEALS, latency=0.05) as portal:
        # Those that a new portal has are out of the way: some are paid.
        for payment in portal.payments():
            portal.remove_payment(payment["id"])
        yield portal


class Task:
    """The tries of one task, each a process."""

    def __init__(self, folder: Path, portal: Sandbox, store: Path | None, parallel: int, **arguments: Any) -> None:
        self.order = {
            "arguments": arguments, "store": store and str(store), "summary": str(folder / "summary.json"),
        }  # fmt: skip
        self.summary = folder / "summary.json"
        self.log = folder / "log.txt"
        self.environment = {**os.environ, "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json(parallel=parallel)}

    def start(self, try_number: int) -> subprocess.Popen[bytes]:
        order = json.dumps({**self.order, "try_number": try_number})
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.operators.deleting_process", order],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )


def kill_after(portal: Sandbox, process: subprocess.Popen[bytes], requests: int, delay: float) -> None:
    """SIGKILL, a moment after the portal has received this many requests; the process may have ended by itself."""
    until = time.monotonic() + 60
    while portal.requests < requests and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(delay)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def deleting(portal: Sandbox) -> list[Any]:
    """Requests that delete, whole batches and single calls."""
    return [call for call in portal.calls if DELETE in {command.method for command in call.commands or [call]}]


@pytest.mark.parametrize(("memory", "parallel"), [("store", 1), ("report", 4), ("store", 20)])
def test_payments_are_deleted_once_and_reported_truly_however_often_the_task_is_killed(
    memory, parallel, portal, tmp_path
):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    payments = [portal.add_payment(1 + index % DEALS) for index in range(PAYMENTS)]
    report = tmp_path / "report.jsonl"
    task = Task(
        tmp_path,
        portal,
        tmp_path / "store" if memory == "store" else None,
        parallel,
        entity_ids=list(range(1, DEALS + 1)),
        payment_filter={"=paid": "N"},
        max_deletions=PAYMENTS,
        report=f"file://{report}",
    )
    killed = 0
    for try_number in range(1, KILLS + 1):
        process = task.start(try_number)
        kill_after(portal, process, portal.requests + chance.randrange(1, BATCHES // KILLS + 7), chance.random() * 0.02)
        killed += process.returncode == -signal.SIGKILL
    last = task.start(KILLS + 1)
    assert last.wait(120) == 0, task.log.read_text()[-2000:]

    result = json.loads(task.summary.read_text())
    outcomes = {row["id"]: row["outcome"] for row in map(json.loads, report.read_text().splitlines())}
    batches = deleting(portal)
    repeated = result.get("deleted_earlier", 0)
    print(f"seed {seed}: killed {killed} times, {len(batches)} deleting requests, {repeated} deleted_earlier")
    assert killed >= 1
    assert portal.payments() == []
    assert portal.executed(DELETE) == PAYMENTS
    assert set(outcomes) == set(payments)
    assert set(outcomes.values()) <= {"deleted", "deleted_earlier"}
    assert (result["rows"], result["deleted"] + repeated) == (PAYMENTS, PAYMENTS)
    assert (result["missing"], result["denied"], result["paid"], result["failed"]) == (0, 0, 0, 0)
    # The first steps are short where several may be under way. Each kill repeats the steps that were, and may find them
    # half done.
    assert BATCHES <= len(batches) <= BATCHES + 4 + parallel * killed
    assert [row for row in outcomes.values() if row == "deleted_earlier"] == ["deleted_earlier"] * repeated
    assert repeated <= 50 * parallel * killed
