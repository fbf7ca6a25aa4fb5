"""
The process in which one client does one task: ``python -m bench.subject SUBJECT TASK``, more in JSON on standard input.

It prints what it measured as the last line, in JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def calls(client: Any, asked: Mapping[str, Any]) -> None:
    wanted = list(range(1, asked["calls"] + 1))
    _require([int(deal_id) for deal_id in client.calls(wanted)] == wanted, "each call brought its deal")


def rows(client: Any, asked: Mapping[str, Any]) -> None:
    count = total = 0
    for row in client.rows():
        count += 1
        total += int(row["ID"])
    # The ids are 1 to n: with the right number and the right sum no row is missing or doubled.
    deals = asked["deals"]
    _require((count, total) == (deals, deals * (deals + 1) // 2), f"all {deals} deals came once")


def delete(client: Any, asked: Mapping[str, Any]) -> None:
    payment_ids = asked["payment_ids"]
    _require(client.delete(payment_ids) == len(payment_ids), "all payments are gone")


def rows_and_calls(client: Any, asked: Mapping[str, Any]) -> None:
    rows(client, asked)
    calls(client, asked)


TASKS: dict[str, Callable[[Any, Mapping[str, Any]], None]] = {
    task.__name__: task for task in (calls, rows, delete, rows_and_calls)
}


def main(subject_name: str, task_name: str) -> None:
    subject, task = importlib.import_module(f"bench.subjects.{subject_name}"), TASKS[task_name]
    asked = json.load(sys.stdin)
    memory, began, cpu_began = memory_kib("VmRSS"), time.perf_counter(), time.process_time()
    with subject.Subject(asked["webhook"], limited=asked["limited"]) as client:
        task(client, asked)
    measured = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "growth_mib": (memory_kib("VmHWM") - memory) / 1024,
    }
    print(json.dumps(measured))


def memory_kib(which: str) -> int:
    """Resident memory of this process: ``VmRSS`` now, ``VmHWM`` at its peak (Linux only)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == which:
            return int(value.split()[0])
    raise LookupError(which)


def _require(holds: bool, promise: str) -> None:
    if not holds:
        sys.exit(f"This did not hold: {promise}")


if __name__ == "__main__":
    main(*sys.argv[1:])
