"""Real databases for loads: each with a connection for Airflow, and with a reader of its own."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.postgres import PostgresServer
from tests.sqlite import sqlite_connection
from tests.transfers.clickhouse import IS_ASKED_FOR, ClickHouseServer
from tests.transfers.mariadb import MariaServer

#: Name of the Airflow connection.
CONN_ID = "target"
TARGETS = ("sqlite", "postgres", "mysql", "duckdb", *(["clickhouse"] if IS_ASKED_FOR else []))
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
        table = self.newest(table)
        return [tuple(row) for row in self.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")]

    def newest(self, table: str) -> str:
        """The table as a statement selects from it; in ClickHouse one that has a key may hold older rows too."""
        if self.kind != "clickhouse":
            return table
        name, where, rest = table.partition(" WHERE ")
        (keeps_newest,) = self.execute(f"SELECT count() FROM system.tables WHERE name = '{name.rpartition('.')[2]}' "
            "AND engine = 'ReplacingMergeTree'")[0]  # fmt: skip
        return f"{name}{' FINAL' if keeps_newest else ''}{where}{rest}"

    def columns(self, table: str) -> dict[str, str]:
        """Types of a table's columns, in the database's words; empty where there is no such table."""
        if self.kind == "clickhouse":
            sql = f"SELECT name, type FROM system.columns WHERE table = '{table}' AND default_kind = ''"
        elif self.kind == "sqlite":
            sql = f"SELECT name, type FROM pragma_table_info('{table}')"
        elif self.kind != "postgres":
            type_ = "data_type" if self.kind == "duckdb" else "column_type"
            sql = f"SELECT column_name, {type_} FROM information_schema.columns"
            sql = f"{sql} WHERE table_name = '{table}' ORDER BY ordinal_position"
        else:
            sql = (
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                f"WHERE attrelid = to_regclass('{table}') AND attnum > 0 ORDER BY attnum"
            )
        return dict(self.execute(sql))

    def refuse(self, table: str, column: str, text: str) -> None:
        """Let the table refuse the text of its row 7 from another load."""
        self.execute(f"DELETE FROM {table} WHERE id = 7")
        if self.kind == "clickhouse":
            self.execute(f"ALTER TABLE {table} ADD CONSTRAINT refused CHECK ifNull({column}, '') != '{text}'")
            return
        length = "(100)" if self.kind == "mysql" else ""
        self.execute(f"CREATE UNIQUE INDEX refused ON {table} ({column}{length})")
        self.execute(f"INSERT INTO {table} (id, {column}) VALUES (999, '{text}')")

    def take(self, table: str) -> None:
        """Let the table take what it has refused."""
        is_rule = self.kind == "clickhouse"
        self.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT refused" if is_rule else f"DELETE FROM {table} WHERE id = 999"
        )

    def tables(self) -> set[str]:
        if self.kind == "sqlite":
            return {name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if self.kind == "clickhouse":
            sql = "SELECT name FROM system.tables WHERE database = currentDatabase()"
            return {name for (name,) in self.execute(sql)}
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


def clickhouse_target(server: ClickHouseServer) -> Target:
    """The same server, with nothing in it."""
    server.execute("DROP DATABASE IF EXISTS loads SYNC", "CREATE DATABASE loads")
    connection_json = server.connection_json("loads")
    return Target("clickhouse", connection_json, lambda sql: server.execute(_spelled(sql), database="loads"))


def _spelled(sql: str) -> str:
    """A statement as ClickHouse spells it."""
    update = re.fullmatch(r"UPDATE (\w+) SET (.*?)(?: WHERE (.*))?", sql)
    if update:
        table, changes, where = update.groups()
        return f"ALTER TABLE {table} UPDATE {changes} WHERE {where or 'true'} SETTINGS mutations_sync = 2"
    return sql.replace(" SCHEMA ", " DATABASE ")


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
