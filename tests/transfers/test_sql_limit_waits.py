"""A load into a table whose method is blocked: it goes on behind what it has read, and readers see it at the end."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from tests.accelerated import Blocks, accelerate_trigger, accelerated
from tests.execution.waits import deferred, resumed
from tests.operators.context import context
from tests.rest.clients import Naps
from tests.transfers.databases import CONN_ID
from tests.transfers.lists import LIST, MORE_DEALS, WIDE_OPEN
from tests.transfers.test_to_sql import run_of


@pytest.fixture
def portal(larger):
    return larger


@pytest.fixture(autouse=True)
def _connected(portal, connect) -> None:
    connect(**WIDE_OPEN)


def make(naps: Naps, **arguments: Any) -> Any:
    arguments = {"select": ["title"], "window": "all", "wait_for_limits": "defer", **arguments}
    return accelerated(Bitrix24ToSqlOperator, naps)(
        task_id="task", entity_type_id="deal", sql_conn_id=CONN_ID, table="deals", **arguments
    )


def ids(portal: Sandbox) -> list[tuple[int]]:
    return [(int(deal["id"]),) for deal in portal.items(2)]


@pytest.mark.parametrize("write", ["upsert", "replace", "append"])
def test_rows_before_a_limit_are_kept_and_the_rest_is_read_after_it(write, portal, target):
    naps, given = Blocks(portal, LIST, 40), run_of(1, retries=0)
    deferral = deferred(make(naps, write=write), given)
    assert "deals" not in target.tables()
    (stage,) = (name for name in target.tables() if "stage" in name)
    ((kept,),) = target.execute(f"SELECT count(*) FROM {stage}")
    assert 0 < kept < MORE_DEALS
    naps(60)
    portal.reset_calls()
    assert resumed(make(naps, write=write), deferral, given)["rows"] == MORE_DEALS
    assert target.rows("deals", "id") == ids(portal)
    first = next(call for call in portal.calls if call.method == LIST)
    assert int(first.params["filter"][">id"]) == ids(portal)[kept - 1][0]


def test_a_task_that_waits_for_a_limit_holds_its_table_in_its_last_try_too(portal, target):
    naps, given = Blocks(portal, LIST, 40), run_of(1, retries=0)
    deferral = deferred(make(naps), given)
    with pytest.raises(Bitrix24Error, match="another load into deals is under way"):
        make(Naps()).execute(run_of(2))
    naps(60)
    assert resumed(make(naps), deferral, given)["rows"] == MORE_DEALS


def test_a_task_that_no_trigger_has_brought_back_lets_go_of_its_table(portal, target):
    naps, given = Blocks(portal, LIST, 40), run_of(1, retries=0)
    deferred(make(naps), given)
    with pytest.raises(Bitrix24Error):
        make(naps).resume_execution("__fail__", {"error": "Trigger timeout"}, given)
    naps(60)
    assert make(naps).execute(run_of(2))["rows"] == MORE_DEALS


def test_asleep_a_load_goes_on_too(portal, target):
    naps = Blocks(portal, LIST, 30, 30)
    assert make(naps, wait_for_limits="sleep").execute(context(retries=0))["rows"] == MORE_DEALS
    assert target.rows("deals", "id") == ids(portal)
    assert len([seconds for seconds in naps.taken if seconds > 30]) == 2


def test_airflow_defers_a_load_three_times(portal, target, run_dag, xcom, task_instance, monkeypatch):
    naps = Blocks(portal, LIST, MORE_DEALS // 200, MORE_DEALS // 200, MORE_DEALS // 200)
    triggers = accelerate_trigger(naps, monkeypatch)
    with DAG("table_deferred", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
        task = make(naps, retries=0)
    run = run_dag(task.dag)
    assert (run.state, task_instance(run, "task").try_number) == ("success", 1)
    assert len(triggers) == 3
    assert xcom(run, "task")["rows"] == MORE_DEALS
    assert target.rows("deals", "id") == ids(portal)
