"""The fixtures for users' tests, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What README shows.
USERS_TEST = """
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator


def test_the_payment_is_gone(bitrix24_portal, bitrix24_connection):
    payment_id = bitrix24_portal.add_payment(deal_id=1)
    Bitrix24DeletePaymentOperator(task_id="delete", payment_id=payment_id).execute({})
    assert bitrix24_portal.payment(payment_id) is None
"""


def run(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_mine.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *arguments]
    return subprocess.run(
        [*command, "test_mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_users_test_of_eight_lines_runs(tmp_path):
    assert len(USERS_TEST.strip().splitlines()) <= 8
    for readme in ("README.md", "README.ru.md"):
        assert USERS_TEST.strip() in (Path(__file__).parents[2] / readme).read_text(encoding="utf-8")
    done = run(tmp_path, USERS_TEST)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_settings_come_from_a_marker(tmp_path):
    text = """
import pytest

@pytest.mark.bitrix24(deals=3, language="ru")
def test_it(bitrix24_portal):
    assert len(bitrix24_portal.items(2)) == 3
"""
    assert "1 passed" in run(tmp_path, text, "--strict-markers").stdout


def test_the_marker_of_a_test_adds_to_that_of_its_class_and_wins(tmp_path):
    text = """
import pytest

pytestmark = pytest.mark.bitrix24(deals=9)

@pytest.mark.bitrix24(deals=3, tasks=4)
class TestMine:
    @pytest.fixture
    def mine(self, bitrix24_portal):
        return bitrix24_portal

    @pytest.mark.bitrix24(tasks=5)
    def test_it(self, mine):
        assert (len(mine.items(2)), len(mine.tasks())) == (3, 5)

def test_other(bitrix24_portal):
    assert len(bitrix24_portal.items(2)) == 9
"""
    done = run(tmp_path, text)
    assert "2 passed" in done.stdout, done.stdout


def test_settings_that_cannot_be_are_one_sentence_each_without_a_traceback(tmp_path):
    wrong = {
        "500": "@pytest.mark.bitrix24 takes settings by name, such as deals=500.",
        "deal=5": "@pytest.mark.bitrix24 has no 'deal': write deals.",
        "deals='5'": "deals='5' is not valid: give a whole number from 0 to 1,000,000.",
        "data='no.json'": "The data cannot be read from no.json: No such file or directory. Name a JSON file.",
        "scenario='bad_network'": "There is no scenario 'bad_network': choose one of limits, ",
    }
    tests = [
        f"@pytest.mark.bitrix24({setting})\ndef test_{number}(bitrix24_portal): pass\n"
        for number, setting in enumerate(wrong)
    ]
    result = run(tmp_path, "import pytest\n\n" + "\n".join(tests)).stdout
    assert f"{len(wrong)} errors" in result
    for said in wrong.values():
        assert f"\n{said}" in result
    assert "pytest_plugin.py" not in result
    assert "During handling" not in result


def test_a_proxy_of_the_environment_is_passed_by(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.com")
    text = """
import requests

def test_it(bitrix24_portal):
    requests.get(bitrix24_portal.webhook() + "profile", verify=bitrix24_portal.ca_file, timeout=10).raise_for_status()
"""
    done = run(tmp_path, text)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_run_that_uses_no_fixture_imports_nothing_of_ours_but_the_plugin(tmp_path):
    text = """
import sys

def test_it():
    ours = {name for name in sys.modules if name.startswith("airflow_provider_bitrix24")}
    assert ours == {
        "airflow_provider_bitrix24", "airflow_provider_bitrix24.sandbox",
        "airflow_provider_bitrix24.sandbox.pytest_plugin",
    }
    assert not {"airflow", "starlette", "uvicorn", "trustme", "requests"} & set(sys.modules)
"""
    done = run(tmp_path, text)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
