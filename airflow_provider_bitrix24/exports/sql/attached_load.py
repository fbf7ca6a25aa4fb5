"""
One load on its way into a table of ClickHouse, which has no transactions: each step may be the last one.

A part is in the staging table once the ledger names it, by a name that no other try uses. At the end the rows of all
parts are copied into a table made like the target, and its partition is attached to the target, or takes the place of
the one there, in one step. What a killed process has left is never looked at, and the next load drops it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.exports.drift import KEY
from airflow_provider_bitrix24.exports.parts import Part
from airflow_provider_bitrix24.exports.sql.claims import check_claims
from airflow_provider_bitrix24.exports.sql.clickhouse import VERSION
from airflow_provider_bitrix24.exports.sql.ledger import LOAD
from airflow_provider_bitrix24.exports.sql.load_table import DELETED_COLUMN, LOAD_COLUMN, STAGE, LoadTable
from airflow_provider_bitrix24.exports.sql.table_names import TableName

#: Of the staging table: the part that a row is of.
_PART_COLUMN = "_part"
_PLAIN = {"MergeTree", "ReplicatedMergeTree", "SharedMergeTree"}
#: The column of the version is the last of the engine's parameters.
_REPLACING = re.compile(r"\w*ReplacingMergeTree(?:\((?:'[^']*', '[^']*'(?:, )?)?`?(\w*)`?\))?(?= |$)")


class AttachedLoadTable(LoadTable):
    """A load that is attached to the target as a whole."""

    def publish(self, report: Mapping[str, Any], source_key: str) -> dict[str, Any]:
        staged = self._database.columns(self.stage)
        del staged[_PART_COLUMN]
        self._check_key(staged)
        # Another load may be adding the same columns: what is wrong in the second look is wrong.
        with suppress(Bitrix24Error):
            self._shape(staged)
        self._shape(staged)
        rows = sum(part.rows for part in self.parts())
        copy = self._copied(staged, rows)
        # Of another process only the copy is left by now, without which it attaches nothing; or its rows are there.
        self._drop_copies(self._name, but=copy)
        own = self._still_own()
        if not self._is_added():
            self._attach(copy, rows)
        done = self._done(own, report, source_key)
        self._tidy()
        return done

    def _claim(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        own = super()._claim(plan)
        if "writer" in own:
            return own
        # Nothing is locked: of two loads that begin at the same moment at least one sees the other.
        self.ledger.add(LOAD, self._name, own)
        try:
            others = {name: value for (name, _), value in self.ledger.all(LOAD).items() if name != self._name}
            check_claims(own, others, self._aim.target)
        except ConfigurationError:
            self.ledger.forget(LOAD, self._name)
            raise
        return own

    def _create_stage(self, types: Mapping[str, str]) -> None:
        super()._create_stage({**types, _PART_COLUMN: "String"})

    def _stage_rows(self, rows: Any, part: Part) -> None:
        names = pa.array([part.name] * rows.num_rows, pa.string())
        columns = [*rows.schema.names, _PART_COLUMN]
        super()._stage_rows(pa.RecordBatch.from_arrays([*rows.columns, names], names=columns), part)

    def _copied(self, staged: Mapping[str, str], rows: int) -> TableName:
        """
        A table made like the target, with the rows of all parts.

        :raises ConfigurationError: something else wrote into the staging table.
        """
        kind = self._database.kind
        copy = self._aim.target.beside(f"{self.stage.name}_{self._writer}")
        target, into = kind.table(self._aim.target), kind.table(copy)
        self._database.execute(f"CREATE TABLE {into} AS {target}")
        parts = ", ".join(f"'{part.name}'" for part in self.parts())
        staged_rows = f"{kind.table(self.stage)} WHERE {kind.quoted(_PART_COLUMN)} IN ({parts or 'NULL'})"
        for sql in self._insertions(into, [*map(kind.quoted, staged)], staged_rows):
            self._database.execute(sql)
        self._check_rows(rows, staged_rows)
        self._check_rows(rows, into)
        return copy

    def _insertions(self, into: str, columns: list[str], staged: str) -> list[str]:
        names = ", ".join(columns)
        kind, key, target = self._database.kind, self._database.kind.quoted(KEY), self._aim.target
        if self._aim.write == "append":
            marked = f"{names}, {kind.quoted(LOAD_COLUMN)}"
            return [f"INSERT INTO {into} ({marked}) SELECT {names}, '{self._name}' FROM {staged}"]  # noqa: S608
        insert = f"INSERT INTO {into} ({names}) SELECT {names} FROM {staged}"  # noqa: S608
        every = [kind.quoted(name) for name in self._database.columns(target) if name != DELETED_COLUMN]
        others = [name for name in every if name not in columns]
        if self._aim.write == "replace" or not others:
            return [insert]
        # A row takes the place of the whole one before: what the load does not bring comes from there.
        ids = f"SELECT {key} FROM {staged}"  # noqa: S608
        kept = f"SELECT {key}, {', '.join(others)} FROM {kind.table(target)} FINAL WHERE {key} IN ({ids})"  # noqa: S608
        return [
            f"{insert} AND {key} NOT IN (SELECT {key} FROM ({kept}))",  # noqa: S608
            f"INSERT INTO {into} ({', '.join((*columns, *others))}) "  # noqa: S608
            f"SELECT {', '.join((*(f'new.{name}' for name in columns), *(f'old.{name}' for name in others)))} "
            f"FROM (SELECT {names} FROM {staged}) AS new INNER JOIN ({kept}) AS old ON new.{key} = old.{key}",
        ]

    def _is_added(self) -> bool:
        """Whether a try that has not come to say so has added the rows."""
        if self._aim.write != "append":
            return False
        kind = self._database.kind
        table, column = kind.table(self._aim.target), kind.quoted(LOAD_COLUMN)
        sql = f"SELECT 1 FROM {table} WHERE {column} = {kind.mark} LIMIT 1"  # noqa: S608
        return bool(self._database.execute(sql, (self._name,)))

    def _attach(self, copy: TableName, rows: int) -> None:
        table = self._database.kind.table(self._aim.target)
        if rows:
            how = "REPLACE" if self._aim.write == "replace" else "ATTACH"
            source = self._database.kind.table(copy)
            self._database.execute(f"ALTER TABLE {table} {how} PARTITION tuple() FROM {source}")
        elif self._aim.write == "replace":
            # An empty table has no partition.
            self._database.execute(f"TRUNCATE TABLE {table}")

    def _check_target(self) -> None:
        """:raises ConfigurationError: the table is not one that keeps each row, or the newest of each id."""
        target = self._aim.target
        if self._aim.owner is not None:
            raise ConfigurationError(
                f"rows of {target} are replaced for each {self._aim.owner} as a whole, and ClickHouse cannot",
                next_step="load them into files, or leave them out",
            )
        found = self._database.execute(
            "SELECT engine, engine_full, sorting_key, partition_key FROM system.tables "
            "WHERE name = %s AND database = coalesce(%s, currentDatabase())",
            (target.name, target.schema),
        )
        if not found:
            return
        engine, whole, order, partition = map(str, found[0])
        if partition:
            raise ConfigurationError(
                f"{target} is partitioned by {partition}, and a load would be seen partition by partition",
                next_step="make it without PARTITION BY; a load that finds no table makes it",
            )
        keeps_each, keeps_newest = engine in _PLAIN, self._keeps_newest(whole, order)
        fits = {"append": keeps_each, "upsert": keeps_newest, "replace": keeps_each or keeps_newest}
        if not fits[self._aim.write]:
            wanted = "MergeTree" if self._aim.write == "append" else self._replacing
            raise ConfigurationError(
                f"{target} is a table of the engine {engine} in the order of {order or 'nothing'}, into which rows are "
                f'not brought with write="{self._aim.write}"',
                next_step=f"make it with ENGINE = {wanted}; a load that finds no table makes it",
            )

    @property
    def _replacing(self) -> str:
        return f"ReplacingMergeTree{f'({self._aim.newer})' if self._aim.newer else ''} ORDER BY {KEY}"

    def _keeps_newest(self, engine: str, order: str) -> bool:
        found = _REPLACING.match(engine)
        if found is None or order.strip("(`)") != KEY:
            return False
        # By another version an older row could take the place of a newer one.
        return self._aim.newer is None or found[1] in (VERSION, self._aim.newer)

    def _drop_stage(self, name: str) -> None:
        super()._drop_stage(name)
        self._drop_copies(name)

    def _drop_copies(self, name: str, but: TableName | None = None) -> None:
        """Drop the copies that tries of a load have made."""
        target = self._aim.target
        found = self._database.execute(
            "SELECT name FROM system.tables WHERE database = coalesce(%s, currentDatabase()) AND startsWith(name, %s)",
            (target.schema, f"{STAGE}{name}_"),
        )
        for (table,) in found:
            if but is None or table != but.name:
                self._database.drop(target.beside(str(table)))
