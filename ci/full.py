"""
Everything that is run before a release: ``make full``.

The daily run with all servers and browsers, the long series of tests that the daily run shortens, and the matrix. How
each part ended is written to ``ci/full.json``, and from it the table in ``docs/versions.md``. It takes hours; ``python
ci/full.py NAME …`` runs some parts, ``--table`` only writes the table. Exits 1 where a part failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "ci" / "full.json"
PAGE = ROOT / "docs" / "versions.md"
TABLE = re.compile(
    r"(?<=^<!-- what `make full` found -->\n)(?P<table>.*?)(?=^<!-- end of the full run -->$)", re.M | re.S
)


@dataclass(frozen=True)
class Part:
    """
    :param name: as the command line and the table have it.
    :param settings: environment variables; a test without them is skipped or short.
    """

    name: str
    command: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)

    def words(self) -> str:
        """What a person types for it."""
        settings = [f"{name}={value}" for name, value in self.settings.items()]
        return " ".join([*settings, *(shlex.quote(word) for word in self.command)])


def tests(name: str, *paths: str, **settings: str) -> Part:
    return Part(name, ("make", "test", f"ARGS={' '.join(f'tests/{path}' for path in paths)}"), settings)


#: Series of tests have fixed seeds; the daily run takes the first of them.
PARTS = (
    Part("daily", (".ci/run",)),
    tests("tables", "rows/test_any_rows.py", BITRIX24_TABLES="100"),
    tests("schedules", "rows/test_fault_schedules.py", "rows/test_changed_adds.py", BITRIX24_SCHEDULES="200"),
    tests(
        "kills",
        *("transfers/test_killed_load.py", "transfers/test_killed_sql_load.py", "operators/test_killed_deletion.py"),
        BITRIX24_KILLS="20",
        BITRIX24_PAYMENTS="5000",
        BITRIX24_MARIADB="1",
    ),
    tests("nights", "transfers/test_nights.py", BITRIX24_NIGHTS="30"),
    tests("memory", "rows/test_memory.py", BITRIX24_ROWS="100000"),
    tests(
        "tokens",
        *("rest/oauth/test_many_processes.py", "hooks/test_airflow_processes.py", "hooks/test_local_executor.py"),
        BITRIX24_OAUTH_ROUNDS="20",
        BITRIX24_STANDALONE="1",
    ),
    tests(
        "whole-airflow",
        *("triggers/test_watching_airflow.py", "execution/test_limits_in_airflow.py"),
        BITRIX24_WATCHED_CHANGES="1000",
        BITRIX24_WAITING_DEALS="200000",
        BITRIX24_STANDALONE="1",
    ),
    tests("dlt", "transfers/test_dlt.py", BITRIX24_DLT="1"),
    Part("clickhouse", ("make", "clickhouse")),
    Part("s3", ("make", "s3")),
    Part("browser", ("make", "browser")),
    Part("matrix", ("make", "matrix")),
)


def run(part: Part) -> dict[str, Any]:
    """Run a part, whose output goes to the terminal and to a file, and return how it ended."""
    log = ROOT / "build" / "full" / f"{part.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"{part.name}: {part.words()}", flush=True)
    began, outcomes = time.monotonic(), dict.fromkeys(("passed", "failed", "skipped"), 0)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            part.command, cwd=ROOT, env={**os.environ, **part.settings},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        for line in process.stdout or ():
            sys.stdout.write(line)
            file.write(line)
            if re.search(r"\b(?:passed|failed|skipped)\b.* in [\d.]+s", line):
                for number, outcome in re.findall(r"(\d+) (passed|failed|skipped)", line):
                    outcomes[outcome] += int(number)
    return {
        "day": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "exit": process.wait(),
        "minutes": round((time.monotonic() - began) / 60),
        **outcomes,
    }


def table(results: dict[str, Any]) -> str:
    lines = ["| part | command | tests | result |", "|" + "---|" * 4]
    for part in PARTS:
        result = results.get(part.name)
        counts = (
            [f"{result[name]} {name}" for name in ("passed", "failed", "skipped") if result[name]] if result else []
        )
        outcome = "not run yet"
        if result:
            passed = "passes" if result["exit"] == 0 else "fails"
            outcome = f"{passed}, {result['day']}, {result['minutes']} minutes"
        lines.append(f"| {part.name} | `{part.words()}` | {', '.join(counts) or '-'} | {outcome} |")
    return "\n".join([*lines, ""])


def renewed(page: str, results: dict[str, Any]) -> str:
    return TABLE.sub(lambda _: table(results), page)


def known_results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"all by default: {', '.join(names)}")
    parser.add_argument("--table", action="store_true", help="only write the table from ci/full.json")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(names):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    failed = []
    for part in PARTS:
        if not options.table and part.name in (options.parts or names):
            results = known_results() | {part.name: run(part)}
            ordered = {name: results[name] for name in names if name in results}
            RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
            failed += [part.name] if results[part.name]["exit"] else []
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), known_results()), encoding="utf-8")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
