"""A load whose process is killed (SIGKILL) at any moment and started again, while a reader looks at its files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet

from airflow_provider_bitrix24.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
DEALS = 8000
#: More kills for a longer run: ``BITRIX24_KILLS=20``.
KILLS = int(os.environ.get("BITRIX24_KILLS", "2"))


class Reader(threading.Thread):
    """Reads loads as soon as they have ``_SUCCESS``, and keeps how many rows each has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.seen: set[int] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            self.look()

    def look(self) -> None:
        for success in self.folder.glob("load=*/_SUCCESS"):
            manifest = json.loads(success.with_name("_manifest.json").read_text())
            parts = [pyarrow.parquet.read_table(success.with_name(part["name"])) for part in manifest["parts"]]
            self.seen.add(sum(part.num_rows for part in parts))


def test_a_load_that_is_killed_at_any_moment_ends_with_every_row_once(tmp_path):
    generator = random.Random(KILLS)
    with Sandbox(deals=DEALS, command_seconds=0.005) as portal:
        environment = {**os.environ, "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json()}
        reader = Reader(tmp_path / "deals")
        reader.start()
        codes = []
        for try_number in range(1, KILLS + 2):
            order = {
                "arguments": {
                    "destination": f"file://{tmp_path}/deals", "entity_type_id": "deal", "select": ["title"],
                }, "rows_of_a_part": 1000, "try_number": try_number,
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.transfers.loading_process", json.dumps(order)],
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            if try_number <= KILLS:
                # The first one while it reads; others from the first part until after the publish.
                is_first = try_number == 1
                parts = generator.randint(1, 3) if is_first else generator.randint(0, 5)
                while process.poll() is None and len(list(tmp_path.glob("deals/load=*/_part-*.json"))) < parts:
                    pass
                try:
                    process.wait(0 if is_first else generator.random() * 0.3)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            codes.append(process.returncode)
        reader.ended.set()
        reader.join()
    assert codes[0] == -signal.SIGKILL
    assert set(codes[1:-1]) <= {0, -signal.SIGKILL}
    assert codes[-1] == 0
    done = json.loads(output.splitlines()[-1])
    reader.look()
    assert reader.seen == {DEALS}
    folder = Path(done["path"].removeprefix("file://"))
    manifest = json.loads((folder / "_manifest.json").read_text())
    tables = [pyarrow.parquet.read_table(folder / part["name"]) for part in manifest["parts"]]
    assert [i for table in tables for i in table.column("id").to_pylist()] == list(range(1, DEALS + 1))
    assert len(list((tmp_path / "deals").glob("load=*"))) == 1
