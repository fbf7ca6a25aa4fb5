"""
Sixteen tasks of a real Airflow 3, with its scheduler, LocalExecutor and triggerer, share one token pair in variables.

It takes a minute and a half and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1`` (and
``BITRIX24_OAUTH_ROUNDS=100`` rounds, as in ``test_many_processes.py``).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox, unused_port

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")
pytest.importorskip("airflow.sdk", reason="Airflow 2.11 has no executor for parallel tasks on SQLite")

WORKERS = 16
ROUNDS = int(os.environ.get("BITRIX24_OAUTH_ROUNDS", "5"))
PATIENCE_SECONDS = 240.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def portal() -> Iterator[Sandbox]:
    with Sandbox(deals=1, latency=0.05) as portal:
        yield portal


class Standalone:
    """``airflow standalone`` with a home of its own."""

    def __init__(self, home: Path, connection: str, conductor_port: int) -> None:
        self.home = home
        (home / "dags").mkdir(parents=True)
        (home / "tmp").mkdir()
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.log = (home / "standalone.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            cwd=home,
            env={
                **ours,
                # It starts its parts as ``airflow``.
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(home / "tmp"),
                "BITRIX24_TEST_PORT": str(conductor_port),
                "AIRFLOW_CONN_BITRIX24_DEFAULT": connection,
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(port),
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
                "AIRFLOW__CORE__FERNET_KEY": os.environ["AIRFLOW__CORE__FERNET_KEY"],
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(2 * WORKERS),
                "AIRFLOW__CORE__PARALLELISM": str(2 * WORKERS),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
                "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow_provider_bitrix24=DEBUG urllib3=DEBUG",
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def begin(self, dags: str) -> None:
        """Bring the DAGs, which run at once, when all parts are there: a task that starts earlier fails."""
        until = time.monotonic() + PATIENCE_SECONDS
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        while time.monotonic() < until:
            time.sleep(0.5)
            with contextlib.suppress(requests.RequestException, ValueError):
                health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5, proxies={"http": ""}).json()
                if all(health[part]["status"] == "healthy" for part in parts):
                    break
        else:
            raise AssertionError(self.said())
        (self.home / "dags" / "dags.py").write_text(dags)

    def said(self) -> str:
        return (self.home / "standalone.log").read_text(errors="replace")[-5000:]

    def stop(self) -> None:
        """End it with all its children: a signal for the parent alone leaves them running."""
        os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def states(self, dag_id: str) -> list[str]:
        with sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30) as database:
            rows = database.execute("SELECT state FROM task_instance WHERE dag_id = ? ORDER BY map_index", (dag_id,))
            return [state for (state,) in rows]

    def wait_for(self, dag_id: str, count: int) -> list[str]:
        ends, until = {"success", "failed", "upstream_failed"}, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            time.sleep(0.5)
            states = self.states(dag_id)
            if len(states) == count and set(states) <= ends:
                return states
        raise AssertionError(f"{dag_id}: {self.states(dag_id)}\n{self.said()}")

    def places_of(self, secret: str) -> list[str]:
        files = [path for path in self.home.rglob("*") if path.is_file() and path.name != "dags.py"]
        return [str(path.relative_to(self.home)) for path in files if secret.encode() in path.read_bytes()]


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
        airflow.begin("from tests.oauth.shared_token_dag import deferred, shared  # airflow DAG\n")
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
