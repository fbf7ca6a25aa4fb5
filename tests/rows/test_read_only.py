"""A source of rows changes nothing in its database, in a dry run or not."""

from __future__ import annotations

import json
import sqlite3

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rows.queries import rows_of_query
from airflow_provider_bitrix24.rows.read_only import check_reads
from tests.operators.context import context


@pytest.fixture
def database(tmp_path, monkeypatch):
    place = tmp_path / "firms.db"
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", json.dumps({"conn_type": "sqlite", "host": str(place)}))
    connection = sqlite3.connect(place)
    connection.executescript("CREATE TABLE firms (id INTEGER, title TEXT); INSERT INTO firms VALUES (1, 'Oak')")
    yield connection
    connection.close()


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DROP TABLE firms", "sql has a statement that begins with DROP, and a source of rows must not change"),
        ("-- all\n/* of it */ delete from firms", "begins with DELETE"),
        ("UPDATE firms SET title = 'Elm' RETURNING title", "begins with UPDATE"),
        ("CREATE TABLE more AS SELECT * FROM firms", "begins with CREATE"),
        ("WITH f AS (SELECT 1) DELETE FROM firms", "has DELETE behind WITH"),
        # Not named, but refused by the database.
        ("PRAGMA user_version = 7", r"sql would change the database, and a source of rows only reads \(attempt to"),
    ],
)
def test_a_statement_that_changes_the_database_is_refused_and_changes_nothing(
    sql, named, dry_run, database, portal, connection
):
    task = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id="company", sql=sql, sql_conn_id="firms", dry_run=dry_run
    )
    with pytest.raises(AirflowFailException, match=named):
        task.execute(context())
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("firms",)]
    assert database.execute("SELECT * FROM firms").fetchall() == [(1, "Oak")]
    assert database.execute("PRAGMA user_version").fetchone() == (0,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT replace(title, 'a;b', 'c') AS t FROM firms -- ; drop table firms",
        "SELECT 'it''s; delete from firms' AS \"into\", x AS [into] FROM firms",
        "WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a FOR UPDATE",
        "SELECT * FROM (VALUES (1)) AS v (id); ",
        "SELECT $t$; drop table firms$t$",
        "(SELECT 1) UNION (SELECT 2)",
        "FROM firms", "TABLE firms", "SHOW TABLES", "EXPLAIN SELECT 1", "EXEC firms_of_the_day", "CALL firms()",
    ],
)  # fmt: skip
def test_what_only_reads_is_sent(sql):
    check_reads(sql)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; drop table firms", "SELECT * INTO more FROM firms", "COMMIT; SELECT 1", "MERGE INTO firms USING x"],
)
def test_a_change_is_found_wherever_it_stands(sql):
    with pytest.raises(ConfigurationError, match="write a query that only reads"):
        check_reads(sql)


def test_a_statement_without_rows_claims_no_rollback(database):
    with pytest.raises(ConfigurationError, match="whether it has changed something, only the database knows"):
        next(rows_of_query("PRAGMA shrink_memory", "firms", []))
