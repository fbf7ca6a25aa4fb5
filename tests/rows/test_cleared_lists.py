"""Multiple fields that ``blank="clear"`` empties: some portals answer with success and keep the values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24GetItemOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import context

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
def test_rows_that_clear_a_multiple_field_are_read_back_in_one_request(name, portal, deals):
    _, _, word, before = OPERATORS[name]
    summary = write(name, deals)
    assert (summary[word], summary["cleared"], summary["failed"]) == (3, 5, 0)
    assert "noted" not in summary
    assert portal.executed(GET) == 2
    assert portal.executed("batch") == before + 1
    assert [portal.item(2, deal)["observers"] for deal in deals] == [[1], [], []]


@pytest.mark.parametrize("name", OPERATORS)
def test_a_row_whose_values_the_portal_has_kept_fails(name, portal, deals, caplog):
    _, _, word, before = OPERATORS[name]
    item = Bitrix24GetItemOperator(task_id="get", entity_type_id="deal", item_id=deals[1]).execute(context())
    answers = {"c0": {"item": {**item, "observers": [1]}}, "c1": {"item": {**item, "id": deals[2], "observers": []}}}
    body = json.dumps({"result": {"result": answers, "result_error": [], "result_total": [], "result_next": []}})
    portal.fault("body", "batch", after=before, body=body.encode())
    given = context()
    with pytest.raises(AirflowFailException, match=rf"deal {deals[1]} was written, .* dropped observers: some portals"):
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
        portal.fault("error", GET, code="ACCESS_DENIED", status=403, times=1)
    elif fault == "error of the batch":
        portal.fault("error", "batch", code="NO_WAY", status=400, after=before, times=1)
    else:
        answers = {"c0": {"item": []}, "c1": {"item": {"observers": []}}}
        body = json.dumps({"result": {"result": answers, "result_error": [], "result_total": [], "result_next": []}})
        portal.fault("body", "batch", after=before, body=body.encode())
    summary = write(name, deals)
    assert (summary[word], summary["cleared"], summary["failed"]) == (3, 5, 0)
    assert summary["noted"] == (2 if fault == "error of the batch" else 1)
    assert "could not be read back to see what is cleared" in summary["outcomes"][1]["message"]


@pytest.mark.parametrize("name", OPERATORS)
def test_nothing_is_read_back_where_no_multiple_field_is_cleared(name, portal, deals):
    operator, more, _, before = OPERATORS[name]
    row = {"id": deals[1], "title": "x", "comments": ""} if name == "update" else {"originId": "K-1", "comments": ""}
    operator(task_id="task", entity_type_id="deal", rows=[row], blank="clear", **more).execute(context())
    assert (portal.executed(GET), portal.executed("batch")) == (0, before)
