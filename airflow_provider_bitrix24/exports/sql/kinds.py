"""
What differs between kinds of databases: each is one value.

A type of a column is spelled as the database's own catalogue spells it, so that the two can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.sql import clickhouse, staging
from airflow_provider_bitrix24.exports.sql.table_names import TableName

#: The type of an Arrow column of moments.
MOMENT = "timestamp[us, tz=UTC]"
#: Types of a decimal column, ``decimal128(24, 4)``.
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")


@dataclass(frozen=True)
class Merge:
    """
    How rows of one table replace those of another with the same key.

    :param columns: those that the rows have, in quotes.
    :param key: the one that tells rows apart, in quotes.
    :param newer: the time of change, in quotes: an older row never replaces a newer one; None where there is none.
    :param resets: columns that become null in a row that is there again, in quotes.
    """

    target: str
    stage: str
    columns: tuple[str, ...]
    key: str
    newer: str | None
    resets: tuple[str, ...] = ()


def _create(table: str, columns: Mapping[str, str], key: Sequence[str], newer: str | None) -> str:
    parts = [f"{name} {type_}" for name, type_ in columns.items()]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(key)})")
    return f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)})"


@dataclass(frozen=True)
class DatabaseKind:
    """
    One kind of database.

    :param extra: the extra of this package that brings the driver.
    :param drivers: modules whose exceptions are the database's.
    :param types: the type of a column by that of its Arrow column; decimals have two numbers.
    :param key_text: the type of a key that is text.
    :param ledger_text: the type of the texts that are the key of the ledger.
    :param same_as: spellings of the catalogue that hold the same as a type of ``types``.
    :param folds_case: whether names of columns that differ in case are one.
    :param has_schemas: whether ``schema.table`` names a table of another schema.
    :param changes_tables_in_transactions: whether a new column appears together with the rows.
    :param catalogue: a query for the names and types of a table's columns, and its parameters.
    :param row_lock: what makes a query lock its rows until the transaction ends.
    :param open: from the hook to a connection in which statements begin and end transactions.
    :param stage: the driver's fast way into a table.
    :param place: a query for the database or the file that the connection is to, and for the schema that a table
        without one is in; null where there are no schemas beside databases.
    :param port: of a server, where the connection names none; None where there is no server.
    :param merge: statements that bring rows of one table into another; None where they are attached instead.
    :param finds_key: a statement that is refused where nothing makes the key unique; None where it need not be.
    :param begin: begins a transaction; None where there are none, and rows are added and never changed.
    :param create: a statement for a table, by its columns with their types, its key, and its column of the time of
        change, all in quotes.
    :param newest: what makes a query see the newest row of each key only.
    """

    name: str
    extra: str
    drivers: tuple[str, ...]
    types: Mapping[str, str]
    key_text: str
    ledger_text: str
    quote: str
    mark: str
    begin: str | None
    row_lock: str
    catalogue: Callable[[TableName, str], tuple[str, tuple[Any, ...]]]
    open: Callable[[Any], Any]
    cursor: Callable[[Any], Any]
    stage: Callable[[Any, str, list[str], Any], None]
    merge: Callable[[Merge], list[str]] | None
    finds_key: str | None
    place: str
    port: int | None
    same_as: Mapping[str, str]
    folds_case: bool = True
    has_schemas: bool = True
    takes_nul: bool = True
    changes_tables_in_transactions: bool = True
    moment_format: str = "%Y-%m-%d %H:%M:%S+00:00"
    table_options: str = ""
    create: Callable[[str, Mapping[str, str], Sequence[str], str | None], str] = _create
    newest: str = ""

    def quoted(self, name: str) -> str:
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def table(self, table: TableName) -> str:
        """The name of a table, in quotes."""
        schema = "" if table.schema is None else f"{self.quoted(table.schema)}."
        return schema + self.quoted(table.name)

    def type_of(self, arrow: str) -> str:
        """The type of a column by that of its Arrow column, as text."""
        decimal = _DECIMAL.fullmatch(arrow)
        return self.types["decimal"].format(*decimal.groups()) if decimal else self.types[arrow]

    def holds(self, present: str, wanted: str) -> bool:
        """Whether a column of the table has the type of a load's column."""
        # Older servers of MySQL say how wide a whole number is shown.
        present, wanted = (re.sub(r"^bigint\(\d+\)$", "bigint", each.lower()) for each in (present, wanted))
        return wanted in (present, self.same_as.get(present, "").lower()) or (
            present in self.same_as and wanted.startswith(f"{present}(")
        )


