"""The fast way of each driver: from a hook to a connection, and from a record batch to rows of a table."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.formats import exact_number

#: Seconds for which a statement waits for a lock of the file.
_SQLITE_PATIENCE_SECONDS = 60
#: ... of a row: another load of the table may be publishing.
_MYSQL_PATIENCE_SECONDS = 3600
#: Rows of one statement at most, and about how many bytes; a server takes 16 MiB or more.
_MYSQL_ROWS, _MYSQL_BYTES = 1000, 2**21


def open_postgres(hook: Any) -> Any:
    """A connection; psycopg 3 and psycopg2 alike."""
    connection = hook.get_conn()
    connection.autocommit = True
    return connection


def copy(connection: Any, table: str, columns: list[str], batch: Any) -> None:
    """``COPY … FROM STDIN``: a cell without quotes and without text is null."""
    buffer = io.BytesIO()
    arrays = [_as_csv(array) for array in batch.columns]
    cells = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
    csv.write_csv(cells, buffer, csv.WriteOptions(include_header=False))
    sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv, ENCODING 'UTF8')"
    with connection.cursor() as cursor:
        if hasattr(cursor, "copy_expert"):
            buffer.seek(0)
            cursor.copy_expert(sql, buffer)
        else:
            with cursor.copy(sql) as stream:
                stream.write(buffer.getbuffer())


def _as_csv(array: Any) -> Any:
    is_text = pa.types.is_timestamp(array.type) or pa.types.is_decimal(array.type)
    return array.cast(pa.string()) if is_text else array


def open_sqlite(hook: Any) -> Any:
    connection = hook.get_conn()
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_SQLITE_PATIENCE_SECONDS * 1000}")
    return connection


def insert_in_sqlite(connection: Any, table: str, columns: list[str], batch: Any) -> None:
    """``executemany``: the driver has nothing that is faster."""
    values = zip(*(_for_sqlite(array) for array in batch.columns), strict=True)
    connection.executemany(insert_statement(table, columns, "?"), values)


def open_mysql(hook: Any) -> Any:
    """A connection; mysqlclient and mysql-connector-python alike."""
    connection = hook.get_conn()
    if hasattr(connection, "set_character_set"):
        connection.set_character_set("utf8mb4")
    hook.set_autocommit(connection, True)
    with closing(connection.cursor()) as cursor:
        # What does not fit is an error and not cut; loads side by side lock their own rows only.
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {_MYSQL_PATIENCE_SECONDS}")
    return connection


def insert_in_mysql(connection: Any, table: str, columns: list[str], batch: Any) -> None:
    """``executemany``, of which the drivers make statements of many rows; they end before the server's limit."""
    sql = insert_statement(table, columns, "%s")
    rows = max(1, min(_MYSQL_ROWS, int(_MYSQL_BYTES * batch.num_rows / max(batch.nbytes, 1))))
    with closing(connection.cursor()) as cursor:
        for start in range(0, batch.num_rows, rows):
            arrays = [_for_mysql(array) for array in batch.slice(start, rows).columns]
            cursor.executemany(sql, list(zip(*arrays, strict=True)))


def _for_mysql(array: Any) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        array = moments(array, "%Y-%m-%d %H:%M:%S")
    elif pa.types.is_decimal(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.string())
    return list(array.to_pylist())


def open_duckdb(hook: Any) -> Any:
    """
    A connection to a file.

    :raises ConfigurationError: the database would be gone with the task.
    """
    connection = hook.get_conn()
    found = connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()")
    if not (found.fetchone() or [None])[0]:
        connection.close()
        raise ConfigurationError(
            "the connection names a DuckDB database in memory, which ends with the task",
            next_step="set its database path",
        )
    return connection


def insert_in_duckdb(connection: Any, table: str, columns: list[str], batch: Any) -> None:
    """The batch as a view: nothing is copied on the way."""
    connection.register("_bitrix24_batch", pa.Table.from_batches([batch]))
    try:
        names = ", ".join(columns)
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM _bitrix24_batch")  # noqa: S608
    finally:
        connection.unregister("_bitrix24_batch")


def insert_statement(table: str, columns: Sequence[str], mark: str) -> str:
    """An ``INSERT`` of one row, with marks for its values."""
    names = ", ".join(columns)
    if mark == "%s":
        names, table = names.replace("%", "%%"), table.replace("%", "%%")
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608


def _for_sqlite(array: Any) -> list[Any]:
    if pa.types.is_decimal(array.type):
        return [None if value is None else exact_number(value) for value in array.to_pylist()]
    if pa.types.is_timestamp(array.type):
        return list(moments(array, "%Y-%m-%d %H:%M:%S+00:00").to_pylist())
    if pa.types.is_date(array.type):
        array = array.cast(pa.string())
    return list(array.to_pylist())


def moments(array: Any, format_: str) -> Any:
    """Moments as text, with fractions of a second only where there are any."""
    with suppress(pa.ArrowInvalid):
        array = array.cast(pa.timestamp("s", "UTC"))
    return pc.strftime(array, format=format_)


def text_of(value: Any) -> str:
    """JSON for the ledger."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
