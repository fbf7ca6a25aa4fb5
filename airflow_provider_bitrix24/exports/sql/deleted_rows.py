"""Rows of a table that the portal has deleted: found after a load, marked or removed in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exports.deletions import check_share, count_shown, missing_among, missing_rows
from airflow_provider_bitrix24.exports.drift import KEY
from airflow_provider_bitrix24.exports.sql.database import Database
from airflow_provider_bitrix24.exports.sql.load_table import DELETED_COLUMN
from airflow_provider_bitrix24.exports.sql.table_names import TableName
from airflow_provider_bitrix24.exports.windows import moment_of, portal_time

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.rest.client import Client

#: Ids in one statement.
_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class DeletedRows:
    """
    :param removes: rows are removed, and not marked.
    :param max_deleted_share: more of them are taken for an error.
    """

    database: Database
    table: TableName
    removes: bool
    max_deleted_share: float

    def bring_up_to_date(self, client: Client, source: Source) -> dict[str, Any]:
        """
        Mark or remove what is deleted at the portal.

        :return: ``{"deleted": 3, "hidden": 0}``; None for both where the portal does not count its rows.
        :raises ConfigurationError: too much is missing; nothing is marked.
        """
        key, where = self._quoted(KEY), self._live()
        table = self._shown()
        bounds = f"SELECT count(*), min({key}), max({key}) FROM {table}{where}"  # noqa: S608
        ((known, first, last),) = self.database.execute(bounds)
        if not known:
            return {"deleted": 0, "hidden": 0}
        shown = count_shown(client, source, int(first), int(last))
        if shown is None:
            return {"deleted": None, "hidden": None}
        if shown == known:
            return {"deleted": 0, "hidden": 0}
        check_share(int(known) - shown, int(known), self.max_deleted_share)
        ids = self.database.numbers(f"SELECT {key} FROM {table}{where} ORDER BY {key}")  # noqa: S608
        missing = missing_rows(client, source, ids)
        check_share(len(missing.deleted), len(ids), self.max_deleted_share)
        if missing.deleted:
            self._apply(missing.deleted, portal_time(client))
        return {"deleted": len(missing.deleted), "hidden": missing.hidden}

    def remove_without_owner(self, client: Client, owners: Source, owner_column: str) -> dict[str, Any]:
        """
        Remove the rows whose owner is deleted at the portal.

        :return: ``{"deleted": 3, "hidden": 0}``: rows that were removed, and owners that must not be seen.
        :raises ConfigurationError: too many owners are missing; nothing is removed.
        """
        column, table = self._quoted(owner_column), self.database.kind.table(self.table)
        known = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"  # noqa: S608
        ids = self.database.numbers(known)
        missing = missing_among(client, owners, ids)
        check_share(len(missing.deleted), len(ids), self.max_deleted_share, "owners")
        deleted = 0
        with self.database.transaction():
            for which in self._in_groups(owner_column, missing.deleted):
                ((count,),) = self.database.execute(f"SELECT count(*) FROM {table} {which}")  # noqa: S608
                self.database.execute(f"DELETE FROM {table} {which}")  # noqa: S608
                deleted += int(count)
        return {"deleted": deleted, "hidden": missing.hidden}

    def _apply(self, ids: Sequence[int], now: str) -> None:
        kind, table = self.database.kind, self.database.kind.table(self.table)
        moment = moment_of(now).astimezone(timezone.utc).strftime(kind.moment_format)
        with self.database.transaction():
            for which in self._in_groups(KEY, ids):
                if self.removes:
                    self.database.execute(f"DELETE FROM {table} {which}")  # noqa: S608
                else:
                    self.database.execute(self._marking(which), (moment,))

    def _marking(self, which: str) -> str:
        kind, mark = self.database.kind, self._quoted(DELETED_COLUMN)
        table = kind.table(self.table)
        if kind.begin is not None:
            return f"UPDATE {table} SET {mark} = {kind.mark} {which}"  # noqa: S608
        # Without updates the newest row of an id counts.
        names = ", ".join(self._quoted(name) for name in self.database.columns(self.table) if name != DELETED_COLUMN)
        return f"INSERT INTO {table} ({names}, {mark}) SELECT {names}, {kind.mark} FROM {self._shown()} {which}"  # noqa: S608

    def _shown(self) -> str:
        """The table, with one row for each id."""
        return f"{self.database.kind.table(self.table)}{self.database.kind.newest}"

    def _in_groups(self, column: str, ids: Sequence[int]) -> Iterator[str]:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            numbers = ", ".join(str(int(number)) for number in ids[start : start + _IDS_AT_ONCE])
            yield f"WHERE {self._quoted(column)} IN ({numbers})"

    def _live(self) -> str:
        has_marks = DELETED_COLUMN in self.database.columns(self.table)
        return f" WHERE {self._quoted(DELETED_COLUMN)} IS NULL" if has_marks else ""

    def _quoted(self, name: str) -> str:
        return self.database.kind.quoted(name)
