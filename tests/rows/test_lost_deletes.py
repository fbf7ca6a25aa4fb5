"""Rows that delete: an answer that is lost leaves no row unknown whose object could be read before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from tests.operators.context import StateStore, context
from tests.rest.clients import Naps, client_of
from tests.sleepless import sleepless

FAULT = json.dumps({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}).encode()
LOST: dict[str, dict[str, Any]] = {
    "a fault of the portal": {"kind": "body", "status": 500, "body": FAULT, "executed": True},
    "reset": {"kind": "reset_after"},
    "a page": {"kind": "status_after", "status": 502},
}


def delete(ids: list[int], **arguments: Any) -> dict[str, Any]:
    operator = sleepless(Bitrix24BulkWriteOperator)
    rows = [{"taskId": task} for task in ids]
    return operator(task_id="task", rows=rows, method="tasks.task.delete", **arguments).execute(context())


def tasks_of(portal: Any, number: int) -> list[int]:
    with client_of(portal, naps=Naps(portal)) as client:
        added = client.batch(
            {n: ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1}}) for n in range(number)}
        )
    return [int(result["task"]["id"]) for result in added.all_results().values()]


def left(portal: Any, ids: list[int]) -> list[int]:
    return sorted({task["id"] for task in portal.tasks()} & set(ids))


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_answer_leaves_no_deleted_task_unknown(lost, portal, connection):
    ids = tasks_of(portal, 60)
    # 50 are read, and their deletion is lost.
    portal.fault(method="batch", after=1, **LOST[lost])
    summary = delete(ids)
    assert (summary["written"], summary["failed"], summary["unknown"]) == (60, 0, 0)
    assert left(portal, ids) == []


def test_a_task_that_cannot_be_seen_stays_unknown_and_says_why(portal, connection):
    (seen,) = tasks_of(portal, 1)
    portal.fault("reset_after", method="batch", after=1)
    with pytest.raises((Bitrix24Error, AirflowFailException)) as caught:
        delete([seen, 999_999], max_failures=None)
    assert left(portal, [seen]) == []
    assert "the tasks.task.delete that was sent after it was refused" in str(caught.value)
    assert "and tasks.task.get finds no task with this id: there is none, or the connection's user has no right" in str(
        caught.value
    )


def test_in_a_batch_operator_too(portal, connection):
    ids = tasks_of(portal, 3)
    portal.fault("reset_after", method="batch", after=1)
    commands = {f"t{task}": ["tasks.task.delete", {"taskId": task}] for task in ids}
    results = sleepless(Bitrix24BatchOperator)(task_id="task", commands=commands).execute(context())
    assert results["results"] == {f"t{task}": {"task": True} for task in ids}
    assert left(portal, ids) == []


@pytest.mark.parametrize("kind", ["deal", "lead", "contact", "company", "quote"])
def test_a_second_delete_of_one_object_by_an_old_method_is_surely_not_done(kind, portal, connection):
    method = f"crm.{kind}.delete"
    with client_of(portal, naps=Naps(portal)) as client:
        id_, other = (client.call(f"crm.{kind}.add", {"fields": {"TITLE": "x", "NAME": "x"}}) for _ in range(2))
    given = context()
    rows = [{"id": id_}, {"id": str(id_)}, {"id": other}]
    with pytest.raises(AirflowFailException, match="check the id"):
        Bitrix24BulkWriteOperator(task_id="task", method=method, rows=rows, max_failures=0).execute(given)
    lines = given["ti"].pushed["bitrix24_rows"]["outcomes"]
    assert [line["outcome"] for line in lines][:2] == ["written", "failed"]
    assert "check the id: nothing has it, or it was deleted before" in lines[1]["message"]
    commands = {"a": [method, {"id": id_}]}
    batch = Bitrix24BatchOperator(task_id="task", commands=commands, on_error="continue").execute(context())
    assert (batch["errors"]["a"]["error"], batch["errors"]["a"]["ran"]) == ("NotFound", "no")
    with pytest.raises(AirflowFailException, match="check the id"):
        Bitrix24Operator(task_id="task", method=method, method_params={"id": id_}).execute(context())


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_delete_by_an_old_method_is_done_and_not_failed(lost, portal, connection):
    ids = portal.add_deals(3)
    portal.fault(method="batch", times=1, **LOST[lost])
    rows = [{"id": deal} for deal in ids]
    summary = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method="crm.deal.delete", rows=rows).execute(
        context()
    )
    assert (summary["written"], summary["failed"], summary["unknown"]) == (3, 0, 0)
    assert portal.executed("crm.deal.delete") >= 3


@pytest.mark.parametrize("kind", ["deal", "lead", "contact", "company", "quote"])
def test_what_an_earlier_try_deleted_that_nothing_remembers_has_not_failed(kind, portal, connection):
    """As in Airflow before 3.3, without a report."""
    method = f"crm.{kind}.delete"
    with client_of(portal, naps=Naps(portal)) as client:
        ids = [client.call(f"crm.{kind}.add", {"fields": {"TITLE": "x", "NAME": "x"}}) for _ in range(120)]
    rows = [{"id": id_} for id_ in ids]
    portal.fault("operation_time_limit", method, after=50, times=None)
    task = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=rows)
    with pytest.raises(Bitrix24Error) as caught:
        task.execute(context())
    assert caught.value.retryable
    portal.clear_faults()
    summary = task.execute(context(try_number=2))
    assert (summary["written"], summary["failed"], summary["unknown"]) == (120, 0, 0)
    noted = [line for line in summary["outcomes"] if "message" in line]
    assert summary["noted"] == len(noted) >= 50
    assert noted[0]["message"] == "not there: an earlier try has deleted it, or nothing had this id"
    # In a first try nothing can have been deleted before.
    given = context()
    with pytest.raises(AirflowFailException, match="check the id"):
        sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=rows[:1]).execute(given)


def test_what_was_deleted_by_a_try_that_was_killed_meanwhile_is_done(portal, connection, monkeypatch):
    store, ids = StateStore(), portal.add_deals(60)
    rows = [{"id": deal} for deal in ids]
    task = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method="crm.deal.delete", rows=rows)
    task.execute(context(store=store))
    # As after SIGKILL: nothing is remembered behind the moment before they were sent.
    steps = {name: json.loads(text) for name, text in store.values.items() if not name.endswith("done")}
    store.values = {
        name: json.dumps({**step, "outcomes": [None] * len(step["outcomes"])}) for name, step in steps.items()
    }
    summary = task.execute(context(try_number=2, store=store))
    assert (summary["written"], summary["failed"], summary["unknown"]) == (60, 0, 0)
    assert "noted" not in summary
