"""The hooks of pre-commit: what `make check` checks, with the tools that are pinned here."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TOOLS = ".venv/airflow-3.3/bin/"


def test_the_hooks_check_what_make_checks():
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = {_tool(line.removeprefix("\t@")) for line in recipe.splitlines()}
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {_tool(hook["entry"]) for hook in repository["hooks"]} == made
    assert len(made) == 6
    assert all(hook["language"] == "system" for hook in repository["hooks"])


def _tool(command: str) -> tuple[str, ...]:
    """The tool and what it does, without options and paths to check."""
    assert command.startswith(TOOLS)
    words = command.removeprefix(TOOLS).split()
    return tuple(word for word in words if not word.startswith(("-", ".")))
