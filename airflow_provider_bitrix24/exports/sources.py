"""The list that a load reads: its method, its parameters, and the table that its rows make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.items import LIST
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import digest_of
from airflow_provider_bitrix24.execution.lineage import Dataset, Transfer, stored_dataset
from airflow_provider_bitrix24.exports.parts import Part
from airflow_provider_bitrix24.exports.tables import Table, old_names, table_name, table_of
from airflow_provider_bitrix24.rest.conditions import beside, has_logic
from airflow_provider_bitrix24.rest.encoding import no_two_spellings
from airflow_provider_bitrix24.types import Row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.methods import Method
    from airflow_provider_bitrix24.methods import Rows as RowsOf
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.lists.list_report import ListReport

#: Rows that one request brings, 50 pages of 50.
_ROWS_OF_A_REQUEST = 2500

#: Without a select these methods leave out fields that users made, and phones.
_WITH_USER_FIELDS = re.compile(r"crm\.(activity|company|contact|deal|lead|quote)\.list|tasks\.task\.list")

#: Old names that only the methods of some kinds have: deals have STAGE_ID ("crm.deal.fields", "crm.lead.fields").
_OLD_NAMES_OF = {
    "STATUS_ID": {ENTITY_TYPES["lead"], ENTITY_TYPES["quote"]},
    "STATUS_SEMANTIC_ID": {ENTITY_TYPES["lead"]},
    "COMPANY_TYPE": {ENTITY_TYPES["company"]},
}


class Rows(Protocol):
    """Rows on their way, and what can be said of them afterwards."""

    @property
    def report(self) -> ListReport: ...
    def __iter__(self) -> Iterator[Row]: ...


@dataclass(frozen=True)
class Source:
    """
    :param params: of the method, with select and the author's filter.
    :param selects: whether the author chose the columns.
    """

    method: Method
    params: Mapping[str, Any]
    table: Table
    selects: bool

    @property
    def narrowed(self) -> Source:
        """The list to which a window and the author's filter apply."""
        return self

    @property
    def filter(self) -> dict[str, Any]:
        """The author's conditions."""
        name = self.method.rows.filter if self.method.rows else None
        given = self.params.get(name) if name else None
        return dict(given) if isinstance(given, Mapping) else {}

    def params_with(self, conditions: Mapping[str, Any]) -> dict[str, Any]:
        """
        The parameters with conditions that hold beside all of the author's.

        :raises ConfigurationError: the author's filter has a form that leaves no room for them.
        """
        rows = self.method.rows
        name = rows.filter if rows else None
        if not conditions or rows is None or name is None:
            return dict(self.params)
        own = self.params.get(name) or {}
        if not isinstance(own, Mapping):
            raise ConfigurationError(
                f"{name!r} is not an object", method=self.method.name, next_step='write e.g. {">=ID": 100}'
            )
        if rows.fields_method == "crm.item.fields":
            return {**self.params, name: beside(own, conditions)}
        if has_logic(own):
            # Old lists silently drop a group.
            raise ConfigurationError(
                "'logic' at the top of the filter cannot be combined with a window or a retry",
                method=self.method.name,
                next_step="leave it out",
            )
        # In another case it would be the same condition twice.
        added = {key.lower() for key in conditions}
        kept = {key: value for key, value in own.items() if key.lower() not in added}
        return {**self.params, name: {**kept, **conditions}}

    @property
    def key(self) -> str:
        """The same for every load of the same rows."""
        params = {name: value for name, value in self.params.items() if name.lower() != "select"}
        return f"{self.table.name}-{digest_of(self.method.name, self.method.version, params)}"

    def dataset(self, client: Client) -> Dataset:
        """What the rows are at the portal: ``bitrix24://my.bitrix24.com`` and ``crm.deal``."""
        fields = {field.name: field.type for field in self.table.fields}
        # Never more than host, port and folder: what comes after is secret.
        return Dataset(f"bitrix24://{client.portal.address.partition('://')[2]}", self.table.name, fields)

    def brought_to(self, path: Any, client: Client, report: Mapping[str, Any]) -> Transfer:
        """The rows of a report that have gone into a file or a folder, as they are."""
        return Transfer(self.dataset(client), stored_dataset(path), report["rows"], report["bytes"])

    @property
    def is_resumable(self) -> bool:
        """Whether a later try goes on behind the last part: the list is read in order of id, from any id on."""
        rows = self.method.rows
        return rows is not None and rows.paging == "keyset" and rows.filter_id is not None

    def behind(self, last_id: int | None) -> dict[str, Any]:
        """The condition under which a list goes on behind an id; none where there is no id."""
        rows = self.narrowed.method.rows
        return {} if rows is None or last_id is None else {f">{rows.filter_id}": last_id}

    def rows(self, client: Client, conditions: Mapping[str, Any], limit: int | None = None) -> Rows:
        """
        Read the rows.

        :param conditions: those that hold beside the author's.
        :param limit: the most rows to read.
        """
        return client.list(self.method.name, self.params_with(conditions), limit=limit, version=self.method.version)

    def estimate(self, client: Client, conditions: Mapping[str, Any]) -> dict[str, Any]:
        """How many rows there are now, and about how many requests they take; None where the portal does not count."""
        params = {**self.params_with(conditions), "start": 0}
        total = client.ask(self.method.name, params, version=self.method.version).total
        return {"rows": total, "requests": total if total is None else 3 + total // _ROWS_OF_A_REQUEST}

    @property
    def owner_column(self) -> str | None:
        """Where rows belong to other rows, the column that says to which."""
        return None

    def counted(self, parts: Iterable[Part]) -> dict[str, int]:
        """How many rows there are in the parts of a load."""
        return {"rows": sum(part.rows for part in parts)}

    def id_of(self, row: Mapping[str, Any]) -> int:
        """The id of a row of a list that is read in order of id."""
        return int(row[(self.method.rows and self.method.rows.id_key) or "id"])


def source_of(client: Client, method: Method, params: Mapping[str, Any], select: Sequence[str] | None) -> Source:
    """
    :param params: of the method, without select.
    :param select: names of fields in any spelling; None for all.
    :raises ConfigurationError: not a list, or a name that is not a field.
    """
    if method.rows is None:
        raise ConfigurationError("not known to be a list", method=method.name, next_step="name a list method")
    given = [name for name in params if name.lower() == "select"]
    if given:
        raise ConfigurationError(
            f"the parameters have {given[0]!r}", method=method.name, next_step="give the argument select instead"
        )
    params = _own_spelling(method, method.rows, params)
    table = table_of(client, method, params)
    if select is not None:
        table = table.selecting(select)
    if method.rows.select:
        names = _selected(method, table, all_=select is None)
        if names:
            params[method.rows.select] = names
    return Source(method, params, table, select is not None)


def raw_source_of(method: Method, params: Mapping[str, Any]) -> Source:
    """
    The same with rows that stay as the portal sends them; where the list is read in order of id, with their id.

    :param params: of the method, with the author's own select.
    :raises ConfigurationError: not a list.
    """
    if method.rows is None:
        raise ConfigurationError("not known to be a list", method=method.name, next_step="name a list method")
    params = _own_spelling(method, method.rows, params)
    source = Source(method, params, Table(table_name(method, params), method.name, ()), selects=True)
    name, own_id = method.rows.select, method.rows.filter_id
    select = params.get(name) if name else None
    if name and source.is_resumable and isinstance(select, list) and select and not {"*", own_id} & set(select):
        return replace(source, params={**params, name: [*select, own_id]})
    return source


def _own_spelling(method: Method, rows: RowsOf, params: Mapping[str, Any]) -> dict[str, Any]:
    """Old methods take ``FILTER`` for ``filter``; what is added later must not stand beside it under the other name."""
    no_two_spellings(params, method=method.name)
    spelling = {name.lower(): name for name in (rows.filter, rows.select) if name}
    return {spelling.get(name.lower(), name): value for name, value in params.items()}


def _selected(method: Method, table: Table, *, all_: bool) -> list[str]:
    """What is asked for."""
    has_multifields = any(field.type == "crm_multifield" for field in table.fields)
    if method.name == LIST:
        # Phones and the like come only with all.
        return ["*"] if all_ or has_multifields else [field.name for field in table.fields]
    if all_ and not _WITH_USER_FIELDS.fullmatch(method.name.lower()):
        return []
    names = ["*", "UF_*"] if all_ else [_old_name(field, table.type_id) for field in table.fields if field.name != "fm"]
    return [*names, *(multifields.TYPES if has_multifields else ())]


def _old_name(field: ItemField, type_id: int | None) -> str:
    named = (name for name in old_names(field) if name not in _OLD_NAMES_OF or type_id in _OLD_NAMES_OF[name])
    return next(named, field.upper_name)
