"""Where the rows of a bulk write come from: a list, a file of object storage, or a database."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.storage import storage_path
from airflow_provider_bitrix24.rest.messages import preview
from airflow_provider_bitrix24.rest.nothing import text_hint

#: Rows fetched from a database at once.
_FETCH = 500


def rows_of(rows: Any, sql: str | None, sql_conn_id: str | None) -> Iterator[dict[str, Any]]:
    """
    The rows one by one, each a dict by column, in their order; whether there is such a source is seen at once.

    :param rows: a list of dicts (an XCom), its JSON text, or the address of a file ``.jsonl``, ``.csv``, ``.parquet``.
    :param sql: a query instead; its order must be fixed by ORDER BY, so that a retry goes on behind the same row.
    :param sql_conn_id: connection of the database, of any type whose hook is a ``DbApiHook``.
    :raises ConfigurationError: no rows, rows that are no dicts, or a file of another kind.
    """
    if (rows is None) == (sql is None):
        raise ConfigurationError("give either rows or sql", next_step="one of the two is where the rows come from")
    return _by_column(_from_sql(sql, sql_conn_id) if sql is not None else _from_rows(rows))


def _by_column(found: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise ConfigurationError(f"row {number} is not an object", next_step='rows look like {"name": "Acme"}')
        yield {str(column): _cleared(value) for column, value in row.items()}


def _cleared(value: Any) -> Any:
    """Data frames and Parquet write a missing value as NaN or NaT, which is null here."""
    if (isinstance(value, float) and math.isnan(value)) or type(value).__name__ == "NaTType":
        return None
    return value


def file_named_by(rows: Any) -> str | None:
    """The address of the file that ``rows`` names; None where it is the rows themselves."""
    if isinstance(rows, str) and not rows.strip().startswith("["):
        return rows.strip()
    return str(rows) if hasattr(rows, "open") and hasattr(rows, "suffix") else None


def _from_rows(rows: Any) -> Iterable[Any]:
    if (address := file_named_by(rows)) is not None:
        return _from_file(address)
    if isinstance(rows, str):
        try:
            return json.loads(rows)  # type: ignore[no-any-return]
        except ValueError:
            raise ConfigurationError("rows is not JSON", next_step=text_hint(rows)) from None
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise ConfigurationError("rows is not a list", next_step="give a list of objects, or the address of a file")
    return rows


def _from_file(address: str) -> Iterator[Any]:
    path = storage_path(address, "rows")
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(
            f"rows names a file of the kind {path.suffix or 'without an ending'}",
            next_step=f"give one of: {', '.join(readers)}",
        )
    if not path.exists():
        raise ConfigurationError("the file that rows names does not exist", next_step=f"look for {path}")
    return reader(path)


def _lines(path: Any) -> Iterator[str]:
    with path.open("rb") as stream:
        # Airflow 2.11 wraps the file in something that cannot be iterated over.
        for number, line in enumerate(iter(stream.readline, b"")):
            try:
                yield line.decode("utf-8-sig" if number == 0 else "utf-8")
            except UnicodeDecodeError:
                raise ConfigurationError(
                    f"line {number + 1} of {path.name} is not UTF-8",
                    next_step="write the file in UTF-8 (Excel: save as «CSV UTF-8»)",
                ) from None


def _json_lines(path: Any) -> Iterator[Any]:
    for number, line in enumerate(_lines(path)):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                raise ConfigurationError(
                    f"line {number + 1} of {path.name} is not JSON", next_step="write one object to a line"
                ) from None


def _csv(path: Any) -> Iterator[Any]:
    reader = csv.reader(_lines(path))
    header: list[str] = []
    try:
        header = next(reader, [])
        _check_columns(header, f"the header of {path.name}")
        for number, values in enumerate(filter(None, reader), 1):
            if len(values) != len(header):
                raise ConfigurationError(
                    f"row {number} of {path.name} has not as many values as its header",
                    next_step='put values with commas or line breaks in quotes: "Acme, Ltd"',
                )
            row = dict(zip(header, values, strict=True))
            if "" in row:
                # Of several columns without a name, one with a value is what a reader must hear of.
                row[""] = next((value for name, value in zip(header, values, strict=True) if not name and value), "")
            yield row
    except csv.Error as error:
        failure = ConfigurationError(
            f"{path.name} cannot be read as CSV behind line {reader.line_num} ({error})",
            next_step="look for a quote that is not closed there, or write JSON lines",
        )
    else:
        return
    raise failure


def _check_columns(columns: list[str], place: str) -> None:
    if len(columns) == 1 and (separator := next((one for one in ";\t|" if one in columns[0]), None)):
        raise ConfigurationError(
            f"{place} is one column, {preview(columns[0])}",
            next_step=f"write the file with commas in place of {separator!r}",
        )
    twice = [column for column, times in Counter(columns).items() if times > 1 and column]
    if twice:
        raise ConfigurationError(
            f"{place} has the column {preview(twice[0])} more than once, and only one of them could be written",
            next_step="give each column a name of its own",
        )


def _parquet(path: Any) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ConfigurationError(
            "reading Parquet needs the package pyarrow", next_step="pip install 'airflow-provider-bitrix24[parquet]'"
        ) from None
    try:
        with path.open("rb") as stream:
            for group in ParquetFile(stream).iter_batches(batch_size=_FETCH):
                yield from group.to_pylist()
    except ArrowException as error:
        failure = ConfigurationError(
            f"{path.name} cannot be read as Parquet ({error})", next_step="look whether it was written whole"
        )
    else:
        return
    raise failure


def _from_sql(sql: str | None, sql_conn_id: str | None) -> Iterator[Any]:
    from airflow_provider_bitrix24._compat import BaseHook

    if not sql_conn_id:
        raise ConfigurationError("sql_conn_id is missing", next_step="name the connection of the database")
    hook = BaseHook.get_hook(sql_conn_id)
    if not hasattr(hook, "get_records"):
        raise ConfigurationError(f"the connection {sql_conn_id!r} is not one of a database that takes SQL")
    return _fetched(hook, sql)


def _fetched(hook: Any, sql: str | None) -> Iterator[Any]:
    connection = hook.get_conn()
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        _check_columns(columns, "the result of sql")
        while some := cursor.fetchmany(_FETCH):
            for values in some:
                yield dict(zip(columns, values, strict=True))
    finally:
        connection.close()
