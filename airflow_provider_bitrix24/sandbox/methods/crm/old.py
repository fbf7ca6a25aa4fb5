"""
``crm.deal.*``, ``crm.lead.*``, ``crm.contact.*``, ``crm.company.*``, ``crm.quote.*``: the old methods.

Parameter names in any case, field names exactly in upper case; a list silently drops what it
does not know in a filter. Refusals have an empty code. Source: pages under ``crm/deals`` and the like, and the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    MULTI_FIELD_TYPES,
    OLD_KINDS,
    QUOTE,
    ItemKind,
    Row,
)
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.values import (
    IMPORTED,
    old_answer,
    old_filter_fields,
    old_multi_fields,
    written_old,
)
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


def array_or_none(params: Params, name: str) -> Any:
    """:raises Refusal: the parameter is there and no array."""
    value = params.get(name)
    if value is not None and value != "" and not isinstance(value, (dict, list)):
        raise Refusal("", f"Parameter '{name.lower()}' must be array.")
    return value


#: How the pages of an action speak of an object that is not there, where it is not ``Not found``.
_ELEMENT_MISSING = ("ERROR_CORE", "Element not found")
_MISSING: Mapping[tuple[int, str], tuple[str, str]] = {
    (CONTACT, "update"): ("", "Contact is not found"),
    (COMPANY, "update"): ("", "Company is not found"),
    (COMPANY, "delete"): ("", "Company is not found"),
    (QUOTE, "update"): ("", "Quote is not found"),
    (CONTACT, "delete"): _ELEMENT_MISSING,
    (QUOTE, "delete"): _ELEMENT_MISSING,
}


def existing_old(portal: PortalState, user: User, entity_type_id: int, params: Params, action: str = "get") -> Row:
    """The object named by ``id``. :raises Refusal: as the pages of ``action`` put it."""
    item_id = as_integer(params.get("ID"))
    if item_id is None or item_id < 1:
        raise Refusal("", "ID is not defined or invalid.")
    row = portal.store.items[entity_type_id].get(item_id)
    if row is None:
        raise Refusal(*_MISSING.get((entity_type_id, action), ("", "Not found")))
    if not changes.sees(user, row):
        raise denied()
    return row


def denied() -> Refusal:
    return Refusal("", "Access denied.")


def _fields(params: Params) -> dict[str, Any]:
    value = params.get("FIELDS")
    if not isinstance(value, (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    return as_map(value)


def _list(entity_type_id: int) -> Handler:
    def list_(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise denied()
        fields = old_filter_fields(portal.store, entity_type_id)
        matcher = Matcher(fields, refuse=None).read(array_or_none(params, "FILTER"))
        changes.hide_others(user, matcher)
        order = read_order(array_or_none(params, "ORDER"), fields, None)
        kind = portal.store.kind(entity_type_id)
        names, multi_fields = _selected(kind, array_or_none(params, "SELECT"))
        page = page_of(portal.store.items[entity_type_id], matcher, order, params.get("start"), old=True)
        rows = [old_answer(portal.store, entity_type_id, row, names, multi_fields) for row in page.result]
        return Page(rows, page.total, page.next)

    return list_


def _selected(kind: ItemKind, select: Any) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Fields and multi-fields asked for; without ``select`` all fields, but multi-fields must be named."""
    wanted = {str(name) for name in as_map(select).values()}
    multi_fields = frozenset(wanted & set(kind.multi_fields))
    if not wanted or {"*", "UF_*"} <= wanted:
        return None, multi_fields
    known = kind.by_old_name
    # Names of system fields in any case, of user fields and multi-fields as they are (server source).
    wanted |= {name.upper() for name in wanted if not name.upper().startswith("UF_")}
    if "*" in wanted:
        wanted |= {name for name in known if not name.startswith("UF_")}
    if "UF_*" in wanted:
        wanted |= {name for name in known if name.startswith("UF_")}
    if multi_fields:
        # They are fetched by id, so the id comes with them.
        wanted.add("ID")
    return frozenset(wanted), multi_fields


def _get(entity_type_id: int) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        row = existing_old(portal, user, entity_type_id, params)
        return old_answer(portal.store, entity_type_id, row, None, frozenset(MULTI_FIELD_TYPES))

    return get


def _add(entity_type_id: int) -> Handler:
    def add(portal: PortalState, user: User, params: Params) -> Any:
        fields = _fields(params)
        options = as_map(array_or_none(params, "PARAMS"))
        if not user.may("change"):
            raise denied()
        multi_fields = old_multi_fields(portal.store.kind(entity_type_id), fields)
        imported = _imported(portal, entity_type_id, fields) if options.get("IMPORT") == "Y" else {}
        row = changes.add(portal, user, entity_type_id, written_old(portal.store, entity_type_id, fields), multi_fields)
        row.update(imported)
        return row["id"]

    return add


def _imported(portal: PortalState, entity_type_id: int, fields: dict[str, Any]) -> Row:
    """Times and authors, which an import alone sets (page of ``crm.contact.add``)."""
    imported = written_old(portal.store, entity_type_id, fields, only=_IMPORTED)
    created = [row["createdTime"] for row in portal.store.items[entity_type_id]]
    if entity_type_id == CONTACT and "createdTime" in imported and imported["createdTime"] < max(created, default=""):
        raise not_modelled("The page does not say what becomes of a DATE_CREATE before that of the last contact")
    return imported


def _update(entity_type_id: int) -> Handler:
    def update(portal: PortalState, user: User, params: Params) -> Any:
        row = existing_old(portal, user, entity_type_id, params, "update")
        fields = _fields(params)
        if not user.may("change"):
            raise denied()
        new = written_old(portal.store, entity_type_id, fields)
        multi_fields = old_multi_fields(portal.store.kind(entity_type_id), fields)
        changes.update(portal, user, entity_type_id, row, new, multi_fields)
        return True

    return update


def _delete(entity_type_id: int) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        row = existing_old(portal, user, entity_type_id, params, "delete")
        if not user.may("change"):
            raise denied()
        changes.remove(portal, entity_type_id, row)
        return True

    return delete


def _describe(entity_type_id: int) -> Handler:
    def fields(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise denied()
        kind = portal.store.kind(entity_type_id)
        return {field.old: description(field, "old") for field in kind.fields if field.old}

    return fields


_IMPORTED = IMPORTED - {"movedTime", "movedBy"}
_FAMILY: dict[str, Callable[[int], Handler]] = {
    "list": _list,
    "get": _get,
    "add": _add,
    "update": _update,
    "delete": _delete,
    "fields": _describe,
}
for _kind, _entity_type_id in OLD_KINDS.items():
    for _action, _make in _FAMILY.items():
        method(f"crm.{_kind}.{_action}", scope="crm", upper=True)(_make(_entity_type_id))
