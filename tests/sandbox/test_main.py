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
    assert done.stderr == (
        f"The sandbox cannot start: Port {portal.port} of 127.0.0.1 cannot be taken (Address already in use): name "
        "another one, or none.\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("taken.env", "is there and would be lost: name a new file."),
        ("nowhere/sandbox.env", "cannot be written: No such file or directory. Name another one."),
        ("", "is there and would be lost: name a new file."),
    ],
    ids=["a file of the user", "no directory", "a directory"],
)
def test_an_env_file_that_cannot_be_is_one_sentence_and_nothing_is_lost(tmp_path, name, said):
    (tmp_path / "taken.env").write_text("export MINE=1\n")
    env_file, temporary = tmp_path / name, tmp_path / "temporary"
    temporary.mkdir()
    command = [*COMMAND, "--env-file", str(env_file)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=20)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"The sandbox cannot start: --env-file {env_file} {said}\n"
    assert (tmp_path / "taken.env").read_text() == "export MINE=1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken.env", "temporary"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data", "nowhere.json"), "read from nowhere.json: No such file or directory. Name a JSON file."),
        (("--data", "."), "read from .: Is a directory. Name a JSON file."),
        (("--scenario", "bad"), "argument --scenario: invalid choice: 'bad' (choose from "),
        (("--deals", "3.5"), "argument --deals: invalid int value: '3.5'"),
        (("--deal-count", "3"), "unrecognized arguments: --deal-count 3"),
    ],
)
def test_an_impossible_option_is_reported_in_two_lines_at_most(tmp_path, options, said):
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=20)
    assert done.returncode in (1, 2)
    assert said in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) <= 2


def test_signals_are_heard_before_anything_of_weight_is_imported():
    text = (
        "import signal, sys\n"
        "import airflow_provider_bitrix24.sandbox.__main__ as main\n"
        "heard = []\n"
        "signal.signal = lambda *_: heard.append('airflow_provider_bitrix24.sandbox.face.sandbox' in sys.modules)\n"
        "try:\n    main.main(['--help'])\n"
        "except SystemExit:\n    assert heard == [False, False], heard\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_a_proxy_is_set_the_file_leads_past_it(sandbox_command, monkeypatch):
    with sandbox_command("--deals", "1") as result:
        assert "NO_PROXY" not in result
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com")
    with sandbox_command("--deals", "1") as result:
        assert result["NO_PROXY"] == result["no_proxy"] == "example.com,127.0.0.1"


def test_the_end_of_a_sandbox_leaves_the_file_of_the_next_one_alone(sandbox_command, tmp_path):
    with sandbox_command("--deals", "1"):
        with sandbox_command("--deals", "1") as second:
            pass
        assert not (tmp_path / "sandbox.env").exists()
        # One that was killed has left its file behind; it is written over.
        (tmp_path / "sandbox.env").write_text(
            f"export AIRFLOW_CONN_BITRIX24_DEFAULT={second['BITRIX24_SANDBOX_URL']}\n"
        )
        with sandbox_command("--deals", "1") as third:
            assert third["BITRIX24_SANDBOX_URL"] != second["BITRIX24_SANDBOX_URL"]
        (tmp_path / "sandbox.env").write_text("of another sandbox")
    assert (tmp_path / "sandbox.env").read_text() == "of another sandbox"


def test_a_missing_library_is_named_with_a_hint(tmp_path):
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
