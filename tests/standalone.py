"""A whole Airflow 3, with its scheduler, LocalExecutor and triggerer, for tests that a DAG run alone does not serve."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from airflow_provider_bitrix24.sandbox import unused_port

#: The longest that a test waits for it.
PATIENCE_SECONDS = 240.0
PARALLEL_TASKS = 32
ROOT = Path(__file__).parents[1]


class Standalone:
    """
    ``airflow standalone`` with a home of its own.

    :param connection: the connection ``bitrix24_default``.
    :param conductor_port: a port of the test, which its tasks read from ``BITRIX24_TEST_PORT``.
    :param settings: of Airflow beside those here, as environment variables.
    """

    def __init__(
        self, home: Path, connection: str, conductor_port: int = 0, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        (home / "dags").mkdir(parents=True)
        (home / "tmp").mkdir()
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.log = (home / "standalone.log").open("wb")
        self.environment = {
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
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(PARALLEL_TASKS),
            "AIRFLOW__CORE__PARALLELISM": str(PARALLEL_TASKS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow_provider_bitrix24=DEBUG urllib3=DEBUG",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # Five seconds are not enough on a computer with much else to do.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            **(settings or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            cwd=home,
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.triggerers: list[subprocess.Popen[bytes]] = []

    def begin(self, dags: str) -> None:
        """Bring the DAGs, which run at once, when all parts are there: a task that starts earlier fails."""
        self.wait_until_healthy()
        (self.home / "dags" / "dags.py").write_text(dags)

    def wait_until_healthy(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        while time.monotonic() < until:
            time.sleep(0.5)
            with contextlib.suppress(requests.RequestException, ValueError):
                health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5, proxies={"http": ""}).json()
                if all(health[part]["status"] == "healthy" for part in parts):
                    return
        raise AssertionError(self.said())

    def end_triggerer(self) -> None:
        """End the triggerer in the middle of what it does."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ours = os.getpgid(int(process.name)) in {self.process.pid, *(each.pid for each in self.triggerers)}
                if ours and b"triggerer" in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
        for ended in self.triggerers:
            # One that has just begun has no name yet.
            ended.kill()
            ended.wait()
        self.triggerers = []

    def kill_triggerer(self) -> None:
        """End the triggerer, and start another one."""
        self.end_triggerer()
        self.triggerers = [
            subprocess.Popen(
                [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
                cwd=self.home,
                env=self.environment,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ]

    def said(self) -> str:
        return (self.home / "standalone.log").read_text(errors="replace")[-5000:]

    def stop(self) -> None:
        """End it with all its children: a signal for the parent alone leaves them running."""
        for process in (*self.triggerers, self.process):
            os.killpg(process.pid, signal.SIGTERM)
        for process in (*self.triggerers, self.process):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.log.close()

    def states(self, dag_id: str) -> list[str]:
        rows = self.rows("SELECT state FROM task_instance WHERE dag_id = ? ORDER BY map_index", dag_id)
        return [state for (state,) in rows]

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What stands in Airflow's database."""
        with sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30) as database:
            return list(database.execute(query, values))

    def wait_for(self, dag_id: str, count: int, patience_seconds: float = PATIENCE_SECONDS) -> list[str]:
        ends, until = {"success", "failed", "skipped", "upstream_failed"}, time.monotonic() + patience_seconds
        while time.monotonic() < until:
            time.sleep(0.5)
            states = self.states(dag_id)
            if len(states) == count and set(states) <= ends:
                return states
        raise AssertionError(f"{dag_id}: {self.states(dag_id)}\n{self.said()}")

    def places_of(self, secret: str) -> list[str]:
        files = [path for path in self.home.rglob("*") if path.is_file() and path.name != "dags.py"]
        return [str(path.relative_to(self.home)) for path in files if secret.encode() in path.read_bytes()]
