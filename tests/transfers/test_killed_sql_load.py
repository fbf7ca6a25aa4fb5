"""A load into a table whose process is killed (SIGKILL) at any moment and started again, while a reader looks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.transfers.databases import CONN_ID, TARGETS, VARIABLE, Reader

ROOT = Path(__file__).parents[2]
DEALS = 6000
#: More kills for a longer run, in each way of writing: ``BITRIX24_KILLS=20``.
KILLS = int(os.environ.get("BITRIX24_KILLS", "2"))
ALL = [(target, write) for target in TARGETS for write in ("upsert", "replace", "append")]
SHORT = [("sqlite", "append"), ("postgres", "upsert"), ("mysql", "replace"), ("duckdb", "upsert")]
SHORT += [(target, write) for target, write in ALL if target == "clickhouse"]
MADE = {
    "clickhouse": "(id Int64, updated_time DateTime64(6, 'UTC')) ENGINE = ReplacingMergeTree(updated_time) ORDER BY id"
}


@pytest.mark.parametrize(("target", "write"), ALL if KILLS > 2 else SHORT, indirect=["target"])
def test_a_load_that_is_killed_at_any_moment_ends_with_every_row_once(write, target):
    generator = random.Random(f"{KILLS} {write} {target.kind}")
    with Sandbox(deals=DEALS, command_seconds=0.003) as portal:
        environment = {
            **os.environ, "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json(), VARIABLE: target.connection_json,
        }  # fmt: skip
        arguments = {
            "sql_conn_id": CONN_ID, "table": "deals", "write": write, "entity_type_id": "deal", "select": ["title"],
        }  # fmt: skip

        def started(run_id: str, try_number: int) -> subprocess.Popen:
            order = {"arguments": arguments, "rows_of_a_part": 1000, "try_number": try_number, "run_id": run_id}
            return subprocess.Popen(
                [sys.executable, "-m", "tests.transfers.sql_loading_process", json.dumps(order)],
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip

        if write != "append":
            target.execute(f"CREATE TABLE deals {MADE.get(target.kind, '(id bigint PRIMARY KEY)')}")
        reader = Reader(target, f"SELECT count(*) FROM {target.newest('deals')}")
        # A table that is there already; nobody else has the file of DuckDB open while a load does.
        is_read = write != "append" and target.kind != "duckdb"
        if is_read:
            reader.start()
        codes = []
        for try_number in range(1, KILLS + 2):
            process = started("first", try_number)
            if try_number <= KILLS:
                # The first one while it reads; others from the first part until after the publish.
                is_first = try_number == 1
                parts = (
                    0 if target.kind == "duckdb" else generator.randint(1, 3) if is_first else generator.randint(0, 7)
                )
                while process.poll() is None and not (reads(portal) and parts_of(target, parts) >= parts):
                    time.sleep(0.01)
                try:
                    process.wait(0 if is_first else generator.random() * (10 if target.kind == "duckdb" else 0.2))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            codes.append(process.returncode)
        if is_read:
            reader.end()
            assert reader.seen == {(0,), (DEALS,)}
    assert codes[0] == -signal.SIGKILL
    assert set(codes[1:-1]) <= {0, -signal.SIGKILL}
    assert codes[-1] == 0
    assert json.loads(output.splitlines()[-1])["rows"] == DEALS
    assert [row[0] for row in target.rows("deals", "id")] == list(range(1, DEALS + 1))
    assert target.tables() == {"deals", "_bitrix24_loads"}


def reads(portal) -> bool:
    return any(command.method == "crm.item.list" for call in portal.calls for command in (call.commands or [call]))


def parts_of(target, wanted: int) -> int:
    if not wanted or "_bitrix24_loads" not in target.tables():
        return 0
    ((parts,),) = target.execute("SELECT count(*) FROM _bitrix24_loads WHERE kind = 'part'")
    return parts
