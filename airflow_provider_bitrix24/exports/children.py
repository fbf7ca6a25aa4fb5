"""
What belongs to CRM items, such as their product rows: read for each item, which its rows name as their owner.

An owner without any has one row too, with ``ownerId`` and without ``id``: only so a load says that what an earlier one
has brought of this owner is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.children import CHILDREN, Children, short_name
from airflow_provider_bitrix24.crm.items import not_listed
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import Bitrix24Error, NotFound
from airflow_provider_bitrix24.exports.drift import KEY
from airflow_provider_bitrix24.exports.parts import Part
from airflow_provider_bitrix24.exports.sources import Source
from airflow_provider_bitrix24.exports.tables import column_of, table_of
from airflow_provider_bitrix24.rest.lists.list_report import ListReport
from airflow_provider_bitrix24.types import Row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: Owners whose rows are in memory together, and what one request asks for.
_OWNERS_AT_ONCE, _OWNERS_OF_A_REQUEST = 350, 50
#: What every row says of its owner: ``ownerType`` is ``"D"`` of a deal.
OWNER_ID, OWNER_TYPE = "ownerId", "ownerType"
_OWNER = (ItemField(OWNER_ID, "OWNER_ID", "integer"), ItemField(OWNER_TYPE, "OWNER_TYPE", "string"))


@dataclass(frozen=True)
class ChildSource(Source):
    """
    :param owners: the list of the items whose children they are.
    :param kind: what they are.
    """

    owners: Source
    kind: Children

    @property
    def narrowed(self) -> Source:
        return self.owners

    @property
    def key(self) -> str:
        return f"{self.table.name}-of-{self.owners.key}"

    @property
    def is_resumable(self) -> bool:
        return self.owners.is_resumable

    @property
    def owner_column(self) -> str | None:
        return column_of(self.table, OWNER_ID)

    def counted(self, parts: Iterable[Part]) -> dict[str, int]:
        """Rows, and how many owners have none: their rows have no id."""
        several = list(parts)
        rows = sum(part.misfits.values.get(KEY, 0) for part in several)
        return {"rows": rows, "empty": sum(part.rows for part in several) - rows}

    def id_of(self, row: Mapping[str, Any]) -> int:
        """The id of its owner: a load goes on behind the last owner whose rows it has."""
        return int(row[OWNER_ID])

    def rows(self, client: Client, conditions: Mapping[str, Any], limit: int | None = None) -> ChildRows:
        return ChildRows(client, self, conditions)

    def estimate(self, client: Client, conditions: Mapping[str, Any]) -> dict[str, Any]:
        owners = self.owners.estimate(client, conditions)
        total, requests = owners["rows"], owners["requests"]
        more = None if total is None else requests + -(-total // _OWNERS_OF_A_REQUEST)
        return {"rows": None, "owners": total, "requests": more}


def children_of(owners: Source, client: Client, children: str, select: Sequence[str] | None) -> ChildSource:
    """
    The children of items.

    :param owners: a list of the items.
    :param children: a key of ``CHILDREN``.
    :param select: names of their fields in any spelling; None for all.
    :raises ConfigurationError: a name that is not a field.
    """
    kind = CHILDREN[children]
    method = client.method(kind.method)
    table = table_of(client, method, {})
    known = {field.name for field in table.fields}
    table = replace(table, fields=(*(field for field in _OWNER if field.name not in known), *table.fields))
    if select is not None:
        table = table.selecting([*(field.name for field in _OWNER), *select])
    params = {"owners": owners.params, "select": None if select is None else list(select)}
    return ChildSource(method, params, table, select is not None, owners, kind)


class ChildRows:
    """
    Rows of one owner after the other.

    :param conditions: which owners, beside the author's.
    """

    def __init__(self, client: Client, source: ChildSource, conditions: Mapping[str, Any]) -> None:
        self.report = ListReport(source.method.name, "owner", proven=True)
        self._client, self._source = client, source
        owners = source.owners
        params = owners.params_with(conditions)
        self._owners = client.list(owners.method.name, params, version=owners.method.version)

    def __iter__(self) -> Iterator[Row]:
        began = time.monotonic()
        ids = (self._source.owners.id_of(row) for row in self._owners)
        while several := list(islice(ids, _OWNERS_AT_ONCE)):
            found = self._of(several)
            for owner in several:
                for row in found.get(owner, ()):
                    self.report.rows += 1
                    self.report.first_id = owner if self.report.first_id is None else self.report.first_id
                    self.report.last_id = owner
                    yield row
        self.report.complete = self._owners.report.complete
        self.report.seconds = time.monotonic() - began

    def _of(self, owners: Sequence[int]) -> dict[int, list[Row]]:
        """The rows of some owners; those that are gone meanwhile have none."""
        try:
            return self._read(owners)
        except NotFound as error:
            gone = set(not_listed(self._client, int(self._source.owners.params["entityTypeId"]), owners))
            failure = error
        if not gone:
            raise failure
        left = [owner for owner in owners if owner not in gone]
        return self._of(left) if left else {}

    def _read(self, owners: Sequence[int]) -> dict[int, list[Row]]:
        kind, type_id = self._source.kind, int(self._source.owners.params["entityTypeId"])
        of_owner = {OWNER_TYPE: short_name(type_id)}
        found: dict[int, list[Row]] = {}
        for owner, row in self._client.children(kind.method, owners, lambda each: kind.params_of(type_id, each)):
            child = kind.row(row)
            if int(child.get(OWNER_ID) or owner) != owner:
                raise Bitrix24Error(f"the rows of {owner} have one of another owner", method=kind.method)
            found.setdefault(owner, []).append({**child, OWNER_ID: owner, **of_owner})
        return {owner: found.get(owner) or [{OWNER_ID: owner, **of_owner}] for owner in owners}
