"""A whole Airflow, 2.11 or 3, whose connections can be edited."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import airflow
import requests

from airflow_provider_bitrix24.sandbox import unused_port
from tests.standalone import PATIENCE_SECONDS, ROOT, Standalone

#: Stores connections as ``airflow connections add`` does, several in one process.
_STORE = """
import json, sys
from airflow.models import Connection
from airflow.utils.session import create_session
with create_session() as session:
    for conn_id, text in json.loads(sys.argv[1]).items():
        session.query(Connection).filter(Connection.conn_id == conn_id).delete()
        session.add(Connection.from_json(text, conn_id=conn_id))
"""
IS_2 = airflow.__version__.startswith("2.")


class WholeAirflow(Standalone):
    """
    Like :class:`Standalone`; of Airflow 2, a scheduler that runs one task after the other, and a triggerer.

    :param connection: the connection ``bitrix24_default``.
    :param settings: of Airflow beside those here, as environment variables.
    """

    def __init__(self, home: Path, connection: str, settings: Mapping[str, str] | None = None) -> None:
        if not IS_2:
            super().__init__(home, connection, settings=settings)
            return
        self.home = home
        (home / "dags").mkdir(parents=True)
        (home / "tmp").mkdir()
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment = {
            **ours,
            # The executor starts tasks as ``airflow``.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(home / "tmp"),
            "AIRFLOW_CONN_BITRIX24_DEFAULT": connection,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": os.environ["AIRFLOW__CORE__FERNET_KEY"],
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **(settings or {}),
        }
        self.log = (home / "standalone.log").open("wb")
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=self.environment, cwd=home, stdout=self.log, stderr=self.log, check=True)
        self.process = self._start("scheduler")
        self.triggerers = [self._start("triggerer")]

    def wait_until_healthy(self) -> None:
        if not IS_2:
            super().wait_until_healthy()

    def connect(self, **connections: str) -> None:
        """Store connections by their ids, in place of those of the same ids."""
        command = [sys.executable, "-c", _STORE, json.dumps(connections)]
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]

    def until(self, holds: Callable[[], Any], what: str) -> None:
        until = time.monotonic() + 2 * PATIENCE_SECONDS
        while time.monotonic() < until:
            if holds():
                return
            time.sleep(0.2)
        raise AssertionError(f"{what}: {self.said()}")

    def task_states(self, dag_id: str) -> dict[str, str | None]:
        return dict(self.rows("SELECT task_id, state FROM task_instance WHERE dag_id = ?", dag_id))

    def xcoms(self, dag_id: str) -> dict[str, Any]:
        stored = self.rows("SELECT task_id, value FROM xcom WHERE dag_id = ? AND key = 'return_value'", dag_id)
        return {task_id: json.loads(value) for task_id, value in stored}

    def log_of(self, dag_id: str, task_id: str) -> str:
        """What the log files of a task say, all tries and deferrals together."""
        files = (self.home / "logs").glob(f"dag_id={dag_id}/run_id=*/task_id={task_id}/attempt=*.log")
        return "\n".join(file.read_text(errors="replace") for file in sorted(files))

    def serve_api(self) -> dict[str, str]:
        """Start what answers Airflow's API, wait for it, and return the headers of who may start a DAG."""
        if not IS_2:
            self.wait_until_healthy()
            token = requests.get(f"{self.url}/auth/token", timeout=30, proxies={"http": ""}).json()["access_token"]
            return {"authorization": f"Bearer {token}"}
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        own = ["--username", "u", "--password", "p", "--role", "Admin", "--firstname", "U", "--lastname", "U"]
        add = [sys.executable, "-m", "airflow", "users", "create", *own, "--email", "u@example.com"]
        subprocess.run(add, env=self.environment, cwd=self.home, stdout=self.log, stderr=self.log, check=True)
        # Ended with the triggerers.
        self.triggerers.append(self._start("webserver", "--port", str(port), "--workers", "1"))
        self.until(self._answers, "the web server answers")
        return {"authorization": f"Basic {b64encode(b'u:p').decode()}"}

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/health", timeout=5, proxies={"http": ""}).ok
        return False

    def _start(self, *parts: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *parts],
            cwd=self.home,
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
