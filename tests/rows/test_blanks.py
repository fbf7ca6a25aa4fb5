"""Cells without a value: kept, cleared or refused, as the author says, in every source and for every operator."""

from __future__ import annotations

import json
import math
import sqlite3
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from tests.operators.context import context
from tests.rest.clients import client_of
from tests.sqlite import sqlite_connection

ADD, UPDATE = "crm.item.add", "crm.item.update"


class NAType:
    """As pandas has it: neither equal to anything nor true."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


class NaTType:
    """As pandas has it."""


#: Every form of nothing that a source may have.
NOTHING = {
    "empty": "", "blanks": "  ", "no-break space": "\u00a0",
    "zero width": "\u200b", "unseen": "\u2060 \ufeff", "None": None, "NaN": math.nan, "NaT": NaTType(), "NA": NAType(),
    "Decimal NaN": Decimal("NaN"), "empty list": [], "list of nothing": ["", None],
}  # fmt: skip


def run(operator: type, given: Any = None, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(given or context())


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


@pytest.fixture
def firm(portal, connection) -> int:
    fields = {"title": "Oak", "comments": "an old friend", "originId": "K-1", "PHONE": "+1"}
    item_id: int = run(Bitrix24AddItemOperator, entity_type_id=4, fields=fields)
    portal.reset_calls()
    return item_id


def update(row: dict[str, Any], **arguments: Any) -> Any:
    return run(Bitrix24BulkWriteOperator, entity_type_id=4, operation="update", rows=[row], **arguments)


def upsert(row: dict[str, Any], **arguments: Any) -> Any:
    return run(Bitrix24UpsertItemsOperator, entity_type_id=4, key="originId", rows=[row], **arguments)


def sent(portal: Any, method: str) -> list[dict[str, Any]]:
    commands = [command for call in portal.calls for command in (call.commands or [call])]
    return [command.params["fields"] for command in commands if command.method == method]


# Kept, as by default


def test_the_blank_cell_of_a_file_leaves_the_portals_value_as_it_is(firm, portal, connection, tmp_path):
    (tmp_path / "firms.csv").write_text(f"id,title,comments\n{firm},Oak Ltd,\n")
    summary = run(Bitrix24BulkWriteOperator, entity_type_id=4, operation="update", rows=str(tmp_path / "firms.csv"))
    assert (summary["written"], summary["cleared"]) == (1, 0)
    assert {name: portal.item(4, firm)[name] for name in ("title", "comments")} == {
        "title": "Oak Ltd", "comments": "an old friend",
    }  # fmt: skip


@pytest.fixture
def door(portal, connection, firm) -> int:
    fields = {"title": "Door", "companyId": firm, "contactIds": [1, 2], "originId": "D-1"}
    item_id: int = run(Bitrix24AddItemOperator, entity_type_id=2, fields=fields)
    return item_id


@pytest.mark.parametrize("blank", ["keep", "clear", "fail"])
@pytest.mark.parametrize(
    ("name", "what"), [("companyId", "company"), ("CONTACT_ID", "contact"), ("assignedById", "user")]
)
def test_the_0_that_a_database_writes_for_none_clears_no_relation(
    name, what, blank, door, portal, connection, tmp_path
):
    before = portal.item(2, door)
    (tmp_path / "deals.csv").write_text(f"id,title,{name}\n{door},Gate,0\n")
    (tmp_path / "keys.csv").write_text(f"originId,title,{name}\nD-1,Gate,0\n")
    rows = {"rows": str(tmp_path / "deals.csv"), "blank": blank}
    keyed = {"rows": str(tmp_path / "keys.csv"), "blank": blank, "key": "originId"}
    rows |= {"entity_type_id": 2, "operation": "update"}
    assert f"which names no {what}" in failure_of(Bitrix24BulkWriteOperator, **rows)
    assert f"which names no {what}" in failure_of(Bitrix24UpsertItemsOperator, entity_type_id=2, **keyed)
    for zero in (0, "0", np.int64(0)):
        item = {"item_id": door, "fields": {"title": "Gate", name: zero}}
        assert f"which names no {what}" in failure_of(Bitrix24UpdateItemOperator, entity_type_id=2, **item)
    assert portal.item(2, door) == before
    assert sent(portal, UPDATE) == []


def test_an_empty_cell_and_none_clear_a_relation_where_they_are_said_to(door, firm, portal, connection):
    run(Bitrix24UpdateItemOperator, entity_type_id=2, item_id=door, fields={"companyId": None})
    assert not portal.item(2, door)["companyId"]
    row = {"id": door, "contactId": "", "opportunity": 0}
    summary = run(Bitrix24BulkWriteOperator, entity_type_id=2, operation="update", rows=[row], blank="clear")
    assert (summary["written"], summary["cleared"]) == (1, 1)
    assert not portal.item(2, door)["contactIds"]


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("write", [update, upsert])
def test_no_form_of_nothing_erases_a_value(nothing, write, firm, portal, connection):
    row = {"id": firm} if write is update else {"originId": "K-1"}
    summary = write({**row, "title": "Oak Ltd", "comments": nothing, "PHONE": nothing})
    assert summary["written" if write is update else "updated"] == 1
    assert portal.item(4, firm)["comments"] == "an old friend"
    assert sent(portal, UPDATE) == [{"title": "Oak Ltd"}]


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_no_form_of_nothing_is_sent_in_an_add(nothing, portal, connection):
    """It would overwrite the portal's default, such as the currency."""
    row = {"title": "Oak", "comments": nothing, "typeId": nothing, "PHONE": nothing, "revenue": nothing}
    assert run(Bitrix24BulkWriteOperator, entity_type_id=4, rows=[row])["written"] == 1
    assert run(Bitrix24ImportItemsOperator, entity_type_id=4, rows=[row])["imported"] == 1
    assert upsert({**row, "originId": "new"})["created"] == 1
    assert sent(portal, ADD) == [{"title": "Oak"}, {"title": "Oak", "originId": "new"}]


