"""Real databases for loads: each with a connection for Airflow, and with a reader of its own."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.postgres import PostgresServer

#: Name of the Airflow connection.
CONN_ID = "target"
TARGETS = ("sqlite", "postgres")
VARIABLE = f"AIRFLOW_CONN_{CONN_ID.upper()}"


@dataclass(frozen=True)
class Target:
    """
    :param kind: ``"postgres"`` or ``"sqlite"``.
    :param connection_json: for ``AIRFLOW_CONN_…``.
    :param execute: executes a statement as another session than the load's, and returns its rows.
    """

    kind: str
    connection_json: str
    execute: Callable[..., list[Any]]

    def rows(self, table: str, columns: str = "*", order: str = "id") -> list[Any]:
        return [tuple(row) for row in self.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")]

    def columns(self, table: str) -> dict[str, str]:
        """Types of a table's columns, in the database's words; empty where there is no such table."""
        if self.kind == "sqlite":
            sql = f"SELECT name, type FROM pragma_table_info('{table}')"
        else:
            sql = (
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                f"WHERE attrelid = to_regclass('{table}') AND attnum > 0 ORDER BY attnum"
            )
        return dict(self.execute(sql))

    def tables(self) -> set[str]:
        if self.kind == "sqlite":
            return {name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {name for (name,) in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@contextmanager
def sqlite_target(folder: Path) -> Iterator[Target]:
    file = folder / "target.db"

    def execute(sql: str) -> list[Any]:
        with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
            return connection.execute(sql).fetchall()

    yield Target("sqlite", json.dumps({"conn_type": "sqlite", "host": str(file)}), execute)


def postgres_target(server: PostgresServer) -> Target:
    """The same server, with nothing in it."""
    server.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "GRANT ALL ON SCHEMA public TO public")
    return Target("postgres", server.connection_json(), server.execute)


class Reader(threading.Thread):
    """Looks at a table again and again, and keeps each different answer."""

    def __init__(self, target: Target, sql: str) -> None:
        super().__init__(daemon=True)
        self._target, self._sql = target, sql
        self.seen: set[Any] = set()
        self.looks = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.look()

    def look(self) -> None:
        self.seen.add(tuple(self._target.execute(self._sql)[0]))
        self.looks += 1

    def end(self) -> None:
        self._ended.set()
        self.join()
        self.look()
