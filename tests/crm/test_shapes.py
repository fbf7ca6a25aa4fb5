"""Parameters in another shape than the documented one, with which a portal answers true and loses what it was given."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from tests.operators.context import context

ROW = {"PRODUCT_NAME": "Door", "PRICE": 100, "QUANTITY": 1}
#: A method that replaces a whole -> its other parameters, the one that is replaced, and a member of it.
REPLACING: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "crm.deal.productrows.set": ({"id": 1}, "rows", ROW),
    "crm.lead.productrows.set": ({"id": 1}, "rows", ROW),
    "crm.item.productrow.set": ({"ownerId": 1, "ownerType": "D"}, "productRows", {"productName": "Door", "price": 100}),
    "crm.deal.contact.items.set": ({"id": 1}, "items", {"CONTACT_ID": 1}),
    "CRM.Deal.ProductRows.Set": ({"id": 1}, "rows", ROW),
}
WAYS = {
    "any method": lambda method, params, **more: Bitrix24Operator(
        task_id="task", method=method, method_params=params, **more
    ),
    "a batch": lambda method, params, **more: Bitrix24BatchOperator(
        task_id="task", commands={"a": [method, params]}, **more
    ),
    "a bulk write": lambda method, params, **more: Bitrix24BulkWriteOperator(
        task_id="task", method=method, rows=[params], **more
    ),
}


def failure_of(operator: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context())
    return str(caught.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", REPLACING)
@pytest.mark.parametrize(
    "shape",
    [
        lambda name, member: {name: member},
        lambda name, member: {name: [str(member)]},
        lambda name, member: {name: [[member]]},
        lambda name, member: {name: json.dumps([member])},
        lambda name, member: {name: str([member])},
        lambda name, member: {name: "x"},
        lambda name, member: {name: [member, {}]},
        lambda name, member: {f"{name}_": [member]},
        lambda name, member: {"fields": {name: [member]}},
        lambda name, member: {},
    ],
)
def test_a_method_that_replaces_a_whole_is_given_its_documented_shape_or_refused(
    shape, method, way, portal, connection
):
    others, name, member = REPLACING[method]
    message = failure_of(WAYS[way](method, {**others, **shape(name, member)}))
    assert name in message
    assert "the portal would remove what is there" in message or "is the text of a list or an object" in message
    assert portal.executed(method) == 0


@pytest.mark.parametrize("way", ["any method", "a batch"])
@pytest.mark.parametrize("method", [method for method in REPLACING if not method.startswith("crm.lead")])
def test_the_documented_shape_is_sent_and_an_empty_list_of_the_dag_too(method, way, portal, connection):
    others, name, member = REPLACING[method]
    WAYS[way](method, {**others, name: [member]}).execute(context())
    WAYS[way](method, {**others, name: []}).execute(context())
    assert portal.executed(method) == 2


EMPTYING = ["crm.deal.productrows.set", "crm.item.productrow.set", "crm.deal.contact.items.set"]


@pytest.mark.parametrize("method", EMPTYING)
def test_an_empty_list_in_the_mapping_of_a_bulk_write_removes_all(method, portal, connection):
    others, name, _ = REPLACING[method]
    mapping = {**{key: f"${key}" for key in others}, name: []}
    arguments = {"method": method, "rows": [others], "mapping": mapping}
    for blank in ("keep", "clear"):
        Bitrix24BulkWriteOperator(task_id="task", blank=blank, **arguments).execute(context())
    assert portal.executed(method) == 2


@pytest.mark.parametrize("empty", [[], "", None, np.array([])], ids=["a list", "a text", "None", "an array"])
@pytest.mark.parametrize("method", EMPTYING)
def test_an_empty_cell_removes_nothing_and_says_how_to_do_it(method, empty, portal, connection):
    others, name, _ = REPLACING[method]
    arguments = {"method": method, "rows": [{**others, name: empty}], "blank": "clear"}
    message = failure_of(Bitrix24BulkWriteOperator(task_id="task", **arguments))
    assert f"{name} is empty, which removes everything that is there: write [] in mapping if that is meant" in message
    assert "clear=True" not in message
    assert portal.executed(method) == 0


ARRAYS: dict[str, Any] = {
    "an array": lambda rows: np.array(rows, dtype=object),
    "a column": pd.Series,
    "a list of a column": lambda rows: list(pd.Series(rows)),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", [method for method in REPLACING if not method.startswith("crm.lead")])
def test_an_array_is_a_list(method, way, array, portal, connection):
    others, name, member = REPLACING[method]
    for rows in ([member], [member, member]):
        WAYS[way](method, {**others, name: array(rows)}).execute(context())
    assert portal.executed(method) == 2
    message = failure_of(WAYS[way](method, {**others, name: array(["x"])}))
    assert "the portal would remove what is there" in message
    if way != "a bulk write":
        # It is written in the DAG.
        WAYS[way](method, {**others, name: array([])}).execute(context())
        assert portal.executed(method) == 3


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    "method", ["crm.deal.productrows.set", "crm.item.productrow.set", "crm.deal.contact.items.set"]
)
@pytest.mark.parametrize("way", ["any method", "a batch"])
def test_an_empty_list_from_a_template_needs_a_word_of_the_author(
    way, method, clear, portal, connection, run_dag, task_instance
):
    others, name, _ = REPLACING[method]
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG("empty_rows", start_date=start, schedule=None, render_template_as_native_obj=True) as dag:
        WAYS[way](method, {**others, name: "{{ dag_run.conf.get('rows', []) }}"}, clear=clear)
    assert task_instance(run_dag(dag), "task").state == ("success" if clear else "failed")
    assert portal.executed(method) == int(clear)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["crm.contact.add", "crm.company.update", "crm.lead.add"])
@pytest.mark.parametrize(
    "value",
    ["+15550001", {"VALUE": "+15550001"}, ["+15550001"], [{"value": "+15550001"}], 15550001, [[{"VALUE": "+1"}]]],
)
def test_a_phone_in_a_shape_that_old_methods_drop_is_refused(value, method, way, portal, connection):
    params = {"id": 1, "fields": {"TITLE": "Acme", "PHONE": value} if "contact" not in method else {"PHONE": value}}
    message = failure_of(WAYS[way](method, params))
    assert "which the portal would silently drop: write" in message
    assert '{"PHONE": [{"VALUE": "…", "VALUE_TYPE": "WORK"}]}' in message
    assert portal.executed(method) == 0


@pytest.mark.parametrize("value", [[{"VALUE": "+1"}], [{"VALUE": "+1", "VALUE_TYPE": "HOME"}], {"n0": {"VALUE": "+1"}}])
def test_a_phone_in_the_documented_shape_is_sent(value, portal, connection):
    params = {"fields": {"NAME": "Ada", "PHONE": value}}
    Bitrix24Operator(task_id="task", method="crm.contact.add", method_params=params).execute(context())
    assert portal.executed("crm.contact.add") == 1


@pytest.mark.parametrize("text", ['{"TITLE": "x"}', "{'TITLE': 'x'}", "[1, 2]"])
@pytest.mark.parametrize("name", ["fields", "FIELDS"])
def test_the_text_of_an_object_is_refused_where_an_object_is_documented(name, text, portal, connection):
    message = failure_of(
        Bitrix24Operator(task_id="task", method="crm.deal.update", method_params={"id": 1, name: text})
    )
    assert f"{name} is the text of a list or an object" in message
    assert "render_template_as_native_obj=True" in message
    assert portal.requests == 0


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "{'a': 1}"])
def test_json_inside_a_comment_is_a_text(text, portal, connection):
    params = {"id": 1, "fields": {"COMMENTS": text}}
    Bitrix24Operator(task_id="task", method="crm.deal.update", method_params=params).execute(context())
    assert portal.executed("crm.deal.update") == 1


# Names


@pytest.mark.parametrize(
    ("method", "fields", "hint"),
    [
        ("crm.deal.update", {"TITEL": "x"}, "did you mean TITLE"),
        ("crm.deal.add", {"title": "x"}, "did you mean TITLE?"),
        ("crm.contact.update", {"NAMEE": "x"}, "did you mean NAME"),
        ("crm.item.add", {"titel": "x"}, "did you mean title"),
    ],
)
@pytest.mark.parametrize("way", ["any method", "a batch"])
def test_a_misspelt_field_is_refused_as_in_bulk_writes(way, method, fields, hint, portal, connection):
    params = {"id": 1, "entityTypeId": 2, "fields": fields} if "item" in method else {"id": 1, "fields": fields}
    assert hint in failure_of(WAYS[way](method, params))
    assert portal.executed(method) == 0
    WAYS[way](method, params, check_fields=False).execute(context())
    assert portal.executed(method) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("method", "other_spelling"),
    [
        ("crm.deal.productrows.set", {"productName": "Door", "price": 100}),
        ("crm.quote.productrows.set", {"PRODUCT_NAME": "Door", "price": 100}),
        ("crm.item.productrow.set", {"PRODUCT_NAME": "Door", "PRICE": 100}),
        ("crm.deal.contact.items.set", {"contactId": 1}),
        ("crm.contact.company.items.set", {"company_id": 1}),
    ],
)
def test_a_name_in_another_spelling_inside_of_what_replaces_a_whole_is_refused(
    way, method, other_spelling, portal, connection
):
    others, name, _ = REPLACING["crm.item.productrow.set" if ".item." in method else "crm.deal.productrows.set"]
    name = "items" if method.endswith("items.set") else name
    message = failure_of(WAYS[way](method, {**others, name: [other_spelling]}))
    assert "which the portal would silently drop: write names such as" in message
    assert portal.executed(method) == 0


@pytest.mark.parametrize(
    "params", [{"id": "$result[a]", "rows": ROW}, {"id": "$result[a]"}, {"id": "$result[a]", "rows": "[]"}]
)
def test_a_reference_beside_them_takes_no_check_away(params, portal, connection):
    portal.add_product_row(1, price=5)
    commands = {"a": ["crm.deal.add", {"fields": {"TITLE": "x"}}], "b": ["crm.deal.productrows.set", params]}
    operator = Bitrix24BatchOperator(task_id="task", commands=commands, references=True, halt=True)
    assert "crm.deal.productrows.set: " in failure_of(operator) or "is the text of a list" in failure_of(operator)
    assert portal.executed("*") == 0


def test_a_reference_may_stand_for_them(portal, connection):
    commands = {
        "a": ["crm.deal.add", {"fields": {"TITLE": "x"}}],
        "b": ["crm.deal.productrows.set", {"id": "$result[a]", "rows": [{**ROW, "PRICE": "$result[a]"}]}],
    }
    Bitrix24BatchOperator(task_id="task", commands=commands, references=True, halt=True).execute(context())
    assert portal.executed("crm.deal.productrows.set") == 1


# Ids in what replaces a whole


def bound(portal: Any) -> int:
    return portal.add_deals(1, contactId=3, contactIds=[2, 3])[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "entry",
    [
        {"CONTACT_ID": ""}, {"CONTACT_ID": 0}, {"CONTACT_ID": "0"}, {"CONTACT_ID": None}, {"SORT": 10},
        {"CONTACT_ID": -3}, {"CONTACT_ID": "None"}, {"CONTACT_ID": 2.5}, {"COMPANY_ID": 3}, {"CONTACT_ID": True},
    ],
)  # fmt: skip
def test_an_entry_of_a_relation_without_an_id_is_refused(entry, way, portal, connection):
    deal = bound(portal)
    message = failure_of(WAYS[way]("crm.deal.contact.items.set", {"id": deal, "items": [entry]}))
    assert "CONTACT_ID" in message
    assert portal.executed("crm.deal.contact.items.set") == 0
    assert portal.item(2, deal)["contactIds"] == [2, 3]


@pytest.mark.parametrize(
    ("method", "name", "entry", "key"),
    [
        ("crm.contact.company.items.set", "items", {"COMPANY_ID": 0}, "COMPANY_ID"),
        ("crm.company.contact.items.set", "items", {"CONTACT_ID": "0"}, "CONTACT_ID"),
        ("crm.lead.contact.items.set", "items", {"CONTACT_ID": "x"}, "CONTACT_ID"),
        ("crm.quote.contact.items.set", "items", {"contact_id": 1}, "CONTACT_ID"),
        ("crm.deal.productrows.set", "rows", {"PRODUCT_ID": "", "PRICE": 5}, "PRODUCT_ID"),
        ("crm.deal.productrows.set", "rows", {"PRODUCT_ID": "x", "PRODUCT_NAME": "Door"}, "PRODUCT_ID"),
        ("crm.lead.productrows.set", "rows", {"PRODUCT_NAME": " "}, "PRODUCT_ID"),
        ("crm.item.productrow.set", "productRows", {"productId": -1, "productName": "Door"}, "productId"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_so_is_one_of_any_method_that_replaces_a_whole(way, method, name, entry, key, portal, connection):
    message = failure_of(WAYS[way](method, {"id": 1, name: [entry]}))
    assert key in message
    assert portal.executed(method) == 0


@pytest.mark.parametrize("way", ["any method", "a batch"])
@pytest.mark.parametrize(
    "row", [{"PRODUCT_NAME": "Door", "PRODUCT_ID": 0}, {"PRODUCT_NAME": "Door", "PRODUCT_ID": ""}, ROW]
)
def test_a_product_row_that_is_not_in_the_catalog_is_sent(row, way, portal, connection):
    WAYS[way]("crm.deal.productrows.set", {"id": 1, "rows": [row]}).execute(context())
    assert portal.executed("crm.deal.productrows.set") == 1


@pytest.mark.parametrize("clear", [False, True])
def test_an_id_that_a_template_lost_removes_no_relation(clear, portal, connection, run_dag, task_instance):
    deal = bound(portal)
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG("lost_id", start_date=start, schedule=None) as dag:
        params = {"id": deal, "items": [{"CONTACT_ID": "{{ dag_run.conf.get('x', '') }}"}]}
        Bitrix24Operator(task_id="task", method="crm.deal.contact.items.set", method_params=params, clear=clear)
    assert task_instance(run_dag(dag), "task").state == "failed"
    assert portal.item(2, deal)["contactIds"] == [2, 3]


def id_lists(deal: int) -> dict[str, Any]:
    """Operators that set the contacts of a deal, by name."""
    return {
        "old": lambda ids: Bitrix24Operator(
            task_id="task", method="crm.deal.update", method_params={"id": deal, "fields": {"CONTACT_IDS": ids}}
        ),
        "old, unchecked names": lambda ids: Bitrix24Operator(
            task_id="task",
            method="crm.deal.update",
            method_params={"id": deal, "fields": {"CONTACT_IDS": ids}},
            check_fields=False,
        ),
        "raw": lambda ids: Bitrix24Operator(
            task_id="task",
            method="crm.item.update",
            method_params={"entityTypeId": 2, "id": deal, "fields": {"contactIds": ids}},
        ),
        "typed": lambda ids: Bitrix24UpdateItemOperator(
            task_id="task", entity_type_id=2, item_id=deal, fields={"contactIds": ids}
        ),
        "rows": lambda ids: Bitrix24BulkWriteOperator(
            task_id="task", entity_type_id=2, operation="update", rows=[{"id": deal, "contactIds": ids}]
        ),
        "rows by method": lambda ids: Bitrix24BulkWriteOperator(
            task_id="task",
            method="crm.deal.update",
            rows=[{"id": deal, "ids": ids}],
            mapping={"id": "$id", "fields": {"CONTACT_IDS": "$ids"}},
        ),
    }


@pytest.mark.parametrize("ids", [["0"], [0], [-1], ["x"], [2, 0], ["2", "0"]])
@pytest.mark.parametrize("way", id_lists(1))
def test_a_list_of_ids_with_one_that_is_none_is_refused(way, ids, portal, connection):
    deal = bound(portal)
    message = failure_of(id_lists(deal)[way](ids))
    assert "CONTACT_IDS" in message or "contactIds" in message
    assert portal.item(2, deal)["contactIds"] == [2, 3]


@pytest.mark.parametrize("ids", [[""], [None], [2, ""]])
@pytest.mark.parametrize("way", ["old", "raw", "typed"])
def test_so_is_one_with_a_member_of_nothing(way, ids, portal, connection):
    deal = bound(portal)
    assert "ids above 0" in (message := failure_of(id_lists(deal)[way](ids))) or "not an id above 0" in message
    assert portal.item(2, deal)["contactIds"] == [2, 3]


@pytest.mark.parametrize("ids", [[4], ["4"], [4.0]])
@pytest.mark.parametrize("way", id_lists(1))
def test_a_list_of_ids_is_sent(way, ids, portal, connection):
    deal = bound(portal)
    id_lists(deal)[way](ids).execute(context())
    assert portal.item(2, deal)["contactIds"] == [4]


@pytest.mark.parametrize("way", ["old", "raw", "typed"])
def test_an_empty_list_of_ids_that_is_written_removes_all(way, portal, connection):
    deal = bound(portal)
    id_lists(deal)[way]([]).execute(context())
    assert portal.item(2, deal)["contactIds"] == []


# Adds of nothing

NOTHING = [
    {"NAME": ""}, {"NAME": None}, {"NAME": "  ", "LAST_NAME": ""}, {"NAME": float("nan")}, {"PHONE": []},
    {"NAME": "", "PHONE": [{"VALUE": "", "VALUE_TYPE": "WORK"}]}, {"NAME": [""]}, {},
]  # fmt: skip


@pytest.mark.parametrize("check_fields", [True, False])
@pytest.mark.parametrize("fields", NOTHING)
@pytest.mark.parametrize("way", ["any method", "a batch"])
def test_an_add_without_any_value_is_refused(way, fields, check_fields, portal, connection):
    message = failure_of(WAYS[way]("crm.contact.add", {"fields": fields}, check_fields=check_fields))
    assert "an empty object would be added" in message or "is nan" in message or "is None" in message
    assert portal.executed("crm.contact.add") == 0


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("crm.item.add", {"entityTypeId": 3, "fields": {"name": "", "lastName": None}}),
        ("crm.item.import", {"entityTypeId": 3, "fields": {"name": ""}}),
        ("crm.company.add", {"FIELDS": {"TITLE": ""}}),
        ("tasks.task.add", {"fields": {"TITLE": "", "DESCRIPTION": ""}}),
        ("crm.timeline.comment.add", {"fields": {"COMMENT": ""}}),
    ],
)
@pytest.mark.parametrize("way", ["any method", "a batch"])
def test_so_is_one_by_any_method_that_adds_fields(way, method, params, portal, connection):
    message = failure_of(WAYS[way](method, params))
    assert "has no value, and an empty object would be added" in message or "is None" in message
    assert portal.executed(method) == 0


@pytest.mark.parametrize("way", ["any method", "a batch"])
def test_an_add_of_what_a_template_lost_is_refused(way, portal, connection, run_dag, task_instance):
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG("lost_fields", start_date=start, schedule=None) as dag:
        WAYS[way]("crm.contact.add", {"fields": {"NAME": "{{ dag_run.conf.get('x', '') }}"}})
    assert task_instance(run_dag(dag), "task").state == "failed"
    assert portal.executed("crm.contact.add") == 0


@pytest.mark.parametrize("fields", [{"NAME": "", "OPENED": False}, {"NAME": "x", "COMMENTS": ""}, {"SORT": 0}])
def test_an_add_with_one_value_is_sent(fields, portal, connection):
    operator = WAYS["any method"]("crm.contact.add", {"fields": fields}, check_fields=False)
    operator.execute(context())
    assert portal.executed("crm.contact.add") == 1


NAN = float("nan")
WIPING = [
    ({"PRODUCT_NAME": "Door", "PRICE": None}, "has no value for PRICE, but None, and the portal would write 0"),
    ({"PRODUCT_NAME": "Door", "PRICE": ""}, "has no value for PRICE, but ''"),
    ({"PRODUCT_NAME": "Door", "PRICE": " "}, "has no value for PRICE, but ' '"),
    ({"PRODUCT_NAME": "Door", "PRICE": NAN}, "has no value for PRICE, but nan"),
    ({"PRODUCT_NAME": "Door", "PRICE": 100, "QUANTITY": None}, "has no value for QUANTITY, but None"),
    ({"PRODUCT_ID": 1, "PRICE_NETTO": ""}, "has no value for PRICE_NETTO, but ''"),
    ({"PRODUCT_NAME": "Door", "COST": 100}, "names 'COST', which is not known here, and has no price"),
    ({"PRODUCT_NAME": "Door", "AMOUNT": 100, "QUANTITY": 2}, "names 'AMOUNT', which is not known here"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("row", "part"), WIPING)
def test_a_row_that_would_cost_nothing_is_refused(way, row, part, portal, connection):
    with pytest.raises(AirflowFailException) as caught:
        WAYS[way]("crm.deal.productrows.set", {"id": 1, "rows": [ROW, row]}).execute(context())
    assert part in str(caught.value)
    assert portal.count("crm.deal.productrows.set") == 0


def test_so_is_one_of_newer_methods(portal, connection):
    rows = {"ownerId": 1, "ownerType": "D", "productRows": [{"productName": "Door", "price": None}]}
    with pytest.raises(AirflowFailException, match="has no value for price, but None"):
        Bitrix24Operator(task_id="task", method="crm.item.productrow.set", method_params=rows).execute(context())
    assert portal.count("crm.item.productrow.set") == 0


@pytest.mark.parametrize(
    "row",
    [
        {"PRODUCT_ID": 1},
        {"PRODUCT_NAME": "Gift", "PRICE": 0, "QUANTITY": 0},
        {"PRODUCT_NAME": "Door", "PRICE": "12.50", "TAX_RATE": None, "MEASURE_NAME": ""},
        {
            "ID": 5,
            "OWNER_ID": 1,
            "OWNER_TYPE": "D",
            "PRODUCT_NAME": "Door",
            "PRICE": 5,
            "CUSTOMIZED": "Y",
            "NEW_NAME": 1,
        },
    ],
)
def test_a_row_that_costs_what_it_says_is_sent(row, portal, connection):
    params = {"id": 1, "rows": [row]}
    Bitrix24Operator(
        task_id="task", method="crm.deal.productrows.set", method_params=params, check_fields=False
    ).execute(context())
    assert portal.count("crm.deal.productrows.set") == 1