@pytest.mark.parametrize("nothing", [np.array([None, " "], dtype=object), np.array([np.nan]), np.array([])])
def test_an_array_without_a_value_is_a_blank_cell(nothing, portal, connection):
    outcome = run(Bitrix24BulkWriteOperator, entity_type_id="company", rows=[{"title": "Oak", "comments": nothing}])[
        "outcomes"
    ][0]
    assert not client_of(portal).call("crm.item.get", {"entityTypeId": 4, "id": outcome["id"]})["item"]["comments"]


def test_members_of_an_array_without_a_value_are_left_out(portal, connection):
    client_of(portal).call(
        "crm.company.userfield.add", {"fields": {"FIELD_NAME": "TAGS", "USER_TYPE_ID": "string", "MULTIPLE": "Y"}}
    )
    tags = np.array(["a", None, " ", np.nan], dtype=object)
    outcome = run(Bitrix24BulkWriteOperator, entity_type_id="company", rows=[{"title": "Oak", "UF_CRM_TAGS": tags}])[
        "outcomes"
    ][0]
    item = client_of(portal).call("crm.item.get", {"entityTypeId": 4, "id": outcome["id"]})["item"]
    assert item["ufCrm_TAGS"] == ["a"]


def test_a_day_of_numpy_is_a_day_in_a_text_too(portal, connection):
    outcome = run(Bitrix24BulkWriteOperator, entity_type_id="company", rows=[{"title": np.datetime64("2026-01-31")}])[
        "outcomes"
    ][0]
    item = client_of(portal).call("crm.item.get", {"entityTypeId": 4, "id": outcome["id"]})["item"]
    assert item["title"] == "2026-01-31"


