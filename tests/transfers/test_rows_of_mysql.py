"""A source of rows changes nothing in a MySQL database, where a function of the database would."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rows.queries import rows_of_query


def test_what_a_query_changes_inside_is_refused_by_the_database(maria_server, monkeypatch):
    maria_server.execute(
        "CREATE DATABASE rows_source",
        "CREATE TABLE rows_source.seen (id int)",
        "CREATE FUNCTION rows_source.see() RETURNS int BEGIN INSERT INTO rows_source.seen VALUES (1); RETURN 1; END",
    )
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", maria_server.connection_json("rows_source"))
    assert list(rows_of_query("SELECT 7 AS id", "firms", [])) == [{"id": 7}]
    with pytest.raises(ConfigurationError, match="sql would change the database, and a source of rows only reads"):
        next(rows_of_query("SELECT see() AS id", "firms", []))
    assert maria_server.execute("SELECT * FROM rows_source.seen") == []
