"""
Check what only a release needs: that nothing is left to fill in, and that version and changelog agree.

Prints what is wrong as ``file:line: reason`` and exits 1. It is a step of docs/releasing.md and not of ``make check``:
between two releases it finds something.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Stands where the address of the repository will be.
PLACEHOLDER = "REPOSITORY_ADDRESS"
#: Documents that readers get, and the metadata.
READ = ("*.md", "*.toml", "docs/**/*.md", "example_dags/*.py", "airflow_provider_bitrix24/**/*.py")
#: Explains the placeholder.
NOT_READ = "docs/releasing.md"

RELATIVE_LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)\s]+)\)")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def placeholders(root: Path) -> Iterator[str]:
    for path in sorted({path for pattern in READ for path in root.glob(pattern)}):
        name = path.relative_to(root).as_posix()
        if name == NOT_READ:
            continue
        for number, line in lines_of(path):
            if PLACEHOLDER in line:
                yield f"{name}:{number}: {PLACEHOLDER} is still to be filled in"


def faults(root: Path) -> Iterator[str]:
    yield from placeholders(root)
    if not re.search(r"^\[project\.urls\]$", (root / "pyproject.toml").read_text(encoding="utf-8"), re.M):
        yield "pyproject.toml:1: [project.urls] is missing"
    for number, line in lines_of(root / "README.md"):
        for link in RELATIVE_LINK.finditer(line):
            yield f"README.md:{number}: {link['path']} leads nowhere on a package index"
    module = (root / "airflow_provider_bitrix24/__init__.py").read_text(encoding="utf-8")
    version = re.search(r"^__version__ = \"(.+)\"$", module, re.M)
    newest = next(((number, line) for number, line in lines_of(root / "CHANGELOG.md") if line.startswith("## ")), None)
    if version is None or newest is None:
        yield "CHANGELOG.md:1: no version is named there, or none in __init__.py"
    elif not re.fullmatch(rf"## {re.escape(version[1])} \(\d{{4}}-\d\d-\d\d\)", newest[1]):
        yield f"CHANGELOG.md:{newest[0]}: write ## {version[1]} (YYYY-MM-DD)"


def main() -> None:
    found = list(faults(ROOT))
    print(*found or ["Nothing is left to fill in"], sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