def check_schema(table: TableName, kind: DatabaseKind) -> None:
    """:raises ConfigurationError: a table has a schema, and the kind of database none."""
    if table.schema is not None and not kind.has_schemas:
        raise ConfigurationError(f"table is '{table}', and {kind.name} has no schemas", next_step="leave it out")


def _is_not_older(merge: Merge, old: str, new: str) -> str:
    if merge.newer is None:
        return ""
    before, after = f"{old}.{merge.newer}", f"{new}.{merge.newer}"
    return f" WHERE {before} IS NULL OR {after} IS NULL OR {after} >= {before}"


def _on_conflict(merge: Merge) -> list[str]:
    columns = ", ".join(merge.columns)
    changes = [f"{name} = excluded.{name}" for name in merge.columns if name != merge.key]
    changes += [f"{name} = NULL" for name in merge.resets]
    do = f"UPDATE SET {', '.join(changes)}{_is_not_older(merge, 'present', 'excluded')}" if changes else "NOTHING"
    return [
        f"INSERT INTO {merge.target} AS present ({columns}) SELECT {columns} FROM {merge.stage} "  # noqa: S608
        f"WHERE true ON CONFLICT ({merge.key}) DO {do}"
    ]


def _update_and_insert(merge: Merge) -> list[str]:
    """For a database whose upsert has no condition."""
    columns = ", ".join(merge.columns)
    changes = [f"present.{name} = staged.{name}" for name in merge.columns if name != merge.key]
    changes += [f"present.{name} = NULL" for name in merge.resets]
    same = f"present.{merge.key} = staged.{merge.key}"
    update = (
        f"UPDATE {merge.target} present JOIN {merge.stage} staged ON {same} "  # noqa: S608
        f"SET {', '.join(changes)}{_is_not_older(merge, 'present', 'staged')}"
    )
    insert = (
        f"INSERT INTO {merge.target} ({columns}) SELECT {columns} FROM {merge.stage} staged "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM {merge.target} present WHERE {same})"
    )
    return [update, insert] if changes else [insert]


#: Refused where the key has no unique index.
_FINDS_KEY = "EXPLAIN INSERT INTO {table} ({key}) SELECT {key} FROM {table} WHERE false ON CONFLICT ({key}) DO NOTHING"

POSTGRES = DatabaseKind(
    name="Postgres",
    extra="postgres",
    drivers=("psycopg", "psycopg2"),
    types={
        "int64": "bigint", "decimal": "numeric({},{})", "bool": "boolean", "date32[day]": "date",
        MOMENT: "timestamp with time zone", "string": "text",
    },
    key_text="text",
    ledger_text="text",
    quote='"',
    mark="%s",
    begin="BEGIN",
    row_lock=" FOR UPDATE",
    catalogue=lambda table, quoted: (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (quoted,),
    ),
    open=staging.open_postgres,
    cursor=lambda connection: connection.cursor(),
    stage=staging.copy,
    merge=_on_conflict,
    finds_key=_FINDS_KEY,
    place="SELECT current_database(), coalesce(current_schema(), '')",
    port=5432,
    same_as={"character varying": "text", "numeric": "numeric"},
    folds_case=False,
    takes_nul=False,
)  # fmt: skip

SQLITE = DatabaseKind(
    name="SQLite",
    extra="sqlite",
    drivers=("sqlite3",),
    # A column that is declared as a blob keeps numbers and texts as they are: DECIMAL would round them to 15 digits.
    types={
        "int64": "INTEGER", "decimal": "DECIMAL_BLOB({},{})", "bool": "BOOLEAN", "date32[day]": "DATE",
        MOMENT: "DATETIME", "string": "TEXT",
    },
    key_text="TEXT",
    ledger_text="TEXT",
    quote='"',
    mark="?",
    begin="BEGIN IMMEDIATE",
    row_lock="",
    catalogue=lambda table, quoted: ("SELECT name, type FROM pragma_table_info(?)", (table.name,)),
    open=staging.open_sqlite,
    cursor=lambda connection: connection.cursor(),
    stage=staging.insert_in_sqlite,
    merge=_on_conflict,
    finds_key=_FINDS_KEY,
    place="SELECT file, NULL FROM pragma_database_list WHERE name = 'main'",
    port=None,
    same_as={"bigint": "INTEGER", "int": "INTEGER", "timestamp": "DATETIME"},
    has_schemas=False,
)  # fmt: skip

