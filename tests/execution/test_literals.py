"""Arguments that cannot be, and are not templates, of every operator: they fail when the DAG is parsed."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException, BaseOperator
from airflow_provider_bitrix24.execution.base_operator import Bitrix24ConnectedOperator
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.operators.messages import Bitrix24AddCommentOperator, Bitrix24SendMessageOperator
from airflow_provider_bitrix24.operators.payment import (
    Bitrix24AddPaymentOperator,
    Bitrix24DeletePaymentOperator,
    Bitrix24UpdatePaymentOperator,
)
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from tests.execution.test_flags import OPERATORS, parameters_of

#: What each argument may be, and some of what it may not, with a part of the message.
ARGUMENTS: dict[str, tuple[Any, list[tuple[Any, str]]]] = {
    "bitrix24_conn_id": ("b24", [("", "bitrix24_conn_id is ''"), ("None", "bitrix24_conn_id is 'None'")]),
    "entity_type_id": ("deal", [("dael", "is 'dael', which"), (0, "is 0, which"), (-2, "is -2")]),
    "destination": (
        "/tmp/x.jsonl",
        [("x.jsonl", "is a relative path"), ("s3:///x", "names no bucket"), ("", "name a")],
    ),
    "report": ("/tmp/r.jsonl", [("out/r.jsonl", "is a relative path"), ("/tmp/", "does not name a file"), (7, "7")]),
    "rows": ([{"title": "Oak"}], [("x.csv", "is a relative path"), (5, "rows is not a list")]),
    "sql": ("SELECT 1", [("  ", "sql is '  ': it has no value"), ("None", "sql is 'None'"), (7, "sql is 7")]),
    "sql_conn_id": ("db", [("", "sql_conn_id is ''")]),
    "mapping": (
        {"title": "$a"},
        [({}, "mapping is empty"), ({"$a": 1}, "mapping has '$a' as a name"), ([], "mapping")],
    ),
    "csv": (
        {"delimiter": ";"},
        [({"delimeter": ";"}, "csv has 'delimeter'"), ({"delimiter": ";;"}, "delimiter of csv")],
    ),
    "timezone": ("Europe/Berlin", [("Berlin", "timezone is 'Berlin'"), (3, "timezone is 3")]),
    "blank": ("keep", [("null", "blank is 'null'"), (None, "blank is None")]),
    "on_empty": ("warn", [("ignore", "on_empty is 'ignore'")]),
    "operation": ("add", [("upsert", "operation is 'upsert'"), ("Add", "operation is 'Add'")]),
    "max_failures": (
        0,
        [(-1, "max_failures must be a whole number, 0 or above, not -1"), (True, "True"), (0.5, "0.5")],
    ),
    "max_deletions": (5, [(0, "max_deletions must be a whole number above 0"), (-1, "not -1"), (None, "None")]),
    "limit": (
        5,
        [(0, "limit must be a whole number above 0"), (-1, "not -1"), ("ten", "'ten'")],
    ),
    "fields": ({"title": "Oak"}, [({}, "fields is empty"), ("title", "fields is not an object"), (["a"], "fields is")]),
    "item_filter": (
        {"=id": 7},
        [({}, "item_filter is empty"), ("all", "is not an object"), (["id"], "is not an object")],
    ),
    "entity_filter": (
        {"stageId": "LOSE"},
        [({}, "entity_filter is empty"), ("all", "is not an object"), (["id"], "is not an object")],
    ),
    "payment_filter": (
        {"=paid": "N"},
        [({}, "payment_filter is empty"), ("N", "is not an object"), ([1], "is not an")],
    ),
    "select": (["id"], [([], "select is empty"), ([7], "select has a member that is not a name"), ("a,b", "select")]),
    "key": ("originId", [("", "key"), ([], "key is empty"), ([None], "key has a member that is not a name")]),
    "method": ("crm.deal.list", [("", "method is ''"), (7, "method is 7, which is not the name of a method")]),
    "method_params": ({"id": 7}, [("id=7", "method_params is not an object"), (7, "method_params is not an object")]),
    "result_path": ("item.id", [("", "result_path is ''"), (1.5, "result_path is 1.5")]),
    "response_check": (len, [("len", "response_check is not a function, but 'len'"), (5, "is not a function")]),
    "response_filter": (len, [("len", "response_filter is not a function, but 'len'"), ({}, "is not a function")]),
    "ordered": (None, [("no", "ordered must be True or False"), (1, "ordered must be True or False")]),
    "condition": (
        "any row",
        [
            ("some row", "condition is not a condition, but 'some row'"),
            ({"operator": "=", "value": 5}, "condition has no result_path"),
            ({"result_path": "id", "operator": "==", "value": 5}, "condition has the operator '=='"),
            ({"result_path": "id", "operator": "=", "value": ""}, "condition compares with ''"),
            ({"result_path": "id", "operator": ">", "value": "new"}, "needs a number or a time, not 'new'"),
            ({"path": "id"}, "condition is not a condition"),
            ("count >= 0", "needs a whole number, 1 or above, not 0"),
        ],
    ),
    "fail_when": (
        "count >= 3",
        [
            ("count", "fail_when is not a condition"),
            (5, "fail_when is not a condition, but 5"),
            ([], "fail_when is not a condition"),
            (len, "fail_when is a function"),
        ],
    ),
    "deferrable": (True, [("yes", "deferrable must be True or False"), (None, "deferrable must be True or False")]),
    "tolerated_failures": (3, [(-1, "tolerated_failures must be a whole number, 0 or above, not -1"), (1.5, "1.5")]),
    "state": ("paid", [("Paid", "state is 'Paid'"), ("gone", "state is 'gone'")]),
    "file_format": ("jsonl", [("json", "file_format is 'json'"), ("CSV", "file_format is 'CSV'")]),
    "table": (
        "crm.deals",
        [("", "table is ''"), ("None", "table is 'None'"), (7, "table is 7"), ("a.b.c", "table is 'a.b.c'")],
    ),
    "children": ("payments", [("rows", "children is 'rows'"), (None, "children is None"), ("", "children is ''")]),
    "write": ("append", [("insert", "write is 'insert'"), ("Upsert", "write is 'Upsert'")]),
    "deleted": ("keep", [("drop", "deleted is 'drop'"), (None, "deleted is None")]),
    "max_deleted_share": (0.5, [(1.5, "max_deleted_share must be a number from 0 to 1, not 1.5"), (True, "not True")]),
    "on_new_field": ("ignore", [("drop", "on_new_field is 'drop'"), (True, "on_new_field is True")]),
    "on_type_change": ("text", [("cast", "on_type_change is 'cast'"), (None, "on_type_change is None")]),
    "window": ("all", [("daily", "window is 'daily'"), (7, "window is 7")]),
    "overlap_seconds": (600, [(-1, "overlap_seconds must be a number from 0 to 86400, not -1"), ("600", "not '600'")]),
    "labels": (
        ["stageId"],
        [("stageId", "labels"), ([7], "labels has a member that is not a name"), (None, "labels"), ([], "labels")],
    ),
    "max_bad_share": (0.5, [(1.5, "max_bad_share must be a number from 0 to 1, not 1.5"), (True, "not True")]),
    "wait_for_limits": ("sleep", [("retry", "wait_for_limits is 'retry'")]),
    "patience": (600, [(-1, "patience must be a whole number, 0 or above, not -1"), ("long", "patience")]),
    "commands": (
        {"a": ["profile"]},
        [([], "commands is not an object"), ({"a": 5}, "the command 'a' is not a method")],
    ),
    "version": (2, [("2", "version is '2'"), (4, "version is 4")]),
    **dict.fromkeys(("message", "comment", "title"), ("Paid", [("", "is ''"), ("None", "is 'None'")])),
    "description": ("More", [("", "description is ''"), ("None", "description is 'None'")]),
    "deadline": ("2027-01-31T18:00:00+03:00", [("soon", "deadline is 'soon'"), ("2027-01-31 18:00", "no time zone")]),
    "dialog_id": ("chat1", [("general", "which does not name a chat"), (0, "dialog_id is 0"), ("", "dialog_id is ''")]),
    "on_error": ("fail", [("stop", "on_error is 'stop'"), (None, "on_error is None")]),
    "paid": (True, [("perhaps", "paid is 'perhaps'"), (2, "paid is 2")]),
    "payment_ids": ([7], [("seven", "payment_ids is not a list of ids"), ([0], "not 0"), (7, "payment_ids is not")]),
    "entity_ids": (
        [7],
        [([7, "x"], "an id in entity_ids must be"), (7, "entity_ids is")],
    ),
    **dict.fromkeys(
        (
            *("item_id", "payment_id", "entity_id", "row_id", "delivery_id", "pay_system_id", "quantity"),
            *("user_id", "portal_task_id", "responsible_id"),
        ),
        (
            7,
            [
                (0, "must be a whole number above 0, not 0"),
                (-7, "not -7"),
                ("7a", "not '7a'"),
                ([7], "this is a list"),
                (1.5, "not 1.5"),
                (True, "not True"),
                ("None", "not 'None'"),
            ],
        ),
    ),
}
#: What may not be given together with another argument.
APART = [
    {"payment_ids", "entity_ids"},
    {"payment_ids", "entity_filter"},
    {"entity_ids", "entity_filter"},
    {"entity_id", "entity_ids"},
    {"entity_id", "entity_filter"},
    {"rows", "sql"},
    {"method", "entity_type_id"},
    {"payment_ids", "payment_filter"},
    {"csv", "sql"},
    {"method", "operation"},
    {"item_id", "item_filter"},
    {"method", "item_filter"},
    {"entity_type_id", "method_params"},
    {"user_id", "dialog_id"},
    {"portal_task_id", "item_id"},
    {"portal_task_id", "entity_type_id"},
]
#: What is needed besides what has no default.
NEEDED: dict[type, tuple[str, ...]] = {
    Bitrix24BulkWriteOperator: ("entity_type_id", "rows"),
    Bitrix24ImportItemsOperator: ("rows",),
    Bitrix24UpsertItemsOperator: ("rows",),
    Bitrix24DeletePaymentsOperator: ("payment_ids",),
    Bitrix24ListPaymentsOperator: ("entity_id",),
    Bitrix24UpdatePaymentOperator: ("paid",),
    Bitrix24ItemSensor: ("item_filter",),
    **dict.fromkeys((Bitrix24ToObjectStorageOperator, Bitrix24ToSqlOperator), ("entity_type_id",)),
    Bitrix24SendMessageOperator: ("user_id",),
    Bitrix24AddCommentOperator: ("entity_type_id", "item_id"),
}
FLAGS = {
    name for operator in OPERATORS for name, given in parameters_of(operator).items() if given.annotation == "bool"
}


def arguments_of(operator: type[Bitrix24ConnectedOperator]) -> list[str]:
    return [
        name
        for name, given in parameters_of(operator).items()
        if given.kind is given.KEYWORD_ONLY and name not in FLAGS
    ]


def valid(operator: type[Bitrix24ConnectedOperator], *more: str) -> dict[str, Any]:
    """Arguments of an operator that can be, those named among them."""
    required = [
        name
        for name, given in parameters_of(operator).items()
        if given.kind is given.KEYWORD_ONLY and given.default is given.empty
    ]
    rivals = {other for name in more for pair in APART if name in pair for other in pair - {name}}
    chosen = [name for name in (*required, *NEEDED.get(operator, ())) if name not in rivals]
    if "sql" in parameters_of(operator) and ("sql" in more or "sql_conn_id" in more):
        chosen = [*(name for name in chosen if name != "rows"), "sql", "sql_conn_id"]
    if "payment_filter" in more and operator is Bitrix24DeletePaymentsOperator:
        chosen.append("entity_ids")
    if operator in (Bitrix24ToObjectStorageOperator, Bitrix24ToSqlOperator) and "method_params" in more:
        chosen.append("method")
    if operator is Bitrix24ToSqlOperator and "write" in more:
        chosen.append("window")
    made = {name: ARGUMENTS[name][0] for name in (*chosen, *more)}
    if "method" in made and issubclass(operator, Bitrix24BulkWriteOperator):
        made |= {"method": "crm.deal.add"}
    return made | ({"rows": "/tmp/x.csv"} if "csv" in more else {})


CASES = [
    (operator, name, value, hint)
    for operator in OPERATORS
    for name in arguments_of(operator)
    for value, hint in ARGUMENTS[name][1]
]
ids = [f"{operator.__name__}-{name}-{value!r}" for operator, name, value, _ in CASES]


@pytest.mark.parametrize(("operator", "name", "value", "hint"), CASES, ids=ids)
def test_a_value_that_cannot_be_fails_when_the_dag_is_parsed(operator, name, value, hint):
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **{**valid(operator, name), name: value})
    assert hint in str(caught.value)


#: Written as Airflow takes them; none of these is known before the task runs.
TEMPLATES = ["{{ params.x }}", "{% if a %}7{% endif %}", ["{{ params.x }}"], {"a": ["{{ params.x }}"]}, "{# no #}"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_can_be_passes_alone_as_a_template_and_as_the_result_of_another_task(operator):
    number = itertools.count()

    def make(**arguments: Any) -> None:
        operator(task_id=f"task_{next(number)}", **arguments)

    with DAG("literals", schedule=None):
        upstream: Any = BaseOperator(task_id="upstream")
        make(**valid(operator))
        for name in arguments_of(operator):
            made = valid(operator, name)
            make(**made)
            if name not in operator.template_fields:
                continue
            for value in [*TEMPLATES, upstream.output, [upstream.output], {"a": upstream.output}]:
                make(**{**made, name: value})


def test_each_argument_of_each_operator_is_tried():
    assert {name for operator in OPERATORS for name in arguments_of(operator)} == set(ARGUMENTS)


ROWS = {"rows": [{"title": "Oak"}]}
FIELD = {"result_path": "stageId", "operator": "=", "value": "WON"}


@pytest.mark.parametrize(
    ("operator", "arguments", "hint"),
    [
        (Bitrix24BulkWriteOperator, {**ROWS}, "give either method or entity_type_id"),
        (
            Bitrix24BulkWriteOperator,
            {**ROWS, "method": "{{ m }}", "entity_type_id": "{{ e }}"},
            "give either method or",
        ),
        (
            Bitrix24BulkWriteOperator,
            {**ROWS, "method": "crm.deal.add", "operation": "add"},
            "operation is for entity_t",
        ),
        (Bitrix24BulkWriteOperator, {**ROWS, "method": "batch"}, "method is batch, whose failed commands"),
        (
            Bitrix24BulkWriteOperator,
            {"rows": "/x.csv", "method": "crm.deal.add", "csv": {"decimal": ","}},
            "csv has a d",
        ),
        *(
            (operator, {"entity_type_id": 2, **more, **source}, hint)
            for operator, more in (
                (Bitrix24BulkWriteOperator, {}),
                (Bitrix24ImportItemsOperator, {}),
                (Bitrix24UpsertItemsOperator, {"key": "originId"}),
            )
            for source, hint in (
                ({}, "give either rows or sql"),
                ({**ROWS, "sql": "SELECT 1", "sql_conn_id": "db"}, "give either rows or sql"),
                ({"rows": "{{ rows }}", "sql": "{{ sql }}"}, "give either rows or sql"),
                ({"sql": "SELECT 1"}, "sql is given, and sql_conn_id is missing"),
                ({**ROWS, "sql_conn_id": "db"}, "sql_conn_id is given, and sql is missing"),
                ({**ROWS, "csv": {"delimiter": ";"}}, "csv is given, but rows is not a file"),
                ({"sql": "SELECT 1", "sql_conn_id": "db", "csv": {"delimiter": ";"}}, "csv is given, but rows is not"),
                ({"rows": "/x.csv", "report": "/x.csv"}, "report names the file of the rows"),
                ({**ROWS, "mapping": {"title": ""}}, "mapping has no value for title"),
            )
        ),
        (Bitrix24DeletePaymentsOperator, {}, "give one of payment_ids, entity_ids and entity_filter"),
        (
            Bitrix24DeletePaymentsOperator,
            {"payment_ids": [7], "entity_ids": [7]},
            "give one of payment_ids, entity_ids and entity_filter",
        ),
        (
            Bitrix24DeletePaymentsOperator,
            {"payment_ids": "{{ p }}", "entity_ids": "{{ e }}"},
            "give one of payment_ids",
        ),
        (
            Bitrix24DeletePaymentsOperator,
            {"payment_ids": [7], "payment_filter": {"=paid": "N"}},
            "payment_filter does not",
        ),
        (Bitrix24DeletePaymentsOperator, {"entity_ids": [7], "payment_filter": {"=paid": None}}, "payment_filter"),
        (Bitrix24DeletePaymentsOperator, {"entity_ids": [7], "entity_type_id": "lead"}, "which cannot be used here"),
        (Bitrix24ListPaymentsOperator, {"entity_id": 7, "entity_type_id": "company"}, "which cannot be used here"),
        (Bitrix24AddPaymentOperator, {"entity_id": 7, "entity_type_id": 1}, "which cannot be used here"),
        (Bitrix24UpdatePaymentOperator, {"payment_id": 7}, "nothing to update: give paid or pay_system_id"),
        (Bitrix24Operator, {"method": "crm.item.batchImport"}, "use Bitrix24ImportItemsOperator"),
        (Bitrix24Operator, {"method": "batch", "method_params": "{{ p }}"}, "use Bitrix24BatchOperator"),
        (
            Bitrix24BatchOperator,
            {"commands": '{"a": {"method": 5}}'},
            "the command 'a' is not a method with its params",
        ),
        (Bitrix24ListItemsOperator, {"entity_type_id": 2, "item_filter": {">=id": ""}}, "item_filter"),
        (Bitrix24ListItemsOperator, {"entity_type_id": 2, "item_filter": {"@id": []}}, "item_filter"),
        (Bitrix24ItemSensor, {"entity_type_id": 2}, "one of item_id and item_filter is needed, and not both"),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_id": "{{ i }}", "item_filter": "{{ f }}"},
            "one of item_id and item_filter is needed, and not both",
        ),
        (Bitrix24ItemSensor, {"entity_type_id": 2, "item_filter": {">=id": "nan"}}, "'>=id' in item_filter is 'nan'"),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_filter": "{{ f }}", "condition": FIELD},
            "condition is about a field, but item_filter finds many items",
        ),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_filter": {"=id": 7}, "fail_when": FIELD},
            "fail_when is about a field, but item_filter finds many items",
        ),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_id": 7, "condition": "count >= 3"},
            "condition counts rows, but item_id is one item",
        ),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_id": "{{ i }}", "fail_when": '"any row"'},
            "fail_when is not a condition",
        ),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_id": "{{ i }}", "fail_when": "any row"},
            "fail_when counts rows, but item_id is one item",
        ),
        (Bitrix24Sensor, {"method": "batch", "condition": "any row"}, "use Bitrix24BatchOperator"),
        (Bitrix24Sensor, {"method": "batch", "condition": len}, "use Bitrix24BatchOperator"),
        (Bitrix24Sensor, {"method": "profile", "condition": len, "deferrable": True}, "condition is a function"),
        (Bitrix24ToObjectStorageOperator, {"destination": "/x"}, "give either entity_type_id or method"),
        (
            Bitrix24ToObjectStorageOperator,
            {"destination": "/x", "entity_type_id": "{{ e }}", "method": "{{ m }}"},
            "give either entity_type_id or method",
        ),
        (
            Bitrix24ToObjectStorageOperator,
            {"destination": "/x", "entity_type_id": 2, "method_params": "{{ p }}"},
            "method_params belongs to method",
        ),
        (
            Bitrix24ToObjectStorageOperator,
            {"destination": "/x", "method": "crm.deal.list", "item_filter": {"=id": 5}},
            "item_filter belongs to entity_type_id",
        ),
        (
            Bitrix24ToObjectStorageOperator,
            {"destination": "/x", "entity_type_id": 2, "item_filter": {"@id": []}},
            "item_filter",
        ),
        (Bitrix24ToObjectStorageOperator, {"destination": "/x", "method": "batch"}, "use Bitrix24BatchOperator"),
        (Bitrix24ToObjectStorageOperator, {"destination": "s3://c@b", "entity_type_id": 2}, "does not name a folder"),
        (
            Bitrix24ToObjectStorageOperator,
            {"destination": "crm/", "entity_type_id": 2},
            "is a relative path, 'crm', and",
        ),
    ],
)
def test_what_does_not_go_together_fails_when_the_dag_is_parsed(operator, arguments, hint):
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **arguments)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "sql": "firms.sql", "sql_conn_id": "db"}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": "{{ rows }}", "csv": {"delimiter": ";"}}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, **ROWS, "mapping": {"title": ""}, "blank": "clear"}),
        (Bitrix24BulkWriteOperator, {"method": "im.message.add", **ROWS, "mapping": {"MESSAGE": ""}}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, **ROWS, "max_failures": None}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": []}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": '\ufeff [{"title": "Oak"}]'}),
        (Bitrix24ListOperator, {"method": "task.checklistitem.getlist", "method_params": [7, {"ID": "asc"}]}),
        (Bitrix24ListOperator, {"method": "task.checklistitem.getlist", "method_params": "[7]"}),
        (Bitrix24ListItemsOperator, {"entity_type_id": 128, "limit": "5", "select": "id"}),
        (Bitrix24DeletePaymentOperator, {"payment_id": " 1035 "}),
        (Bitrix24DeletePaymentsOperator, {"payment_ids": "[7, 9]"}),
        (Bitrix24DeletePaymentsOperator, {"payment_ids": []}),
        (Bitrix24ItemSensor, {"entity_type_id": "deals", "item_id": " 7 ", "condition": FIELD, "fail_when": FIELD}),
        (Bitrix24ItemSensor, {"entity_type_id": 2, "item_filter": {"title": ""}, "condition": "count = 0"}),
        (
            Bitrix24ItemSensor,
            {"entity_type_id": 2, "item_id": 7, "condition": '{"result_path": "id", "operator": "empty"}'},
        ),
        (Bitrix24Sensor, {"method": "profile", "condition": len, "fail_when": FIELD}),
        (Bitrix24Sensor, {"method": "profile", "condition": len, "deferrable": False}),
        (Bitrix24ToObjectStorageOperator, {"destination": "s3://c@b/crm/", "entity_type_id": "deal"}),
        (Bitrix24ToObjectStorageOperator, {"destination": "file:///data", "method": "user.get", "method_params": {}}),
    ],
)
def test_what_goes_together_passes(operator, arguments):
    operator(task_id="task", **arguments)


def test_every_operator_checks_its_arguments_at_the_end_of_its_making():
    for operator in OPERATORS:
        source = inspect.getsource(inspect.unwrap(operator.__init__))
        assert "self.check_literals(" in source, operator.__name__
