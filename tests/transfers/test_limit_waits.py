"""A load whose method is blocked three times goes on behind what it has read: every row once, visible at the end."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.execution.limit_waits import MOST_IDLE_DEFERRALS
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.accelerated import Blocks, accelerate_trigger, accelerated
from tests.execution.waits import TaskDeferred, deferred, resumed
from tests.operators.context import StateStore, context
from tests.rest.clients import Naps, client_of
from tests.transfers.lists import LIST, MORE_DEALS, WIDE_OPEN


@pytest.fixture
def portal(larger):
    return larger


def make(naps: Naps, folder: Path, **arguments: Any) -> Any:
    what = {} if "method" in arguments else {"entity_type_id": "deal", "select": ["id", "title"]}
    arguments = {**what, "window": "all", "file_format": "jsonl", "wait_for_limits": "defer", **arguments}
    return accelerated(Bitrix24ToObjectStorageOperator, naps)(task_id="task", destination=str(folder), **arguments)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    (load,) = [file.parent for file in folder.glob("load=*/_SUCCESS")]
    manifest = json.loads((load / "_manifest.json").read_text())
    return [json.loads(line) for part in manifest["parts"] for line in (load / part["name"]).read_text().splitlines()]


def ids(portal: Sandbox) -> list[int]:
    return [int(deal["id"]) for deal in portal.items(2)]


def test_rows_before_a_limit_are_kept_and_the_rest_is_read_after_it(portal, connect, tmp_path):
    connect(**WIDE_OPEN)
    naps, given = Blocks(portal, LIST, 40), context(retries=0)
    deferral = deferred(make(naps, tmp_path), given)
    assert not list(tmp_path.glob("load=*/_SUCCESS"))
    kept = sum(len(file.read_text().splitlines()) for file in tmp_path.glob("load=*/part-*"))
    assert 0 < kept < MORE_DEALS
    naps(60)
    portal.reset_calls()
    assert resumed(make(naps, tmp_path), deferral, given)["rows"] == MORE_DEALS
    assert [row["id"] for row in rows_of(tmp_path)] == ids(portal)
    first = next(call for call in portal.calls if call.method == LIST)
    assert int(first.params["filter"][">id"]) == ids(portal)[kept - 1]


@pytest.mark.parametrize("has_store", [True, False])
def test_a_list_that_cannot_be_gone_on_with_starts_over_in_a_load_of_its_own(has_store, portal, connect, tmp_path):
    connect(**WIDE_OPEN)
    fields = {"ENTITY_TYPE_ID": 3, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Firm"}
    adds = {number: ("crm.requisite.add", {"fields": fields}) for number in range(60)}
    assert len(client_of(portal).batch(adds).replies) == 60
    naps = Blocks(portal, "crm.requisite.list", 1)
    given = context(store=StateStore() if has_store else None)
    made = lambda: make(naps, tmp_path, method="crm.requisite.list")  # noqa: E731
    deferral = deferred(made(), given)
    assert list(tmp_path.glob("load=*/part-*"))
    naps(60)
    result = resumed(made(), deferral, given)
    rows = list(client_of(portal).list("crm.requisite.list"))
    assert result["rows"] == len(rows)
    assert [row["id"] for row in rows_of(tmp_path)] == [int(row["ID"]) for row in rows]


def test_asleep_a_load_goes_on_too(portal, connect, tmp_path):
    connect(**WIDE_OPEN)
    naps = Blocks(portal, LIST, 30, 30)
    assert make(naps, tmp_path, wait_for_limits="sleep").execute(context(retries=0))["rows"] == MORE_DEALS
    assert [row["id"] for row in rows_of(tmp_path)] == ids(portal)
    assert len([seconds for seconds in naps.taken if seconds > 30]) == 2


def test_airflow_defers_a_load_three_times(portal, connect, run_dag, xcom, task_instance, monkeypatch, tmp_path):
    connect(**WIDE_OPEN)
    naps = Blocks(portal, LIST, MORE_DEALS // 200, MORE_DEALS // 200, MORE_DEALS // 200)
    triggers = accelerate_trigger(naps, monkeypatch)
    with DAG("load_deferred", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
        task = make(naps, tmp_path, retries=0)
    run = run_dag(task.dag)
    assert (run.state, task_instance(run, "task").try_number) == ("success", 1)
    assert len(triggers) == 3
    assert xcom(run, "task")["rows"] == MORE_DEALS
    assert [row["id"] for row in rows_of(tmp_path)] == ids(portal)


def test_a_load_that_gets_no_further_is_not_deferred_for_ever(portal, connect, tmp_path):
    connect(**WIDE_OPEN)
    naps, given = Blocks(portal, LIST, 0), context(retries=0)
    deferral = deferred(make(naps, tmp_path), given)
    for _ in range(MOST_IDLE_DEFERRALS - 1):
        with pytest.raises(TaskDeferred) as caught:
            resumed(make(naps, tmp_path), deferral, given)
        deferral = caught.value
    with pytest.raises(OperationTimeLimit):
        resumed(make(naps, tmp_path), deferral, given)