def test_a_null_of_a_database_keeps_too(firm, portal, connection, tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "firms.db") as database:
        database.execute("CREATE TABLE firms (id INTEGER, title TEXT, comments TEXT)")
        database.execute("INSERT INTO firms VALUES (?, 'Oak Ltd', NULL)", (firm,))
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(tmp_path / "firms.db"))
    run(
        Bitrix24BulkWriteOperator, entity_type_id=4, operation="update", sql="SELECT * FROM firms", sql_conn_id="firms"
    )  # fmt: skip
    assert portal.item(4, firm)["comments"] == "an old friend"


def test_texts_that_look_like_nothing_are_values(firm, portal, connection):
    for text in ("NULL", "None", "NA", "nan", "-"):
        update({"id": firm, "comments": text})
        assert portal.item(4, firm)["comments"] == text


def test_a_phone_without_a_number_is_left_out_of_its_mapping(portal, connection):
    mapping = {"title": "$t", "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "$phone"}]}
    rows = [{"t": "Oak", "phone": None}, {"t": "Elm", "phone": "+2"}]
    run(Bitrix24BulkWriteOperator, entity_type_id=4, rows=rows, mapping=mapping)
    assert [item.get("fm") and item["fm"][0]["value"] for item in portal.items(4)[-2:]] == [None, "+2"]


def test_an_entry_without_a_value_is_not_removed(firm, portal, connection):
    (entry,) = portal.item(4, firm)["fm"]
    update({"id": firm, "title": "x", "fm": {str(entry["id"]): {"value": ""}}})
    assert portal.item(4, firm)["fm"] == [entry]
    with pytest.raises(AirflowFailException, match="an entry of fm has no value"):
        update({"id": firm, "title": "x", "fm": [{"id": entry["id"], "value": ""}]}, blank="clear")
    assert portal.item(4, firm)["fm"] == [entry]


@pytest.mark.parametrize("source", ["jsonl", "parquet", "list", "columns"])
def test_no_blank_removes_a_phone_through_a_method(source, firm, portal, connection, tmp_path):
    (entry,) = portal.item(4, firm)["fm"]
    phones: list[Any] = [{"ID": entry["id"], "VALUE": None}, {"VALUE": None}]
    row = {"id": firm, "fields": {"PHONE": phones}}
    mapping: dict[str, Any] | None = {"id": "$id", "fields": {"PHONE": "$phones"}}
    if source == "jsonl":
        (tmp_path / "firms.jsonl").write_text(json.dumps(row))
        rows, mapping = str(tmp_path / "firms.jsonl"), None
    elif source == "parquet":
        parquet.write_table(pa.table({"id": [firm], "phones": [phones]}), tmp_path / "firms.parquet")
        rows = str(tmp_path / "firms.parquet")
    elif source == "list":
        values = (None, "", " ", [], {}, [None], {"a": ""})
        rows = [{"id": firm, "phones": [{"ID": entry["id"], "VALUE": value}]} for value in values]
    else:
        rows = [{"id": firm, "pid": entry["id"], "phone": ""}]
        mapping = {"id": "$id", "fields": {"PHONE": [{"ID": "$pid", "VALUE": "$phone"}]}}
    arguments = {"method": "crm.company.update", "rows": rows, "mapping": mapping}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    summary = run(Bitrix24BulkWriteOperator, **arguments)
    assert (summary["written"], summary["unchanged"]) == (0, summary["rows"])
    assert "an entry of PHONE has no value" in failure_of(Bitrix24BulkWriteOperator, blank="clear", **arguments)
    assert "the row has no value for fields[PHONE][0][VALUE]" in failure_of(
        Bitrix24BulkWriteOperator, blank="fail", **arguments
    )
    assert portal.item(4, firm)["fm"] == [entry]
    assert portal.executed("crm.company.update") == 0


def test_a_phone_is_removed_where_that_is_written(firm, portal, connection):
    (entry,) = portal.item(4, firm)["fm"]
    mapping = {"id": "$id", "fields": {"PHONE": [{"ID": "$pid", "VALUE": ""}]}}
    rows = [{"id": firm, "pid": entry["id"]}]
    assert run(Bitrix24BulkWriteOperator, method="crm.company.update", rows=rows, mapping=mapping)["written"] == 1
    assert not portal.item(4, firm)["fm"]


def test_entries_without_a_value_are_left_out_of_tasks_and_activities(portal, connection):
    task = {"taskId": 1, "fields": {"TITLE": "x", "SE_PARAMETER": [{"CODE": 1, "VALUE": None}]}}
    run(Bitrix24BulkWriteOperator, method="tasks.task.update", rows=[task], max_failures=None)
    assert sent(portal, "tasks.task.update") == [{"TITLE": "x"}]
    activity = {"id": 1, "fields": {"SUBJECT": "x", "COMMUNICATIONS": [{"VALUE": "", "ENTITY_ID": 1}]}}
    run(Bitrix24BulkWriteOperator, method="crm.activity.update", rows=[activity], max_failures=None)
    assert sent(portal, "crm.activity.update") == [{"SUBJECT": "x"}]


# Cleared


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("write", [update, upsert])
def test_blank_clears_only_where_the_author_says_so(nothing, write, firm, portal, connection):
    row = {"id": firm} if write is update else {"originId": "K-1"}
    summary = write({**row, "comments": nothing, "title": "Oak Ltd"}, blank="clear")
    assert summary["cleared"] == 1
    assert summary["outcomes"][0]["cleared"] == 1
    assert portal.item(4, firm)["comments"] in ("", None)


def test_a_dry_run_counts_what_would_be_cleared(firm, portal, connection):
    rows = [{"id": firm, "comments": "", "title": None}, {"id": firm, "comments": "x"}]
    summary = run(
        Bitrix24BulkWriteOperator, entity_type_id=4, operation="update", rows=rows, blank="clear", dry_run=True
    )
    assert (summary["ready"], summary["cleared"]) == (2, 2)
    assert portal.executed(UPDATE) == 0


def test_a_new_item_has_nothing_to_clear(portal, connection):
    summary = upsert({"originId": "new", "title": "Oak", "comments": ""}, blank="clear")
    assert (summary["created"], summary["cleared"]) == (1, 0)
    assert sent(portal, ADD) == [{"originId": "new", "title": "Oak"}]


def test_phones_are_not_cleared_by_a_blank_cell_and_that_is_said(firm, portal, connection):
    for write, row in ((update, {"id": firm}), (upsert, {"originId": "K-1"})):
        with pytest.raises(AirflowFailException, match="PHONE is empty, and an update changes only the entries"):
            write({**row, "PHONE": ""}, blank="clear")
    assert len(portal.item(4, firm)["fm"]) == 1


def test_a_mapping_with_nothing_in_it_has_to_say_that_it_clears(firm, portal, connection):
    arguments = {"entity_type_id": 4, "operation": "update", "rows": [{"id": firm}], "mapping": {"comments": ""}}
    assert "mapping has no value for comments" in failure_of(Bitrix24BulkWriteOperator, **arguments)
    assert portal.requests == 0
    run(Bitrix24BulkWriteOperator, blank="clear", **arguments)
    assert portal.item(4, firm)["comments"] in ("", None)


# Refused


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_a_row_with_nothing_in_it_may_be_refused_by_name(nothing, firm, portal, connection):
    row = {"id": firm, "originId": "K-1", "title": "Oak Ltd", "comments": nothing}
    for operator, more in (
        (Bitrix24BulkWriteOperator, {"operation": "update"}),
        (Bitrix24UpsertItemsOperator, {"key": "originId"}),
        (Bitrix24ImportItemsOperator, {}),
    ):
        rows = [{name: value for name, value in row.items() if name != "id" or more.get("operation")}]
        failure = failure_of(operator, entity_type_id=4, rows=rows, blank="fail", **more)
        assert "the row has no value for comments" in failure
    assert portal.item(4, firm)["title"] == "Oak"


def test_blank_is_one_of_three_words(portal, connection):
    failure = failure_of(Bitrix24BulkWriteOperator, entity_type_id=4, rows=[{"title": "x"}], blank="erase")
    assert "blank is 'erase': write one of: 'keep', 'clear', 'fail'" in failure
    assert portal.requests == 0


# Methods


def test_fields_of_a_method_are_kept_and_cleared_alike(portal, connection):
    deal = portal.items(2)[0]["id"]
    run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=[{"id": deal, "fields": {"COMMENTS": "old"}}])
    mapping = {"id": "$id", "fields": {"TITLE": "$t", "COMMENTS": "$c"}}
    rows = [{"id": deal, "t": "Oak door", "c": ""}]
    run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=rows, mapping=mapping)
    assert portal.item(2, deal)["comments"] == "old"
    run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=[{"id": deal, "fields": {"COMMENTS": None}}])
    assert portal.item(2, deal)["comments"] == "old"
    summary = run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=rows, mapping=mapping, blank="clear")
    assert summary["cleared"] == 1
    assert portal.item(2, deal)["comments"] in ("", None)


