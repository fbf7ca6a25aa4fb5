"""Bulk writes whose method is blocked three times go on behind what they have done: nothing twice, nothing left out."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.execution import checkpoint
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.accelerated import accelerate_trigger, accelerated
from tests.execution.waits import deferred, resumed
from tests.operators.context import StateStore, context
from tests.rest.clients import Naps
from tests.rows.operators import KINDS

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

ADD = "crm.item.add"
#: Rows of the run in Airflow.
ROWS = 600
#: As good as none: what is tested is not the request bucket.
WIDE_OPEN = {"rate": 100_000, "burst": 100_000}


@pytest.fixture
def naps(portal, connect):
    connect(**WIDE_OPEN)
    return Naps(portal)


def firms(number: int) -> list[dict[str, str]]:
    return [{"title": f"Firm {n}"} for n in range(number)]


def block(portal: Sandbox, method: str, *after: int) -> None:
    """Let the method be blocked after so many calls, each time for one step."""
    for calls in after:
        portal.fault("operation_time_limit", method, after=calls, times=1)


def titles(portal: Sandbox) -> list[str]:
    return [item["title"] for item in portal.items(4) if item["title"].startswith("Firm ")]


def run_to_end(make: Any, given: Any) -> tuple[Any, int]:
    """The result of a task, and how often it was deferred."""
    deferrals = 0
    act = lambda: make().execute(given)  # noqa: E731
    while True:
        try:
            return act(), deferrals
        except TaskDeferred as deferral:
            deferrals += 1
            last = deferral
        act = lambda last=last: resumed(make(), last, given)  # noqa: E731


@pytest.mark.parametrize("memory", ["the trigger", "the state store", "the report"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_on_behind_what_it_has_done(kind, memory, portal, naps, tmp_path):
    kind = KINDS[kind]
    rows = kind.rows(portal, 120)
    # An import has 20 rows in a call.
    block(portal, kind.method, *((2, 3, 4) if "Import" in kind.method else (30, 60, 90)))
    arguments = {**kind.arguments, kind.argument: rows, "wait_for_limits": "defer"}
    if memory == "the report":
        arguments["report"] = f"{tmp_path}/report.jsonl"
    given = context(store=StateStore() if memory == "the state store" else None, retries=0)
    summary, deferrals = run_to_end(lambda: accelerated(kind.operator, naps)(task_id="task", **arguments), given)
    # Steps of updates and deletes are under way at once, and meet their limits together.
    assert deferrals >= (1 if kind.repeats and kind.word != "created" else 2)
    assert (summary["rows"], summary[kind.word]) == (120, 120)
    assert (summary["unknown"], summary["not_done"], summary["failed"]) == (0, 0, 0)
    done = kind.done(portal)
    assert len(done) == 120
    assert len(set(done)) == (1 if None in done else 120)
    assert "bitrix24_rows" not in given["ti"].pushed


def test_asleep_it_goes_on_in_the_same_process(portal, naps):
    block(portal, ADD, 30, 60)
    operator = accelerated(Bitrix24BulkWriteOperator, naps)(
        task_id="task", entity_type_id=4, rows=firms(100), wait_for_limits="sleep"
    )
    assert operator.execute(context(retries=0))["written"] == 100
    assert sorted(titles(portal)) == sorted(f"Firm {n}" for n in range(100))
    assert len(naps.taken) == 2


def test_adds_that_nothing_remembers_do_not_wait_when_they_are_too_many_to_travel(portal, naps, caplog, monkeypatch):
    monkeypatch.setattr(checkpoint, "_MOST_PACKED_CHARACTERS", 1000)
    block(portal, ADD, 100)
    operator = accelerated(Bitrix24BulkWriteOperator, naps)(
        task_id="task", entity_type_id=4, rows=firms(150), wait_for_limits="defer"
    )
    given = context()
    with pytest.raises(AirflowFailException, match="run the other rows by themselves"):
        operator.execute(given)
    assert "it has done too much to keep in mind" in caplog.text
    assert given["ti"].pushed["bitrix24_rows"]["written"] >= 100
    assert len(titles(portal)) == given["ti"].pushed["bitrix24_rows"]["written"]


def test_a_wait_that_is_not_enough_has_its_summary_as_before(portal, naps):
    portal.fault("operation_time_limit", ADD, after=50, times=None)
    given = context(store=StateStore())
    operator = accelerated(Bitrix24BulkWriteOperator, naps)(
        task_id="task", entity_type_id=4, rows=firms(100), wait_for_limits="sleep"
    )
    with pytest.raises(OperationTimeLimit):
        operator.execute(given)
    assert len(naps.taken) == 1
    assert given["ti"].pushed["bitrix24_rows"]["written"] == 50


def test_a_wait_during_a_dry_run_changes_nothing(portal, naps):
    block(portal, "crm.item.fields", 0)
    operator = accelerated(Bitrix24BulkWriteOperator, naps)(
        task_id="task", entity_type_id=4, rows=firms(3), dry_run=True, wait_for_limits="defer"
    )
    given = context()
    deferral = deferred(operator, given)
    assert resumed(operator, deferral, given)["ready"] == 3
    assert portal.executed(ADD) == 0


def test_airflow_defers_a_bulk_write_three_times(portal, naps, run_dag, xcom, task_instance, monkeypatch, tmp_path):
    triggers = accelerate_trigger(naps, monkeypatch)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in firms(ROWS)))
    block(portal, ADD, ROWS // 4, ROWS // 2, 3 * ROWS // 4)
    with DAG("bulk_deferred", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        accelerated(Bitrix24BulkWriteOperator, naps)(
            task_id="task",
            entity_type_id=4,
            rows=str(rows),
            report=f"{tmp_path}/report.jsonl",
            wait_for_limits="defer",
            retries=0,
        )
    run = run_dag(dag)
    task = task_instance(run, "task")
    assert (run.state, task.try_number) == ("success", 1)
    assert len(triggers) == 3
    assert xcom(run, "task")["written"] == ROWS
    assert sorted(titles(portal)) == sorted(f"Firm {n}" for n in range(ROWS))
