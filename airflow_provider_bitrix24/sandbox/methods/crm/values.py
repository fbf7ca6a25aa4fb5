"""Values of CRM fields on their way in and out: typed in ``crm.item.*``, mostly text in the old methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer, as_number
from airflow_provider_bitrix24.sandbox.methods.crm.fields import (
    CHOICES,
    FLAT_MULTI_FIELDS,
    MULTI_FIELDS,
    SINCE_CREATION,
    UNLISTED,
    UNLISTED_OLD,
    ItemField,
    by_item_name,
    by_old_name,
    fields_of,
)
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.methods.selection import BadValue, Field, as_server_time
from airflow_provider_bitrix24.sandbox.state.store import LEAD, Row
from airflow_provider_bitrix24.sandbox.state.texts import text

#: Kinds of contact data that an object can have any number of.
MULTI_FIELD_TYPES = ("PHONE", "EMAIL", "WEB", "IM")


class IgnoredValue(Exception):
    """A value that the server drops silently, such as a date it cannot read."""


# Out


@cache
def _item_defaults(entity_type_id: int) -> Mapping[str, Any]:
    return {field.name: field.default for field in fields_of(entity_type_id)}


def completed(entity_type_id: int, row: Row) -> Row:
    """All fields of a stored object, typed, under their ``crm.item`` names, and ``fm`` if there is one."""
    full = {**_item_defaults(entity_type_id), **row}
    for name in SINCE_CREATION:
        if name in full and full[name] is None:
            full[name] = row["createdTime"]
    return full


def unlisted(entity_type_id: int, row: Row) -> Row:
    """What one whole object has beside its fields."""
    flat = _flat_multi_fields(row) if entity_type_id == LEAD else {}
    return {**UNLISTED.get(entity_type_id, {}), **flat}


def _flat_multi_fields(row: Row) -> Row:
    flat = dict.fromkeys(FLAT_MULTI_FIELDS, "")
    for entry in reversed(row.get("fm", [])):
        for name, (kind, place) in FLAT_MULTI_FIELDS.items():
            if entry["typeId"] == kind and place in ("", entry["valueType"]):
                flat[name] = entry["value"]
    return flat


def shown_item(entity_type_id: int, row: Row, names: list[str] | None, original_uf_names: bool) -> Row:
    """An object as ``crm.item.*`` shows it: all fields, or those of ``names`` that exist."""
    full = completed(entity_type_id, row)
    known = by_item_name(entity_type_id, original_uf_names)
    if names is not None:
        return {name: full[known[name].name] for name in names if name in known}
    if original_uf_names:
        return {name: full[field.name] for name, field in known.items()} | _multi_field(full)
    return full


def _multi_field(row: Row) -> Row:
    return {"fm": row["fm"]} if "fm" in row else {}


def as_old_value(field: ItemField, value: Any) -> Any:
    """A value as the old methods write it: text, money with two decimals."""
    if value is None:
        return None
    if field.multiple:
        return [str(item) for item in value]
    return f"{value:.2f}" if field.kind == "double" else str(value)


@cache
def _old_defaults(entity_type_id: int) -> Mapping[str, Any]:
    fields = {name: as_old_value(field, field.default) for name, field in by_old_name(entity_type_id).items()}
    return {**fields, **UNLISTED_OLD.get(entity_type_id, {})}


@cache
def _old_fields(entity_type_id: int) -> Mapping[str, tuple[str, ItemField]]:
    return {field.name: (name, field) for name, field in by_old_name(entity_type_id).items()}


def shown_old(entity_type_id: int, row: Row, names: frozenset[str] | None, multi_fields: frozenset[str]) -> Row:
    """An object as ``crm.deal.*`` and its sisters show it; ``names`` ``None`` is all fields but the multi-fields."""
    shown = dict(_old_defaults(entity_type_id))
    places = _old_fields(entity_type_id)
    for key, value in row.items():
        place = places.get(key)
        if place is not None:
            shown[place[0]] = as_old_value(place[1], value)
    for name in ("MOVED_TIME", "LAST_ACTIVITY_TIME"):
        if name in shown and shown[name] is None:
            shown[name] = row["createdTime"]
    if names is not None:
        shown = {name: value for name, value in shown.items() if name in names}
    for entry in row.get("fm", ()):
        if entry["typeId"] in multi_fields:
            shown.setdefault(entry["typeId"], []).append(
                {
                    "ID": str(entry["id"]),
                    "VALUE_TYPE": entry["valueType"],
                    "VALUE": entry["value"],
                    "TYPE_ID": entry["typeId"],
                }
            )
    return shown


def old_filter_fields(entity_type_id: int) -> dict[str, Field]:
    """What an old list can filter by: its fields, and the multi-fields by value."""
    known = {name: field.for_filter for name, field in by_old_name(entity_type_id).items()}
    known.update({name: Field(name, "multi_field", None) for name in MULTI_FIELDS})
    return known


# In


def written_item(
    language: str,
    entity_type_id: int,
    fields: Mapping[str, Any],
    original_uf_names: bool,
    *,
    only: frozenset[str] | None = None,
) -> Row:
    """
    What ``crm.item.add`` and ``update`` store of ``fields``; unknown and read-only names are ignored.

    :param only: store these instead, read-only or not.

    :raises Refusal: a value does not fit its field.
    """
    known = by_item_name(entity_type_id, original_uf_names)
    row: Row = {}
    for name, value in fields.items():
        field = known.get(name)
        if field is None or (field.read_only if only is None else field.name not in only):
            continue
        try:
            row[field.name] = _stored(field, value, strict=True)
        except BadValue:
            description = text(language, "field_invalid", field=name)
            raise Refusal("CRM_FIELD_ERROR_VALUE_NOT_VALID", description) from None
        except IgnoredValue:
            continue
    return row


def written_old(entity_type_id: int, fields: Mapping[str, Any]) -> Row:
    """What ``crm.deal.add`` and its sisters store of ``fields``; whatever does not fit is ignored."""
    known = by_old_name(entity_type_id)
    row: Row = {}
    for name, value in fields.items():
        field = known.get(name)
        if field is None or field.read_only:
            continue
        try:
            row[field.name] = _stored(field, value, strict=False)
        except (BadValue, IgnoredValue):
            continue
    if "CONTACT_IDS" in fields:
        row["contactIds"] = [number for item in as_map(fields["CONTACT_IDS"]).values() if (number := as_integer(item))]
    return row


def _stored(field: ItemField, value: Any, *, strict: bool) -> Any:
    if field.multiple:
        if not isinstance(value, (dict, list)):
            if strict:
                kind = "string" if isinstance(value, str) else "integer"
                raise Refusal("100", f"Expected iterable value for multiple field, but got {kind} instead")
            value = [value]
        return list(_several(field, as_map(value).values(), strict=strict))
    return _single(field, value, strict=strict)


def _several(field: ItemField, values: Iterable[Any], *, strict: bool) -> Iterator[Any]:
    for value in values:
        try:
            yield _single(field, value, strict=strict)
        except IgnoredValue:
            continue


def _single(field: ItemField, value: Any, *, strict: bool) -> Any:
    if isinstance(value, (dict, list)):
        raise BadValue
    if field.kind in ("boolean", "uf_boolean"):
        # 1 and "1" are false here (server source); the old methods take them.
        yes = ("true", "Y", "y") if strict else ("true", "Y", "y", "1", 1)
        return "Y" if value is True or (not isinstance(value, bool) and value in yes) else "N"
    if value is None or value == "":
        return field.default if field.for_filter.is_numeric else None
    if field.kind in ("datetime", "date"):
        try:
            moment = as_server_time(value)
        except BadValue:
            raise IgnoredValue from None
        # A day is stored as midnight UTC and shown in the server's zone.
        return f"{moment[:10]}T03:00:00+03:00" if field.kind == "date" else moment
    if field.kind == "enumeration" and as_integer(value) not in CHOICES:
        raise IgnoredValue
    if field.for_filter.is_numeric:
        return _as_number(field, value)
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value)


def _as_number(field: ItemField, value: Any) -> float | int:
    number = as_number(value)
    if number is None:
        raise BadValue
    return number if field.kind == "double" and not number.is_integer() else int(number)


def imported_multi_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``{"PHONE": [{"VALUE": …, "VALUE_TYPE": …}]}`` of an import as the ``fm`` of an add."""
    new = [
        {"typeId": name, "value": entry.get("VALUE"), "valueType": entry.get("VALUE_TYPE", "WORK")}
        for name in MULTI_FIELD_TYPES
        for entry in map(as_map, as_map(fields.get(name)).values())
    ]
    return {f"n{number}": entry for number, entry in enumerate(new)}


