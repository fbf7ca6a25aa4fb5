"""A source without rows: refused where it looks like a broken upload, named where it is an empty result."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import context

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
        ("\ufeff".encode(), "has no header in its first line"),
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
        monkeypatch.setenv("AIRFLOW_CONN_FIRMS", json.dumps({"conn_type": "sqlite", "host": str(place)}))
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