@pytest.mark.parametrize(
    ("method", "mapping"),
    [
        ("crm.deal.update", {"id": "$id", "fields": {"TITLE": "Oak"}}),
        ("crm.deal.delete", {"id": "$id"}),
        ("crm.item.delete", {"entityTypeId": 2, "id": "$id"}),
        ("crm.deal.contact.items.set", {"id": 1, "items": "$id"}),
    ],
)
@pytest.mark.parametrize("blank", ["keep", "fail"])
def test_a_param_that_names_what_is_meant_is_never_left_out(method, mapping, blank, portal, connection):
    failure = failure_of(
        Bitrix24BulkWriteOperator, method=method, rows=[{"id": "", "x": 1}], mapping=mapping, blank=blank
    )
    assert "the row has no value for" in failure
    assert portal.executed(method) == 0


def test_an_id_is_not_sent_empty_either(portal, connection):
    failure = failure_of(
        Bitrix24BulkWriteOperator, method="crm.deal.delete", rows=[{"id": "", "x": 1}], mapping={"id": "$id"},
        blank="clear",
    )  # fmt: skip
    assert "the row has no value for id" in failure


# Rows of nothing


@pytest.mark.parametrize(
    "rows",
    [[{}], [{"title": "", "comments": None}], [{"fields": {}}], [{"title": math.nan}, {}, {"PHONE": []}]],
    ids=str,
)
def test_rows_without_any_value_are_skipped_and_counted(rows, portal, connection):
    before = len(portal.items(4))
    for operator, more in (
        (Bitrix24BulkWriteOperator, {}),
        (Bitrix24BulkWriteOperator, {"operation": "update"}),
        (Bitrix24UpsertItemsOperator, {"key": "originId"}),
        (Bitrix24ImportItemsOperator, {}),
    ):
        summary = run(operator, entity_type_id=4, rows=rows, **more)
        assert (summary["rows"], summary["skipped"]) == (len(rows), len(rows))
        assert summary["outcomes"] == [{"row": number, "outcome": "skipped"} for number in range(len(rows))]
    assert run(Bitrix24BulkWriteOperator, method="crm.deal.add", rows=rows)["skipped"] == len(rows)
    assert len(portal.items(4)) == before