def written_multi_fields(row: Row, values: Mapping[str, Any], next_id: int) -> int:
    """
    Change phones and e-mails of ``row``: ``values`` by entry id, or ``n0``, ``n1`` … for new ones, each with
    ``typeId``, ``valueType`` and ``value``; an empty value removes, an unknown type is dropped.
    Returns the next free id.
    """
    entries = {str(entry["id"]): entry for entry in row.get("fm", [])}
    for key, value in values.items():
        entry = as_map(value)
        if key in entries and not entry.get("value"):
            del entries[key]
        elif key in entries:
            changed = {name: str(entry[name]) for name in ("valueType", "value") if name in entry}
            entries[key] = {**entries[key], **changed}
        elif entry.get("value") and entry.get("typeId", "PHONE") in MULTI_FIELD_TYPES:
            shown = {"id": next_id, "valueType": str(entry.get("valueType", "WORK")), "value": str(entry["value"])}
            entries[str(next_id)] = {**shown, "typeId": entry.get("typeId", "PHONE")}
            next_id += 1
    row["fm"] = list(entries.values())
    kinds = {entry["typeId"] for entry in row["fm"]}
    row["hasPhone"], row["hasEmail"] = ("Y" if kind in kinds else "N" for kind in MULTI_FIELDS)
    return next_id
