"""A source without rows: refused where it looks like a broken upload, named where it is an empty result."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import context
from tests.sqlite import sqlite_connection

OPERATORS: list[tuple[type, dict[str, Any]]] = [
    (Bitrix24BulkWriteOperator, {"entity_type_id": 4}),
    (Bitrix24BulkWriteOperator, {"method": "crm.deal.add", "mapping": {"fields": {"TITLE": "$title"}}}),
    (Bitrix24ImportItemsOperator, {"entity_type_id": 4}),
    (Bitrix24UpsertItemsOperator, {"entity_type_id": 4, "key": "originId"}),
]
NAMES = ["bulk write", "by method", "import", "upsert"]
WARNING = "The source has no row with a value, and nothing was written."
KINDS = ["a header", "blank rows", "json lines", "blank json lines", "parquet", "sql", "list", "text"]
each_operator = pytest.mark.parametrize(("operator", "arguments"), OPERATORS, ids=NAMES)
#: Every kind of source with one operator, and one kind with every operator.
each_source = pytest.mark.parametrize(
    ("operator", "arguments", "without_rows"),
    [*((*OPERATORS[0], kind) for kind in KINDS), *((*operator, "a header") for operator in OPERATORS[1:])],
    ids=[*KINDS, *NAMES[1:]],
    indirect=["without_rows"],
)


def run(operator: type, arguments: dict[str, Any], **source: Any) -> dict[str, Any]:
    given = context()
    return operator(task_id="task", **arguments, **source).execute(given)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no header in its first line"),
        ("\ufeff".encode(), "is empty"),
        (b"sep=;\r\n", "has no header in its first line"),
        (b" \r\n1,Oak\r\n", "has no header in its first line"),
        (b",,\n1,Oak,x\n", "has no header in its first line"),
    ],
    ids=["0 bytes", "blank lines", "a byte order mark", "Excel's line", "a blank first line", "no names"],
)
def test_a_csv_file_without_a_header_is_refused_by_name(content, what, tmp_path, portal, connection):
    (tmp_path / "firms.csv").write_bytes(content)
    with pytest.raises(AirflowFailException) as caught:
        run(*OPERATORS[0], rows=str(tmp_path / "firms.csv"))
    assert f"firms.csv {what}, and nothing says what its columns are: look whether it was written to its end" in str(
        caught.value
    )
    assert portal.executed("batch") == 0


@each_operator
def test_so_it_is_by_every_operator(operator, arguments, tmp_path, portal, connection):
    (tmp_path / "firms.csv").touch()
    with pytest.raises(AirflowFailException, match=r"firms\.csv is empty"):
        run(operator, arguments, rows=str(tmp_path / "firms.csv"))


@pytest.fixture
def without_rows(request, tmp_path, monkeypatch):
    """Arguments of a source without a row that has a value, and how many rows it has."""
    kind = request.param
    if kind == "sql":
        place = tmp_path / "firms.db"
        monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(place))
        with sqlite3.connect(place) as made:
            made.execute("CREATE TABLE firms (title TEXT)")
        return {"sql": "SELECT title FROM firms ORDER BY title", "sql_conn_id": "firms"}, 0
    if kind in ("list", "text"):
        return {"rows": [] if kind == "list" else "[]"}, 0
    if kind == "parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"title": pyarrow.array([], pyarrow.string())}), tmp_path / "r.parquet")
        return {"rows": str(tmp_path / "r.parquet")}, 0
    name, content, rows = {
        "a header": ("r.csv", "title,originId\n", 0),
        "blank rows": ("r.csv", "title,originId\n,\n,\n", 2),
        "json lines": ("r.jsonl", "", 0),
        "blank json lines": ("r.jsonl", '{"title": null}\n\n', 1),
    }[kind]
    (tmp_path / name).write_text(content)
    return {"rows": str(tmp_path / name)}, rows


@each_source
def test_no_rows_are_warned_of(operator, arguments, without_rows, portal, connection, all_output):
    source, rows = without_rows
    summary = run(operator, arguments, **source)
    assert (summary["rows"], summary["skipped"], summary["failed"]) == (rows, rows, 0)
    assert WARNING in f"{all_output.printed}{all_output.records}"
    assert portal.executed("batch") == 0


@each_source
@pytest.mark.parametrize("dry_run", [True, False])
def test_no_rows_fail_the_task_where_that_is_asked_for(operator, arguments, dry_run, without_rows, portal, connection):
    source, rows = without_rows
    given = context()
    with pytest.raises(Bitrix24Error) as caught:
        operator(task_id="task", on_empty="fail", dry_run=dry_run, **arguments, **source).execute(given)
    assert 'look at the source; where that may be so, give on_empty="warn"' in str(caught.value)
    assert given["ti"].pushed["bitrix24_rows"]["rows"] == rows


@each_operator
def test_one_row_is_enough(operator, arguments, portal, connection, all_output):
    rows = [{"title": ""}, {"title": "Oak", **({"originId": "7"} if "key" in arguments else {})}]
    summary = run(operator, arguments, rows=rows, on_empty="fail")
    assert (summary["rows"], summary["skipped"]) == (2, 1)
    assert WARNING not in f"{all_output.printed}{all_output.records}"


def test_a_misspelt_wish_is_refused_when_the_dag_is_parsed():
    with pytest.raises(AirflowFailException, match="on_empty is 'ignore': write one of: 'warn', 'fail'"):
        Bitrix24BulkWriteOperator(task_id="task", entity_type_id=4, rows=[], on_empty="ignore")


# Columns that are not those of the rows that are meant


def table(kind: str, columns: list[str], folder: Any, monkeypatch: Any, blank_rows: int = 0) -> dict[str, Any]:
    """Arguments of a source with these columns, and no row that has a value."""
    if kind == "sql":
        place = folder / "firms.db"
        monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(place))
        with sqlite3.connect(place) as made:
            named = ", ".join(f'"{column}" TEXT' for column in columns)
            made.execute(f"CREATE TABLE firms ({named})")
            for _ in range(blank_rows):
                made.execute("INSERT INTO firms DEFAULT VALUES")
        return {"sql": "SELECT * FROM firms", "sql_conn_id": "firms"}
    if kind == "parquet":
        import pyarrow
        from pyarrow import parquet

        values = pyarrow.array([None] * blank_rows, pyarrow.string())
        parquet.write_table(pyarrow.table(dict.fromkeys(columns, values)), folder / "r.parquet")
        return {"rows": str(folder / "r.parquet")}
    blank = ",".join([""] * len(columns))
    (folder / "r.csv").write_text("\n".join([",".join(columns), *[blank] * blank_rows, ""]))
    return {"rows": str(folder / "r.csv")}


UPDATE = (Bitrix24BulkWriteOperator, {"entity_type_id": 4, "operation": "update"})
BY_MAPPING = {"mapping": {"title": "$name", "originId": "K-$no"}}
MISFITS = [
    pytest.param(
        OPERATORS[0], {}, ["Titel"], "the source names 'Titel', which is not a field of a company", id="add"
    ),
    pytest.param(OPERATORS[2], {}, ["title", "citi"], "the source names 'citi'", id="import"),
    pytest.param(OPERATORS[3], {}, ["title"], "the source has no originId, which is the key", id="no key"),
    pytest.param(OPERATORS[3], {}, ["title", "origin"], "the source names 'origin'", id="misspelt key"),
    pytest.param(OPERATORS[3], {"mapping": {"title": "$t"}}, ["t"], "mapping has no originId", id="unmapped key"),
    pytest.param(OPERATORS[3], BY_MAPPING, ["name", "nr"], "the source has no column 'no'", id="in a longer text"),
    pytest.param(UPDATE, {}, ["title"], "the source has no column 'id'", id="no id"),
    pytest.param(UPDATE, {}, ["id", "ID", "title"], "the source has 'id' and 'ID'", id="two ids"),
    pytest.param(UPDATE, {"mapping": {"title": "$name"}}, ["id", "Name"], "no column 'name'", id="case"),
    pytest.param(OPERATORS[1], {}, ["TITLE"], "the source has no column 'title'", id="by method"),
    pytest.param(OPERATORS[0], {"mapping": {"titel": "$t"}}, ["t"], "mapping names 'titel'", id="misspelt mapping"),
    pytest.param(OPERATORS[1], {"mapping": {"ID": "$deal"}}, ["deal"], "the params have no fields", id="no fields"),
    pytest.param(
        (Bitrix24BulkWriteOperator, {"method": "crm.timeline.comment.add"}),
        {},
        ["COMMENT"],
        "the params have no fields",
        id="another method",
    ),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet", "sql"])
@pytest.mark.parametrize(("operator", "arguments", "columns", "what"), MISFITS)
def test_columns_that_no_row_could_be_sent_with_are_refused_without_rows(
    operator, arguments, columns, what, kind, tmp_path, portal, connection, monkeypatch
):
    if kind == "sql" and "ID" in columns:
        kind = "csv"
    source = table(kind, columns, tmp_path, monkeypatch)
    with pytest.raises(AirflowFailException) as caught:
        run(operator[0], {**operator[1], **arguments}, **source)
    assert what in str(caught.value)
    assert "(the source has no row with a value)" in str(caught.value)
    assert portal.executed("batch") == 0


@pytest.mark.parametrize("kind", ["csv", "parquet", "sql"])
def test_so_they_are_where_rows_are_blank_and_in_a_dry_run(kind, tmp_path, portal, connection, monkeypatch):
    source = table(kind, ["Titel"], tmp_path, monkeypatch, blank_rows=3)
    for dry_run in (True, False):
        with pytest.raises(AirflowFailException, match="the source names 'Titel'"):
            run(*OPERATORS[0], **source, dry_run=dry_run)


@pytest.mark.parametrize("kind", ["csv", "parquet", "sql"])
@pytest.mark.parametrize(
    ("operator", "arguments", "columns"),
    [
        (OPERATORS[0], {}, ["TITLE", "PHONE", "comments"]),
        (OPERATORS[2], {}, ["title", "EMAIL"]),
        (OPERATORS[3], {}, ["ORIGIN_ID", "title"]),
        (OPERATORS[3], BY_MAPPING, ["no", "name", "another column"]),
        (UPDATE, {}, ["ID", "title"]),
        (UPDATE, {"mapping": {"title": "$name"}}, ["id", "name", "Titel"]),
        (OPERATORS[1], {}, ["title", "x"]),
        ((Bitrix24BulkWriteOperator, {"method": "im.notify.system.add"}), {}, ["USER_ID", "MESSAGE"]),
    ],
)
def test_the_right_columns_without_rows_are_taken(
    operator, arguments, columns, kind, tmp_path, portal, connection, monkeypatch
):
    summary = run(operator[0], {**operator[1], **arguments}, **table(kind, columns, tmp_path, monkeypatch))
    assert (summary["rows"], summary["failed"]) == (0, 0)


# Files that hold something else than a table

PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Log in</body></html>\n"
ARCHIVE = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00title\n"
LOOKS = [
    ("r.csv", PAGE, "is not CSV, but a page of HTML or XML"),
    ("r.csv", b"\xef\xbb\xbf\n  <html lang=en>", "a page of HTML or XML"),
    ("r.csv", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a page of HTML or XML"),
    ("r.csv", ARCHIVE, "a ZIP archive or an Excel workbook"),
    ("r.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook or another file of Office"),
    ("r.csv", b"\x1f\x8b\x08\x00", "compressed with gzip"),
    ("r.csv", b"%PDF-1.7\n", "a PDF"),
    ("r.csv", b"PAR1\x15\x04", "but Parquet"),
    ("r.csv", b'{"error": "expired_token"}', "but JSON"),
    ("r.csv", b'[{"title": "Oak"}]', "but a JSON array"),
    ("r.csv", b"[]", "but a JSON array"),
    ("r.csv", "title\n".encode("utf-16-le"), "bytes that are not text"),
    ("r.jsonl", b'[\n  {"title": "Oak"}\n]', "is not JSON lines, but a JSON array"),
    ("r.jsonl", b'[{"title": "Oak"}]', "is not JSON lines, but a JSON array"),
    ("r.jsonl", b"[]", "a JSON array"),
    ("r.ndjson", PAGE, "a page of HTML or XML"),
    ("r.jsonl", ARCHIVE, "a ZIP archive"),
    ("r.jsonl", b"title\n", "line 1 of r.jsonl is not JSON"),
    ("r.parquet", PAGE, "is not Parquet, but a page of HTML or XML"),
    ("r.parquet", b'{"error": "expired_token"}', "but JSON"),
    ("r.parquet", ARCHIVE, "a ZIP archive"),
    ("r.parquet", b"", "cannot be read as Parquet"),
]


@pytest.mark.parametrize(("name", "content", "what"), LOOKS)
def test_a_file_that_holds_something_else_is_refused_by_what_it_is(name, content, what, tmp_path, portal, connection):
    (tmp_path / name).write_bytes(content)
    # A mapping without columns would take any.
    for mapping in ({}, {"mapping": {"title": "Oak"}}):
        with pytest.raises(AirflowFailException) as caught:
            run(*OPERATORS[0], rows=str(tmp_path / name), **mapping)
        assert what in str(caught.value)
    assert portal.executed("batch") == 0


def test_an_archive_is_not_read_as_text_of_another_charset(tmp_path, portal, connection):
    (tmp_path / "r.csv").write_bytes(ARCHIVE)
    with pytest.raises(AirflowFailException, match="a ZIP archive"):
        run(*OPERATORS[0], rows=str(tmp_path / "r.csv"), csv={"encoding": "cp1251"})


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (b"<DATE>,<TICKER>\n1,Oak\n", {"mapping": {"title": "$<TICKER>"}}),
        (b"[id],[name]\n1,Oak\n", {"mapping": {"title": "$[name]"}}),
        (b"PK,name\n1,Oak\n", {"mapping": {"title": "$name"}}),
        ("id,name\n1,Oak\n".encode("utf-16"), {"mapping": {"title": "$name"}, "csv": {"encoding": "utf-16"}}),
        ("id,name\n1,Oak\n".encode("utf-16-le"), {"mapping": {"title": "$name"}, "csv": {"encoding": "utf-16-le"}}),
        (b'name\n"<html>{""a"": 1}"\n', {"mapping": {"title": "$name"}}),
        (b'name\n[{"a": 1}]\n', {"mapping": {"title": "$name"}}),
    ],
)
def test_tables_that_begin_strangely_are_read(content, arguments, tmp_path, portal, connection):
    (tmp_path / "r.csv").write_bytes(content)
    assert run(*OPERATORS[0], rows=str(tmp_path / "r.csv"), **arguments)["written"] == 1