def test_the_empty_lines_that_a_spreadsheet_leaves_are_skipped(portal, connection, tmp_path):
    (tmp_path / "firms.csv").write_text("title,comments,,\nOak,x,,\n,,,\nElm,,,\n,,,\n\n")
    summary = run(Bitrix24BulkWriteOperator, entity_type_id=4, rows=str(tmp_path / "firms.csv"))
    assert (summary["written"], summary["skipped"]) == (2, 2)
    assert [line["outcome"] for line in summary["outcomes"]] == ["written", "skipped", "written", "skipped"]


def test_a_nameless_column_with_a_value_in_it_is_refused(portal, connection, tmp_path):
    (tmp_path / "firms.csv").write_text("title,,\nOak,,lost\n")
    failure = failure_of(Bitrix24BulkWriteOperator, entity_type_id=4, rows=str(tmp_path / "firms.csv"))
    assert "the row has 'lost' in a column without a name" in failure


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24BulkWriteOperator, {"rows": [{"name": "", "x": 1}], "mapping": {"title": "$name", "opened": "Y"}}),
        (Bitrix24ImportItemsOperator, {"rows": [{"name": "", "x": 1}], "mapping": {"title": "$name", "opened": "Y"}}),
        (Bitrix24BulkWriteOperator, {"rows": [{"name": "", "x": 1}], "mapping": {"title": "$name"}}),
    ],
)
def test_an_add_of_which_the_row_gives_no_value_is_refused(operator, arguments, portal, connection):
    before = len(portal.items(4))
    assert "no value" in failure_of(operator, entity_type_id=4, **arguments)
    assert len(portal.items(4)) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": None, "PHONE": []},
        '{"comments": ""}',
        {"title": "  "},
        {"title": "\u00a0", "comments": "\u200b"},
        {"PHONE": "\ufeff", "title": "\t"},
    ],
)
def test_a_single_add_without_a_value_is_refused(fields, portal, connection):
    before = len(portal.items(4))
    failure = failure_of(Bitrix24AddItemOperator, entity_type_id=4, fields=fields)
    assert "fields has no value, and an empty company would be added" in failure
    assert len(portal.items(4)) == before