MYSQL = DatabaseKind(
    name="MySQL",
    extra="mysql",
    drivers=("MySQLdb", "mysql"),
    types={
        "int64": "bigint", "decimal": "decimal({},{})", "bool": "tinyint(1)", "date32[day]": "date",
        MOMENT: "datetime(6)", "string": "longtext",
    },
    key_text="varchar(191)",
    ledger_text="varchar(191)",
    quote="`",
    mark="%s",
    begin="START TRANSACTION",
    row_lock=" FOR UPDATE",
    catalogue=lambda table, quoted: (
        "SELECT column_name, column_type FROM information_schema.columns "
        "WHERE table_name = %s AND table_schema = coalesce(%s, database()) ORDER BY ordinal_position",
        (table.name, table.schema),
    ),
    open=staging.open_mysql,
    cursor=lambda connection: connection.cursor(),
    stage=staging.insert_in_mysql,
    merge=_update_and_insert,
    finds_key=None,
    place="SELECT database(), NULL",
    port=3306,
    same_as={},
    changes_tables_in_transactions=False,
    moment_format="%Y-%m-%d %H:%M:%S",
    table_options=" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
)  # fmt: skip

DUCKDB = DatabaseKind(
    name="DuckDB",
    extra="duckdb",
    drivers=("duckdb",),
    types={
        "int64": "BIGINT", "decimal": "DECIMAL({},{})", "bool": "BOOLEAN", "date32[day]": "DATE",
        MOMENT: "TIMESTAMP WITH TIME ZONE", "string": "VARCHAR",
    },
    key_text="VARCHAR",
    ledger_text="VARCHAR",
    quote='"',
    mark="?",
    begin="BEGIN TRANSACTION",
    row_lock="",
    catalogue=lambda table, quoted: (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
        "AND table_name = ? AND schema_name = coalesce(?, current_schema()) ORDER BY column_index",
        (table.name, table.schema),
    ),
    open=staging.open_duckdb,
    # Its cursors are connections with transactions of their own.
    cursor=lambda connection: connection,
    stage=staging.insert_in_duckdb,
    merge=_on_conflict,
    finds_key=_FINDS_KEY,
    place="SELECT path, current_schema() FROM duckdb_databases() WHERE database_name = current_database()",
    port=None,
    same_as={},
)  # fmt: skip

CLICKHOUSE = DatabaseKind(
    name="ClickHouse",
    extra="clickhouse",
    drivers=("clickhouse_connect",),
    types={
        "int64": "Nullable(Int64)", "decimal": "Nullable(Decimal({}, {}))", "bool": "Nullable(Bool)",
        "date32[day]": "Nullable(Date32)", MOMENT: "Nullable(DateTime64(6, 'UTC'))", "string": "Nullable(String)",
    },
    key_text="String",
    ledger_text="String",
    quote="`",
    mark="%s",
    begin=None,
    row_lock="",
    catalogue=lambda table, quoted: (
        "SELECT name, type FROM system.columns WHERE table = %s AND database = coalesce(%s, currentDatabase()) "
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position",
        (table.name, table.schema),
    ),
    open=clickhouse.open_client,
    cursor=clickhouse.Cursor,
    stage=clickhouse.insert,
    merge=None,
    finds_key=None,
    place="SELECT currentDatabase(), NULL",
    port=8123,
    same_as=clickhouse.ALSO_HOLD,
    folds_case=False,
    changes_tables_in_transactions=False,
    moment_format="%Y-%m-%d %H:%M:%S",
    create=clickhouse.create_statement,
    newest=" FINAL",
)  # fmt: skip

#: By the type of the Airflow connection.
KINDS: Mapping[str, DatabaseKind] = {
    "postgres": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE, "duckdb": DUCKDB, "clickhouse": CLICKHOUSE,
}  # fmt: skip


def kind_of(connection_type: Any, conn_id: str) -> DatabaseKind:
    """
    The kind of database that a connection names.

    :raises ConfigurationError: none that rows can be loaded into.
    """
    kind = KINDS.get(str(connection_type).lower())
    if kind is None:
        raise ConfigurationError(
            f"the connection {conn_id!r} is of the type {connection_type!r}, which no table can be loaded through",
            next_step=f"use one of {', '.join(KINDS)}, or Bitrix24ToObjectStorageOperator",
        )
    return kind
