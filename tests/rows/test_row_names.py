"""A row that was not done is named by its number, the line of its file, and its id or key."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.operators.context import StateStore, context
from tests.sqlite import sqlite_connection

UPSERT = {"entity_type_id": 4, "key": "originId"}
ADD = {"entity_type_id": 4}
UPDATE = {"entity_type_id": 4, "operation": "update"}
#: Operators with their arguments, and the method that adds.
KINDS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "add": (Bitrix24BulkWriteOperator, ADD, "crm.item.add"),
    "add by method": (
        Bitrix24BulkWriteOperator,
        {"method": "crm.company.add", "mapping": {"fields": {"TITLE": "$title", "ORIGIN_ID": "$originId"}}},
        "crm.company.add",
    ),
    "import": (Bitrix24ImportItemsOperator, ADD, "crm.item.batchImport"),
    "upsert": (Bitrix24UpsertItemsOperator, UPSERT, "crm.item.add"),
}
#: A file, and the line in which the row of each title begins, as an editor counts.
FILES: dict[str, tuple[str, dict[str, int]]] = {
    "a cell with line breaks": (
        'originId,title,comments\n1,Firm A,"x\ny\n\nz"\n2,Firm B,\n3,"Firm\nC",\n4,Firm D,\n',
        {"Firm A": 2, "Firm B": 6, "Firm\nC": 7, "Firm D": 9},
    ),
    "a header with line breaks": ('originId,title,"com\nments"\n1,Firm A,\n2,Firm B,\n', {"Firm A": 3, "Firm B": 4}),
    "a byte order mark": ("\ufefforiginId,title\n1,Firm A\n2,Firm B\n", {"Firm A": 2, "Firm B": 3}),
    "Excel's first line": ("\ufeffsep=;\r\noriginId;title\r\n1;Firm A\r\n2;Firm B\r\n", {"Firm A": 3, "Firm B": 4}),
    "blank lines": ("originId,title\n\n\n1,Firm A\n\n2,Firm B\n\n", {"Firm A": 4, "Firm B": 6}),
    "rows of nothing": ("originId,title\n,\n1,Firm A\n,\n2,Firm B", {"Firm A": 3, "Firm B": 5}),
    "ends of Windows": (
        'originId,title,comments\r\n1,Firm A,"x\r\ny"\r\n\r\n2,Firm B,\r\n',
        {"Firm A": 2, "Firm B": 5},
    ),
    "JSON lines": ('\ufeff\n{"originId": "1", "title": "Firm A"}\r\n \n\n{"originId": "2", "title": "Firm B"}', {
        "Firm A": 2, "Firm B": 5,
    }),
}  # fmt: skip


def file_of(folder: Any, name: str) -> Any:
    content, lines = FILES[name]
    file = folder / ("firms.jsonl" if name == "JSON lines" else "firms.csv")
    file.write_bytes(content.encode())
    return file, lines


def run(operator: Any, *, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(given or context())


def failure_of(operator: Any, *, given: dict[str, Any] | None = None, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, given=given, **arguments)
    return str(caught.value)


def lines_of(report: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines()]


@pytest.mark.parametrize("name", FILES)
def test_the_report_has_the_line_of_each_row(name, tmp_path, portal, connection):
    if name == "a header with line breaks":
        # Its last column is not a field.
        arguments = {**UPSERT, "mapping": {"originId": "$originId", "title": "$title"}}
    else:
        arguments = UPSERT
    file, lines = file_of(tmp_path, name)
    run(Bitrix24UpsertItemsOperator, rows=str(file), report=str(tmp_path / "report.jsonl"), **arguments)
    titles = {item["id"]: item["title"] for item in portal.items(4)}
    reported = lines_of(tmp_path / "report.jsonl")
    assert {titles[line["id"]]: line["line"] for line in reported if "id" in line} == lines
    assert [line["row"] for line in reported] == list(range(len(reported)))
    assert all(isinstance(line["line"], int) for line in reported)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a cell with line breaks", "JSON lines"])
@pytest.mark.parametrize("refused_by", ["us", "the portal"])
def test_log_error_and_summary_name_the_line_of_a_row_that_fails(
    kind, name, refused_by, tmp_path, portal, connection, caplog
):
    operator, arguments, method = KINDS[kind]
    file, lines = file_of(tmp_path, name)
    if refused_by == "the portal":
        portal.fault("error", method, code="NO_WAY", status=400, times=None)
    elif "method" in arguments:
        arguments = {**arguments, "mapping": {"fields": {"TITEL": "$title"}}}
    else:
        file.write_text(file.read_text().replace("title", "titel"))
    given = context()
    message = failure_of(operator, rows=str(file), given=given, **arguments)
    failed = [line for line in given["ti"].pushed["bitrix24_rows"]["outcomes"] if line["outcome"] == "failed"]
    place = f"row {failed[0]['row']}, line {failed[0]['line']}"
    assert failed[0]["line"] in lines.values()
    assert f"({place}" in message
    assert f"R{place[1:]}" in caplog.text
    if kind == "upsert":
        assert failed[0]["key"] == {"originId": str(failed[0]["row"] + 1)}
        assert f"({place}, originId '{failed[0]['row'] + 1}'; " in message


# Ids and keys of rows that cannot be sent


@pytest.mark.parametrize(
    ("operator", "arguments", "row", "named", "said"),
    [
        (Bitrix24BulkWriteOperator, UPDATE, {"id": 17, "titel": "x"}, {"id": 17}, "row 0, id 17"),
        (Bitrix24BulkWriteOperator, UPDATE, {"id": 17.0, "titel": "x"}, {"id": 17}, "row 0, id 17"),
        (Bitrix24BulkWriteOperator, UPDATE, {"id": " K-1 ", "title": "x"}, {"id": "K-1"}, "row 0, id K-1"),
        (Bitrix24BulkWriteOperator, UPDATE, {"id": 10**30, "title": "x"}, {"id": str(10**30)}, "row 0, id 1000"),
        (Bitrix24BulkWriteOperator, UPDATE, {"id": float("inf"), "title": "x"}, {"id": "inf"}, "row 0, id inf"),
        (Bitrix24BulkWriteOperator, UPDATE, {"id": None, "title": "x"}, {}, "(row 0; "),
        (Bitrix24BulkWriteOperator, UPDATE, {"title": "x"}, {}, "(row 0; "),
        (
            Bitrix24BulkWriteOperator,
            {"method": "crm.deal.update", "mapping": {"ID": "$deal", "fields": {"TITLE": "$name"}}},
            {"deal": 5, "title": "x"},
            {"id": 5},
            "row 0, id 5",
        ),
        (Bitrix24BulkWriteOperator, ADD, {"id": 17, "titel": "x"}, {}, "(row 0; "),
        (
            Bitrix24UpsertItemsOperator,
            UPSERT,
            {"ORIGIN_ID": 17.0, "titel": "x"},
            {"key": {"originId": "17"}},
            "row 0, originId '17'",
        ),
        (
            Bitrix24UpsertItemsOperator,
            {"entity_type_id": 4, "key": ["originatorId", "originId"], "mapping": {
                "originatorId": "shop", "originId": "K-$no", "title": "$name",
            }},
            {"no": 4, "title": "x"},
            {"key": {"originatorId": "shop", "originId": "K-4"}},
            "row 0, originatorId 'shop', originId 'K-4'",
        ),
        (
            Bitrix24UpsertItemsOperator,
            UPSERT,
            {"originId": 300 * "k", "title": "x"},
            {"key": {"originId": 254 * "k" + "…"}},
            "row 0, originId 'kkk",
        ),
        (
            Bitrix24UpsertItemsOperator,
            UPSERT,
            {"originId": "half \ud83d", "titel": "x"},
            {"key": {"originId": "half \\ud83d"}},
            "row 0, originId 'half ",
        ),
        (Bitrix24UpsertItemsOperator, UPSERT, {"originId": "", "title": "x"}, {}, "(row 0; "),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_sent_is_named_by_its_id_or_key(
    operator, arguments, row, named, said, tmp_path, portal, connection, caplog
):
    report = tmp_path / "report.jsonl"
    message = failure_of(operator, rows=[row], report=str(report), **arguments)
    (line,) = lines_of(report)
    assert {name: value for name, value in line.items() if name in ("line", "id", "key")} == named
    assert said in message
    assert said.strip("(; ").replace("row", "Row") in caplog.text


def test_a_dry_run_names_the_keys_of_new_rows(portal, connection, tmp_path):
    file, _ = file_of(tmp_path, "blank lines")
    summary = run(Bitrix24UpsertItemsOperator, rows=str(file), dry_run=True, **UPSERT)
    assert summary["outcomes"] == [
        {"row": 0, "line": 4, "outcome": "ready", "key": {"originId": "1"}},
        {"row": 1, "line": 6, "outcome": "ready", "key": {"originId": "2"}},
    ]


def test_rows_that_have_no_line_are_given_none(portal, connection, tmp_path, monkeypatch):
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"title": ["Firm A"]}), tmp_path / "firms.parquet")
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(tmp_path / "firms.db"))
    with sqlite3.connect(tmp_path / "firms.db") as database:
        database.execute("CREATE TABLE firms (title TEXT)")
        database.execute("INSERT INTO firms VALUES ('Firm A')")
    for source in (
        {"rows": str(tmp_path / "firms.parquet")},
        {"sql": "SELECT title FROM firms", "sql_conn_id": "firms"},
        {"rows": [{"title": "Firm A"}]},
        {"rows": '[\n{"title": "Firm A"}]'},
    ):
        (line,) = run(Bitrix24BulkWriteOperator, **source, **ADD)["outcomes"]
        assert line.keys() == {"row", "outcome", "id"}


# Several tries


def firms(folder: Any, titles: list[str], before: str = "") -> str:
    (folder / "firms.csv").write_text(
        f"originId,title\n{before}" + "".join(f'{number},"{title}"\n' for number, title in enumerate(titles))
    )
    return str(folder / "firms.csv")


@pytest.mark.parametrize(("operator", "arguments", "method"), [
    (Bitrix24UpsertItemsOperator, UPSERT, "crm.item.add"), (Bitrix24BulkWriteOperator, ADD, "crm.item.add"),
])  # fmt: skip
@pytest.mark.parametrize("before", ["", "\n\n"], ids=["the same file", "lines above"])
def test_a_retry_gives_the_lines_of_the_file_as_it_is_now_and_compares_none(
    operator, arguments, method, before, tmp_path, portal, connection
):
    titles = [f"Firm {number}" for number in range(120)]
    store, report = StateStore(), tmp_path / "report.jsonl"
    portal.fault("operation_time_limit", method, after=50, times=None)
    with pytest.raises(OperationTimeLimit):
        run(operator, given=context(store=store), rows=firms(tmp_path, titles), report=str(report), **arguments)
    portal.clear_faults()
    summary = run(
        operator,
        given=context(try_number=2, store=store),
        rows=firms(tmp_path, titles, before),
        report=str(report),
        **arguments,
    )
    assert (summary["rows"], summary["failed"], summary["unknown"]) == (120, 0, 0)
    assert [line["line"] for line in lines_of(report)] == [row + 2 + len(before) for row in range(120)]
    assert sorted(item["title"] for item in portal.items(4) if item["title"].startswith("Firm ")) == sorted(titles)


def test_a_failure_of_an_earlier_try_keeps_its_line_and_key(tmp_path, portal, connection, caplog):
    titles = ["Firm 0", 'Firm\n1"', *(f"Firm {number}" for number in range(2, 60))]
    file = firms(tmp_path, [title.replace('"', '""') for title in titles])
    store = StateStore()
    arguments = {**UPSERT, "rows": file, "max_failures": 5}
    portal.fault("error", "crm.item.add", code="NO_WAY", status=400, after=2, times=1)
    portal.fault("operation_time_limit", "crm.item.add", after=50, times=None)
    with pytest.raises(OperationTimeLimit):
        run(Bitrix24UpsertItemsOperator, given=context(store=store), **arguments)
    portal.clear_faults()
    caplog.clear()
    summary = run(Bitrix24UpsertItemsOperator, given=context(try_number=2, store=store), **arguments)
    (failed,) = [line for line in summary["outcomes"] if line["outcome"] == "failed"]
    assert (failed["row"], failed["line"], failed["key"]) == (2, 5, {"originId": "2"})
    assert "Row 2, line 5, originId '2': failed: " in caplog.text


def test_a_changed_file_of_added_rows_is_refused_with_the_lines_that_are_not_done(tmp_path, portal, connection):
    titles = [f"Firm {number}" for number in range(60)]
    store = StateStore()
    portal.fault("operation_time_limit", "crm.item.add", after=50, times=None)
    with pytest.raises(OperationTimeLimit):
        run(Bitrix24BulkWriteOperator, given=context(store=store), rows=firms(tmp_path, titles), **ADD)
    portal.clear_faults()
    message = failure_of(
        Bitrix24BulkWriteOperator,
        given=context(try_number=2, store=store),
        rows=firms(tmp_path, ["Firm 0", "New\nfirm", *titles[2:]]),
        **ADD,
    )
    assert "the rows from 1 (line 3) on differ" in message
    assert re.search(
        r"look first at the rows that are unknown \(1 \(lines 3\); .*\(not done: 50 to 59 \(lines 53 to 62\); ", message
    )


def test_a_line_that_is_not_an_object_is_refused_with_its_line(tmp_path, portal, connection):
    (tmp_path / "firms.jsonl").write_text('{"title": "Firm A"}\n\n[1]\n')
    message = failure_of(Bitrix24BulkWriteOperator, rows=str(tmp_path / "firms.jsonl"), **ADD)
    assert "line 3 of firms.jsonl is not an object" in message
