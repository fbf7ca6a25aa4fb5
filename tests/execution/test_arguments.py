"""Arguments that a template, or another task, has left without a value: the message says so, whatever the argument."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24ListItemsOperator,
)
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.operators.context import context

NOTHING = "it has no value: check the template, or what the upstream task returned"
TEMPLATE = "add | tojson to it, or set render_template_as_native_obj=True in the DAG"


def failure_of(operator: type, arguments: dict[str, Any]) -> str:
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **arguments).execute(context())
    return str(caught.value)


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        (Bitrix24Operator, {"method": "None"}, f"method is 'None': {NOTHING}"),
        (Bitrix24Operator, {"method": None}, f"method is None: {NOTHING}"),
        (Bitrix24Operator, {"method": "profile", "bitrix24_conn_id": "None"}, f"bitrix24_conn_id is 'None': {NOTHING}"),
        (Bitrix24Operator, {"method": "profile", "bitrix24_conn_id": ""}, f"bitrix24_conn_id is '': {NOTHING}"),
        (Bitrix24ListOperator, {"method": "None"}, f"method is 'None': {NOTHING}"),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "destination": "None"}, f"but 'None': {NOTHING}"),
        (Bitrix24BatchOperator, {"commands": None}, f"commands is None: {NOTHING}"),
        (Bitrix24BulkWriteOperator, {"method": "None", "rows": []}, f"method is 'None': {NOTHING}"),
        (Bitrix24BulkWriteOperator, {"method": "x.add", "rows": "None"}, f"name a file, but 'None': {NOTHING}"),
        (Bitrix24BulkWriteOperator, {"method": "x.add", "rows": "[{'a'}]"}, "rows is not JSON: if a template wrote it"),
        (Bitrix24DeletePaymentsOperator, {"payment_ids": [1], "report": "None"}, f"but 'None': {NOTHING}"),
        (Bitrix24ListPaymentsOperator, {"entity_id": 1, "entity_type_id": None}, f"entity_type_id is None: {NOTHING}"),
        (Bitrix24GetItemOperator, {"entity_type_id": "None", "item_id": 1}, f"entity_type_id is 'None': {NOTHING}"),
        (Bitrix24ImportItemsOperator, {"entity_type_id": "nan", "rows": []}, f"entity_type_id is 'nan': {NOTHING}"),
        (Bitrix24UpsertItemOperator, {"entity_type_id": 4, "key": "None", "fields": {"title": "x"}}, NOTHING),
    ],
)  # fmt: skip
def test_an_argument_without_a_value_is_reported_with_a_hint_and_nothing_is_sent(
    operator, arguments, message, portal, connection
):
    assert message in failure_of(operator, arguments)
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"select": "None"}, f"select is not a list of names, but 'None': {NOTHING}"),
        ({"select": "['id']"}, f"select is not a list of names, but \"['id']\": if a template wrote it, {TEMPLATE}"),
        ({"select": "id, title"}, 'select is not a list of names, but \'id, title\': write e.g. ["id", "title"]'),
        ({"item_filter": {"assignedById": "None"}}, f"assignedById takes a number, not 'None': {NOTHING}"),
        (
            {"item_filter": {"@id": "(1, 2)"}},
            "'@id' in item_filter is the text of a list, '(1, 2)': give the list itself; for templates, set "
            "render_template_as_native_obj=True",
        ),
        (
            {"item_filter": {">createdTime": "None"}},
            f"'>createdTime' in item_filter is 'None': {NOTHING}",
        ),
        ({"item_filter": {">begindate": "None"}}, f"'>begindate' in item_filter is 'None': {NOTHING}"),
    ],
)
def test_what_a_list_looks_for_is_reported_where_it_has_no_value(argument, message, portal, connection):
    assert message in failure_of(Bitrix24ListItemsOperator, {"entity_type_id": "deal", **argument})
    assert portal.executed("crm.item.list") == 0


def test_a_field_without_a_value_is_reported(portal, connection):
    failure = failure_of(Bitrix24AddItemOperator, {"entity_type_id": "deal", "fields": {"companyId": "None"}})
    assert failure == f"companyId takes a number, not 'None': {NOTHING}"


@pytest.mark.parametrize(
    ("operator", "arguments", "lost"),
    [
        (Bitrix24DeletePaymentsOperator, {"entity_ids": [1], "payment_filter": "{{ x }}"}, "payment_filter"),
        (Bitrix24ListPaymentsOperator, {"entity_id": 1, "payment_filter": "{{ x }}"}, "payment_filter"),
        (Bitrix24ListItemsOperator, {"entity_type_id": 2, "item_filter": "{{ x }}"}, "item_filter"),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "method_params": "{{ x }}"}, "method_params"),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "limit": "{{ x }}"}, "limit"),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 4, "rows": [], "mapping": "{{ x }}"}, "mapping"),
    ],
)
def test_none_in_place_of_what_was_given_is_not_taken_for_all_there_is(operator, arguments, lost, portal, connection):
    task = copy.copy(operator(task_id="task", **arguments))
    # What Airflow does where the template, or the other task's result, is None.
    setattr(task, lost, None)
    with pytest.raises(AirflowFailException, match=f"{lost} is None: it has no value"):
        task.execute(context())
    assert portal.connections == 0


@pytest.mark.parametrize("select", ["id", '["id"]', ["id"], ("id",), " id "])
def test_names_are_taken_as_text_as_a_list_and_as_its_json(select, portal, connection):
    rows = Bitrix24ListItemsOperator(task_id="task", entity_type_id="deal", select=select).execute(context())
    assert rows[0] == {"id": 1}


TWICE: list[tuple[type, dict[str, Any], str, str, str]] = [
    (Bitrix24DeletePaymentsOperator, {"entity_ids": [1], "max_deletions": 5, "dry_run": True}, "payment_filter",
     '{"=paid": "N", "=paid": "Y"}', "=paid"),
    (Bitrix24ListPaymentsOperator, {"entity_id": 1}, "payment_filter", '{"=paid": "N", "=paid": "Y"}', "=paid"),
    (Bitrix24ListItemsOperator, {"entity_type_id": 2}, "item_filter", '{"id": 1, "id": 2}', "id"),
    (Bitrix24ListItemsOperator, {"entity_type_id": 2}, "item_filter", '{"0": {"id": 1, "id": 1}, "logic": "OR"}', "id"),
    (Bitrix24ItemSensor, {"entity_type_id": 2, "timeout": 0}, "item_filter", '{"id": 1, "id": 2}', "id"),
    (Bitrix24Sensor, {"method": "crm.deal.get", "method_params": {"id": 1}, "timeout": 0}, "condition",
     '{"result_path": "ID", "operator": "=", "value": 1, "value": 2}', "value"),
    (Bitrix24ToObjectStorageOperator, {"destination": "/tmp/deals", "entity_type_id": 2}, "item_filter",
     '{"id": 1, "id": 2}', "id"),
    (Bitrix24AddItemOperator, {"entity_type_id": 2}, "fields", '{"title": "a", "fm": [{"id": 1, "id": 2}]}', "id"),
    (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": [{"id": 7}]}, "mapping",
     '{"originId": "$id", "originId": "1"}', "originId"),
    (Bitrix24Operator, {"method": "crm.deal.list"}, "method_params", '{"filter": {"ID": 1, "ID": 2}}', "ID"),
    (Bitrix24ListOperator, {"method": "crm.deal.list"}, "method_params", '{"filter": {}, "filter": {"ID": 2}}',
     "filter"),
    (Bitrix24BatchOperator, {}, "commands", '{"a": ["profile"], "a": ["scope"]}', "a"),
    (Bitrix24BatchOperator, {}, "commands", '{"a": ["crm.deal.get", {"id": 1, "id": 2}]}', "id"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "others", "argument", "text", "name"), TWICE)
def test_json_text_with_a_name_twice_is_refused_written_or_rendered(
    operator, others, argument, text, name, portal, connection
):
    """The last of the two counted, and the other condition, field or command was lost."""
    expected = f"{argument} has the name {name!r} twice in one object, and only one of them would count"
    assert expected in failure_of(operator, {**others, argument: text})
    task = operator(task_id="task", **others, **{argument: "{{ params.given }}"})
    setattr(task, argument, text)
    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())
    assert expected in str(caught.value)
    assert portal.executed("crm.item.add") + portal.executed("crm.item.list") + portal.executed("batch") == 0


def test_text_that_is_a_value_may_be_json_with_a_name_twice(portal, connection):
    comment = '{"a": 1, "a": 2}'
    item = Bitrix24AddItemOperator(task_id="task", entity_type_id=2, fields={"title": "x", "comments": comment})
    item_id = item.execute(context())
    assert next(deal for deal in portal.items(2) if deal["id"] == item_id)["comments"] == comment
