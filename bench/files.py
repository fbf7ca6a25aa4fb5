"""
All deals with all their fields, in a process of its own: ``python -m bench.files``, more in JSON on standard input.

It prints what it measured as the last line, in JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.subject import memory_kib

#: What is done with the rows.
WORK = ("listed", "typed", "Parquet", "JSON lines", "CSV")
_FORMATS = {"Parquet": "parquet", "JSON lines": "jsonl", "CSV": "csv"}


def main() -> None:
    from airflow_provider_bitrix24.crm.items import fields_of
    from airflow_provider_bitrix24.exports.typed_batches import TypedBatches
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

    asked = json.load(sys.stdin)

    def listed(limit: int | None) -> int:
        with Bitrix24Hook().get_conn() as client:
            return sum(1 for _ in client.list("crm.item.list", {"entityTypeId": 2, "select": ["*"]}, limit=limit))

    def typed(limit: int | None) -> int:
        count = 0
        with Bitrix24Hook().get_conn() as client:
            batches = TypedBatches([*fields_of(client, 2).fields.values()])
            rows = iter(client.list("crm.item.list", {"entityTypeId": 2, "select": ["*"]}, limit=limit))
            while several := list(islice(rows, 5000)):
                count += batches.batch(several).batch.num_rows
        return count

    def loaded(limit: int | None) -> int:
        with tempfile.TemporaryDirectory() as folder:
            return _load(folder, asked["work"], limit)

    work = {"listed": listed, "typed": typed}.get(asked["work"], loaded)
    work(500)
    memory, began, cpu_began = memory_kib("VmRSS"), time.perf_counter(), time.process_time()
    count = work(None)
    if count != asked["deals"]:
        sys.exit(f"This did not hold: all {asked['deals']} deals came once")
    measured = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "growth_mib": (memory_kib("VmHWM") - memory) / 1024,
    }
    print(json.dumps(measured))


def _load(folder: str, work: str, limit: int | None) -> int:
    """Load them with the operator, and count what is in the files."""
    from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator

    few: dict[str, Any] = {} if limit is None else {"item_filter": {"<=id": limit}}
    operator = Bitrix24ToObjectStorageOperator(
        task_id="load", entity_type_id="deal", destination=folder, file_format=_FORMATS[work], window="all", **few
    )
    ti = SimpleNamespace(try_number=1, max_tries=0, dag_id="d", run_id="r", task_id="load", map_index=-1)
    done = operator.execute({"ti": ti, "task": SimpleNamespace(retries=0)})
    (success,) = Path(folder).glob("load=*/_SUCCESS")
    rows: int = json.loads(success.with_name("_manifest.json").read_text())["rows"]
    return rows if rows == done["rows"] else 0


if __name__ == "__main__":
    main()
