"""Rows that are about one item are written in their order: the last one is what stays."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import context


def write(rows: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    return Bitrix24BulkWriteOperator(task_id="task", rows=rows, **arguments).execute(context())


@pytest.mark.parametrize("first", ["costs $result[x]", "a $next[0]", "plain"])
@pytest.mark.parametrize("between", [0, 1, 70])
def test_the_later_of_two_updates_stays(first, between, portal, connection):
    """A text such as $result[ cannot be written in a batch, and goes after it."""
    (item, *others) = portal.add_items(4, 1 + between)
    rows = [{"id": item, "comments": first}, *({"id": other, "comments": "x"} for other in others)]
    summary = write([*rows, {"id": str(item), "comments": "last"}], entity_type_id="company", operation="update")
    assert summary["written"] == between + 2
    assert portal.item(4, item)["comments"] == "last"


@pytest.mark.parametrize("opened", [True, False, "Y"])
@pytest.mark.parametrize("first", ["plain", "$result[a]"])
def test_the_later_of_two_calls_stays(opened, first, portal, connection):
    """True and False cannot be written in a batch either."""
    rows = [{"id": 3, "title": first, "opened": opened}, {"id": "3", "title": "last", "opened": "N"}]
    write(rows, method="crm.deal.update", mapping={"id": "$id", "fields": {"TITLE": "$title", "OPENED": "$opened"}})
    assert portal.item(2, 3)["title"] == "last"


def test_a_phone_that_two_rows_have_is_added_once(portal, connection):
    (item,) = portal.add_items(4, 1)
    rows = [{"id": item, "PHONE": "+15550001"}, {"id": item, "PHONE": "+15550001", "title": "Oak"}]
    write(rows, entity_type_id="company", operation="update")
    assert [entry["value"] for entry in portal.item(4, item)["fm"]] == ["+15550001"]


def test_rows_about_different_items_still_share_a_request(portal, connection):
    ids = portal.add_items(4, 100)
    before = portal.requests
    write([{"id": item_id, "title": "x"} for item_id in ids], entity_type_id="company", operation="update")
    assert portal.requests - before == 3


@pytest.mark.parametrize("between", [0, 3])
def test_the_later_of_two_calls_stays_where_the_id_has_another_name(between, portal, connection):
    """True cannot be written in a batch, and goes after it."""
    first, *others = [task["id"] for task in portal.tasks()[: between + 1]]
    rows = [{"task": first, "title": "first", "tracked": True}]
    rows += [{"task": other, "title": "x", "tracked": "N"} for other in others]
    summary = write(
        [*rows, {"task": str(first), "title": "last", "tracked": "N"}],
        method="tasks.task.update",
        mapping={"taskId": "$task", "fields": {"TITLE": "$title", "ALLOW_TIME_TRACKING": "$tracked"}},
    )
    assert next(task["title"] for task in portal.tasks() if task["id"] == first) == "last"
    assert [str(line["id"]) for line in summary["outcomes"]] == [str(row) for row in (first, *others, first)]


def test_the_later_of_two_lists_of_products_stays(portal, connection):
    rows = [
        {"deal": 3, "products": [{"productName": "first", "price": 1, "taxIncluded": True}]},
        {"deal": 3, "products": [{"productName": "last", "price": 1}]},
    ]
    write(
        rows,
        method="crm.item.productrow.set",
        mapping={"ownerId": "$deal", "ownerType": "D", "productRows": "$products"},
    )
    commands = [command for call in portal.calls for command in (call.commands or [call])]
    names = [
        command.params["productRows"][0]["productName"]
        for command in commands
        if command.method == "crm.item.productrow.set"
    ]
    assert names == ["first", "last"]


def test_rows_about_different_tasks_still_share_a_request(portal, connection):
    ids = [task["id"] for task in portal.tasks()]
    before = portal.requests
    write([{"taskId": task_id, "fields": {"TITLE": "x"}} for task_id in ids], method="tasks.task.update")
    assert len(ids) > 1
    assert portal.requests - before == 1


def test_messages_to_one_dialog_still_share_a_request(portal, connection):
    before = portal.requests
    write([{"DIALOG_ID": "1", "MESSAGE": f"m{number}"} for number in range(3)], method="im.message.add")
    assert portal.requests - before == 1
