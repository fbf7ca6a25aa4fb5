"""Pages whose code is more than tasks of a DAG: it is run here as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator

ROOT = Path(__file__).parent.parent


def blocks(page: str, language: str = "python") -> list[str]:
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def for_this_airflow(block: str) -> str:
    """The block with what it says to write for Airflow 2."""
    if find_spec("airflow.sdk") is not None:
        return block
    return block.replace("from airflow.sdk import", "from airflow import").replace("airflow.sdk.", "airflow.")


def test_the_project_on_the_page_about_tests_passes(tmp_path):
    dag, conftest, *tests = map(for_this_airflow, blocks("testing"))
    files = {"dags/first_deletion.py": dag, "tests/conftest.py": conftest}
    files |= {f"tests/test_{number}.py": test for number, test in enumerate(tests)}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{sum(test.count('def test_') for test in tests)} passed" in done.stdout


@pytest.fixture
def scripts() -> dict[str, Any]:
    """What the page about scripts defines, the first of each name."""
    found: dict[str, Any] = {}
    for block in blocks("from-a-script"):
        if "airflow" not in block:
            defined: dict[str, Any] = {"__name__": "script"}
            exec(block, defined)
            found = {**defined, **found}
    return found


def test_the_scripts_before_do_what_the_page_says(scripts, bitrix24_portal, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bitrix24_portal.ca_file))
    webhook = bitrix24_portal.webhook()
    monkeypatch.setitem(scripts["deal"].__globals__, "WEBHOOK", webhook)
    paid = bitrix24_portal.add_payment(deal_id=5, paid=True)

    assert scripts["deal"](1)["ID"] == "1"
    assert scripts["won_deals"](webhook)
    company_id = scripts["add_company"](webhook, {"name": "Oak Ltd", "id": "K-17"})
    assert bitrix24_portal.item(4, company_id)["originId"] == "K-17"
    bitrix24_portal.add_deals(40)
    assert len(scripts["close_deals"](webhook, range(1, 61))) == 50
    scripts["delete_payments"](webhook, 5)
    assert bitrix24_portal.payment(paid) is not None
    assert scripts["call"](webhook, "profile", {})["NAME"] == "Anna"


def load(folder: Path) -> str:
    result = Bitrix24ToObjectStorageOperator(
        task_id="deals",
        entity_type_id="deal",
        select=["id", "title", "stageId", "opportunity", "updatedTime"],
        destination=f"file://{folder}",
    ).execute({})
    return str(result["path"]).removeprefix("file://")


def test_merge_brings_each_load_once_and_in_any_order(bitrix24_portal, bitrix24_connection, tmp_path):
    import duckdb

    select, merge = (block for block in blocks("recipes", "sql") if "MERGE" in block or "QUALIFY" in block)
    first = load(tmp_path)
    bitrix24_portal.clock.advance(3600)
    hook = Bitrix24Hook(bitrix24_connection)
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
    hook.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "A new one"}})
    second = load(tmp_path)

    database = duckdb.connect()
    files = "read_parquet('{}/part-*.parquet', hive_partitioning=false)"
    database.execute("CREATE SCHEMA crm")
    database.execute(f"CREATE TABLE crm.deals AS SELECT * FROM {files.format(first)} LIMIT 0")
    for path in (first, second, second, first):
        database.execute(f"CREATE OR REPLACE TABLE crm.deals_load AS SELECT * FROM {files.format(path)}")
        database.execute(merge)
    found = "SELECT count(*), count(DISTINCT id), max(title) FILTER (id = 7) FROM"
    count = len(bitrix24_portal.items(2))
    assert database.execute(f"{found} crm.deals").fetchall() == [(count, count, "Changed")]
    newest = select.replace("s3://my-bucket/crm/deals", str(tmp_path)).rstrip().rstrip(";")
    assert database.execute(f"{found} ({newest})").fetchall() == [(count, count, "Changed")]
