"""CRM objects on their way in and out: typed in ``crm.item.*``, mostly text in ``crm.deal.*`` and its sisters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec
from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    INVOICE,
    MULTI_FIELD_TYPES,
    SMART_PROCESS,
    ItemKind,
    Row,
)
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm import relations
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.methods.selection import Field
from airflow_provider_bitrix24.sandbox.methods.values import (
    IgnoredValue,
    list_field,
    new_value,
    old_value,
    stored_value,
)
from airflow_provider_bitrix24.sandbox.php import BadValue, as_server_day
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.stages import is_stage
from airflow_provider_bitrix24.sandbox.state.store import Store

#: Times that are those of the creation until something happens.
_SINCE_CREATION = frozenset({"movedTime", "lastActivityTime"})

#: Days from the creation to what an add without these dates writes (page of ``crm.deal.add``).
_DAYS_AFTER_CREATION = {"begindate": 0, "closedate": 7}

#: Kinds whose stages are checked: the old ones take any text (server source).
_OWN_STAGES = (INVOICE, SMART_PROCESS)

#: What only an import sets, and only for administrators.
IMPORTED = frozenset({"createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy", "movedBy"})

#: Texts of a whole object that repeat the first phone and e-mail of a type.
_FLAT_MULTI_FIELDS = {
    **{f"phone{place.title()}": ("PHONE", place) for place in ("MOBILE", "WORK", "MAILING")},
    **{f"email{place.title()}": ("EMAIL", place) for place in ("HOME", "WORK", "MAILING")},
    "phone": ("PHONE", ""),
    "email": ("EMAIL", ""),
    "imol": ("IM", "OPENLINE"),
}


# Out


def completed(store: Store, entity_type_id: int, row: Row, wanted: Collection[str] | None = None) -> Row:
    """
    All listed fields of a stored object by key, typed, and ``fm`` if there is one.

    :param wanted: keys without which nobody will miss what has to be worked out.
    """
    full = {**store.kind(entity_type_id).empty_new, **row}
    for name in full.keys() & _SINCE_CREATION:
        if full[name] is None:
            full[name] = row["createdTime"]
    for name, days in _DAYS_AFTER_CREATION.items():
        if name in full and name not in row and (wanted is None or name in wanted):
            full[name] = _days_after(row["createdTime"], days)
    if wanted is None or any(relations.derivation(store, entity_type_id, key) for key in wanted):
        relations.complete(store, entity_type_id, full)
    return full


def _days_after(created_time: str, days: int) -> str:
    """The day so many days after a moment in the server's zone."""
    return _later_day(created_time[:10], days)


@lru_cache(maxsize=4096)
def _later_day(day: str, days: int) -> str:
    return as_server_day(date.fromisoformat(day) + timedelta(days))


def whole_item(portal: PortalState, entity_type_id: int, row: Row, original_uf_names: bool) -> Row:
    """An object as ``crm.item.get`` shows it, with what it has beside its listed fields."""
    kind = portal.store.kind(entity_type_id)
    beside = dict(kind.empty_answer_only)
    if kind.multi_fields:
        beside |= {name: text for name, text in _flat_multi_fields(row).items() if name in beside}
    listed = item_answer(portal, entity_type_id, row, chosen_fields(kind, None, original_uf_names))
    return {**beside, **listed, "entityTypeId": entity_type_id}


def _flat_multi_fields(row: Row) -> Row:
    flat = dict.fromkeys(_FLAT_MULTI_FIELDS, "")
    for entry in reversed(row.get("fm", [])):
        for name, (kind, place) in _FLAT_MULTI_FIELDS.items():
            if entry["typeId"] == kind and place in ("", entry["valueType"]):
                flat[name] = entry["value"]
    return flat


