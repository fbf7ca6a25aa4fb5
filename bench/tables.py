"""
All deals with all their fields in a table of Postgres, in a process of its own: ``python -m bench.tables``, more in
JSON on standard input.

It prints what it measured as the last line, in JSON. Each process is like a task of one night; what it imports and
connects to is there before it is measured, by a load of a few rows into another table.
"""

from __future__ import annotations

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

from bench.subject import memory_kib

#: What brings the rows.
WORK = ("the operator", "dlt")
#: Of a load into one table.
TIMES = ("first", "second")
CONN_ID = "warehouse"


def main() -> None:
    asked = json.load(sys.stdin)
    work = {"the operator": _by_operator, "dlt": _by_dlt}[asked["work"]]
    work(asked, "warm", {"item_filter": {"<=id": 500}})
    memory, began, cpu_began = memory_kib("VmRSS"), time.perf_counter(), _cpu_seconds()
    work(asked, "deals", {})
    measured = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": _cpu_seconds() - cpu_began,
        "growth_mib": (memory_kib("VmHWM") - memory) / 1024,
    }
    print(json.dumps(measured))


def _cpu_seconds() -> float:
    """Of this process and of those that it has started."""
    return sum(os.times()[:4])


def _by_operator(asked: dict[str, Any], table: str, what: dict[str, Any]) -> None:
    from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator

    operator = Bitrix24ToSqlOperator(
        task_id="load", entity_type_id="deal", sql_conn_id=CONN_ID, table=f"ours_{table}", window="all", deleted="keep",
        **what,
    )  # fmt: skip
    run = f"run-{asked['run']}"
    ti = SimpleNamespace(try_number=1, max_tries=0, dag_id="d", run_id=run, task_id="load", map_index=-1)
    operator.execute({"ti": ti, "task": SimpleNamespace(retries=0)})


def _by_dlt(asked: dict[str, Any], table: str, what: dict[str, Any]) -> None:
    """The same typed rows, as Parquet files over ADBC."""
    import dlt

    from airflow_provider_bitrix24.transfers.dlt import bitrix24_source

    pipeline = dlt.pipeline(
        f"dlt_{table}", pipelines_dir=asked["folder"], destination=dlt.destinations.postgres(asked["address"]),
        dataset_name=f"dlt_{table}",
    )  # fmt: skip
    tables = {"deals": {"entity_type_id": "deal", "window": "all", **what}}
    done = pipeline.run(bitrix24_source(tables=tables), loader_file_format="parquet")
    done.raise_on_failed_jobs()


if __name__ == "__main__":
    main()
