"""docs/design.md is true to the tree: what it draws is there, and what is there is drawn."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib

ROOT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_bitrix24"
DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")


def drawn_folders() -> list[str]:
    """Paths of the folders in the drawing of the layout, from the root."""
    drawing = DESIGN.partition("## Layout\n")[2].partition("```text\n")[2].partition("```")[0]
    parents: list[str] = []
    paths = []
    for line in drawing.splitlines():
        indent, name = re.match(r"( *)(\S+)/ ", line).groups()
        parents = [*parents[: len(indent) // 2], name]
        paths.append("/".join(parents))
    return paths


def folders_of_the_package() -> list[str]:
    return sorted({str(path.parent.relative_to(ROOT)) for path in (ROOT / PACKAGE).rglob("*.py")})


def test_every_folder_that_is_drawn_exists():
    drawn = drawn_folders()
    assert [path for path in drawn if not (ROOT / path).is_dir()] == []
    assert len(drawn) == len(set(drawn))


def test_every_folder_of_the_package_is_drawn():
    assert sorted(path for path in drawn_folders() if path.startswith(PACKAGE)) == folders_of_the_package()


def test_every_top_folder_is_drawn():
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and not re.match(r"[._]|build$|dist$", path.name)}
    assert {path for path in drawn_folders() if "/" not in path} == top


def test_every_file_that_is_named_exists():
    named = re.findall(r"`([\w/]+\.(?:py|txt))`", DESIGN)
    assert named
    assert [name for name in named if not (ROOT / PACKAGE / name).is_file()] == []


def test_every_layer_is_drawn_and_no_other():
    drawing = DESIGN.partition("## Layers\n")[2].partition("```text\n")[2].partition("```")[0]
    lines = [re.split(r"  +", line.replace("rest:", "").strip())[0] for line in drawing.splitlines()]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    package, rest = (
        [
            re.findall(r"\w+", layer)
            for contract in contracts
            if name in contract["name"]
            for layer in contract["layers"]
        ]
        for name in ("The package imports", "rest/ imports")
    )
    at = package.index(["rest"])
    assert [sorted(re.findall(r"\w+", line)) for line in lines] == [
        sorted(layer) for layer in (*package[:at], *rest, *package[at + 1 :])
    ]


def test_tests_stand_in_folders_of_the_package():
    # What a browser shows is of several folders.
    tested = {str(path.parent.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    assert {
        folder for folder in tested - {".", "browser", "fixtures"} if not (ROOT / PACKAGE / folder).is_dir()
    } == set()