def chosen_fields(kind: ItemKind, names: list[str] | None, original_uf_names: bool) -> Mapping[str, FieldSpec]:
    """The fields that ``crm.item.*`` shows, by their names: all, or those of ``names`` that exist, in any spelling."""
    listed = kind.listed_original if original_uf_names else kind.listed
    if names is None:
        return listed
    # Multi-fields come with all fields or not at all (page of the method).
    by_key = {field.key: name for name, field in listed.items()}
    fields = [known_field(kind, name, original_uf_names) for name in names]
    return {by_key[field.key]: field for field in fields if field is not None and field.key != "fm"}


def item_answer(portal: PortalState, entity_type_id: int, row: Row, chosen: Mapping[str, FieldSpec]) -> Row:
    """An object as ``crm.item.*`` shows it."""
    full = completed(portal.store, entity_type_id, row, {field.key for field in chosen.values()})
    return {name: new_value(field, full[field.key], portal.url) for name, field in chosen.items() if field.key in full}


def known_field(kind: ItemKind, name: str, original_uf_names: bool) -> FieldSpec | None:
    """A listed field by the name that a request writes."""
    field = kind.by_any_name.get(name)
    if field is not None and original_uf_names and field.is_user_field and name == field.new:
        return None
    return field


def old_answer(
    store: Store, entity_type_id: int, row: Row, names: frozenset[str] | None, multi_fields: frozenset[str]
) -> Row:
    """An object as ``crm.deal.*`` and its sisters show it; ``names`` ``None`` is all fields but the multi-fields."""
    kind = store.kind(entity_type_id)
    empty = kind.empty_old
    answer = dict(empty) if names is None else {name: value for name, value in empty.items() if name in names}
    places = kind.old_names
    for key, value in row.items():
        place = places.get(key)
        if place is not None and (names is None or place[0] in names):
            answer[place[0]] = old_value(place[1], value)
    for name in ("MOVED_TIME", "LAST_ACTIVITY_TIME"):
        if answer.get(name) == "":
            answer[name] = row["createdTime"]
    for key, days in _DAYS_AFTER_CREATION.items():
        if key in places and key not in row and (names is None or places[key][0] in names):
            answer[places[key][0]] = _days_after(row["createdTime"], days)
    for entry in row.get("fm", ()):
        if entry["typeId"] in multi_fields:
            answer.setdefault(entry["typeId"], []).append(
                {
                    "ID": str(entry["id"]),
                    "VALUE_TYPE": entry["valueType"],
                    "VALUE": entry["value"],
                    "TYPE_ID": entry["typeId"],
                }
            )
    return answer


# Filters


class _ListFields(Mapping[str, Field]):
    """Fields of a list by the names of its filters, made when they are asked for: a call names two of a hundred."""

    def __init__(self, store: Store, entity_type_id: int, specs: Mapping[str, FieldSpec], multi: Iterable[str]) -> None:
        self._store = store
        self._entity_type_id = entity_type_id
        self._specs = specs
        self._multi_fields = frozenset(multi)

    def __getitem__(self, name: str) -> Field:
        if name in self._multi_fields:
            return Field(name, "multi_field", None)
        return _list_field(self._store, self._entity_type_id, self._specs[name])

    def __contains__(self, name: object) -> bool:
        return name in self._specs or name in self._multi_fields

    def __iter__(self) -> Iterator[str]:
        return iter((*self._specs, *self._multi_fields))

    def __len__(self) -> int:
        return len(self._specs) + len(self._multi_fields)


def item_filter_fields(store: Store, entity_type_id: int, original_uf_names: bool) -> Mapping[str, Field]:
    """What ``crm.item.list`` filters and sorts by, under every name that it takes."""
    kind = store.kind(entity_type_id)
    specs = kind.by_any_name
    if original_uf_names:
        specs = {name: field for name, field in specs.items() if known_field(kind, name, True) is not None}
    return _ListFields(store, entity_type_id, specs, ())


def old_filter_fields(store: Store, entity_type_id: int) -> Mapping[str, Field]:
    """What an old list can filter by: its fields, and the multi-fields by value."""
    kind = store.kind(entity_type_id)
    return _ListFields(store, entity_type_id, kind.by_old_name, kind.multi_fields)


