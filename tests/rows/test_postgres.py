"""Rows of a real PostgreSQL, through Airflow's own hook: psycopg2 on Airflow 2.11, psycopg 3 on Airflow 3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from airflow.providers.postgres.hooks import postgres

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rows.queries import rows_of_query
from bench.postgres import PostgresServer
from tests.operators.context import context

ROWS = 1_200


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer("log_statement=all") as running:
        running.execute(
            f"CREATE TABLE firms AS SELECT id, 'Firm ' || id AS title FROM generate_series(0, {ROWS - 1}) AS id",
            "CREATE TABLE seen (id int)",
            "CREATE SEQUENCE numbers",
        )
        yield running


@pytest.fixture(autouse=True)
def firms(server, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", server.connection_json())


def statements(server: Any, sql: str) -> str:
    """What the server was log for a query."""
    before = len(server.log.read_bytes())
    for _ in rows_of_query(sql, "firms", []):
        pass
    return server.log.read_bytes()[before:].decode()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM firms ORDER BY id",
        "  select *\nfrom firms order by id;\n",
        "-- Firms of the day\nSELECT * FROM firms ORDER BY id",
        "/* Firms\nof the day */ SELECT * FROM firms ORDER BY id -- by id",
        "(SELECT * FROM firms) UNION (SELECT * FROM firms) ORDER BY 1",
        "WITH f AS (SELECT * FROM firms) SELECT * FROM f ORDER BY id",
        "VALUES (1, 'a'), (2, 'b')",
        "TABLE firms",
    ],
)
def test_the_result_stays_with_the_server_while_it_is_copied(sql, server):
    log = statements(server, sql)
    assert "DECLARE" in log
    assert "FETCH FORWARD 500" in log


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SHOW server_version", 1),
        ("EXPLAIN SELECT 1", 1),
    ],
)
def test_statements_that_no_cursor_of_the_server_takes_are_read_as_well(sql, rows, server):
    assert len(list(rows_of_query(sql, "firms", []))) == rows


@pytest.mark.parametrize(
    "sql",
    [
        "WITH s AS (INSERT INTO seen VALUES (1), (2) RETURNING id) SELECT * FROM s",
        "EXPLAIN ANALYZE DELETE FROM seen",
        "SELECT nextval('numbers')",
    ],
)
def test_what_a_query_changes_inside_is_refused_by_the_database(sql, server):
    with pytest.raises(ConfigurationError, match=r"sql would change the database.*in a read-only transaction"):
        next(rows_of_query(sql, "firms", []))
    assert server.execute("SELECT count(*) FROM seen") == [(0,)]


def test_the_rows_of_several_statements_are_not_lost():
    """psycopg 3 hands out those of the first, psycopg2 those of the last."""
    rows = rows_of_query("SELECT 1 AS id; SELECT 2 AS id UNION SELECT 3", "firms", [])
    if getattr(postgres, "USE_PSYCOPG3", False):
        with pytest.raises(ConfigurationError, match="sql has several statements that return rows"):
            next(rows)
    else:
        assert [row["id"] for row in rows] == [2, 3]


def test_the_database_is_let_go_before_the_first_row_is_written(server, portal, connection):
    open_sessions = []

    class Watching(Bitrix24BulkWriteOperator):
        def writer(self, client: Any, **options: Any) -> Any:
            writer = super().writer(client, **options)
            real = writer.send

            def send(rows: Any) -> Any:
                open_sessions.append(
                    server.execute(
                        "SELECT state, query FROM pg_stat_activity"
                        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                    )
                )
                return real(rows)

            writer.send = send
            return writer

    summary = Watching(
        task_id="task",
        entity_type_id="company",
        sql="SELECT title FROM firms ORDER BY id LIMIT 120",
        sql_conn_id="firms",
    ).execute(context())
    assert summary["written"] == 120
    assert open_sessions == [[], [], []]


@pytest.mark.parametrize("cursor", ["dictcursor", "namedtuplecursor", "realdictcursor"])
def test_rows_are_the_same_whatever_cursor_the_connection_names(cursor, server, monkeypatch):
    if cursor == "realdictcursor" and getattr(postgres, "USE_PSYCOPG3", False):
        # In its place there.
        cursor = "dictcursor"
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", server.connection_json(cursor=cursor))
    for sql in (
        "SELECT id, title FROM firms ORDER BY id LIMIT 2",
        "SHOW server_version",
    ):
        (first, *_) = rows_of_query(sql, "firms", [])
        assert first == {"id": 0, "title": "Firm 0"} or list(first) == ["server_version"]


def test_values_are_those_of_the_database():
    sql = """SELECT 1::bigint AS whole, 1.10::numeric AS exact, 0.5::float8 AS float, NULL::text AS none,
        'Ж' || chr(10) || '"' AS text, true AS flag, DATE '2026-01-02' AS day,
        TIMESTAMPTZ '2026-01-02 03:04:05+00' AS moment, ARRAY[1, 2] AS list, '{"a": [1]}'::jsonb AS object,
        '00000000-0000-0000-0000-000000000001'::uuid AS uuid, '\\x00ff'::bytea AS bytes"""
    (row,) = rows_of_query(sql, "firms", [])
    assert row["uuid"] in (UUID(int=1), str(UUID(int=1)))
    assert {name: value for name, value in row.items() if name != "uuid"} == {
        "whole": 1, "exact": Decimal("1.10"), "float": 0.5, "none": None, "text": 'Ж\n"', "flag": True,
        "day": date(2026, 1, 2), "moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "list": [1, 2],
        "object": {"a": [1]}, "bytes": b"\x00\xff",
    }  # fmt: skip
