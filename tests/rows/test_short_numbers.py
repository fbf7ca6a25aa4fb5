"""Numbers that a spreadsheet has shortened: their digits were lost before we saw them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.scalars import holds_shortened, is_shortened, lacks_digits
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.sqlite import sqlite_connection

SAYS = (
    "with a number that was shortened and has lost digits: format the column as text in the spreadsheet before saving"
)
SHORT = ["4.07E+19", "7.9161E+10", "1,2346E+12", "4.07e+19", "4.07E19", "1E+05", "-1.2E+3", " 1.0E10 ", "4.E+19"]
NAMES = ["1E5", "12E34", "E+05", "4.07", "1,5", "2E-x", "R1.5E+3", "1.5E+3mm", "", "e", "+79161230001", "5e3"]


@pytest.mark.parametrize("text", SHORT)
def test_a_shortened_number_is_recognized(text: str) -> None:
    assert is_shortened(text)
    assert holds_shortened(text)


@pytest.mark.parametrize(
    "text",
    [
        "K-4.07E+19",
        "N 4,07e+19",
        "'7.9161E+10",
        "7.9161E+10; 7.9162E+10",
        "+1 555; 7.9161E+10",
        "(1.2346E+12)",
        "K/1E+15",
    ],
)
def test_so_is_one_inside_of_a_text_that_lacks_digits(text: str) -> None:
    assert holds_shortened(text)
    assert not is_shortened(text)


@pytest.mark.parametrize(
    "text", ["R-2E+1", "K-1.5E+3", "A 2E-7", "K-1.23456789012E+11", "X-4.07E-19", "R2E+19", "N-1E5"]
)
def test_a_name_with_a_short_exponent_in_it_is_none(text: str) -> None:
    assert not holds_shortened(text)


@pytest.mark.parametrize("text", NAMES)
def test_what_may_be_a_name_is_none(text: str) -> None:
    assert not is_shortened(text)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("4.07E+19", True),
        ("1,2346E+12", True),
        ("1.23457E+11", True),
        ("1E+16", True),
        ("1.23456789012E+11", False),
        ("1.5E+3", False),
        ("1.0E10", False),
        ("1.2E-15", False),
        ("12346", False),
    ],
)
def test_digits_are_missing_where_a_spreadsheet_shortens_by_itself(text: str, lacks: bool) -> None:
    assert lacks_digits(text) is lacks


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="a", **arguments).execute(context())
    return str(caught.value)


def csv(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    pd.DataFrame(rows).to_csv(path / "rows.csv", index=False)
    return {"rows": str(path / "rows.csv")}


def json_lines(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return {"rows": str(path / "rows.jsonl")}


def parquet(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    pd.DataFrame(rows).to_parquet(path / "rows.parquet")
    return {"rows": str(path / "rows.parquet")}


def xcom(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rows": rows}


def sql(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    with sqlite3.connect(path / "rows.db") as database:
        pd.DataFrame(rows).to_sql("rows", database, index=False)
    return {"sql": "select * from rows order by rowid", "sql_conn_id": "shortened"}


SOURCES: list[Callable[[Path, list[dict[str, Any]]], dict[str, Any]]] = [csv, json_lines, parquet, xcom, sql]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHORTENED", sqlite_connection(tmp_path / "rows.db"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_keys_phones_and_ids_fail_their_row(
    source: Callable[..., dict[str, Any]], tmp_path: Path, portal: Sandbox, connection: None, database: None
) -> None:
    columns = [
        ("originId", "4.07E+19"),
        ("PHONE", "7.9161E+10"),
        ("assignedById", "1.2E+01"),
        ("originatorId", "1,2346E+12"),
    ]
    good = {"title": "Oak", "originId": "5", "PHONE": "+1555", "assignedById": "1", "originatorId": "x"}
    rows = [good, *({**good, "title": name, name: value} for name, value in columns)]
    summary = Bitrix24BulkWriteOperator(
        task_id="a", entity_type_id="company", max_failures=None, **source(tmp_path, rows)
    ).execute(context())
    assert [row["outcome"] for row in summary["outcomes"]] == ["written", *["failed"] * 4]
    assert [item["title"] for item in portal.items(4) if item.get("originId") == "5"] == ["Oak"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_keys_of_an_upsert_fail_their_row(
    source: Callable[..., dict[str, Any]], tmp_path: Path, portal: Sandbox, connection: None, database: None
) -> None:
    rows = [{"title": "Oak", "inn": "4.07E+19"}, {"title": "Elm", "inn": "1E5"}]
    arguments = {"entity_type_id": "company", "key": ["originId"], **source(tmp_path, rows)}
    for mapping in ({"title": "$title", "originId": "$inn"}, {"title": "$title", "originId": "K-$inn"}):
        message = failure_of(Bitrix24UpsertItemsOperator, mapping=mapping, **arguments)
        assert "the key originId is " in message
        assert SAYS in message
        assert "row 0" in message
    Bitrix24UpsertItemsOperator(
        task_id="b", mapping={"title": "$title", "originId": "$inn"}, max_failures=None, **arguments
    ).execute(context())
    assert {item["originId"] for item in portal.items(4)} & {"4.07E+19", "1E5"} == {"1E5"}


ONE: list[tuple[type, dict[str, Any]]] = [
    (Bitrix24AddItemOperator, {"entity_type_id": "company", "fields": {"title": "x", "originId": "4.07E+19"}}),
    (Bitrix24AddItemOperator, {"entity_type_id": "company", "fields": {"title": "x", "PHONE": ["+1", "7.9161E+10"]}}),
    (Bitrix24AddItemOperator, {"entity_type_id": "contact", "fields": {"name": "x", "companyId": "1E0"}}),
    (
        Bitrix24AddItemOperator,
        {"entity_type_id": "company", "fields": {"title": "x", "PHONE": "7.9161E+10; 7.9162E+10"}},
    ),
    (Bitrix24BulkWriteOperator, {"entity_type_id": "company", "rows": [{"title": "x", "PHONE": "'7.9161E+10"}]}),
    (
        Bitrix24Operator,
        {"method": "crm.company.update", "method_params": {"id": 1, "fields": {"PHONE": [{"VALUE": "'7.9161E+10"}]}}},
    ),
    (
        Bitrix24Operator,
        {"method": "user.update", "method_params": {"ID": 1, "PERSONAL_MOBILE": "7.9161E+10, 7.9162E+10"}},
    ),
    (Bitrix24AddItemOperator, {"entity_type_id": "company", "fields": {"title": "x", "revenue": "1.2346E+12"}}),
    (Bitrix24UpdateItemOperator, {"entity_type_id": "deal", "item_id": 1, "fields": {"contactIds": ["1.0E+1"]}}),
    (
        Bitrix24UpdateItemOperator,
        {"entity_type_id": "company", "item_id": 1, "fields": {"fm": [{"typeId": "PHONE", "value": "7.9161E+10"}]}},
    ),
    (
        Bitrix24UpsertItemOperator,
        {"entity_type_id": "company", "key": ["originId"], "fields": {"title": "x", "originId": "K-4.07E+19"}},
    ),
    (
        Bitrix24ImportItemsOperator,
        {"entity_type_id": "company", "rows": [{"title": "x", "originatorId": "N 4.07E+19"}]},
    ),
    (
        Bitrix24BulkWriteOperator,
        {"method": "crm.company.add", "rows": [{"fields": {"TITLE": "x", "ORIGIN_ID": "4E+19"}}]},
    ),
    (Bitrix24BulkWriteOperator, {"method": "crm.deal.update", "rows": [{"id": "1.0E+1", "fields": {"TITLE": "x"}}]}),
    (
        Bitrix24Operator,
        {
            "method": "crm.company.add",
            "method_params": {"fields": {"TITLE": "x", "PHONE": [{"VALUE": "7.9161E+10", "VALUE_TYPE": "WORK"}]}},
        },
    ),
    (
        Bitrix24Operator,
        {
            "method": "crm.company.update",
            "method_params": {"id": 1, "fields": {"PHONE": {"n0": {"VALUE": "7,9161E+10"}}}},
        },
    ),
    (Bitrix24Operator, {"method": "crm.deal.update", "method_params": {"id": 1, "fields": {"COMPANY_ID": "1.0E+1"}}}),
    (
        Bitrix24Operator,
        {"method": "crm.deal.update", "method_params": {"id": 1, "fields": {"OPPORTUNITY": "4.07E+19"}}},
    ),
    (
        Bitrix24Operator,
        {
            "method": "crm.item.update",
            "method_params": {"entityTypeId": 4, "id": 1, "fields": {"originId": "4.07E+19"}},
        },
    ),
    (
        Bitrix24Operator,
        {"method": "crm.item.update", "method_params": {"entityTypeId": 4, "id": "1.0E+1", "fields": {"title": "x"}}},
    ),
    (
        Bitrix24Operator,
        {"method": "crm.requisite.add", "method_params": {"fields": {"NAME": "x", "RQ_INN": "7.70123E+11"}}},
    ),
    (
        Bitrix24Operator,
        {
            "method": "crm.requisite.bankdetail.add",
            "method_params": {"fields": {"NAME": "x", "RQ_ACC_NUM": "4.07028E+19"}},
        },
    ),
    (Bitrix24Operator, {"method": "user.update", "method_params": {"ID": 1, "PERSONAL_MOBILE": "7.9161E+10"}}),
    (
        Bitrix24Operator,
        {"method": "tasks.task.update", "method_params": {"taskId": 1, "fields": {"XML_ID": "4.07E+19"}}},
    ),
    (
        Bitrix24BatchOperator,
        {"commands": {"a": ["crm.company.update", {"id": 1, "fields": {"ORIGIN_ID": "4.07E+19"}}]}},
    ),
]


@pytest.mark.parametrize(("operator", "arguments"), ONE)
def test_one_object_is_refused_by_name(
    operator: type, arguments: dict[str, Any], portal: Sandbox, connection: None
) -> None:
    assert SAYS in failure_of(operator, **arguments)
    assert not any(call.method.rpartition(".")[2] in ("add", "update", "import", "batch") for call in portal.calls)


def test_the_id_of_a_row_says_what_to_do(portal: Sandbox, connection: None) -> None:
    rows = [{"id": "1.0E+1", "title": "x"}]
    message = failure_of(Bitrix24BulkWriteOperator, entity_type_id="deal", operation="update", rows=rows)
    assert "the column id must be a whole number above 0, not '1.0E+1'" in message
    assert "in a spreadsheet, format the column as text before saving" in message


def test_numbers_are_taken_where_all_digits_are_there(portal: Sandbox, connection: None) -> None:
    rows = [{"title": f"N{n}", "revenue": text} for n, text in enumerate(["1.5E+3", "1E5", "1.23456789012E+11"])]
    Bitrix24BulkWriteOperator(task_id="a", entity_type_id="company", rows=rows).execute(context())
    stored = {item["title"]: float(item["revenue"]) for item in portal.items(4) if item["title"].startswith("N")}
    assert stored == {"N0": 1500.0, "N1": 100000.0, "N2": 123456789012.0}


def test_a_decimal_comma_is_read_as_well(tmp_path: Path, portal: Sandbox, connection: None) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("title;revenue\nN0;1,5E+03\nN1;1,2346E+12\n", "utf-8")
    summary = Bitrix24BulkWriteOperator(
        task_id="a",
        entity_type_id="company",
        rows=str(path),
        csv={"delimiter": ";", "decimal": ","},
        max_failures=None,
    ).execute(context())
    assert [row["outcome"] for row in summary["outcomes"]] == ["written", "failed"]
    assert [float(item["revenue"]) for item in portal.items(4) if item["title"] == "N0"] == [1500.0]


def test_other_texts_are_sent_as_they_are_and_noted_where_digits_may_be_missing(
    tmp_path: Path, portal: Sandbox, connection: None, caplog: pytest.LogCaptureFixture
) -> None:
    report = tmp_path / "report.jsonl"
    rows = [{"title": text} for text in ("1E5", "2.5E+3", "4.07E+19", "Oak")]
    arguments = {"entity_type_id": "company", "rows": rows, "report": str(report)}
    dry = Bitrix24BulkWriteOperator(task_id="a", dry_run=True, **arguments).execute(context())
    assert (dry["ready"], dry["noted"]) == (4, 1)
    summary = Bitrix24BulkWriteOperator(task_id="b", **arguments).execute(context())
    assert (summary["written"], summary["noted"], summary["failed"]) == (4, 1, 0)
    titles = {item["title"] for item in portal.items(4)}
    assert titles >= {"1E5", "2.5E+3", "4.07E+19"}
    lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    noted = [line for line in lines if "message" in line]
    assert [line["row"] for line in noted] == [2]
    assert noted[0]["message"].startswith("title is '4.07E+19', as spreadsheets shorten long numbers")


def test_a_key_with_a_short_exponent_in_it_is_written(portal: Sandbox, connection: None) -> None:
    arguments = {"entity_type_id": "company", "key": "originId", "rows": [{"originId": "R-2E+1", "title": "Oak"}]}
    for outcome in ("created", "updated"):
        assert Bitrix24UpsertItemsOperator(task_id="a", **arguments).execute(context())[outcome] == 1
    assert [item["title"] for item in portal.items(4) if item["originId"] == "R-2E+1"] == ["Oak"]


def test_what_is_not_a_shortened_number_passes(client: Client) -> None:
    FieldNames(client, "crm.company.update").check(
        {"id": 1, "fields": {"ORIGIN_ID": "1E5", "COMMENTS": "4.07E+19", "REVENUE": "1.5E+3"}}
    )
    FieldNames(client, "crm.requisite.update").check({"id": 1, "fields": {"RQ_INN": "7701", "NAME": "1E5"}})
    FieldNames(client, "crm.contact.update").check({"id": 1, "fields": {"PHONE": [{"VALUE": "1E5"}]}})
    with pytest.raises(ConfigurationError, match="RQ_INN is "):
        FieldNames(client, "crm.requisite.update").check({"id": 1, "fields": {"RQ_INN": "7.7E+11"}})
