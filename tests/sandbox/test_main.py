from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import requests

COMMAND = [sys.executable, "-m", "airflow_provider_bitrix24.sandbox"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_a_ready_connection_and_cleans_up(tmp_path, number):
    env_file = tmp_path / "sandbox.env"
    command = [*COMMAND, "--deals", "3", "--env-file", str(env_file)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        lines = []
        try:
            while not lines or "Ctrl-C" not in lines[-1]:
                lines.append(process.stdout.readline())
            exports = dict(
                shlex.split(line)[1].split("=", 1) for line in env_file.read_text().splitlines() if line.strip()
            )
            assert env_file.stat().st_mode & 0o777 == 0o600
            connection = json.loads(exports["AIRFLOW_CONN_BITRIX24_DEFAULT"])
            ca_file = exports["BITRIX24_SANDBOX_CA_FILE"]
            assert connection["extra"] == {"verify": ca_file}
            assert f"export AIRFLOW_CONN_BITRIX24_DEFAULT={shlex.quote(json.dumps(connection))}\n" in lines
            extra = json.loads(exports["AIRFLOW_CONN_BITRIX24_APP"])["extra"]
            called = {"verify": ca_file, "json": {"auth": extra["access_token"]}, "timeout": 10}
            answer = requests.post(exports["BITRIX24_SANDBOX_URL"] + "/rest/profile", **called).json()
            assert answer["result"]["ID"] == "1"
            assert f"export AIRFLOW_CONN_BITRIX24_APP={shlex.quote(exports['AIRFLOW_CONN_BITRIX24_APP'])}\n" in lines
            for name, user_id in (("WEBHOOK", "1"), ("CLERK_WEBHOOK", "7")):
                url = exports[f"BITRIX24_SANDBOX_{name}"]
                profile = requests.post(url + "profile", verify=ca_file, timeout=10).json()
                assert profile["result"]["ID"] == user_id
        finally:
            process.send_signal(number)
        assert process.wait(timeout=10) == 0
    assert not env_file.exists()
    assert list(temporary.iterdir()) == []


def test_a_port_in_use_is_one_sentence(portal):
    done = subprocess.run([*COMMAND, "--port", str(portal.port)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The sandbox cannot start: ")
    assert done.stderr.count("\n") == 1


def test_a_missing_library_is_named_with_its_cure(tmp_path):
    (tmp_path / "trustme.py").write_text("raise ImportError('gone', name='trustme')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "pip install 'airflow-provider-bitrix24[sandbox]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_starts_within_a_second():
    started = time.monotonic()
    with subprocess.Popen([*COMMAND], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        seconds = time.monotonic() - started
        process.terminate()
    assert seconds < 3  # A second on an idle computer; tests may share theirs.
