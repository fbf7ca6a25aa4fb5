"""
Rows of a query, read once and kept in a private file while they are written.

A load takes minutes or hours. The database is not kept waiting for it: the cursor, its transaction and the connection
are closed before the first row is written, and the worker's memory does not hold the result.
"""

from __future__ import annotations

import pickle
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from typing import IO, Any

from airflow_provider_bitrix24._compat import AirflowNotFoundException, BaseHook
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import required
from airflow_provider_bitrix24.hooks.missing_connections import not_defined
from airflow_provider_bitrix24.rest.message_parts import one_line
from airflow_provider_bitrix24.rows.files import check_columns
from airflow_provider_bitrix24.rows.read_only import check_reads, only_read, refused_change

#: Statements that a server-side cursor of PostgreSQL takes: one by itself, which changes nothing.
_SELECTS = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values|table)\b[^;]*[;\s]*", re.IGNORECASE | re.DOTALL
)
_CHANGES = re.compile(r"\b(?:insert|update|delete|merge|into)\b", re.IGNORECASE)
#: Classes of PEP 249 for what no retry helps: a table that there is not, a type that does not fit.
_FINAL = frozenset({"ProgrammingError", "NotSupportedError", "DataError"})
#: Most characters of a database's own words in a message.
_MOST_WORDS = 300
#: Rows fetched at once.
_FETCH = 500
#: Largest result that is kept: the disk is not ours alone.
MAX_SPOOL_BYTES = 8 * 1024**3


def rows_of_query(sql: str, sql_conn_id: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    """
    The rows of a query; whether there is such a connection is seen at once.

    :param columns: gets the names of the columns before the first row.
    :raises ConfigurationError: no connection, one that is not of a database, a statement that would change it, or a
        result that cannot be kept.
    :raises Bitrix24Error: the database cannot be reached, or refuses the query.
    """
    check_reads(sql)
    hook = _hook_of(str(required(sql_conn_id, "sql_conn_id")))
    if not hasattr(hook, "get_records"):
        raise ConfigurationError(
            f"the connection {sql_conn_id!r} is not one of a database that takes SQL",
            next_step="give the id of another one as sql_conn_id",
        )
    return _spooled(hook, str(sql_conn_id), sql, columns)


def _hook_of(conn_id: str) -> Any:
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise not_defined(conn_id) from None
    try:
        return connection.get_hook()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ConfigurationError(
            f"the connection {conn_id!r} has the type {str(connection.conn_type or '')!r}, for which there is no hook "
            f"({type(error).__name__})",
            next_step="install the Airflow provider of this database, or give the id of another one as sql_conn_id",
        ) from error


@contextmanager
def _named_errors(conn_id: str) -> Iterator[None]:
    """
    :raises Bitrix24Error: what the driver has raised, which stays its cause.
    """
    try:
        yield
    except Bitrix24Error:
        raise
    except Exception as error:
        classes = {each.__name__ for each in type(error).__mro__}
        words = one_line(str(error).strip().partition("\n")[0])[:_MOST_WORDS]
        if change := refused_change(error, words):
            raise change from error
        raise Bitrix24Error(
            f"the database of the connection {conn_id!r} did not answer sql ({type(error).__name__}: {words})",
            next_step="correct the query, or sql_conn_id; else look whether the database can be reached",
            retryable=not classes & _FINAL,
        ) from error


def _spooled(hook: Any, conn_id: str, sql: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    # Without a name, it is gone with its process, however that ends.
    with tempfile.TemporaryFile(prefix="bitrix24-rows-") as spool:
        with _named_errors(conn_id):
            columns += _spool(hook, sql, spool)
        spool.seek(0)
        while True:
            try:
                rows = pickle.load(spool)  # noqa: S301 - written by this process a moment ago
            except EOFError:
                return
            for values in rows:
                yield dict(zip(columns, values, strict=True))


def _spool(hook: Any, sql: str, spool: IO[bytes]) -> list[str]:
    """Copy a result to a file, and return the names of its columns."""
    with closing(hook.get_conn()) as connection:
        only_read(connection, _driver_of(connection))
        return _copied(connection, sql, spool)


def _copied(connection: Any, sql: str, spool: IO[bytes]) -> list[str]:
    with closing(_cursor(connection, sql)) as cursor:
        cursor.execute(sql)
        # A cursor of psycopg2 that stays with the server knows its columns with its first rows.
        rows = cursor.fetchmany(_FETCH)
        columns = [str(column[0]) for column in cursor.description or ()]
        if not columns:
            raise ConfigurationError(
                "sql is a statement that returns no rows; whether it has changed something, only the database knows",
                next_step="write a query; to change the database, use an operator for SQL",
            )
        check_columns(columns, "the result of sql")
        while rows:
            _keep([tuple(map(_outliving, _values(row, columns))) for row in rows], spool)
            rows = cursor.fetchmany(_FETCH)
        if _has_another_result(cursor):
            raise ConfigurationError(
                "sql has several statements that return rows, and only those of the first could be written",
                next_step="write one statement, or several tasks",
            )
    return columns


def _keep(rows: list[tuple[Any, ...]], spool: IO[bytes]) -> None:
    try:
        pickle.dump(rows, spool, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"the result of sql has a value that cannot be kept ({error})",
            next_step="cast the column to text or a number in the query",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the result of sql cannot be kept on the disk of this worker ({error.strerror})",
            next_step=f"make room in {tempfile.gettempdir()}, or select fewer columns",
            retryable=True,
        ) from None
    if spool.tell() > MAX_SPOOL_BYTES:
        raise ConfigurationError(
            f"the result of sql is larger than {MAX_SPOOL_BYTES // 1024**3} GiB",
            next_step="select fewer columns, or split the load",
        )


def _driver_of(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0]


def _cursor(connection: Any, sql: str) -> Any:
    """A cursor whose result stays with the server, where the driver has one for this statement."""
    driver = _driver_of(connection)
    if driver in ("psycopg2", "psycopg") and _SELECTS.fullmatch(sql) and not _CHANGES.search(sql):
        # Outside of a transaction it would end with its first statement.
        return connection.cursor(name="bitrix24_rows", withhold=bool(connection.autocommit))
    if driver in ("pymysql", "MySQLdb"):
        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()


def _has_another_result(cursor: Any) -> bool:
    try:
        return bool(cursor.nextset() and cursor.description)
    except Exception:
        # Few drivers take several statements; the others have no such method, or an error of their own for it.
        return False


def _values(row: Any, columns: Sequence[str]) -> Iterable[Any]:
    """The connection may say that rows are objects by column."""
    return [row[column] for column in columns] if isinstance(row, Mapping) else row


def _outliving(value: Any) -> Any:
    """A value that is there without its connection."""
    if isinstance(value, memoryview):
        return bytes(value)
    # Large objects of Oracle are read while the connection is open.
    return value.read() if hasattr(value, "read") else value
