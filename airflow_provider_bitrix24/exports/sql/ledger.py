"""
What is known of the loads of a table, beside the table: loads, their parts and the watermarks.

A row is changed in the transaction of what it speaks of, so the two never disagree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports.sql.database import Database
from airflow_provider_bitrix24.exports.sql.staging import insert_statement, text_of
from airflow_provider_bitrix24.exports.sql.table_names import TableName

#: Name of the table.
NAME = "_bitrix24_loads"
LOAD, PART, WATERMARK = "load", "part", "watermark"
#: By column of labels, the column that it puts into words.
LABELS = "labels"
_TABLE = "table"


class Ledger:
    """
    The rows of one table.

    :param target: the table whose loads they are.
    """

    def __init__(self, database: Database, target: TableName) -> None:
        self._database = database
        self._own = target.beside(NAME)
        self._target = target.name
        self._table = database.kind.table(self._own)
        self._present = f"{self._table}{database.kind.newest}"

    @property
    def is_there(self) -> bool:
        return bool(self._database.columns(self._own))

    def labels(self) -> dict[str, str]:
        """The columns of the target that hold labels, by their names."""
        return dict(self.get(LABELS, "") or {}) if self.is_there else {}

    def prepare(self) -> None:
        """Make the table, and the row by which loads of one target take turns."""
        kind = self._database.kind
        key = dict.fromkeys(("target", "kind", "name"), f"{kind.ledger_text} NOT NULL")
        columns = {**key, "number": f"{kind.type_of('int64')} NOT NULL"}
        if not self.is_there:
            with self._unless_another_did(lambda: self.is_there):
                self._database.create(self._own, {**columns, "value": kind.type_of("string")}, tuple(columns))
        if not self.all(_TABLE):
            with self._unless_another_did(lambda: self.all(_TABLE)), self._database.transaction():
                self.add(_TABLE, "", None)

    @contextmanager
    def _unless_another_did(self, is_done: Callable[[], Any]) -> Iterator[None]:
        """Two loads that begin at the same moment prepare the same."""
        try:
            yield
        except Bitrix24Error:
            if not is_done():
                raise

    def lock(self) -> None:
        """Let no other load of the target begin or publish until the transaction ends."""
        self.locked(_TABLE, "")

    def locked(self, kind: str, name: str) -> Any:
        """One value, which nobody else changes until the transaction ends; None where there is none."""
        where, params = self._where(kind, name)
        value = self._database.kind.quoted("value")
        sql = f"SELECT {value} FROM {self._present}{where}{self._database.kind.row_lock}"  # noqa: S608
        rows = self._database.execute(sql, params)
        return json.loads(rows[0][0]) if rows else None

    def all(self, kind: str, name: str | None = None) -> dict[tuple[str, int], Any]:
        """Values by name and number, in their order."""
        where, params = self._where(kind, name)
        columns = ", ".join(self._database.kind.quoted(column) for column in ("name", "number", "value"))
        sql = f"SELECT {columns} FROM {self._present}{where} ORDER BY 1, 2"  # noqa: S608
        rows = self._database.execute(sql, params)
        return {(str(name), int(number)): json.loads(value) for name, number, value in rows}

    def get(self, kind: str, name: str) -> Any:
        """One value; None where there is none."""
        return self.all(kind, name).get((name, 0))

    def add(self, kind: str, name: str, value: Any, number: int = 0) -> None:
        """
        Put a new value.

        :raises Bitrix24Error: there is one already.
        """
        sql = insert_statement(self._table, self._columns(), self._database.kind.mark)
        self._database.execute(sql, (self._target, kind, name, number, text_of(value)))

    def put(self, kind: str, name: str, value: Any) -> None:
        """Put a value in place of the one that may be there."""
        if self._database.kind.begin is None or not self.all(kind, name):
            # Without transactions the newest row counts.
            self.add(kind, name, value)
            return
        where, params = self._where(kind, name)
        column = f"{self._database.kind.quoted('value')} = {self._database.kind.mark}"
        self._database.execute(f"UPDATE {self._table} SET {column}{where}", (text_of(value), *params))  # noqa: S608

    def forget(self, kind: str, name: str) -> None:
        where, params = self._where(kind, name)
        if self._database.kind.begin is None:
            # The newest row says that there is none.
            *key, value = self._columns()
            sql = f"INSERT INTO {self._table} ({', '.join((*key, value))}) SELECT {', '.join(key)}, NULL"
            self._database.execute(f"{sql} FROM {self._present}{where}", params)
            return
        self._database.execute(f"DELETE FROM {self._table}{where}", params)  # noqa: S608

    def _columns(self) -> list[str]:
        return [self._database.kind.quoted(each) for each in ("target", "kind", "name", "number", "value")]

    def _where(self, kind: str, name: str | None = None) -> tuple[str, tuple[Any, ...]]:
        database = self._database.kind
        keys = {"target": self._target, "kind": kind, **({} if name is None else {"name": name})}
        conditions = " AND ".join(f"{database.quoted(column)} = {database.mark}" for column in keys)
        return f" WHERE {conditions} AND {database.quoted('value')} IS NOT NULL", tuple(keys.values())
