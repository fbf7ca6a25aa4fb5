"""What a row that is refused says to somebody who has never seen this project: one sentence, with what to do."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import context
from tests.rest.clients import client_of
from tests.sleepless import sleepless
from tests.sqlite import sqlite_connection

ADD = {"entity_type_id": "deal"}
UPDATE = {"entity_type_id": "deal", "operation": "update"}
FIND_ID = "write the id of the item, a whole number such as 17"
#: What is wrong in a row, and the whole message up to the place of the row.
ROWS: list[tuple[dict[str, Any], Any, str]] = [
    (ADD, {"assignedById": "Ann"}, "assignedById takes a number, not 'Ann': write an id, e.g. 17"),
    (ADD, {"assignedById": 1.5}, "assignedById takes a whole number, not 1.5: write an id, e.g. 17"),
    (ADD, {"contactIds": "1,2"}, "contactIds takes a number, not '1,2': write a list of ids, e.g. [17, 18]"),
    (ADD, {"title": ["a"]}, "title takes one value, not ['a']: write one text, not a list or an object"),
    (ADD, {"title": b"x"}, "title takes one value, not b'x': decode bytes into text where the row is made"),
    (ADD, {"title": True}, "title takes text, not True: write the text that is meant"),
    (ADD, {"opportunity": [5]}, "opportunity takes one value, not [5]: write one number, not a list or an object"),
    (
        ADD,
        {"title": "x", "id": 5},
        "the row has id, which is read-only: the portal would silently drop it: "
        "to change the items with these ids, update them; to add new ones, leave the column out of the source, or give "
        "mapping the fields to send",
    ),
    (UPDATE, {"title": "x"}, "the row has no column 'id': name the column of the items' ids 'id'; it has: title"),
    (UPDATE, {"id": None, "title": "x"}, f"the row has no value in the column id: {FIND_ID}"),
    (UPDATE, {"id": " ", "title": "x"}, f"the row has no value in the column id: {FIND_ID}"),
    (UPDATE, {"id": "one", "title": "x"}, f"the column id must be a whole number above 0, not 'one': {FIND_ID}"),
    (UPDATE, {"id": [1], "title": "x"}, f"the column id must be a whole number above 0, not [1]: {FIND_ID}"),
    (UPDATE, {"ID": 0, "title": "x"}, f"the column ID must be a whole number above 0, not 0: {FIND_ID}"),
    (UPDATE, {"id": 1, "ID": 1, "title": "x"}, "the row has 'id' and 'ID', which both name the item: keep one"),
    (
        {"method": "crm.item.delete"},
        {"ID": 1, "entityTypeId": 2},
        'crm.item.delete: 100 "Could not find value for parameter {id}": write id and not ID: this method reads the '
        "names of its parameters letter by letter",
    ),
    (
        {"method": "crm.item.update"},
        {"id": 1, "ENTITY_TYPE_ID": 2, "fields": {"title": "x"}},
        'crm.item.update: 100 "Could not find value for parameter {entityTypeId}": write entityTypeId and not '
        "ENTITY_TYPE_ID: this method reads the names of its parameters letter by letter",
    ),
    (
        {"method": "crm.item.delete"},
        {"id": 1},
        'crm.item.delete: 100 "Could not find value for parameter {entityTypeId}": give the parameter entityTypeId',
    ),
    (
        {"method": "tasks.task.delete"},
        {"ID": 1},
        'tasks.task.delete: 100 "CTaskItem All parameters in the constructor must have real class type (internal '
        'error)": give the parameter taskId, letter by letter',
    ),
    (
        UPDATE,
        {"id": 999, "title": "x"},
        'crm.item.update: NOT_FOUND "Item not found": check the id: nothing has it, or it was deleted before',
    ),
]


def failure_of(rows: Any = None, **arguments: Any) -> str:
    operator = sleepless(Bitrix24UpsertItemsOperator if "key" in arguments else Bitrix24BulkWriteOperator)
    given = arguments if rows is None else {"rows": rows, **arguments}
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **given).execute(context())
    return str(caught.value)


@pytest.mark.parametrize(("arguments", "row", "message"), ROWS, ids=[str(row) for _, row, _ in ROWS])
def test_a_row_that_is_refused_says_what_is_wrong_and_what_to_do(arguments, row, message, portal, connection):
    assert failure_of([row], **arguments).partition(" (row 0")[0] == message


def test_a_failure_without_a_hint_has_no_colon_before_the_place_of_the_row(portal, connection):
    portal.fault("error", "crm.item.add", code="NO_WAY", description="no", status=400, times=None)
    message = failure_of([{"title": "x"}], **ADD)
    assert 'crm.item.add: NO_WAY "no" (row 0; ' in message


@pytest.mark.parametrize("column", ["id", "ID", "Id", " id "])
def test_the_id_of_an_update_is_read_in_any_spelling(column, portal, connection):
    (deal,) = portal.add_deals(1)
    task = Bitrix24BulkWriteOperator(task_id="task", rows=[{column: deal, "title": "Oak"}], **UPDATE)
    assert task.execute(context())["written"] == 1
    assert client_of(portal).call("crm.item.get", {"entityTypeId": 2, "id": deal})["item"]["title"] == "Oak"


@pytest.mark.parametrize("column", ["id", "ID"])
def test_a_mapping_cannot_name_the_item_of_an_update(column, portal, connection):
    with pytest.raises(AirflowFailException, match=f"mapping has '{column}', and an update takes the id of its item"):
        Bitrix24BulkWriteOperator(
            task_id="task", rows=[{"no": 5, "t": "x"}], mapping={column: "$no", "title": "$t"}, **UPDATE
        )
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("text", "csv", "message"),
    [
        (
            "title,comments,opportunity\nOak,x,5\nElm\n",
            None,
            "line 3 of r.csv has 1 of 3 values: those of 'comments' and 'opportunity' are missing: "
            "end it with a ',' for each value that is empty, and put line breaks in quotes",
        ),
        (
            "title;comments;opportunity\nOak;5\n",
            {"delimiter": ";"},
            "line 2 of r.csv has 2 of 3 values: that of 'opportunity' is missing: "
            "end it with a ';' for each value that is empty, and put line breaks in quotes",
        ),
        (
            "title," + ",".join(f"c{number}" for number in range(9)) + "\n\nOak,1\n",
            None,
            "line 3 of r.csv has 2 of 10 values: those of 'c1', 'c2', 'c3', 'c4', 'c5' and 3 more are missing: "
            "end it with a ',' for each value that is empty, and put line breaks in quotes",
        ),
        (
            "sep=;\ntitle;comments\nOak;x;5;6\n",
            None,
            "line 3 of r.csv has 4 values, and its header 2, so that '5' has no column: "
            "put values with a ';' or line breaks in quotes: \"Acme; Ltd\"",
        ),
    ],
)
def test_a_line_with_too_few_or_too_many_values_names_them(text, csv, message, tmp_path, portal, connection):
    file = tmp_path / "r.csv"
    file.write_text(text)
    assert failure_of(str(file), csv=csv, **ADD).startswith(message)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["x"], "row 0 is 'x', which is not an object: rows look like"),
        ([{"title": "a"}, None], "row 1 is None, which is not an object: rows look like"),
        ("[1]", "row 0 is 1, which is not an object: rows look like"),
        ('[{"a": 1, "a": 2}]', "rows has the name 'a' twice in one object"),
        ("/data/firms", "rows names a file without an ending: give one of: .csv, .jsonl"),
        ("/data/firms.xlsx", "rows names a file that ends in .xlsx: give one of: .csv, .jsonl"),
    ],
)
def test_a_source_that_has_no_rows_is_shown(rows, message, portal, connection):
    assert message in failure_of(rows, **ADD)


NOTHING = "it has no value: check the template, or what the upstream task returned"


@pytest.fixture
def database(tmp_path, monkeypatch) -> None:
    with sqlite3.connect(tmp_path / "firms.db") as connection:
        connection.execute("CREATE TABLE firms (title)")
    monkeypatch.setenv("AIRFLOW_CONN_DB", sqlite_connection(tmp_path / "firms.db"))


@pytest.mark.parametrize(
    "sql",
    ["None", "", " ", "nan", "null", "<NA>", "None;", "-- firms\nNone\n", "/* firms */ nan ;", "(None)", ";", "-- x"],
)
@pytest.mark.parametrize("operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator])
def test_a_query_that_a_template_made_of_nothing_is_refused_by_name(operator, sql, database, portal, connection):
    message = f"sql is {sql!r}: {NOTHING}"
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **ADD, sql=sql, sql_conn_id="db")
    assert str(caught.value) == message
    task = operator(task_id="task", **ADD, sql="{{ x }}", sql_conn_id="db")
    task.sql = sql
    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())
    named = f"sql has '{{{{ x }}}}', which came out as {sql!r}: {NOTHING}"
    assert str(caught.value) == (named if sql in ("None", "nan", "<NA>") else message)
    assert portal.requests == 0


def test_the_connection_of_a_query_is_named_where_it_is_not_there(portal, connection):
    task = Bitrix24BulkWriteOperator(task_id="task", **ADD, sql="SELECT 1", sql_conn_id="{{ x }}")
    task.sql_conn_id = "None"
    with pytest.raises(AirflowFailException, match=f"sql_conn_id is 'None': {NOTHING}"):
        task.execute(context())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": []}, 'key is empty: write e.g. ["originId"]'),
        ({"key": "originId,title"}, "key is not a list of names, but 'originId,title': write e.g. [\"originId\"]"),
        ({"key": ["originId", 5]}, 'key has a member that is not a name: write e.g. ["originId"]'),
        ({"key": "originId", "mapping": []}, 'mapping is not an object: write e.g. {"title": "$name"}'),
        ({"key": "originId", "mapping": {5: "$a"}}, "mapping has the name 5, which is not text"),
    ],
)
def test_the_example_of_a_hint_is_one_of_its_argument(arguments, message, portal, connection):
    assert message in failure_of([{"a": 1}], entity_type_id="company", **arguments)


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        (
            Bitrix24AddItemOperator,
            {"fields": []},
            'fields is not an object: write e.g. {"title": "Oak door"}, or the same',
        ),
        (
            Bitrix24ListItemsOperator,
            {"item_filter": []},
            'item_filter is not an object: write e.g. {">=id": 7}, or the',
        ),
        (Bitrix24ListItemsOperator, {"limit": -5}, "limit must be a whole number above 0, not -5: write e.g. 17"),
        (
            Bitrix24ListItemsOperator,
            {"item_filter": {">id": "x"}},
            "'>id' in item_filter: id takes a number, not 'x': write digits alone, e.g. 17",
        ),
        (
            Bitrix24ListItemsOperator,
            {"item_filter": {"0": {"logic": "OR", "0": {"=closedate": "soon"}, "1": {"id": 1}}}},
            "'=closedate' in item_filter: closedate is 'soon', which is not a date: write e.g. 2026-01-31",
        ),
    ],
)
def test_an_argument_that_is_refused_is_named_with_its_fix(operator, arguments, message, portal, connection):
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", entity_type_id="deal", **arguments).execute(context())
    assert str(caught.value).startswith(message)
