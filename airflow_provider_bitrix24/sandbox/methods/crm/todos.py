"""``crm.activity.todo.*``: to-dos in the timeline of a CRM object. Source: the pages of the methods."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import integer, required
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.activity_bindings import bindings_of
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_TODO, _PROVIDER = 6, "CRM_TODO"
_COLORS = frozenset("1234567")


def _check_owner(portal: PortalState, user: User, params: Params) -> tuple[int, int]:
    owner_type_id, owner_id = integer(params, "ownerTypeId"), integer(params, "ownerId")
    table = portal.store.items.get(owner_type_id)
    if table is None:
        raise Refusal("OWNER_NOT_FOUND", "Owner was not found")
    if table.get(owner_id) is None:
        raise Refusal("NOT_FOUND", "Not found.")
    if not user.may("change"):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    return owner_type_id, owner_id


def _found(portal: PortalState, user: User, params: Params) -> Row:
    activity_id, owner = integer(params, "id"), _check_owner(portal, user, params)
    row = portal.store.activities.get(activity_id)
    if row is None or row["PROVIDER_ID"] != _PROVIDER or owner not in bindings_of(row):
        raise Refusal("NOT_FOUND", "Not found.")
    return row


def _deadline(value: Any) -> str:
    try:
        return as_server_time(value)
    except BadValue:
        raise Refusal("WRONG_DATETIME_FORMAT", "Incorrect date format") from None


def _details(params: Params) -> Row:
    """What ``add`` and ``update`` may say of a to-do beside its deadline."""
    fields: Row = {}
    for name, key in (("title", "SUBJECT"), ("description", "DESCRIPTION")):
        if params.get(name) is not None:
            fields[key] = str(params[name])
    if params.get("responsibleId") is not None:
        fields["RESPONSIBLE_ID"] = integer(params, "responsibleId")
    if params.get("colorId") is not None:
        fields["colorId"] = str(params["colorId"])
    return fields


def _changed(portal: PortalState, row: Row, new: Row) -> dict[str, int]:
    row.update(new, LAST_UPDATED=portal.clock.iso())
    portal.events.announce("ONCRMACTIVITYUPDATE", {"FIELDS": {"ID": row["id"]}})
    return {"id": row["id"]}


@method("crm.activity.todo.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    owner_type_id, owner_id = _check_owner(portal, user, params)
    now = portal.clock.iso()
    row: Row = {
        "OWNER_ID": owner_id,
        "OWNER_TYPE_ID": owner_type_id,
        "TYPE_ID": _TODO,
        "PROVIDER_ID": _PROVIDER,
        "SUBJECT": "",
        "CREATED": now,
        "LAST_UPDATED": now,
        "DEADLINE": _deadline(required(params, "deadline")),
        "COMPLETED": "N",
        "RESPONSIBLE_ID": user.id,
        "DESCRIPTION": "",
        **_details(params),
    }
    activity_id = portal.store.activities.add(row)
    portal.events.announce("ONCRMACTIVITYADD", {"FIELDS": {"ID": activity_id}})
    return {"id": activity_id}


@method("crm.activity.todo.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params)
    return _changed(portal, row, {"DEADLINE": _deadline(required(params, "deadline")), **_details(params)})


@method("crm.activity.todo.updateDeadline", scope="crm")
def update_deadline(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params)
    return _changed(portal, row, {"DEADLINE": _deadline(required(params, "value"))})


@method("crm.activity.todo.updateDescription", scope="crm")
def update_description(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params)
    return _changed(portal, row, {"DESCRIPTION": str(required(params, "value"))})


@method("crm.activity.todo.updateResponsibleUser", scope="crm")
def update_responsible(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params)
    responsible_id = integer(params, "responsibleId")
    if responsible_id <= 0:
        raise Refusal("INVALID_ARG_VALUE", 'Parameter "responsibleId" must be greater than 0')
    return _changed(portal, row, {"RESPONSIBLE_ID": responsible_id})


@method("crm.activity.todo.updateColor", scope="crm")
def update_color(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params)
    color_id = str(as_integer(required(params, "colorId")))
    if color_id not in _COLORS:
        raise Refusal("CAN_NOT_UPDATE_WRONG_COLOR_TODO", "Invalid color value")
    return _changed(portal, row, {"colorId": color_id})
