"""
``crm.deal.*``, ``crm.lead.*``, ``crm.contact.*``, ``crm.company.*``, ``crm.quote.*``: the old methods.

Parameter names in any case, field names exactly in upper case; what a list does not know in a filter it drops without
a word. Refusals have an empty code. Source: pages under ``crm/deals`` and its sisters, and the server source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.fields import MULTI_FIELDS, UNLISTED_OLD, WITH_CONTACTS, by_old_name
from airflow_provider_bitrix24.sandbox.methods.crm.items import described
from airflow_provider_bitrix24.sandbox.methods.crm.values import old_filter_fields, shown_old, written_old
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Matcher, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import COMPANY, CONTACT, DEAL, LEAD, QUOTE, Row
from airflow_provider_bitrix24.sandbox.state.users import User

OLD_KINDS = {"deal": DEAL, "lead": LEAD, "contact": CONTACT, "company": COMPANY, "quote": QUOTE}

_ALL_MULTI_FIELDS = frozenset(MULTI_FIELDS)


def array_or_none(params: Params, name: str) -> Any:
    """:raises Refusal: the parameter is there and no array."""
    value = params.get(name)
    if value is not None and value != "" and not isinstance(value, (dict, list)):
        raise Refusal("", f"Parameter '{name.lower()}' must be array.")
    return value


def found_old(portal: PortalState, user: User, entity_type_id: int, params: Params) -> Row:
    """The object named by ``id``. :raises Refusal: as the old methods put it."""
    item_id = as_integer(params.get("ID"))
    if item_id is None or item_id < 1:
        raise Refusal("", "ID is not defined or invalid.")
    row = portal.store.items[entity_type_id].get(item_id)
    if row is None:
        raise Refusal("", "Not found")
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
        fields = old_filter_fields(entity_type_id)
        matcher = Matcher(fields, refuse=None).read(array_or_none(params, "FILTER"))
        changes.hide_others(user, matcher)
        order = read_order(array_or_none(params, "ORDER"), fields, None)
        names, multi_fields = _selected(entity_type_id, array_or_none(params, "SELECT"))
        page = page_of(portal.store.items[entity_type_id], matcher, order, params.get("start"), old=True)
        rows = [shown_old(entity_type_id, row, names, multi_fields) for row in page.result]
        return Page(rows, page.total, page.next)

    return list_


def _selected(entity_type_id: int, select: Any) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Fields and multi-fields asked for; without ``select`` all fields, but multi-fields must be named."""
    wanted = {str(name) for name in as_map(select).values()}
    multi_fields = frozenset(wanted & _ALL_MULTI_FIELDS) if entity_type_id in WITH_CONTACTS else frozenset()
    if not wanted or {"*", "UF_*"} <= wanted:
        return None, multi_fields
    known = by_old_name(entity_type_id)
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
        row = found_old(portal, user, entity_type_id, params)
        return shown_old(entity_type_id, row, None, _ALL_MULTI_FIELDS)

    return get


def _add(entity_type_id: int) -> Handler:
    def add(portal: PortalState, user: User, params: Params) -> Any:
        fields = _fields(params)
        array_or_none(params, "PARAMS")
        if not user.may("change"):
            raise denied()
        row = changes.add(portal, user, entity_type_id, written_old(entity_type_id, fields), _multi_fields(fields))
        return row["id"]

    return add


def _update(entity_type_id: int) -> Handler:
    def update(portal: PortalState, user: User, params: Params) -> Any:
        row = found_old(portal, user, entity_type_id, params)
        fields = _fields(params)
        if not user.may("change"):
            raise denied()
        changes.update(portal, user, entity_type_id, row, written_old(entity_type_id, fields), _multi_fields(fields))
        return True

    return update


def _multi_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """``PHONE: [{"VALUE": …, "VALUE_TYPE": …, "ID": …}]`` in the form of ``fm``."""
    entries: dict[str, Any] = {}
    for kind in MULTI_FIELDS:
        for value in as_map(fields.get(kind)).values():
            entry = as_map(value)
            key = str(entry.get("ID") or f"n{len(entries)}")
            entries[key] = {
                "typeId": kind,
                "value": entry.get("VALUE"),
                "valueType": entry.get("VALUE_TYPE", "WORK"),
            }
    return entries


def _delete(entity_type_id: int) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        row = found_old(portal, user, entity_type_id, params)
        if not user.may("change"):
            raise denied()
        changes.remove(portal, entity_type_id, row)
        return True

    return delete


def _describe(entity_type_id: int) -> Handler:
    def fields(portal: PortalState, user: User, params: Params) -> Any:
        descriptions = {name: described(entity_type_id, field) for name, field in by_old_name(entity_type_id).items()}
        for description in descriptions.values():
            description["type"] = {"boolean": "char", "text": "string"}.get(description["type"], description["type"])
        for name in UNLISTED_OLD.get(entity_type_id, {}):
            descriptions[name] = {**descriptions["ADDRESS"], "title": name.replace("_", " ").capitalize()}
        if entity_type_id == DEAL:
            # A field of the description only: answers have CONTACT_ID alone.
            contacts = {**descriptions["CONTACT_ID"], "isMultiple": True, "title": "Contacts"}
            descriptions["CONTACT_IDS"] = {name: value for name, value in contacts.items() if name != "isDeprecated"}
        if entity_type_id in WITH_CONTACTS:
            for name in MULTI_FIELDS:
                descriptions[name] = {**descriptions["ID"], "type": "crm_multifield", "isReadOnly": False}
                descriptions[name].update(isMultiple=True, title=name.capitalize())
        return descriptions

    return fields


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
