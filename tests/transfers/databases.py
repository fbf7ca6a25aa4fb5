"""Real databases for loads: each with a connection for Airflow, and with a reader of its own."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.postgres import PostgresServer
from tests.sqlite import sqlite_connection
from tests.transfers.mariadb import MariaServer

#: Name of the Airflow connection.
CONN_ID = "target"
TARGETS = ("sqlite", "postgres", "mysql", "duckdb")
VARIABLE = f"AIRFLOW_CONN_{CONN_ID.upper()}"


@dataclass(frozen=True)
class Target:
    """
    :param kind: one of ``TARGETS``.
    :param connection_json: for ``AIRFLOW_CONN_…``.
    :param execute: executes a statement as another session than the load's, and returns its rows.
    :param session: the same as one session that stays; None where each statement may be a session.
    """

    kind: str
    connection_json: str
    execute: Callable[..., list[Any]]
    session: Callable[[], Any] | None = None

    def rows(self, table: str, columns: str = "*", order: str = "id") -> list[Any]:
        return [tuple(row) for row in self.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")]

    def columns(self, table: str) -> dict[str, str]:
        """Types of a table's columns, in the database's words; empty where there is no such table."""
        if self.kind == "sqlite":
            sql = f"SELECT name, type FROM pragma_table_info('{table}')"
        elif self.kind != "postgres":
            type_ = "column_type" if self.kind == "mysql" else "data_type"
            sql = f"SELECT column_name, {type_} FROM information_schema.columns"
            sql = f"{sql} WHERE table_name = '{table}' ORDER BY ordinal_position"
        else:
            sql = (
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                f"WHERE attrelid = to_regclass('{table}') AND attnum > 0 ORDER BY attnum"
            )
        return dict(self.execute(sql))

    def tables(self) -> set[str]:
        if self.kind == "sqlite":
            return {name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if self.kind != "postgres":
            of = "table_schema = database()" if self.kind == "mysql" else "table_type = 'BASE TABLE'"
            return {name for (name,) in self.execute(f"SELECT table_name FROM information_schema.tables WHERE {of}")}
        return {name for (name,) in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@contextmanager
def sqlite_target(folder: Path) -> Iterator[Target]:
    file = folder / "target.db"

    def execute(sql: str) -> list[Any]:
        with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
            return connection.execute(sql).fetchall()

    yield Target("sqlite", sqlite_connection(file), execute)


@contextmanager
def duckdb_target(folder: Path) -> Iterator[Target]:
    """One process at a time has the file open; a reader in the process of the load shares it."""
    import duckdb

    file = str(folder / "target.duckdb")
    # What Airflow's hook sets.
    config = {
        "autoinstall_known_extensions": False, "autoload_known_extensions": True, "allow_community_extensions": False,
    }  # fmt: skip

    @contextmanager
    def session() -> Iterator[Callable[..., list[Any]]]:
        with closing(duckdb.connect(file, config=config)) as connection:

            def execute(sql: str) -> list[Any]:
                # Without pytz, moments come as Arrow only.
                table = connection.execute(sql).to_arrow_table()
                return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

            yield execute

    def execute(sql: str) -> list[Any]:
        with session() as execute_in_session:
            return execute_in_session(sql)

    yield Target("duckdb", json.dumps({"conn_type": "duckdb", "host": file}), execute, session)


def mysql_target(server: MariaServer) -> Target:
    """The same server, with nothing in it."""
    server.execute("DROP DATABASE IF EXISTS loads", "CREATE DATABASE loads")
    return Target("mysql", server.connection_json("loads"), lambda sql: server.execute("USE loads", sql))


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
        self._begun, self._ended = threading.Event(), threading.Event()

    def start(self) -> None:
        super().start()
        assert self._begun.wait(60)

    def run(self) -> None:
        with self._target.session() if self._target.session else nullcontext(self._target.execute) as execute:
            while not self._ended.is_set():
                self.seen.add(tuple(execute(self._sql)[0]))
                self.looks += 1
                self._begun.set()

    def end(self) -> None:
        self._ended.set()
        self.join()
        self.seen.add(tuple(self._target.execute(self._sql)[0]))
