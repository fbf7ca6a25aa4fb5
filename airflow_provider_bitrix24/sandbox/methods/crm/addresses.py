"""
``crm.address.*``: addresses of requisites and leads, known by their type and owner, not by an id.

Source: pages under ``crm/requisites/addresses``.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import LEAD, REQUISITE, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_ADDRESSES = Records("address", "old", "")
_KEY = ("TYPE_ID", "ENTITY_TYPE_ID", "ENTITY_ID")


@method("crm.address.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: description(spec, "old") for name, spec in _ADDRESSES.specs.items()}


@method("crm.address.list", scope="crm", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise denied()
    asked = {name.lower(): array_or_none(params, name) for name in ("FILTER", "ORDER", "SELECT")}
    return _ADDRESSES.page(portal.store.addresses, **asked, start=params.get("start"))


def _given(params: Params) -> tuple[Row, tuple[int, ...]]:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    given = as_map(params["FIELDS"])
    key = tuple(as_integer(given.get(name)) or 0 for name in _KEY)
    for name, number in zip(_KEY, key, strict=True):
        if number <= 0:
            raise Refusal("", f"{name} is not defined or invalid.")
    return given, key


def _found(portal: PortalState, key: tuple[int, ...]) -> Row | None:
    return next((row for row in portal.store.addresses if tuple(row[name] for name in _KEY) == key), None)


def _existing(portal: PortalState, user: User, key: tuple[int, ...]) -> Row:
    _check_right(user)
    row = _found(portal, key)
    if row is None:
        raise Refusal("", "TypeAddress not found.")
    return row


def _check_right(user: User) -> None:
    if not user.may("change"):
        raise denied()


@method("crm.address.add", scope="crm", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    given, key = _given(params)
    _check_right(user)
    if _found(portal, key) is not None:
        raise Refusal("", "TypeAddress exists.")
    row = {**_ADDRESSES.written(portal.store, given), **dict(zip(_KEY, key, strict=True))}
    owner = portal.store.requisites.get(key[2]) if key[1] == REQUISITE else None
    anchor = (owner["ENTITY_TYPE_ID"], owner["ENTITY_ID"]) if owner else (LEAD, key[2]) if key[1] == LEAD else key[1:]
    row.update(ANCHOR_TYPE_ID=anchor[0], ANCHOR_ID=anchor[1])
    portal.store.addresses.add(row)
    row.setdefault("LOC_ADDR_ID", row["id"])
    return True


@method("crm.address.update", scope="crm", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    given, key = _given(params)
    row = _existing(portal, user, key)
    row.update(_ADDRESSES.written(portal.store, given))
    return True


@method("crm.address.delete", scope="crm", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    _, key = _given(params)
    portal.store.addresses.remove(_existing(portal, user, key)["id"])
    return True
