"""
Several processes of Airflow 2.11, each with a task, share one token pair in variables.

Airflow 3 has a test of its own with a real executor, ``test_local_executor.py``; 2.11 has none for SQLite that runs
tasks side by side.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

PROCESSES = 4
ROUNDS = int(os.environ.get("BITRIX24_OAUTH_ROUNDS", "5"))

DAG_RUN = """
import sys
from datetime import datetime
from airflow import DAG
from tests.hooks.token_tasks import Rounds
with DAG(sys.argv[1], schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    Rounds(task_id="rounds", number=0)
sys.exit(dag.test().state != "success")
"""


def is_airflow_3():
    from airflow import __version__

    return __version__.startswith("3")


@pytest.mark.skipif(is_airflow_3(), reason="test_local_executor.py does it with an executor")
def test_tasks_of_several_processes_share_one_pair_in_variables(airflow_db, tmp_path):
    with Sandbox(deals=1, latency=0.05) as portal, socket.create_server(("127.0.0.1", 0), backlog=16) as conductor:
        conductor.settimeout(120)
        app = portal.application()
        environment = {
            **os.environ,
            "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.oauth_connection_json(app, rate=100_000, burst=100_000),
            "BITRIX24_TEST_PORT": str(conductor.getsockname()[1]),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TMPDIR": str(tmp_path),
        }
        said = tmp_path / "said.log"
        with said.open("wb") as log:
            runs = [
                subprocess.Popen(
                    [sys.executable, "-c", DAG_RUN, f"oauth_rounds_{number}"],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
                for number in range(PROCESSES)
            ]
        tasks = [conductor.accept()[0] for _ in runs]
        lines = [task.makefile() for task in tasks]
        granted = []
        for _ in range(ROUNDS):
            before = portal.renewals
            app.expire_access_tokens()
            for task in tasks:
                task.sendall(b"go\n")
            assert [line.readline() for line in lines] == ["1\n"] * PROCESSES
            granted.append(portal.renewals - before)
        for task, line in zip(tasks, lines, strict=True):
            line.close()
            task.close()
        assert [run.wait(60) for run in runs] == [0] * PROCESSES
    assert granted == [1] * ROUNDS
    assert portal.refused_renewals == 0
    text = said.read_text()
    assert "has been renewed" in text
    assert not [secret for secret in app.secrets() if secret in text]
