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


def test_settings_without_a_name_are_refused(tmp_path):
    text = """
import pytest

@pytest.mark.bitrix24(500)
def test_it(bitrix24_portal):
    pass
"""
    said = run(tmp_path, text).stdout
    assert "@pytest.mark.bitrix24 takes settings by name, such as deals=500." in said
    assert "1 error" in said


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
