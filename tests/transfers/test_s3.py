"""Loads into S3: the server of moto, through Airflow's provider of Amazon, as tasks use it."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.operators.context import context

# Airflow's provider of Amazon brings 50 packages: `make s3` has an environment for it.
pytestmark = pytest.mark.skipif(not os.environ.get("BITRIX24_S3"), reason="asked for by BITRIX24_S3=1")

ROOT = Path(__file__).parents[2]
VARIABLE = "AIRFLOW_CONN_STORE"
KILLS = int(os.environ.get("BITRIX24_KILLS", "2"))
DEALS = 6000


class Store:
    """One bucket, ``crm``, of a server in this process."""

    def __init__(self, server: Any) -> None:
        import boto3

        host, port = server.get_host_and_port()
        self._endpoint = f"http://{host}:{port}"
        self.s3 = boto3.client(
            "s3", endpoint_url=self._endpoint, aws_access_key_id="key", aws_secret_access_key="secret",
            region_name="us-east-1",
        )  # fmt: skip
        self.s3.create_bucket(Bucket="crm")

    @property
    def connection_json(self) -> str:
        extra = {"endpoint_url": self._endpoint, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": "key", "password": "secret", "extra": extra})

    def names(self) -> list[str]:
        """Of all objects, as they were written one after the other."""
        from moto.backends import get_backend

        keys = get_backend("s3")["123456789012"]["aws"].buckets["crm"].keys
        return sorted(keys, key=lambda name: keys[name].last_modified)

    def bytes_of(self, name: str) -> bytes:
        return self.s3.get_object(Bucket="crm", Key=name)["Body"].read()

    def rows(self, folder: str) -> list[dict[str, Any]]:
        """What a reader finds who believes ``_SUCCESS`` and the manifest."""
        assert self.bytes_of(f"{folder}/_SUCCESS") == b""
        manifest = json.loads(self.bytes_of(f"{folder}/_manifest.json"))
        parts = [self.bytes_of(f"{folder}/{part['name']}") for part in manifest["parts"]]
        assert [len(part) for part in parts] == [part["bytes"] for part in manifest["parts"]]
        return [row for part in parts for row in pyarrow.parquet.read_table(io.BytesIO(part)).to_pylist()]

    def loads(self) -> list[str]:
        """Folders of loads with ``_SUCCESS``."""
        found = self.s3.list_objects_v2(Bucket="crm").get("Contents", [])
        return [each["Key"].removesuffix("/_SUCCESS") for each in found if each["Key"].endswith("/_SUCCESS")]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """One for all tests: what Airflow has connected to once it keeps."""
    from moto.server import ThreadedMotoServer

    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(server, monkeypatch) -> Store:
    from moto.backends import get_backend

    get_backend("s3")["123456789012"]["aws"].reset()
    made = Store(server)
    monkeypatch.setenv(VARIABLE, made.connection_json)
    return made


def load(destination: str = "s3://store@crm/deals", **arguments: Any) -> dict[str, Any]:
    what = {"entity_type_id": "deal", "destination": destination, **arguments}
    return Bitrix24ToObjectStorageOperator(task_id="t", **what).execute(context())


def test_a_load_is_whole_before_its_success_is_written(portal, connection, store, monkeypatch):
    monkeypatch.setattr(part_files, "ROWS_OF_A_PART", 500)
    portal.add_deals(1270)
    done = load(window="all")
    folder = done["path"].removeprefix("s3://store@crm/")
    rows = store.rows(folder)
    assert [row["id"] for row in rows] == list(range(1, 1301))
    assert rows[0]["title"] == portal.item(2, 1)["title"]
    assert (done["rows"], done["parts"]) == (1300, 3)
    names = [name.removeprefix(f"{folder}/") for name in store.names()]
    assert names[-2:] == ["_manifest.json", "_SUCCESS"]
    assert [name.partition("-")[0] for name in names[:-2]] == ["_load.json", *["part", "_part"] * 3]


def test_the_next_load_takes_what_was_changed(portal, connection, store):
    first = load()
    portal.clock.advance(3600)
    Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
    given = context()
    given["ti"].run_id = "next"
    second = Bitrix24ToObjectStorageOperator(
        task_id="t", entity_type_id="deal", destination="s3://store@crm/deals"
    ).execute(given)
    assert (first["rows"], second["rows"]) == (30, 1)
    assert store.names()[-1] == "deals/_bitrix24.json"
    assert [row["title"] for row in store.rows(second["path"].removeprefix("s3://store@crm/"))] == ["Changed"]


def test_a_list_goes_into_an_object_of_json_lines(portal, connection, store):
    destination = "s3://store@crm/lists/deals.jsonl"
    operator = Bitrix24ListOperator(
        task_id="t", method="crm.item.list", method_params={"entityTypeId": 2}, destination=destination
    )
    assert operator.execute(context())["rows"] == 30
    lines = [json.loads(line) for line in store.bytes_of("lists/deals.jsonl").splitlines()]
    assert [line["id"] for line in lines] == list(range(1, 31))
    assert store.names()[-1] == "lists/deals.jsonl"


@pytest.mark.parametrize("operator", ["load", "list"])
def test_a_misspelt_bucket_is_named_and_not_made(operator, portal, connection, store):
    kinds = {
        "load": (Bitrix24ToObjectStorageOperator, {"entity_type_id": "deal", "destination": "s3://store@crn/deals"}),
        "list": (Bitrix24ListOperator, {"method": "crm.deal.list", "destination": "s3://store@crn/deals.jsonl"}),
    }
    kind, arguments = kinds[operator]
    with pytest.raises(AirflowFailException, match="s3://store@crn/"):
        kind(task_id="t", **arguments).execute(context())
    assert portal.calls == []
    assert [bucket["Name"] for bucket in store.s3.list_buckets()["Buckets"]] == ["crm"]


def test_the_dag_for_redshift_can_be_made_with_the_provider():
    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8").partition("## Redshift")[2]
    made: dict[str, Any] = {}
    exec(text.partition("```text\n")[2].partition("```")[0], made)
    load = made["load"]
    assert (load.upstream_task_ids, load.method, load.upsert_keys) == ({"table"}, "UPSERT", ["id"])
    assert "s3_key" in load.template_fields
    assert "sql" in made["table"].template_fields


def test_a_load_that_is_killed_at_any_moment_ends_with_every_row_once(store):
    generator = random.Random(KILLS)
    seen: set[int] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.1):
            seen.update(len(store.rows(folder)) for folder in store.loads())

    with Sandbox(deals=DEALS, command_seconds=0.003) as portal:
        environment = {
            **os.environ, "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json(), VARIABLE: store.connection_json,
        }  # fmt: skip
        reader = threading.Thread(target=read)
        reader.start()
        codes = []
        for try_number in range(1, KILLS + 2):
            arguments = {"destination": "s3://store@crm/deals", "entity_type_id": "deal", "select": ["title"]}
            order = {"arguments": arguments, "rows_of_a_part": 1000, "try_number": try_number}
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.transfers.loading_process", json.dumps(order)],
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            if try_number <= KILLS:
                is_first = try_number == 1
                parts = generator.randint(1, 3) if is_first else generator.randint(0, 5)
                while process.poll() is None and sum("/_part-" in name for name in store.names()) < parts:
                    time.sleep(0.01)
                try:
                    process.wait(0 if is_first else generator.random() * 0.3)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            codes.append(process.returncode)
        ended.set()
        reader.join()
    assert codes[0] == -signal.SIGKILL
    assert set(codes[1:-1]) <= {0, -signal.SIGKILL}
    assert codes[-1] == 0
    assert seen <= {DEALS}
    (folder,) = store.loads()
    assert json.loads(output.splitlines()[-1])["path"] == f"s3://store@crm/{folder}"
    assert [row["id"] for row in store.rows(folder)] == list(range(1, DEALS + 1))
