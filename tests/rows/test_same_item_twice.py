"""Rows that are about one item are written in their order: the last one is what stays, but for lists."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import context


def write(rows: Any, **arguments: Any) -> dict[str, Any]:
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


PRODUCTS = {"ownerId": "$deal", "ownerType": "D", "productRows": [{"productName": "$name", "price": "$price"}]}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"method": "crm.item.productrow.set", "mapping": PRODUCTS}, "productRows"),
        (
            {
                "method": "crm.deal.productrows.set",
                "mapping": {"id": "$deal", "rows": [{"PRODUCT_NAME": "$name", "PRICE": "$price"}]},
            },
            "rows",
        ),
        (
            {
                "method": "crm.deal.contact.items.set",
                "mapping": {"id": "$deal", "items": [{"CONTACT_ID": "$price"}]},
            },
            "items",
        ),
        (
            {"method": "crm.deal.update", "mapping": {"id": "$deal", "fields": {"CONTACT_IDS": ["$price"]}}},
            "CONTACT_IDS",
        ),
        ({"entity_type_id": "deal", "operation": "update", "mapping": {"contactIds": ["$price"]}}, "contactIds"),
        ({"entity_type_id": "deal", "operation": "update", "mapping": {"CONTACT_IDS": ["$price"]}}, "contactIds"),
    ],
)
def test_a_line_for_each_product_of_a_deal_is_refused(arguments, field, dry_run, portal, connection, tmp_path):
    """Each would replace the one before."""
    file = tmp_path / "lines.csv"
    file.write_text("deal,id,name,price\n3,3,Door,1\n3,3,Lock,2\n4,4,Window,3\n")
    with pytest.raises(
        AirflowFailException, match=rf"{field} would replace what row 0 \(line 2\) gives the same object"
    ):
        write(f"file://{file}", **arguments, dry_run=dry_run)
    assert portal.executed(arguments.get("method", "crm.item.update")) == 0


def test_a_line_for_each_contact_of_a_key_is_refused(portal, connection):
    rows = [{"k": "A", "contact": 1}, {"k": "A", "contact": 2}]
    operator = Bitrix24UpsertItemsOperator(
        task_id="task",
        entity_type_id="deal",
        key="originId",
        rows=rows,
        mapping={"originId": "$k", "contactIds": ["$contact"]},
    )
    with pytest.raises(AirflowFailException, match="contactIds would replace what row 0 gives the same object"):
        operator.execute(context())
    assert portal.executed("crm.item.add") == 0


@pytest.mark.parametrize(
    "rows",
    [
        [{"deal": 3, "type": "D", "name": "Door"}, {"deal": 3, "type": "L", "name": "Lock"}],
        [{"deal": 3, "type": "D", "name": "Door"}, {"deal": 3, "type": "D", "name": "Door"}],
    ],
    ids=["of a deal and of a lead", "the same list"],
)
def test_lists_that_take_nothing_from_each_other_are_written(rows, portal, connection):
    mapping = {**PRODUCTS, "ownerType": "$type", "productRows": [{"productName": "$name", "price": 1}]}
    assert write(rows, method="crm.item.productrow.set", mapping=mapping)["written"] == 2


@pytest.mark.parametrize("name", ["PHONE", "EMAIL"])
def test_a_line_for_each_phone_of_a_contact_is_written(name, portal, connection):
    (item,) = portal.add_items(3, 1)
    rows = [{"id": item, "value": f"+1555000{number}@example.com"} for number in (1, 2)]
    mapping = {"id": "$id", "fields": {name: [{"VALUE": "$value", "VALUE_TYPE": "WORK"}]}}
    assert write(rows, method="crm.contact.update", mapping=mapping)["written"] == 2
    assert len(portal.item(3, item)["fm"]) == 2


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