def test_what_has_nothing_left_to_change_is_unchanged_and_not_sent(firm, portal, connection):
    summary = update({"id": firm, "title": None})
    assert (summary["unchanged"], summary["written"]) == (1, 0)
    assert update({"id": firm})["unchanged"] == 1
    assert upsert({"originId": "K-1", "title": ""})["unchanged"] == 1
    assert upsert({"originId": "K-1", "PHONE": "+1"})["unchanged"] == 1
    deal = portal.items(2)[0]["id"]
    mapping = {"id": "$id", "fields": {"TITLE": "$t"}}
    summary = run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=[{"id": deal, "t": ""}], mapping=mapping)
    assert (summary["unchanged"], summary["outcomes"]) == (1, [{"row": 0, "outcome": "unchanged", "id": deal}])
    assert portal.executed(UPDATE) == portal.executed("crm.deal.update") == 0


def test_a_method_that_needs_only_an_id_is_called(portal, connection):
    payments = [portal.add_payment(1) for _ in range(2)]
    rows = [{"id": payment} for payment in payments]
    assert run(Bitrix24BulkWriteOperator, method="crm.item.payment.pay", rows=rows)["written"] == 2
    assert all(portal.payment(payment)["paid"] == "Y" for payment in payments)


# Single items: what the author writes in the DAG


def test_a_literal_of_a_single_operator_clears(firm, portal, connection):
    run(Bitrix24UpdateItemOperator, entity_type_id=4, item_id=firm, fields={"comments": None})
    assert portal.item(4, firm)["comments"] in ("", None)
    portal.add_items(4, 1, title="Elm", comments="old", originId="K-2")
    run(Bitrix24UpsertItemOperator, entity_type_id=4, key="originId", fields={"originId": "K-2", "comments": ""})
    assert [item["comments"] for item in portal.items(4) if item.get("originId") == "K-2"] in ([""], [None])


