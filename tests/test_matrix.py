"""What metadata and pages claim of Airflow, Python and the run before a release is what these were seen to do."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/versions.md").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"ci/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MATRIX, FULL = script("matrix"), script("full")


@pytest.mark.parametrize("module", [MATRIX, FULL], ids=["matrix", "full"])
def test_the_table_is_that_of_the_results(module):
    assert len(module.TABLE.findall(PAGE)) == 1
    assert module.renewed(PAGE, module.known_results()) == PAGE


def test_what_failed_is_in_the_table_and_what_was_not_tried_is_not_called_good():
    results = {
        "3.0.6-3.10": {"day": "2026-01-31", "failed": "install"},
        "3.3.2-3.13": {"install": "3.13.0", "providers": "yes", "form": "9", "failed": "demo"},
    }
    lines = {line.split("|")[1].strip(): line for line in MATRIX.table(results).splitlines() if "3.0.6 | 3.10" in line}
    assert lines["3.0.6"] == "| 3.0.6 | 3.10 | fails | not tried | not tried | not tried |"
    assert "| 3.3.2 | 3.13.0 | yes | 9 pass | fails | not tried |" in MATRIX.table(results)
    assert "| 3.2.2 | 3.11 | not tried | not tried | not tried | not tried |" in MATRIX.table(results)
    full = FULL.table(
        {"matrix": {"day": "2026-01-31", "exit": 1, "minutes": 7, "passed": 3, "failed": 1, "skipped": 0}}
    )
    assert "| matrix | `make matrix` | 3 passed, 1 failed | fails, 2026-01-31, 7 minutes |" in full
    assert "| daily | `.ci/run` | - | not run yet |" in full


def test_every_python_and_airflow_of_the_metadata_is_in_the_matrix():
    claimed = set(re.findall(r"Python :: (3\.\d+)\"", PROJECT))
    assert claimed == {cell.python for cell in MATRIX.CELLS}
    assert re.search(r'^requires-python = ">=(.*)"$', PROJECT, re.M)[1] == min(claimed, key=_number)
    floor = re.search(r'"apache-airflow>=(.*)"', PROJECT)[1]
    (lowest,) = {cell.airflow for cell in MATRIX.CELLS if cell.airflow.startswith("2.")} - {"2.11.2"}
    assert lowest == f"{floor}.0"


def test_the_paths_of_the_full_run_are_there():
    paths = [path for part in FULL.PARTS for word in part.command for path in re.findall(r"tests/\S+", word)]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for name in {*MATRIX.TESTS, *MATRIX.FORM}:
        assert (ROOT / name).exists(), name


def test_every_setting_that_makes_a_test_longer_or_possible_is_in_the_full_run():
    read = re.compile(r'(?:environ(?:\.get)?[\[(]|getenv\()"(BITRIX24_\w+)"|"(BITRIX24_\w+)" (?:not )?in os\.environ')
    # Set by tests for the processes that they start, and read by `authorize`.
    own = {"BITRIX24_TEST_IDS", "BITRIX24_TEST_PIDS", "BITRIX24_TEST_PORT", "BITRIX24_CLIENT_SECRET"}
    used = {
        first or second for path in (ROOT / "tests").rglob("*.py") for first, second in read.findall(path.read_text())
    }
    given = {name for part in FULL.PARTS for name in part.settings}
    # Of targets that are for one variable each.
    given |= set(re.findall(r"(BITRIX24_\w+)=", (ROOT / "Makefile").read_text()))
    assert used - own - given == set()


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
