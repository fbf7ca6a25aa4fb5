"""
Sixteen tasks of a real Airflow 3, with its scheduler, LocalExecutor and triggerer, share one token pair in variables.

It takes a minute and a half and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1`` (and
``BITRIX24_OAUTH_ROUNDS=100`` rounds, as in ``test_many_processes.py``).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.standalone import PATIENCE_SECONDS, Standalone

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")
pytest.importorskip("airflow.sdk", reason="Airflow 2.11 has no executor for parallel tasks on SQLite")

WORKERS = 16
ROUNDS = int(os.environ.get("BITRIX24_OAUTH_ROUNDS", "5"))


@pytest.fixture
def portal() -> Iterator[Sandbox]:
    with Sandbox(deals=1, latency=0.05) as portal:
        yield portal


@pytest.fixture
def conductor() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=WORKERS) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        yield listener


def test_16_tasks_and_a_trigger_share_one_pair_in_variables(portal, conductor, tmp_path):
    app = portal.application()
    connection = portal.oauth_connection_json(app, rate=100_000, burst=100_000)
    began = time.monotonic()
    airflow = Standalone(tmp_path / "home", connection, conductor.getsockname()[1])
    try:
        airflow.begin("from tests.hooks.shared_token_dag import deferred, shared  # airflow DAG\n")
        tasks = [conductor.accept()[0] for _ in range(WORKERS)]
        running, granted = time.monotonic(), []
        lines = [task.makefile() for task in tasks]
        for _ in range(ROUNDS):
            before = portal.renewals
            app.expire_access_tokens()
            for task in tasks:
                task.sendall(b"go\n")
            assert [line.readline() for line in lines] == ["1\n"] * WORKERS
            granted.append(portal.renewals - before)
        ended = time.monotonic()
        for task, line in zip(tasks, lines, strict=True):
            line.close()
            task.close()
        print(
            f"running after {running - began:.0f} s; {ROUNDS} rounds of {(ended - running) / ROUNDS:.2f} s: "
            f"{sum(granted)} granted, {portal.refused_renewals} refused"
        )
        assert granted == [1] * ROUNDS
        assert portal.refused_renewals == 0
        assert airflow.wait_for("shared_token", WORKERS) == ["success"] * WORKERS
        assert airflow.wait_for("shared_token_deferred", 3) == ["success"] * 3
    finally:
        airflow.stop()
    assert b"has been renewed" in b"".join(path.read_bytes() for path in (tmp_path / "home" / "logs").rglob("*.log"))
    assert {place for secret in app.secrets() for place in airflow.places_of(secret)} == set()
