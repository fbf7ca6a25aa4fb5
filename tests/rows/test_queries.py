"""The result of a query is copied to a private file first: neither the database nor the memory waits for the load."""

from __future__ import annotations

import errno
import gc
import io
import os
import sqlite3
import tempfile
import tracemalloc
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rows import queries
from tests.operators.context import context
from tests.sleepless import sleepless
from tests.sqlite import sqlite_connection

ROWS = 40_000


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A table of firms, behind the connection ``firms``."""
    place = tmp_path / "firms.db"
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(place))
    with sqlite3.connect(place, timeout=0.1) as connection:
        connection.execute("CREATE TABLE firms (id INTEGER, title TEXT)")
        connection.executemany("INSERT INTO firms VALUES (?, ?)", ((n, f"Firm {n} " + "x" * 200) for n in range(ROWS)))
        connection.commit()
        yield connection


def rows() -> Any:
    return queries.rows_of_query("SELECT id, title FROM firms ORDER BY id", "firms", [])


def open_files() -> set[str]:
    """Files of this process in the folder of temporary files, deleted ones included."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(descriptor))
        except OSError:
            continue
    return {name for name in found if name.startswith(tempfile.gettempdir())}


def test_a_query_that_the_database_refuses_names_its_connection(tmp_path, monkeypatch, portal, connection, all_output):
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", sqlite_connection(tmp_path / "empty.db"))
    task = sleepless(Bitrix24BulkWriteOperator)(
        task_id="task", entity_type_id="company", sql="SELECT title FROM firms", sql_conn_id="empty"
    )
    with pytest.raises(Bitrix24Error) as caught:
        task.execute(context())
    assert str(caught.value) == (
        "the database of the connection 'empty' did not answer sql (OperationalError: no such table: firms): "
        "correct the query, or sql_conn_id; else look whether the database can be reached"
    )
    # SQLite says the same of a file that is locked.
    assert caught.value.retryable
    with pytest.raises(Bitrix24Error) as caught:
        next(queries.rows_of_query("SELECT title FROM firms", "empty", []))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert "has no row with a value" not in f"{all_output.records}{all_output.printed}"
    assert portal.count("crm.item.add") == portal.count("batch") == 0


@pytest.mark.parametrize(
    ("written", "rendered", "lost"),
    [
        ("SELECT title FROM firms WHERE id > '{{ x }}'", "SELECT title FROM firms WHERE id > 'None'", "'None'"),
        ("SELECT title FROM firms WHERE id >= '{{ x }}'", "SELECT title FROM firms WHERE id >= ''", "''"),
        (
            "SELECT title FROM {{ t }}\nWHERE id > {{ x }} ORDER BY id\n",
            "SELECT title FROM firms\nWHERE id > nan ORDER BY id",
            "'nan'",
        ),
        (
            "SELECT title FROM firms WHERE id BETWEEN '{{ a }}' AND '{{ x }}'",
            "SELECT title FROM firms WHERE id BETWEEN '1' AND ''",
            "''",
        ),
    ],
)
def test_a_template_that_was_lost_in_a_query_is_named(written, rendered, lost, database, portal, connection):
    task = Bitrix24BulkWriteOperator(task_id="task", entity_type_id="company", sql=written, sql_conn_id="firms")
    task.sql = rendered
    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())
    assert f"sql has '{{{{ x }}}}', which came out as {lost}: it has no value: check the template" in str(caught.value)
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("SELECT 1 AS title WHERE '' = '{{ x }}'", "SELECT 1 AS title WHERE '' = ''"),
        ("SELECT 1 AS title {{ x }}", "SELECT 1 AS title "),
        ("SELECT {{ x }} AS title", "SELECT null AS title"),
        ("SELECT 'None' AS title WHERE 1 = {{ x }}", "SELECT 'None' AS title WHERE 1 = 1"),
        ("SELECT '{{ a }}{{ x }}' AS title", "SELECT 'None' AS title"),
        ("{% if x %}SELECT 1{% endif %} AS title WHERE 1 > '{{ x }}'", "SELECT 1 AS title WHERE 1 > ''"),
    ],
)
def test_a_query_that_says_what_it_says_is_sent(written, rendered, database, portal, connection):
    task = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id="company", sql=written, sql_conn_id="firms", dry_run=True
    )
    task.sql = rendered
    assert task.execute(context())["failed"] == 0


