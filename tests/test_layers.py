"""The check of the layers, on a copy of the package into which a wrong import was written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="only the environment of the newest Airflow has the linter")

ROOT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_bitrix24"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the check reads."""
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "ci").mkdir()
    shutil.copy(ROOT / "ci/check_imports.py", tmp_path / "ci")
    return tmp_path


def checked(copy: Path) -> tuple[int, str]:
    """The exit code and what was printed, without the line breaks of a narrow screen."""
    command = [sys.executable, "ci/check_imports.py"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return done.returncode, " ".join(done.stdout.split())


def test_the_package_as_it_is_passes(copy):
    assert checked(copy) == (0, "The layers hold: no import goes up, and none in a circle")


@pytest.mark.parametrize(
    ("module", "statement", "named"),
    [
        pytest.param(
            "rest/wire/transport.py",
            "def up():\n    from airflow_provider_bitrix24.hooks import airflow_outcome\n",
            f"{PACKAGE}.rest.wire.transport -> {PACKAGE}.hooks.airflow_outcome",
            id="up, inside a function",
        ),
        pytest.param(
            "rest/answers/error_codes.py",
            "if TYPE_CHECKING:\n    from airflow_provider_bitrix24.rest.answers.reply import Reply\n",
            f"No cycles are allowed in {PACKAGE}.rest.answers",
            id="a circle in one folder, for types only",
        ),
        pytest.param(
            "sandbox/store.py",
            "from airflow_provider_bitrix24.rest import encoding\n",
            f"{PACKAGE}.sandbox is not allowed to import {PACKAGE}.rest",
            id="out of the sandbox",
        ),
        pytest.param(
            "rest/client.py",
            "from airflow_provider_bitrix24.sandbox import Sandbox\n",
            f"{PACKAGE}.rest is not allowed to import {PACKAGE}.sandbox",
            id="into the sandbox",
        ),
        pytest.param(
            "rest/helpers.py",
            "",
            "every child of every container must be declared as a layer",
            id="a module without a layer",
        ),
    ],
)
def test_a_wrong_import_is_named(copy, module, statement, named):
    with (copy / PACKAGE / module).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{statement}")
    code, printed = checked(copy)
    assert code == 1
    assert named in printed