def _list_field(store: Store, entity_type_id: int, field: FieldSpec) -> Field:
    if field.key in _DAYS_AFTER_CREATION:
        days = _DAYS_AFTER_CREATION[field.key]
        return Field(field.key, field.kind, derive=lambda row: _days_after(row["createdTime"], days))
    derive = relations.derivation(store, entity_type_id, field.key)
    if derive is not None:
        return Field(field.key, field.kind, field.empty_in("new"), derive=derive)
    return list_field(field, fallback="createdTime" if field.key in _SINCE_CREATION else None)


# In


def written_item(
    portal: PortalState,
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
    kind = portal.store.kind(entity_type_id)
    row: Row = {}
    for name, value in fields.items():
        field = known_field(kind, name, original_uf_names)
        if field is None or field.key == "fm" or (field.read_only if only is None else field.key not in only):
            continue
        try:
            row[field.key] = stored_value(field, value, portal.store.files, strict=True)
            _check_stage(portal.store, entity_type_id, field, row[field.key])
        except BadValue:
            raise Refusal("CRM_FIELD_ERROR_VALUE_NOT_VALID", portal.text("field_invalid", field=name)) from None
        except IgnoredValue:
            continue
    return row


def _check_stage(store: Store, entity_type_id: int, field: FieldSpec, code: Any) -> None:
    """:raises BadValue: smart invoices and processes have stages of their own, and this is none of them."""
    if field.key != "stageId" or entity_type_id not in _OWN_STAGES or not code:
        return
    if not is_stage(store, entity_type_id, str(code)):
        raise BadValue


def written_old(
    store: Store, entity_type_id: int, fields: Mapping[str, Any], *, only: frozenset[str] | None = None
) -> Row:
    """
    What ``crm.deal.add`` and its sisters store of ``fields``; whatever does not fit is ignored.

    :param only: store these instead, read-only or not.
    """
    known = store.kind(entity_type_id).by_old_name
    row: Row = {}
    for name, value in fields.items():
        field = known.get(name)
        if field is None or (field.read_only if only is None else field.key not in only):
            continue
        try:
            row[field.key] = stored_value(field, value, store.files, strict=False)
        except (BadValue, IgnoredValue):
            continue
    return row


def imported_multi_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``{"PHONE": [{"VALUE": …, "VALUE_TYPE": …}]}`` of an import as the ``fm`` of an add."""
    new = [
        {"typeId": name, "value": entry.get("VALUE"), "valueType": entry.get("VALUE_TYPE", "WORK")}
        for name in MULTI_FIELD_TYPES
        for entry in map(as_map, as_map(fields.get(name)).values())
    ]
    return {f"n{number}": entry for number, entry in enumerate(new)}


def old_multi_fields(kind: ItemKind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``PHONE: [{"VALUE": …, "VALUE_TYPE": …, "ID": …}]`` in the form of ``fm``; ``DELETE: "Y"`` takes one away."""
    entries: dict[str, Any] = {}
    for name in kind.multi_fields:
        for value in as_map(fields.get(name)).values():
            entry = as_map(value)
            key = str(entry.get("ID") or f"n{len(entries)}")
            entries[key] = {
                "typeId": name,
                "value": None if entry.get("DELETE") == "Y" else entry.get("VALUE"),
                "valueType": entry.get("VALUE_TYPE", "WORK"),
            }
    return entries


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
            new = {"id": next_id, "valueType": str(entry.get("valueType", "WORK")), "value": str(entry["value"])}
            entries[str(next_id)] = {**new, "typeId": entry.get("typeId", "PHONE")}
            next_id += 1
    row["fm"] = list(entries.values())
    kinds = {(entry["typeId"], entry["valueType"] == "OPENLINE") for entry in row["fm"]}
    types = {kind for kind, _ in kinds}
    row["hasPhone"], row["hasEmail"] = ("Y" if kind in types else "N" for kind in ("PHONE", "EMAIL"))
    row["hasImol"] = "Y" if ("IM", True) in kinds else "N"
    return next_id
