"""What a list is as a table: its columns, out of what the portal or the documentation says of its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.fields import OLD_NAMES, item_field
from airflow_provider_bitrix24.crm.items import LIST, fields_of
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.columns import Column, columns_of
from airflow_provider_bitrix24.rest.message_parts import did_you_mean
from airflow_provider_bitrix24.types import Row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.methods import Method
    from airflow_provider_bitrix24.rest.client import Client

_OLD_LIST = re.compile(r"crm\.(company|contact|deal|lead|quote)\.list")
_MULTIFIELDS = ItemField("fm", "FM", "crm_multifield", "Multi-fields", is_multiple=True)


@dataclass(frozen=True)
class Table:
    """
    The rows of one list method as a table.

    :param name: ``crm.deal``, ``crm.item.1038``, ``tasks.task``: the same for both generations of methods.
    :param fields: of the portal, in its order; empty where nothing describes them.
    :param type_id: the kind of its CRM items, or of those that its rows belong to; None where there is none.
    """

    name: str
    method: str
    fields: tuple[ItemField, ...]
    type_id: int | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the fields that are known before the first row."""
        return columns_of(self.fields)

    def selecting(self, names: Sequence[str]) -> Table:
        """
        The same with some of the fields, and with the id, in the order of ``names``.

        :raises ConfigurationError: a name that is not a field.
        """
        spellings: dict[str, ItemField] = {}
        for field in self.fields:
            for spelling in (field.name, field.upper_name, *old_names(field)):
                spellings.setdefault(spelling.lower(), field)
        chosen: dict[str, ItemField] = {}
        for name in ("id", *names) if "id" in spellings else names:
            found = spellings.get(name.strip().lower())
            if found is None:
                raise ConfigurationError(
                    f"select names {name!r}, which is not a field of {self.name}",
                    next_step=did_you_mean(name.lower(), list(spellings), "leave select out to see all"),
                )
            chosen[found.name] = found
        return replace(self, fields=tuple(chosen.values()))


def table_of(client: Client, method: Method, params: Mapping[str, Any]) -> Table:
    """
    The table of a list: CRM items and old lists by the portal's own fields, others by the documentation.

    :param params: of the list: they say which kind of item it has.
    :raises NotFound: there is no such kind of item.
    """
    name = method.name.lower()
    type_id = type_id_of(name, params)
    if type_id is not None:
        fields = [field for field in fields_of(client, type_id).fields.values() if field.name != "fm"]
        if type_id in multifields.OWNERS:
            fields.append(_MULTIFIELDS)
        return Table(table_name(method, params), method.name, tuple(fields), type_id)
    short = table_name(method, params)
    # Of users, tasks and directories the documentation says more than the portal.
    documented = _documented().get(name, ())
    if method.rows is not None and (described_by := method.rows.fields_method) and not documented:
        described = client.described(described_by, fresh=True)
        return Table(short, method.name, tuple(item_field(str(key), value) for key, value in described.items()))
    return Table(short, method.name, documented, _owner_type_id(params))


def table_name(method: Method, params: Mapping[str, Any]) -> str:
    """``crm.deal``, ``crm.item.1038``, ``tasks.task``: what the rows of a list are."""
    type_id = type_id_of(method.name.lower(), params)
    if type_id is None:
        return method.name.rpartition(".")[0]
    words = {number: word for word, number in ENTITY_TYPES.items()}
    return f"crm.{words.get(type_id, f'item.{type_id}')}"


def type_id_of(name: str, params: Mapping[str, Any]) -> int | None:
    """The kind of the items of a list, by its method in lower case; None where its rows are not CRM items."""
    old = _OLD_LIST.fullmatch(name)
    if old:
        return ENTITY_TYPES[old[1]]
    return int(params["entityTypeId"]) if name == LIST else None


def _owner_type_id(params: Mapping[str, Any]) -> int | None:
    """The kind of the items that rows such as those of ``crm.stagehistory.list`` belong to."""
    given = str(params.get("entityTypeId", ""))
    return int(given) if given.isdecimal() else None


def column_of(table: Table, spelling: str) -> str | None:
    """The column of a field, in any spelling of its name; None where the table has none."""
    for column in table.columns:
        field = column.field
        if spelling.lower() in {each.lower() for each in (field.name, field.upper_name, *old_names(field))}:
            return column.name
    return None


def old_names(field: ItemField) -> list[str]:
    """What old methods call a field that ``crm.item.*`` has under another name."""
    return [old for old, new in OLD_NAMES.items() if new == field.name]


def field_of_values(name: str, values: Sequence[Any]) -> ItemField:
    """A field that nothing describes, by the values that the first rows have."""
    kinds = {type(value) for value in values if value is not None and value != ""}
    if kinds & {list, dict}:
        type_ = "object"
    elif kinds == {bool}:
        type_ = "boolean"
    elif kinds == {int}:
        type_ = "integer"
    elif kinds and kinds <= {int, float}:
        type_ = "double"
    else:
        type_ = "string"
    return ItemField(name, name, type_, is_user_field=True)


def unknown_names(fields: Sequence[ItemField], rows: Sequence[Row]) -> list[str]:
    """Names in rows that no field has, in the order in which they come."""
    known = {spelling for field in fields for spelling in (field.name, field.upper_name, *old_names(field))}
    if any(field.type == "crm_multifield" for field in fields):
        known |= {"fm", *multifields.TYPES}
    # Most rows have the names of the row before.
    names: dict[str, None] = {}
    for row in rows:
        if not row.keys() <= known:
            fresh = [name for name in row if name not in known]
            names.update(dict.fromkeys(fresh))
            known.update(fresh)
    return list(names)


def values_of(column: Column, rows: Sequence[Row]) -> list[Any]:
    """What rows have under a column's field, in whichever spelling their method has."""
    described = column.field
    if described.type == "crm_multifield":
        return [_entries(row, described.upper_name) for row in rows]
    for key in dict.fromkeys((described.name, described.upper_name, *old_names(described))):
        if any(key in row for row in rows):
            return [row.get(key) for row in rows]
    return [None] * len(rows)


def _entries(row: Row, kind: str) -> list[dict[str, Any]]:
    """Phones and the like as ``[{"id": 7, "type": "WORK", "value": "+1555"}]``, out of ``fm`` or of ``PHONE``."""
    new = [entry for entry in row.get("fm") or () if entry.get("typeId") == kind]
    old = row.get(kind) or ()
    return [{"id": int(entry["id"]), "type": entry.get("valueType"), "value": entry.get("value")} for entry in new] + [
        {"id": int(entry["ID"]), "type": entry.get("VALUE_TYPE"), "value": entry.get("VALUE")} for entry in old
    ]


@cache
def _documented() -> dict[str, tuple[ItemField, ...]]:
    """The table ``documented_tables.txt`` by method in lower case; read on first use."""
    text = Path(__file__).with_name("documented_tables.txt").read_text("utf-8")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            method, *fields = line.split()
            found[method.lower()] = tuple(map(_documented_field, fields))
    return found


def _documented_field(text: str) -> ItemField:
    name, _, rest = text.partition("=")
    upper_name, _, type_ = rest.partition(":")
    return ItemField(name, upper_name, type_.rstrip("*"), is_multiple=type_.endswith("*"))
