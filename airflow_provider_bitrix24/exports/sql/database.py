"""A database through the hook of an Airflow connection: transactions, and errors that hold no customer's value."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_bitrix24._compat import AirflowNotFoundException, BaseHook
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.exports.sql import clickhouse
from airflow_provider_bitrix24.exports.sql.kinds import DatabaseKind, kind_of
from airflow_provider_bitrix24.exports.sql.table_names import TableName
from airflow_provider_bitrix24.hooks.missing_connections import not_defined

_ROWS_AT_ONCE = 10_000
#: Classes of PEP 249, and of DuckDB, for what may succeed later.
_MAY_SUCCEED = {"OperationalError", "InterfaceError", "InternalError", "TransactionException", "IOException"}
#: Errors of MySQL of which the same holds: a lock that lasts, a deadlock, a server that is gone.
_MAY_SUCCEED_NUMBERS = {1205, 1213, 2003, 2006, 2013, 2055}
#: Classes of SQLSTATE whose messages name tables, columns, rights and connections, and never a row's values.
_TELLING_STATES = ("08", "0A", "28", "3D", "3F", "40", "42", "53", "55", "57")
#: Classes of DuckDB of which the same holds.
_TELLING_CLASSES = {"BinderException", "CatalogException", "IOException", "PermissionException", "TransactionException"}


class Database:
    """
    One connection to a database.

    :param kind: what differs between databases.
    :param connection: of the driver, in which statements begin and end transactions.
    """

    def __init__(self, kind: DatabaseKind, connection: Any) -> None:
        self.kind = kind
        self.connection = connection

    @classmethod
    def open(cls, conn_id: str) -> Database:
        """
        Connect as an Airflow connection says.

        :raises ConfigurationError: no such connection, one of another kind, or a driver that is not installed.
        :raises Bitrix24Error: the database cannot be reached.
        """
        try:
            connection = BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            raise not_defined(conn_id) from None
        kind = kind_of(connection.conn_type, conn_id)
        try:
            hook = connection.get_hook()  # type: ignore[no-untyped-call]
        except Exception as error:
            raise ConfigurationError(
                f"the connection {conn_id!r} needs Airflow's provider of {kind.name} ({type(error).__name__})",
                next_step=f"pip install 'airflow-provider-bitrix24[{kind.extra}]'",
            ) from None
        with _without_values(kind, "to connect"):
            return cls(kind, kind.open(hook))

    def close(self) -> None:
        with suppress(Exception):
            self.connection.close()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Execute one statement, and return its rows."""
        with _without_values(self.kind, _gist(sql)):
            cursor = self.kind.cursor(self.connection)
            # Without parameters, a percent sign is one.
            cursor.execute(sql, tuple(params)) if params else cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def numbers(self, sql: str) -> array[int]:
        """The whole numbers of a query, in little memory."""
        with _without_values(self.kind, _gist(sql)):
            cursor = self.kind.cursor(self.connection)
            cursor.execute(sql)
            found = array("q")
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                found.extend(int(row[0]) for row in rows)
            return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it, or nothing; statement by statement where a database has no transactions."""
        if self.kind.begin is None:
            yield
            return
        self.execute(self.kind.begin)
        try:
            yield
        except BaseException:
            # Where the connection is lost, the database does so itself.
            with suppress(Exception):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def stage(self, table: TableName, columns: list[str], batch: Any) -> None:
        """Put the rows of a record batch into a table, in the driver's fast way."""
        with _without_values(self.kind, f"rows of {table}"):
            quoted = [self.kind.quoted(name) for name in columns]
            self.kind.stage(self.connection, self.kind.table(table), quoted, batch)

    def columns(self, table: TableName) -> dict[str, str]:
        """Names and types of a table's columns; empty where there is no such table."""
        sql, params = self.kind.catalogue(table, self.kind.table(table))
        return {_text(name): _text(type_) for name, type_ in self.execute(sql, params)}

    def create(
        self, table: TableName, columns: Mapping[str, str], key: Sequence[str] = (), newer: str | None = None
    ) -> None:
        """
        Create a table where there is none of its name.

        :param newer: its column of the time of change, by which rows replace each other.
        """
        quoted = self.kind.quoted
        named = {quoted(name): type_ for name, type_ in columns.items()}
        newer = None if newer is None else quoted(newer)
        made = self.kind.create(self.kind.table(table), named, [quoted(name) for name in key], newer)
        self.execute(f"{made}{self.kind.table_options}")

    def add_column(self, table: TableName, name: str, type_: str) -> None:
        self.execute(f"ALTER TABLE {self.kind.table(table)} ADD COLUMN {self.kind.quoted(name)} {type_}")

    def drop(self, table: TableName) -> None:
        self.execute(f"DROP TABLE IF EXISTS {self.kind.table(table)}")


def _text(value: Any) -> str:
    """Drivers of MySQL have bytes in the catalogue."""
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)


def _gist(sql: str) -> str:
    """The beginning of a statement, which has no value in it."""
    words = re.match(r"[A-Z ]+(?:[\"`][^\"`]*[\"`]\.?)*", sql)
    return words[0].strip() if words else "a statement"


@contextmanager
def _without_values(kind: DatabaseKind, what: str) -> Iterator[None]:
    """Make one error of the driver's, without the values that it may quote and without its chain."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0].lstrip("_") not in kind.drivers:
            raise
        failure = _failure(kind, what, error)
    else:
        return
    raise failure


def _failure(kind: DatabaseKind, what: str, error: Any) -> Bitrix24Error:
    classes = {each.__name__ for each in type(error).__mro__}
    state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
    number = getattr(error, "errno", None) or (error.args[0] if error.args and isinstance(error.args[0], int) else None)
    tells = kind.name == "SQLite" or (kind.name == "Postgres" and state[:2] in _TELLING_STATES)
    may_succeed = bool(classes & _MAY_SUCCEED) or number in _MAY_SUCCEED_NUMBERS
    if kind.name == "ClickHouse":
        state, number = getattr(error, "name", None) or "", getattr(error, "code", None)
        tells, may_succeed = number in clickhouse.TELLING, may_succeed or number in clickhouse.MAY_SUCCEED
    known = " ".join(str(part) for part in (type(error).__name__, state, number) if part)
    if tells or classes & _TELLING_CLASSES or (kind.name == "Postgres" and not state):
        first = str(error).strip().partition("\n")[0]
        known = f"{known}: {first}" if first else known
    return Bitrix24Error(
        f"{kind.name} refused {what} ({known})",
        retryable=may_succeed,
        next_step="" if may_succeed else "the log of the database has the rest",
    )
