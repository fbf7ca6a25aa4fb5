"""``python -m bench`` measures everything and writes ``bench/RESULTS.md``; with names of cases it prints only those."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.cases import CASES
from bench.report import report, section
from bench.runs import Bench

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)} (default: all)")
    names = parser.parse_args().cases
    if unknown := set(names) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    tables, load = [], os.getloadavg()[0]
    with Bench() as bench:
        for name in names or CASES:
            tables.append(CASES[name](bench))
            print(section(tables[-1]), flush=True)
    if not names:
        RESULTS.write_text(report(tables, load=load), encoding="utf-8")
    missed = [promise for table in tables for promise, _, held in table.promises if not held]
    if missed:
        sys.exit(f"Missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
