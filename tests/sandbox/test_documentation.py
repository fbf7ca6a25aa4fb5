"""The tests that docs/sandbox.md and README print run as they stand there, and docs/sandbox.md leaves no choice out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.__main__ import main
from airflow_provider_bitrix24.sandbox.face.scenarios import SCENARIOS
from airflow_provider_bitrix24.sandbox.methods import METHODS
from airflow_provider_bitrix24.sandbox.methods.documented import documented
from airflow_provider_bitrix24.sandbox.state.faults import KINDS

_ROOT = Path(__file__).parents[2]
PRINTED = (_ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")


def first_column(heading):
    """Names in the first column of the table under a heading."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PRINTED, re.MULTILINE)
    assert table is not None
    return [name for row in table.group(1).splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def printed_tests(text):
    return [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def test_" in block]


def test_the_printed_tests_pass(tmp_path):
    in_readmes = [printed_tests((_ROOT / name).read_text(encoding="utf-8")) for name in ("README.md", "README.ru.md")]
    assert in_readmes[0] == in_readmes[1]
    assert [len(block.strip().splitlines()) <= 8 for block in in_readmes[0]] == [True]
    blocks = [*printed_tests(PRINTED), *in_readmes[0]]
    for number, block in enumerate(blocks):
        (tmp_path / f"test_printed_{number}.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert f"{len(blocks)} passed" in done.stdout, done.stdout + done.stderr
    assert len(blocks) >= 4


def test_every_option_scenario_and_fault_is_in_a_table(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    result = {word for name in first_column("option") for word in name.split() if word.startswith("--")}
    assert result == options
    assert set(first_column("scenario")) == set(SCENARIOS)
    assert set(first_column("kind")) == set(KINDS)


#: Families of methods that pipelines use.
FAMILIES = (
    *("crm.activity.", "crm.address.", "crm.category.", "crm.currency.", "crm.dealcategory.", "crm.documentgenerator."),
    *("crm.product.", "crm.requisite.", "crm.status.", "crm.timeline.comment.", "disk.file.", "disk.folder."),
    *("im.chat.", "lists.", "task.checklistitem.", "task.commentitem.", "task.elapseditem.", "userfieldconfig."),
)


def test_what_is_not_offered_of_the_families_of_pipelines_is_in_a_table():
    patterns = [pattern.lower() for pattern in first_column("not offered")]
    names = [name.lower() for name in documented(version=2).values()]
    for pattern in patterns:
        matching = [name for name in names if fnmatch(name, pattern)]
        assert matching, pattern
        assert not METHODS.keys() & set(matching), pattern
    left_out = [name for name in names if name.startswith(FAMILIES) and name not in METHODS]
    assert [name for name in left_out if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_every_name_of_the_portal_that_is_printed_exists():
    names = set(re.findall(r"portal\.([a-z_]+)", PRINTED))
    made = {"admin", "clerk"}
    assert {name for name in names - made if not hasattr(Sandbox, name)} == set()


def test_every_setting_is_in_the_docstring():
    printed = inspect.getdoc(Sandbox) or ""
    assert [
        name for name in inspect.signature(Sandbox).parameters if not re.search(rf":param {name}:|``{name}``", printed)
    ] == []
