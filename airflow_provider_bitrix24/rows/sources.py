"""Where rows come from: a list, a file of object storage, or a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import query
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import text_hint
from airflow_provider_bitrix24.rest.scalars import native
from airflow_provider_bitrix24.rows.files import from_json_text, rows_in_file
from airflow_provider_bitrix24.rows.queries import rows_of_query

#: Around the JSON text of rows, the mark at the beginning of a file among them.
_BLANKS = " \t\r\n\ufeff"


class RowSource(Iterator[dict[str, Any]]):
    """
    The rows of a source one by one, in their order.

    :param columns: of a CSV file, a Parquet file and a query, which name them also where they have no rows: from the
        first row, or the end, on. Objects name none apart from themselves.
    """

    def __init__(self, rows: Iterator[dict[str, Any]], columns: list[str]) -> None:
        self._rows, self._columns = rows, columns

    def __next__(self) -> dict[str, Any]:
        return next(self._rows)

    @property
    def columns(self) -> list[str]:
        """Those that have a name."""
        return [column for column in self._columns if column.strip()]


def rows_of(
    rows: Any, sql: str | None, sql_conn_id: str | None, csv_format: Mapping[str, str] | None = None
) -> RowSource:
    """
    The rows, each an object by column; whether there is such a source is seen at once.

    :param rows: a list of objects (an XCom), one object, the JSON text of either, or the address of a file.
    :param sql: a query instead; its order must be fixed by ORDER BY, so that a retry goes on after the same row.
    :param sql_conn_id: connection of the database, of any type whose hook is a ``DbApiHook``.
    :param csv_format: how a CSV file is written, where that is not with commas in UTF-8.
    :raises ConfigurationError: no rows, rows that are not objects, or a file of another kind.
    """
    if (rows is None) == (sql is None):
        raise ConfigurationError("give either rows or sql", next_step="name the source of the rows by one of the two")
    if csv_format is not None and file_named_by(rows) is None:
        raise ConfigurationError("csv is given, but rows is not a file", next_step="leave it out")
    columns: list[str] = []
    if sql is not None:
        query(sql, "sql")
        return RowSource(_by_column(rows_of_query(sql, sql_conn_id, columns)), columns)
    address = file_named_by(rows)
    if address is None:
        return RowSource(_by_column(_of_list(rows)), columns)
    return RowSource(rows_in_file(address, csv_format, columns), columns)


def file_named_by(rows: Any) -> str | None:
    """The address of the file that ``rows`` names; None where it is the rows themselves."""
    if isinstance(rows, str):
        text = rows.strip(_BLANKS)
        return None if text.startswith(("[", "{")) else text
    return str(rows) if hasattr(rows, "open") and hasattr(rows, "suffix") else None


def _by_column(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ConfigurationError(
                f"row {number} is {preview(row)}, which is not an object", next_step='rows look like {"name": "Acme"}'
            )
        # An array of a data frame is a list, whose members may be blank.
        yield {
            str(column): native(value) if type(value).__name__ == "ndarray" else value for column, value in row.items()
        }


def _of_list(rows: Any) -> Iterable[Any]:
    if isinstance(rows, str):
        try:
            parsed = from_json_text(rows.strip(_BLANKS))
        except ConfigurationError as error:
            raise error.but(reason=f"rows: {error.reason}") from None
        except ValueError:
            raise ConfigurationError("rows is not JSON", next_step=text_hint(rows)) from None
        rows = parsed if isinstance(parsed, (list, dict)) else [parsed]
    if isinstance(rows, Mapping):
        if rows and all(str(key).isdecimal() and isinstance(row, Mapping) for key, row in rows.items()):
            raise ConfigurationError(
                f"rows is an object of {len(rows)} rows by number", next_step="give a list: list(rows.values())"
            )
        return [rows]
    if isinstance(rows, bytes) or not isinstance(rows, Iterable):
        raise ConfigurationError("rows is not a list", next_step="give a list of objects, or the address of a file")
    return rows
