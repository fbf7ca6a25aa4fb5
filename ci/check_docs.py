"""
Check the documents: what they ask a reader to type must work here.

Python blocks compile and what they import exists; shell and JSON blocks parse; every ``make`` target and every
linked file exists; tables of arguments are fresh. Prints what is wrong as ``file:line: reason`` and exits 1.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import make_argument_tables

ROOT = Path(__file__).parent.parent

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>\{?[\w-]*)[^\n]*\n(?P<text>.*?)^ *(?P=fence) *$", re.M | re.S
)
LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)")
MAKE = re.compile(r"\bmake +(?P<target>[a-z][\w-]*)")
TARGET = re.compile(r"^(?P<target>[a-z][\w-]*):(?!=)", re.M)


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks_of(document: str) -> Iterator[Block]:
    for match in FENCE.finditer(document):
        line = document.count("\n", 0, match.start("text")) + 1
        yield Block(match["language"], textwrap.dedent(match["text"]), line)


def python_faults(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = import_module(node.module or "")
            missing = [alias.name for alias in node.names if alias.name != "*" and not hasattr(module, alias.name)]
            for name in missing:
                try:
                    import_module(f"{node.module}.{name}")
                except ImportError:
                    yield f"{node.module} has no {name}"


def shell_faults(source: str) -> Iterator[str]:
    # In a transcript only the lines after a prompt are typed.
    typed = [line[2:] for line in source.splitlines() if line.startswith("$ ")]
    commands = "\n".join(typed) if typed else source
    parsed = subprocess.run(["bash", "-n"], input=commands, capture_output=True, text=True, check=False)
    if parsed.returncode:
        yield parsed.stderr.strip()
    targets = {match["target"] for match in TARGET.finditer((ROOT / "Makefile").read_text(encoding="utf-8"))}
    for match in MAKE.finditer(commands):
        if match["target"] not in targets:
            yield f"the Makefile has no target {match['target']}"


def block_faults(block: Block) -> Iterator[str]:
    try:
        match block.language:
            case "python" | "py":
                yield from python_faults(block.text)
            case "sh" | "bash" | "shell" | "console":
                yield from shell_faults(block.text)
            case "json":
                json.loads(block.text)
            case "":
                yield "a block without a language: write `text` if it has none"
    except (ImportError, SyntaxError, ValueError) as error:
        yield f"{type(error).__name__}: {error}"


def document_faults(path: Path) -> Iterator[str]:
    document = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    for block in blocks_of(document):
        for fault in block_faults(block):
            yield f"{name}:{block.line}: {fault}"
    if make_argument_tables.renewed(document) != document:
        yield f"{name}:1: tables of arguments are stale: run python ci/make_argument_tables.py"
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), document)
    for match in LINK.finditer(prose):
        if not (path.parent / match["path"]).exists():
            yield f"{name}:{prose.count(chr(10), 0, match.start()) + 1}: the linked {match['path']} does not exist"


def main() -> None:
    paths = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
    faults = [fault for path in paths for fault in document_faults(path)]
    print(*faults or [f"{len(paths)} documents: all code blocks and links are right"], sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    # Airflow makes its home on import.
    with tempfile.TemporaryDirectory(prefix="airflow-bitrix24-docs-") as home:
        os.environ["AIRFLOW_HOME"] = home
        main()
