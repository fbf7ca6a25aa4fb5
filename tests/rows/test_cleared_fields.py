"""What ``blank="clear"`` empties: a portal may answer with success, and keep a value or put another in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from tests.operators.context import context
from tests.rest.clients import client_of

GET = "crm.item.get"
#: Operators with the word for a row that is done, and the requests before the one that reads back.
OPERATORS: dict[str, tuple[type, dict[str, Any], str, int]] = {
    "update": (Bitrix24BulkWriteOperator, {"operation": "update"}, "written", 1),
    "upsert": (Bitrix24UpsertItemsOperator, {"key": "originId"}, "updated", 2),
}


@pytest.fixture
def deals(portal, connection) -> list[int]:
    """Three deals, two of them with an observer."""
    made = []
    for number in range(3):
        fields = {"title": f"Deal {number}", "originId": f"K-{number}", "observers": [1] if number else []}
        made.append(Bitrix24AddItemOperator(task_id="add", entity_type_id="deal", fields=fields).execute(context()))
    portal.reset_calls()
    return made


def write(name: str, deals: list[int], given: Any = None, **arguments: Any) -> dict[str, Any]:
    """Clear the observers and the comments of all but the first, whose observers are set."""
    operator, more, _, _ = OPERATORS[name]
    rows = [
        {"title": f"Deal {number}", "observers": "" if number else "1", "comments": ""}
        | ({"id": deal} if name == "update" else {"originId": f"K-{number}"})
        for number, deal in enumerate(deals)
    ]
    task = operator(task_id="task", entity_type_id="deal", rows=rows, blank="clear", **more, **arguments)
    return task.execute(given or context())


@pytest.mark.parametrize("name", OPERATORS)
def test_rows_that_clear_are_read_back_in_one_request(name, portal, deals):
    _, _, word, before = OPERATORS[name]
    summary = write(name, deals)
    assert (summary[word], summary["cleared"], summary["failed"]) == (3, 5, 0)
    assert "noted" not in summary
    # The first row clears its comments.
    assert portal.executed(GET) == 3
    assert portal.executed("batch") == before + 1
    assert [portal.item(2, deal)["observers"] for deal in deals] == [[1], [], []]


@pytest.mark.parametrize("name", OPERATORS)
def test_a_row_whose_values_the_portal_has_kept_fails(name, portal, deals, caplog):
    _, _, word, before = OPERATORS[name]
    item = Bitrix24GetItemOperator(task_id="get", entity_type_id="deal", item_id=deals[1]).execute(context())
    answers = {
        "c0": {"item": {**item, "id": deals[0]}},
        "c1": {"item": {**item, "observers": [1]}},
        "c2": {"item": {**item, "id": deals[2], "observers": []}},
    }
    body = json.dumps({"result": {"result": answers, "result_error": [], "result_total": [], "result_next": []}})
    portal.fault("body", "batch", after=before, body=body.encode())
    given = context()
    with pytest.raises(
        AirflowFailException, match=rf"deal {deals[1]} was written, but not cleared: observers: some portals"
    ):
        write(name, deals, given)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary[word], summary["cleared"]) == (3, 4)
    assert ["code" in line for line in summary["outcomes"]] == [False, True, False]
    assert f"Row 1, id {deals[1]}: {word}: " in caplog.text


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("fault", ["error in the batch", "error of the batch", "no item"])
def test_a_row_that_cannot_be_read_back_is_done_and_noted(name, fault, portal, deals):
    _, _, word, before = OPERATORS[name]
    if fault == "error in the batch":
        portal.fault("error", GET, code="ACCESS_DENIED", status=403, after=1, times=1)
    elif fault == "error of the batch":
        portal.fault("error", "batch", code="NO_WAY", status=400, after=before, times=1)
    else:
        answers = {"c0": {"item": {"comments": ""}}, "c1": {"item": []}, "c2": {"item": {"observers": []}}}
        body = json.dumps({"result": {"result": answers, "result_error": [], "result_total": [], "result_next": []}})
        portal.fault("body", "batch", after=before, body=body.encode())
    summary = write(name, deals)
    # What nobody has seen to be cleared is not counted.
    noted, cleared = {"error in the batch": (1, 3), "error of the batch": (3, 0), "no item": (2, 1)}[fault]
    assert (summary[word], summary["cleared"], summary["failed"]) == (3, cleared, 0)
    assert summary["noted"] == noted
    assert "could not be read back to see what is cleared" in summary["outcomes"][1]["message"]


@pytest.mark.parametrize("name", OPERATORS)
def test_nothing_is_read_back_where_nothing_is_cleared(name, portal, deals):
    operator, more, _, before = OPERATORS[name]
    row = {"id": deals[1], "title": "x"} if name == "update" else {"originId": "K-1", "title": "x"}
    operator(task_id="task", entity_type_id="deal", rows=[row], blank="clear", **more).execute(context())
    assert (portal.executed(GET), portal.executed("batch")) == (0, before)


@pytest.mark.parametrize("name", OPERATORS)
def test_what_the_portal_keeps_or_puts_in_its_place_is_named_and_not_counted(name, portal, deals):
    operator, more, word, _ = OPERATORS[name]
    key = [{"id": deal} if name == "update" else {"originId": f"K-{n}"} for n, deal in enumerate(deals)]
    rows = [
        {**key[0], "title": "a", "assignedById": "", "comments": ""},
        {**key[1], "title": "b", "stageId": "", "observers": "", "comments": ""},
        {**key[2], "title": "c", "comments": "", "opportunity": "", "opened": "", "companyId": ""},
    ]
    portal.item(2, deals[1])
    Bitrix24UpdateItemOperator(
        task_id="won", entity_type_id="deal", item_id=deals[1], fields={"stageId": "WON"}
    ).execute(context())
    given = context()
    task = operator(
        task_id="task", entity_type_id="deal", rows=rows, blank="clear", max_failures=2, **more
    )  # fmt: skip
    summary = task.execute(given)
    assert (summary[word], summary["cleared"]) == (3, 1 + 2 + 4)
    first, second, third = summary["outcomes"]
    assert (
        f"deal {deals[0]} was written, but not cleared: assignedById: a portal keeps what every object"
        in first["message"]
    )
    assert (first["outcome"], first["cleared"], first["final"]) == (word, 1, True)
    assert f"deal {deals[1]} was written, but not cleared: stageId: a portal keeps" in second["message"]
    assert second["cleared"] == 2
    assert "message" not in third
    assert portal.item(2, deals[1])["stageId"] == "NEW"
    with pytest.raises(AirflowFailException, match="was written, but not cleared: assignedById"):
        operator(task_id="task", entity_type_id="deal", rows=rows[:1], blank="clear", **more).execute(context())


@pytest.mark.parametrize("kind", ["lead", "contact", "company", "quote", "invoice"])
def test_who_is_responsible_for_it_is_never_cleared(kind, portal, connection):
    (item,) = portal.add_items({"lead": 1, "contact": 3, "company": 4, "quote": 7, "invoice": 31}[kind], 1)
    rows = [{"id": item, "assignedById": None, "comments": None}]
    summary = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id=kind, operation="update", rows=rows, blank="clear", max_failures=1
    ).execute(context())
    assert summary["cleared"] == 1
    assert "not cleared: assignedById" in summary["outcomes"][0]["message"]


def by_method(method: str, row: dict[str, Any], fields: dict[str, str], **arguments: Any) -> dict[str, Any]:
    mapping = {"id": "$id", "fields": fields}
    task = Bitrix24BulkWriteOperator(
        task_id="task", method=method, rows=[row], mapping=mapping, blank="clear", max_failures=1, **arguments
    )
    summary: dict[str, Any] = task.execute(context())
    return summary


def test_a_method_that_updates_is_read_back_too(portal, deals):
    row = {"id": deals[1], "who": "", "stage": "", "text": "", "sum": "", "open": "", "firm": ""}
    fields = {"ASSIGNED_BY_ID": "$who", "COMMENTS": "$text", "OPPORTUNITY": "$sum", "OPENED": "$open"}
    summary = by_method("crm.deal.update", row, {**fields, "STAGE_ID": "$stage", "COMPANY_ID": "$firm"})
    assert (summary["written"], summary["cleared"]) == (1, 4)
    assert (
        f"crm.deal.get: the object {deals[1]} was written, but not cleared: ASSIGNED_BY_ID, STAGE_ID: a portal"
        in summary["outcomes"][0]["message"]
    )
    assert portal.executed("crm.deal.get") == 1
    summary = by_method("crm.deal.update", {**row, "who": "1", "stage": "WON"}, {**fields, "STAGE_ID": "$stage"})
    assert (summary["written"], summary["cleared"]) == (1, 3)
    assert "message" not in summary["outcomes"][0]
    # Nothing is cleared, and nothing is read.
    portal.reset_calls()
    by_method("crm.deal.update", {"id": deals[1], "text": "x"}, {"COMMENTS": "$text"})
    assert portal.executed("crm.deal.get") == 0


def test_a_task_by_its_method(portal, connection):
    with client_of(portal) as client:
        task = client.call("tasks.task.add", {"fields": {"TITLE": "x", "DESCRIPTION": "y", "RESPONSIBLE_ID": 1}})
    row = {"id": int(task["task"]["id"]), "text": ""}
    summary = Bitrix24BulkWriteOperator(
        task_id="task", method="tasks.task.update", rows=[row], blank="clear",
        mapping={"taskId": "$id", "fields": {"DESCRIPTION": "$text"}},
    ).execute(context())  # fmt: skip
    assert (summary["written"], summary["cleared"]) == (1, 1)
    assert "message" not in summary["outcomes"][0]


def test_what_nothing_reads_back_is_noted_and_not_counted(portal, connection):
    row = {"id": 1, "text": ""}
    summary = Bitrix24BulkWriteOperator(
        task_id="task", method="user.update", rows=[row], blank="clear",
        mapping={"ID": "$id", "PERSONAL_CITY": "$text"},
    ).execute(context())  # fmt: skip
    assert (summary["written"], summary["cleared"], summary["noted"]) == (1, 0, 1)
    assert "no method is known that reads it" in summary["outcomes"][0]["message"]


@pytest.mark.parametrize("value", [None, ""])
def test_an_operator_of_one_item_says_so_too(value, portal, deals):
    fields = {"assignedById": value, "comments": value}
    with pytest.raises(AirflowFailException, match=rf"deal {deals[0]} was written, but not cleared: assignedById: a"):
        Bitrix24UpdateItemOperator(
            task_id="task", entity_type_id="deal", item_id=deals[0], fields=fields
        ).execute(context())  # fmt: skip
    with pytest.raises(AirflowFailException, match="was written, but not cleared: assignedById: a portal keeps"):
        Bitrix24UpsertItemOperator(
            task_id="task", entity_type_id="deal", key="originId", fields={"originId": "K-0", **fields}
        ).execute(context())
    portal.reset_calls()
    Bitrix24UpdateItemOperator(
        task_id="task", entity_type_id="deal", item_id=deals[0], fields={"comments": value}
    ).execute(context())  # fmt: skip
    assert portal.executed(GET) == 1


def test_a_dry_run_counts_what_would_be_asked_for(portal, deals):
    rows = [{"id": deals[0], "assignedById": "", "comments": ""}]
    summary = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id="deal", operation="update", rows=rows, blank="clear", dry_run=True
    ).execute(context())
    assert (summary["ready"], summary["cleared"]) == (1, 2)
