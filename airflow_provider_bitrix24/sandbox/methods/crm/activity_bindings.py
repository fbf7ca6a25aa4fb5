"""``crm.activity.binding.*``: which CRM objects an activity is about. Source: pages of the methods."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import integer
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.activity_bindings import bind, bindings_of
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


def _activity(portal: PortalState, user: User, activity_id: int, right: str, missing: str = "Element not found") -> Row:
    row = portal.store.activities.get(activity_id)
    if row is None:
        raise Refusal("NOT_FOUND", missing)
    if not user.may(right):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    return row


def _object(portal: PortalState, user: User, params: Params, before: str = "") -> tuple[int, int]:
    """Kind and id of an object that is there; ``before`` begins the names of the parameters."""
    names = [f"{before}{name}" if before else f"{name[0].lower()}{name[1:]}" for name in ("EntityTypeId", "EntityId")]
    kind, object_id = (integer(params, name) for name in names)
    table = portal.store.items.get(kind)
    item = None if table is None else table.get(object_id)
    if item is None:
        raise Refusal("OWNER_NOT_FOUND", "Owner was not found")
    if not changes.sees(user, item):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    return kind, object_id


def _check_unbound(keys: list[tuple[int, int]], key: tuple[int, int]) -> None:
    if key in keys:
        raise Refusal("ACTIVITY_IS_ALREADY_BOUND", "The activity is already bound to this entity")


def _check_bound(keys: list[tuple[int, int]], key: tuple[int, int]) -> None:
    if key not in keys:
        raise Refusal("BINDING_NOT_FOUND", "The activity is not bound to this entity")


def _changed(portal: PortalState, row: Row, keys: list[tuple[int, int]]) -> bool:
    bind(row, keys)
    portal.events.announce("ONCRMACTIVITYUPDATE", {"FIELDS": {"ID": row["id"]}})
    return True


@method("crm.activity.binding.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    row = _activity(portal, user, integer(params, "activityId"), "read")
    return [{"entityTypeId": kind, "entityId": object_id} for kind, object_id in bindings_of(row)]


@method("crm.activity.binding.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    row = _activity(portal, user, integer(params, "activityId"), "change", "Entity not found")
    key, keys = _object(portal, user, params), bindings_of(row)
    _check_unbound(keys, key)
    return _changed(portal, row, [*keys, key])


@method("crm.activity.binding.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _activity(portal, user, integer(params, "activityId"), "change")
    key, keys = _object(portal, user, params), bindings_of(row)
    _check_bound(keys, key)
    if len(keys) == 1:
        raise Refusal("LAST_BINDING_CANNOT_BE_DELETED", "The only binding of an activity cannot be deleted")
    return _changed(portal, row, [other for other in keys if other != key])


@method("crm.activity.binding.move", scope="crm")
def move(portal: PortalState, user: User, params: Params) -> Any:
    row = _activity(portal, user, integer(params, "activityId"), "change")
    source, target = _object(portal, user, params, "source"), _object(portal, user, params, "target")
    if source[0] != target[0]:
        raise Refusal("SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR", "The types of the objects differ")
    if source == target:
        raise Refusal("SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR", "The objects are the same")
    keys = bindings_of(row)
    _check_bound(keys, source)
    _check_unbound(keys, target)
    return _changed(portal, row, [target if key == source else key for key in keys])


@method("crm.activity.communication.fields", scope="crm")
def communication_fields(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise denied()
    return {spec.key: description(spec, "old") for spec in fields_of("activity_communication")}
