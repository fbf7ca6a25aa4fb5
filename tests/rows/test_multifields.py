"""Phones and e-mails in bulk updates: an entry that an item has already is not added again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import AnswerLost
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator
from tests.operators.context import StateStore, context

UPDATE, GET = "crm.item.update", "crm.item.get"


def update(rows: list[dict[str, Any]], *, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    operator = Bitrix24BulkWriteOperator(
        task_id="write", entity_type_id="company", operation="update", rows=rows, **arguments
    )
    return operator.execute(given or context())


@pytest.fixture
def company(portal, connection) -> int:
    fields = {"title": "Acme", "PHONE": "+1", "EMAIL": "a@b.example"}
    return Bitrix24AddItemOperator(task_id="add", entity_type_id="company", fields=fields).execute(context())


def entries(portal: Any, company: int) -> list[str]:
    return [entry["value"] for item in portal.items(4) if item["id"] == company for entry in item["fm"]]


@pytest.mark.parametrize(
    "values",
    [
        {"PHONE": "+1"},
        {"phone": ["+1"]},
        {"fm": [{"typeId": "PHONE", "valueType": "HOME", "value": " +1 "}]},
        {"PHONE": "+1", "EMAIL": "a@b.example"},
    ],
)
def test_an_entry_that_is_there_is_not_added_again(values, company, portal):
    for _ in range(2):
        result = update([{"id": company, **values}])
        assert (result["unchanged"], result["written"]) == (1, 0)
    assert entries(portal, company) == ["+1", "a@b.example"]
    assert portal.executed(UPDATE) == 0


def test_a_new_entry_is_added_once_by_every_number_of_runs(company, portal):
    rows = [{"id": company, "PHONE": ["+1", "+2"], "title": "Acme Ltd"}]
    results = [update(rows) for _ in range(3)]
    assert [result["written"] for result in results] == [1, 1, 1]
    assert entries(portal, company) == ["+1", "a@b.example", "+2"]


def test_only_rows_with_entries_are_read_and_50_in_a_request(company, portal):
    others = [item["id"] for item in portal.items(4) if item["id"] != company]
    portal.reset_calls()
    update([{"id": others[0], "title": "x"}, {"id": others[1], "title": "y"}])
    assert portal.executed(GET) == 0
    portal.reset_calls()
    ids = [company, *portal.add_items(4, 59)]
    assert update([{"id": item_id, "PHONE": "+1"} for item_id in ids])["written"] == 59
    # The fields, and for each step of 50 rows one request to read and one to write.
    assert (portal.requests, portal.executed(GET)) == (5, 60)


def test_a_lost_answer_adds_nothing_twice_in_the_next_try(company, portal):
    store, rows = StateStore(), [{"id": company, "PHONE": "+2"}]
    portal.fault("close_after", "batch", after=1, times=None)
    with pytest.raises(AnswerLost):
        update(rows, given=context(store=store))
    portal.clear_faults()
    result = update(rows, given=context(store=store, try_number=2))
    assert result["unknown"] == 0
    assert entries(portal, company) == ["+1", "a@b.example", "+2"]


def test_an_item_that_is_not_there_fails_its_row_alone(company, portal):
    result = update([{"id": 999_999, "PHONE": "+1"}, {"id": company, "PHONE": "+3"}], max_failures=1)
    assert (result["written"], result["failed"]) == (1, 1)
