"""
ClickHouse through its official client: what it has in place of transactions, updates and unique keys.

A table with a key is a ``ReplacingMergeTree``: of the rows of a key the one with the latest ``_version`` counts, and of
those the last one that came. Sources: "ReplacingMergeTree", "Manipulating Partitions and Parts" of its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

#: By which the newest row of a key is found; `SELECT *` leaves it out.
VERSION = "_version"
#: An insert has ended when its answer comes, is not left out because an equal one came before, and never makes a value
#: of what is null. A removal has ended too.
_SETTINGS = {"async_insert": 0, "insert_deduplicate": 0, "insert_null_as_default": 0, "lightweight_deletes_sync": 2}
#: Spellings of the catalogue, in lower case, of columns that cannot be null, with the types that they hold. There
#: what is null is refused.
ALSO_HOLD = {
    "int64": "Nullable(Int64)", "string": "Nullable(String)", "bool": "Nullable(Bool)", "date32": "Nullable(Date32)",
    "datetime64(6, 'utc')": "Nullable(DateTime64(6, 'UTC'))", "lowcardinality(string)": "Nullable(String)",
    "lowcardinality(nullable(string))": "Nullable(String)",
    "decimal(24, 4)": "Nullable(Decimal(24, 4))", "decimal(30, 10)": "Nullable(Decimal(30, 10))",
}  # fmt: skip
#: Errors that may not come again: time, memory, a server or a replica that is busy or away.
MAY_SUCCEED = {159, 202, 209, 210, 241, 242, 252, 279, 285, 319, 394, 425, 999}
#: Errors whose messages name tables, databases, users and rights, and never a row's values.
TELLING = {60, 81, 192, 497, 516}


def open_client(hook: Any) -> Any:
    hook.session_settings = {**hook.session_settings, **_SETTINGS}
    return hook.get_client()


class Cursor:
    """As much of a cursor of PEP 249 as is needed here. The client's own holds all rows of an answer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._rows: Iterator[Sequence[Any]] = iter(())
        self.description: list[str] = []

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> None:
        self.description = ["a column"] if sql.startswith("SELECT") else []
        self._rows = self._streamed(sql, params) if self.description else iter(())
        if not self.description:
            self._client.command(sql, parameters=params)

    def _streamed(self, sql: str, params: Sequence[Any] | None) -> Iterator[Sequence[Any]]:
        with self._client.query_rows_stream(sql, parameters=params) as rows:
            yield from rows

    def fetchmany(self, size: int) -> list[Sequence[Any]]:
        return list(islice(self._rows, size))

    def fetchall(self) -> list[Sequence[Any]]:
        return list(self._rows)


def insert(client: Any, table: str, columns: list[str], batch: Any) -> None:
    """The batch as it is: both sides speak Arrow."""
    client.insert_arrow(table, pa.Table.from_batches([batch]))


def create_statement(table: str, columns: Mapping[str, str], key: Sequence[str], newer: str | None) -> str:
    """A table; where it has a key, one that shows the newest row of each."""
    parts = [f"{name} {_never_null(type_) if name in key else type_}" for name, type_ in columns.items()]
    engine, order = "MergeTree", "tuple()"
    if key:
        engine, order = "ReplacingMergeTree", key[0] if len(key) == 1 else f"({', '.join(key)})"
        if newer is not None:
            # A row that does not say when it was changed counts as changed now.
            parts.append(f"`{VERSION}` DateTime64(6, 'UTC') MATERIALIZED ifNull({newer}, now64(6, 'UTC'))")
            engine = f"ReplacingMergeTree(`{VERSION}`)"
    return f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)}) ENGINE = {engine} ORDER BY {order}"


def _never_null(type_: str) -> str:
    """A key cannot be null."""
    return re.sub(r"Nullable\((.*)\)", r"\1", type_.removesuffix(" NOT NULL"))