@pytest.mark.parametrize("text", ["  ", "\u00a0", "\u200b"], ids=ascii)
def test_a_single_upsert_writes_no_blanks(text, portal, connection):
    run(Bitrix24UpsertItemOperator, entity_type_id=4, key="originId", fields={"originId": "K-9", "comments": text})
    assert [fields for fields in sent(portal, ADD) if "comments" in fields] == []
    with_firm = {"originId": "K-9", "title": "Elm", "comments": text}
    run(Bitrix24UpsertItemOperator, entity_type_id=4, key="originId", fields=with_firm)
    assert [fields["comments"] for fields in sent(portal, UPDATE)] == [""]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("value", [None, "", "None", math.nan, "  ", "\u200b"], ids=ascii)
@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Oak Ltd", "comments": "{{ x }}"},
        '{"title": "Oak Ltd", "comments": "{{ x }}"}',
    ],
    ids=type,
)
def test_what_a_template_has_lost_clears_nothing(fields, value, native, firm, portal, connection):
    from airflow import DAG

    with DAG("lost", schedule=None, render_template_as_native_obj=native):
        operators = [
            Bitrix24UpdateItemOperator(task_id="update", entity_type_id=4, item_id=firm, fields=fields),
            Bitrix24UpsertItemOperator(task_id="upsert", entity_type_id=4, key="title", fields=fields),
        ]
    for operator in operators:
        operator.render_template_fields({"x": value})
        operator.execute(context())
        assert {name: portal.item(4, firm)[name] for name in ("title", "comments")} == {
            "title": "Oak Ltd", "comments": "an old friend",
        }  # fmt: skip


def test_what_another_task_returned_as_nothing_clears_nothing(firm, portal, connection):
    """The whole object comes from elsewhere."""
    operator = Bitrix24UpdateItemOperator(task_id="task", entity_type_id=4, item_id=firm, fields="{{ x }}")
    operator.render_template_fields({"x": json.dumps({"title": "Oak Ltd", "comments": None})})
    operator.execute(context())
    assert portal.item(4, firm)["comments"] == "an old friend"
    lost = Bitrix24UpdateItemOperator(task_id="task", entity_type_id=4, item_id=firm, fields={"comments": "{{ x }}"})
    lost.render_template_fields({"x": ""})
    portal.reset_calls()
    assert lost.execute(context())
    assert portal.executed(UPDATE) == 0


def test_a_text_that_the_author_wrote_is_written(firm, portal, connection):
    run(Bitrix24UpdateItemOperator, entity_type_id=4, item_id=firm, fields={"comments": "None"})
    assert portal.item(4, firm)["comments"] == "None"


@pytest.mark.parametrize(
    ("blank", "failure"),
    [
        ("keep", "the row has no value in the column 'id', which is a part of originId ('$region-$id')"),
        ("fail", "the row has no value in the column 'id', which is a part of originId ('$region-$id')"),
    ],
)
def test_a_key_of_two_columns_fails_the_row_where_one_has_no_value(blank, failure, portal, connection):
    rows = [{"region": "EU", "id": None, "title": "Oak"}, {"region": "EU", "id": None, "title": "Elm"}]
    before = len(portal.items(4))
    message = failure_of(
        Bitrix24UpsertItemsOperator, entity_type_id="company", key="originId", rows=rows, blank=blank,
        mapping={"originId": "$region-$id", "title": "$title"},
    )  # fmt: skip
    assert failure in message
    assert "without it, several rows could have one key" in message
    assert len(portal.items(4)) == before


@pytest.mark.parametrize("arguments", [{"entity_type_id": "company"}, {"method": "crm.company.add"}])
def test_a_column_without_a_value_inside_of_a_text_fails_the_row_where_that_is_said(arguments, portal, connection):
    mapping = {"title": "$f $l"} if "method" not in arguments else {"fields": {"TITLE": "$f $l"}}
    arguments = {**arguments, "rows": [{"f": "Ann", "l": None}], "mapping": mapping}
    message = failure_of(Bitrix24BulkWriteOperator, blank="fail", **arguments)
    assert "the row has no value in the column 'l', which is a part of" in message
    assert run(Bitrix24BulkWriteOperator, **arguments)["written"] == 1
