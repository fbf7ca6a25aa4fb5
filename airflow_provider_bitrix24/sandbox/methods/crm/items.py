"""``crm.item.*``: any kind of CRM object, typed values, camelCase names. Source: pages under ``crm/universal``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec, Generation
from airflow_provider_bitrix24.sandbox.fields.item_kinds import CONTACT, Row
from airflow_provider_bitrix24.sandbox.forms import as_list_if_counted, as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, integer, optional_array, select_of
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.values import (
    IMPORTED,
    chosen_fields,
    imported_multi_fields,
    item_answer,
    item_filter_fields,
    whole_item,
    written_item,
)
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Matcher, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Entries that one ``crm.item.batchImport`` may carry.
IMPORT_MAX_ITEMS = 20

_OLD_INVOICE = 5


def invalid_list(problem: str, name: str, value: object) -> Refusal:
    """How new lists refuse a filter or an order."""
    description = {
        "filter": f"Invalid filter: field '{name}' is not allowed in filter",
        "value": f"Invalid filter: field '{name}' has invalid value",
        "order": f"Invalid order: field '{name}' is not allowed in order",
        "direction": f"Invalid order: allowed sort directions are ASC, DESC. But got '{value}' for field '{name}'",
    }[problem]
    return Refusal("INVALID_ARG_VALUE", description)


def table_of(portal: PortalState, entity_type_id: int) -> Table:
    """:raises Refusal: there is no such kind of object."""
    if entity_type_id == _OLD_INVOICE:
        raise Refusal("ENTITY_TYPE_NOT_SUPPORTED", "Entity type INVOICE is not supported")
    table = portal.store.items.get(entity_type_id)
    if table is None:
        raise Refusal("NOT_FOUND", portal.text("smart_process_not_found"))
    return table


def _original(params: Params) -> bool:
    return params.get("useOriginalUfNames") in ("Y", True)


def _denied(portal: PortalState, key: str = "access_denied") -> Refusal:
    return Refusal("ACCESS_DENIED", portal.text(key))


def _found(portal: PortalState, user: User, params: Params) -> tuple[int, Row]:
    entity_type_id, item_id = integer(params, "entityTypeId"), integer(params, "id")
    row = table_of(portal, entity_type_id).get(item_id)
    if row is None:
        raise Refusal("NOT_FOUND", portal.text("item_not_found"))
    if not changes.sees(user, row):
        raise _denied(portal, "access_denied_item")
    return entity_type_id, row


@method("crm.item.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    table, original = table_of(portal, entity_type_id), _original(params)
    fields = item_filter_fields(portal.store, entity_type_id, original)
    matcher = Matcher(fields, refuse=invalid_list).read(optional_array(params, "filter"))
    changes.hide_others(user, matcher)
    order = read_order(optional_array(params, "order"), fields, invalid_list)
    chosen = chosen_fields(portal.store.kind(entity_type_id), select_of(params), original)
    page = page_of(table, matcher, order, params.get("start"), old=False)
    rows = [item_answer(portal, entity_type_id, row, chosen) for row in page.result]
    return Page({"items": rows}, page.total, page.next)


@method("crm.item.get", scope="crm")
def get(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id, row = _found(portal, user, params)
    return _whole(portal, entity_type_id, row, params)


def _whole(portal: PortalState, entity_type_id: int, row: Row, params: Params) -> Any:
    return {"item": whole_item(portal, entity_type_id, row, _original(params))}


@method("crm.item.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    table_of(portal, entity_type_id)
    fields = array(params, "fields")
    row = _added(portal, user, entity_type_id, fields, as_map(fields.get("fm")), params)
    return _whole(portal, entity_type_id, row, params)


@method("crm.item.import", scope="crm")
def import_(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    table_of(portal, entity_type_id)
    return {"item": {"id": _imported(portal, user, entity_type_id, array(params, "fields"), params)["id"]}}


def _imported(portal: PortalState, user: User, entity_type_id: int, fields: Row, params: Params) -> Row:
    """An import has multi-fields of its own form, and administrators set times and authors ("crm.item.import")."""
    row = _added(portal, user, entity_type_id, fields, imported_multi_fields(fields), params)
    if user.is_admin:
        row.update(written_item(portal, entity_type_id, fields, _original(params), only=IMPORTED))
    return row


def _added(
    portal: PortalState, user: User, entity_type_id: int, fields: Row, multi_fields: dict[str, Any], params: Params
) -> Row:
    if not user.may("change"):
        raise _denied(portal)
    row = written_item(portal, entity_type_id, fields, _original(params))
    return changes.add(portal, user, entity_type_id, row, multi_fields)


@method("crm.item.batchImport", scope="crm")
def batch_import(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id, entries = integer(params, "entityTypeId"), array(params, "data")
    table_of(portal, entity_type_id)
    if len(entries) > IMPORT_MAX_ITEMS:
        raise Refusal("MAX_IMPORT_BATCH_SIZE_EXCEEDED", f"You can only import {IMPORT_MAX_ITEMS} items at a time")
    if not user.may("change"):
        raise _denied(portal)
    # Answers 200 whatever happens to the entries; an answer has the key of its entry (server source).
    answers: dict[str, Any] = {}
    for key, entry in entries.items():
        try:
            fields = as_map(entry)
            if entity_type_id == CONTACT and not fields.get("name") and not fields.get("lastName"):
                raise Refusal("CRM_FIELD_ERROR_REQUIRED", portal.text("field_required", field="Name"))
            answers[key] = {"item": {"id": _imported(portal, user, entity_type_id, fields, params)["id"]}}
        except Refusal as refusal:
            answers[key] = {"error": refusal.code, "error_description": refusal.description}
    return {"items": as_list_if_counted(answers)}


@method("crm.item.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id, row = _found(portal, user, params)
    fields = array(params, "fields")
    if not user.may("change"):
        raise _denied(portal)
    new = written_item(portal, entity_type_id, fields, _original(params))
    changes.update(portal, user, entity_type_id, row, new, as_map(fields.get("fm")))
    return _whole(portal, entity_type_id, row, params)


@method("crm.item.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id, row = _found(portal, user, params)
    if not user.may("change"):
        raise _denied(portal)
    changes.remove(portal, entity_type_id, row)
    return []


@method("crm.item.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    table_of(portal, entity_type_id)
    kind = portal.store.kind(entity_type_id)
    known = kind.listed_original if _original(params) else kind.listed
    return {"fields": {name: {**description(field, "new"), "upperName": field.upper} for name, field in known.items()}}


def description(field: FieldSpec, generation: Generation) -> dict[str, Any]:
    """What the ``fields`` methods say about one field."""
    kind = field.type_in(generation)
    return {
        **({"items": list(field.items)} if field.items else {}),
        "type": kind,
        "isRequired": field.required,
        "isReadOnly": field.read_only,
        "isImmutable": field.immutable,
        "isMultiple": field.multiple,
        "isDynamic": field.is_user_field,
        **({"isDeprecated": True} if field.deprecated else {}),
        **({"statusType": field.status_type} if field.status_type else {}),
        **({"settings": dict(field.settings)} if field.settings else {}),
        "title": field.title,
    }
