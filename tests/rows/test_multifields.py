"""Phones and e-mails in bulk updates: an entry that an item has already is not added again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
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


def by_method(method: str, rows: list[dict[str, Any]], *, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    mapping = {"id": "$id", "fields": {"PHONE": "$PHONE", "EMAIL": "$EMAIL", "WEB": "$WEB"}}
    operator = Bitrix24BulkWriteOperator(
        task_id="write",
        method=method,
        mapping=mapping,
        rows=[{"PHONE": None, "EMAIL": None, "WEB": None, **row} for row in rows],
        **arguments,
    )
    return operator.execute(given or context())


@pytest.mark.parametrize(("kind", "number"), [("lead", 1), ("contact", 3), ("company", 4)])
@pytest.mark.parametrize(
    "value",
    [
        [{"VALUE": "+1", "VALUE_TYPE": "WORK"}],
        [{"VALUE": " +1 ", "VALUE_TYPE": "HOME"}],
        {"n0": {"VALUE": "+1", "VALUE_TYPE": "WORK"}},
    ],
)
def test_an_old_method_does_not_add_an_entry_that_is_there_again(value, kind, number, portal, connection):
    fields = {"PHONE": ["+1"], "EMAIL": "a@b.example", **({"name": "Ada"} if kind == "contact" else {"title": "x"})}
    item = Bitrix24AddItemOperator(task_id="add", entity_type_id=kind, fields=fields).execute(context())
    method = f"crm.{kind}.update"
    for _ in range(2):
        result = by_method(method, [{"id": item, "PHONE": value, "EMAIL": [{"VALUE": "a@b.example"}]}])
        assert (result["unchanged"], result["written"]) == (1, 0)
    assert portal.executed(method) == 0
    for _ in range(3):
        by_method(method, [{"id": item, "PHONE": value, "EMAIL": [{"VALUE": "c@d.example"}]}])
    (fm,) = [there["fm"] for there in portal.items(number) if there["id"] == item]
    assert [entry["value"] for entry in fm] == ["+1", "a@b.example", "c@d.example"]


def test_an_old_method_changes_an_entry_by_its_id_and_reads_50_in_a_request(company, portal):
    (phone, _) = next(item["fm"] for item in portal.items(4) if item["id"] == company)
    result = by_method("crm.company.update", [{"id": company, "PHONE": [{"ID": phone["id"], "VALUE": "+9"}]}])
    assert result["written"] == 1
    assert entries(portal, company) == ["+9", "a@b.example"]
    portal.reset_calls()
    companies = [item["id"] for item in portal.items(4)][:50]
    rows = [{"id": there, "PHONE": [{"VALUE": "+77"}]} for there in companies]
    assert by_method("crm.company.update", rows)["written"] == len(rows) > 1
    assert portal.executed("crm.company.get") == len(rows)
    assert len([call for call in portal.calls if call.method == "batch"]) == 2


def test_an_item_that_an_old_method_cannot_read_fails_its_row(company, portal):
    rows = [{"id": 999_999, "PHONE": [{"VALUE": "+5"}]}, {"id": company, "PHONE": [{"VALUE": "+5"}]}]
    result = by_method("crm.company.update", rows, max_failures=1)
    assert (result["written"], result["failed"], result["unknown"]) == (1, 1, 0)


@pytest.mark.parametrize("fm", [[{"typeId": "PHONE", "value": "+1"}], {"n0": {"typeId": "PHONE", "value": "+1"}}])
def test_the_method_of_all_kinds_adds_nothing_twice_either(fm, company, portal):
    operator = Bitrix24BulkWriteOperator(
        task_id="write",
        method=UPDATE,
        mapping={"entityTypeId": 4, "id": "$id", "fields": {"fm": "$fm"}},
        rows=[{"id": company, "fm": fm}],
    )
    assert operator.execute(context())["unchanged"] == 1
    assert entries(portal, company) == ["+1", "a@b.example"]


def test_a_lost_answer_of_an_old_method_adds_nothing_twice_in_the_next_try(company, portal):
    store, rows = StateStore(), [{"id": company, "PHONE": [{"VALUE": "+2"}]}]
    portal.fault("close_after", "batch", after=1, times=None)
    with pytest.raises(AnswerLost):
        by_method("crm.company.update", rows, given=context(store=store))
    portal.clear_faults()
    result = by_method("crm.company.update", rows, given=context(store=store, try_number=2))
    assert result["unknown"] == 0
    assert entries(portal, company) == ["+1", "a@b.example", "+2"]


@pytest.mark.parametrize(
    "value",
    [
        '["+1", "+2"]', "['+1', '+2']", "[]", '{"value": "+1"}', ["['+1']"], [{"value": "['+1']"}],
        "LazySelectSequence([2 items])",
    ],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["add", "update"])
def test_the_text_of_a_list_is_not_a_phone(value, operation, portal, company):
    rows = [{**({"id": company} if operation == "update" else {"title": "Elm"}), "PHONE": value}]
    operator = Bitrix24BulkWriteOperator(task_id="write", entity_type_id="company", operation=operation, rows=rows)
    with pytest.raises(AirflowFailException, match="the text of a list or an object"):
        operator.execute(context())
    assert entries(portal, company) == ["+1", "a@b.example"]


def test_a_phone_may_begin_with_its_code_in_brackets(portal, company):
    update([{"id": company, "PHONE": "(495) 123-45(67)"}])
    assert "(495) 123-45(67)" in entries(portal, company)


@pytest.mark.parametrize(
    "values",
    [
        {"PHONE": ["+3", "+3", " +3 "]},
        {"fm": [{"typeId": "PHONE", "value": "+3"}, {"typeId": "PHONE", "valueType": "WORK", "value": "+3"}]},
        {"PHONE": [3.0, "3", 3]},
    ],
)
@pytest.mark.parametrize("operation", ["add", "update", "import"])
def test_a_phone_that_a_row_has_twice_is_added_once(values, operation, portal, company):
    before = len(entries(portal, company))
    if operation == "update":
        update([{"id": company, **values}])
        assert len(entries(portal, company)) == before + 1
        return
    write = Bitrix24ImportItemsOperator if operation == "import" else Bitrix24BulkWriteOperator
    summary = write(task_id="write", entity_type_id="company", rows=[{"title": "Elm", **values}]).execute(context())
    assert len(entries(portal, summary["outcomes"][0]["id"])) == 1


def test_a_phone_of_two_kinds_is_two_entries(portal, company):
    kinds = [{"value": "+3", "valueType": "WORK"}, {"value": "+3", "valueType": "HOME"}]
    update([{"id": company, "PHONE": kinds}])
    assert entries(portal, company).count("+3") == 2