def test_what_no_retry_helps_in_a_query_fails_at_once(monkeypatch, database, portal, connection):
    monkeypatch.setattr(queries, "_cursor", lambda *_: database.cursor(Unwilling))
    task = Bitrix24BulkWriteOperator(task_id="task", entity_type_id="company", sql="SELECT 1", sql_conn_id="firms")
    with pytest.raises(AirflowFailException, match=r"did not answer sql \(ProgrammingError: column x does not exist\)"):
        task.execute(context())


class Unwilling(sqlite3.Cursor):
    """As drivers of servers say that a name is wrong: in several lines."""

    def execute(self, *_: Any) -> Any:
        raise sqlite3.ProgrammingError("column x does not exist\nLINE 1: SELECT x")


def test_a_full_disk_is_not_taken_for_the_database(monkeypatch, database):
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(queries.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(
        ConfigurationError, match=r"cannot be kept on the disk of this worker .*No space left"
    ) as caught:
        next(rows())
    assert caught.value.retryable


def test_the_database_is_let_go_before_the_first_row_is_there(database):
    result = rows()
    assert next(result)["id"] == 0
    # With a cursor still open, SQLite would say that the database is locked.
    database.execute("DROP TABLE firms")
    database.commit()
    assert [row["id"] for row in result] == list(range(1, ROWS))


def test_a_load_that_writes_into_the_table_that_it_reads_is_possible(database, portal, connection):
    """What was added meanwhile is not seen: the result was copied before."""

    def more() -> Any:
        for row in rows():
            if row["id"] in (0, 60):
                database.execute("INSERT INTO firms VALUES (?, 'late')", (ROWS + row["id"],))
                database.commit()
            if row["id"] < 120:
                yield row

    summary = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id=4, rows=more(), mapping={"title": "$title"}
    ).execute(context())
    assert summary["written"] == 120


def test_memory_does_not_hold_the_result(database):
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    count = sum(1 for _ in rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == ROWS
    # The result has 9 MiB.
    assert peak - before < 3 * 1024 * 1024


@pytest.mark.parametrize("until", ["the end", "an error", "the first row"])
def test_the_file_has_no_name_and_is_gone_with_its_reader(until, database):
    before = open_files()
    result = rows()
    next(result)
    (spool,) = open_files() - before
    assert "(deleted)" in spool or not Path(spool).exists()
    if until == "the end":
        assert sum(1 for _ in result) == ROWS - 1
    elif until == "an error":
        with pytest.raises(RuntimeError):
            result.throw(RuntimeError("the task failed"))
    result.close()
    assert open_files() == before


def test_a_result_that_is_too_large_is_refused(database, monkeypatch):
    monkeypatch.setattr(queries, "MAX_SPOOL_BYTES", 2 * 1024**2)
    with pytest.raises(ConfigurationError, match="the result of sql is larger than 0 GiB: select fewer columns"):
        next(rows())


class Cursor:
    """As drivers have them; ``description`` comes with the first rows, as in psycopg2 on the server's side."""

    def __init__(self, values: list[Any]) -> None:
        self._rows = [values]
        self.description: Any = None

    def execute(self, sql: str) -> None:
        assert self.description is None

    def fetchmany(self, size: int) -> list[Any]:
        self.description = [("a",)]
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        pass


def values_of(value: Any) -> Any:
    """What comes of a value of a database."""
    connection = SimpleNamespace(cursor=lambda **options: Cursor([value]), close=lambda: None)
    (row,) = queries._spooled(SimpleNamespace(get_conn=lambda: connection), "firms", "SELECT a", [])
    return row["a"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Decimal("1.10"), Decimal("1.10")), (None, None), (memoryview(b"x"), b"x"),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc)),
        (SimpleNamespace(read=lambda: "a large object"), "a large object"), ({"a": [1]}, {"a": [1]}),
    ],
    ids=str,
)  # fmt: skip
def test_values_of_a_database_stay_what_they_are(value, read):
    assert values_of(value) == read


def test_a_value_that_cannot_be_kept_is_refused():
    with pytest.raises(ConfigurationError, match="the result of sql has a value that cannot be kept"):
        values_of(lambda: None)
