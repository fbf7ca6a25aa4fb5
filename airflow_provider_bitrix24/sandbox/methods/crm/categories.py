"""``crm.category.*``: funnels of deals, invoices, smart processes. Source: pages under ``crm/universal/category``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec
from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, DEAL, LEAD, NAMES, QUOTE, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, integer
from airflow_provider_bitrix24.sandbox.methods.crm.items import description, table_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.stages import add_funnel, remove_funnel
from airflow_provider_bitrix24.sandbox.state.users import User

_MAX_NAME = 255


def _field(name: str, kind: str, **flags: Any) -> FieldSpec:
    title = name if name == "id" else "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    return FieldSpec(key=name, names={"new": name}, types={"new": kind}, title=title.upper(), **flags)


_FIELDS = (
    _field("id", "integer", read_only=True),
    _field("name", "string"),
    _field("sort", "integer"),
    _field("entityTypeId", "integer", read_only=True, required=True),
    _field("isDefault", "boolean", read_only=True),
    _field("originId", "string"),
    _field("originatorId", "string"),
)


def _kind(portal: PortalState, params: Params) -> int:
    entity_type_id = integer(params, "entityTypeId")
    table_of(portal, entity_type_id)
    if entity_type_id in (LEAD, CONTACT, COMPANY):
        raise Refusal("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {NAMES[entity_type_id].code} is not supported")
    return entity_type_id


def _found(portal: PortalState, params: Params) -> Row:
    entity_type_id, category_id = _kind(portal, params), integer(params, "id")
    for row in portal.store.categories:
        if (row["entityTypeId"], row["id"]) == (entity_type_id, category_id):
            return row
    raise Refusal("NOT_FOUND", "Element not found")


def _check_right(portal: PortalState, user: User) -> None:
    if not user.is_admin:
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))


def _of(portal: PortalState, entity_type_id: int) -> list[Row]:
    return sorted(
        (row for row in portal.store.categories if row["entityTypeId"] == entity_type_id), key=lambda row: row["sort"]
    )


@method("crm.category.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    _kind(portal, params)
    return {"fields": {spec.key: {**description(spec, "new"), "upperName": spec.upper} for spec in _FIELDS}}


@method("crm.category.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    rows = _of(portal, _kind(portal, params))
    return Page({"categories": rows}, len(rows))


@method("crm.category.get", scope="crm")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return {"category": _found(portal, params)}


@method("crm.category.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id, given = _kind(portal, params), array(params, "fields")
    _check_right(portal, user)
    if entity_type_id == QUOTE:
        raise Refusal("ADDING_DISABLED", "Adding a system category is prohibited")
    if not str(given.get("name") or "").strip():
        raise Refusal("0", "Field 'NAME' is required")
    new_id = 1 + max(row["id"] for row in portal.store.categories)
    row: Row = {
        "id": new_id,
        "name": "",
        "sort": 500,
        "entityTypeId": entity_type_id,
        "isDefault": "N",
        "originId": "",
        "originatorId": "",
    }
    _write(portal, row, given)
    add_funnel(portal.store, row)
    return {"category": row}


def _write(portal: PortalState, row: Row, given: Row) -> None:
    if "name" in given:
        row["name"] = str(given["name"] or "").strip()[:_MAX_NAME] or "-"
    if "sort" in given:
        row["sort"] = max(0, as_integer(given["sort"]) or 0)
    for name in ("originId", "originatorId"):
        if name in given:
            row[name] = str(given[name] or "")
    # The page: not to be changed for deals.
    if given.get("isDefault") in ("Y", True) and row["entityTypeId"] != DEAL:
        for other in _of(portal, row["entityTypeId"]):
            other["isDefault"] = "N"
        row["isDefault"] = "Y"


@method("crm.category.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    row, given = _found(portal, params), as_map(array(params, "fields"))
    _check_right(portal, user)
    _write(portal, row, given)
    return {"category": row}


@method("crm.category.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, params)
    _check_right(portal, user)
    kind = row["entityTypeId"]
    default = portal.store.kind(kind).empty_new.get("categoryId") or 0
    if row["isDefault"] == "Y":
        raise Refusal(*(("0", "Default deal category cannot be deleted") if kind == DEAL else _IS_DEFAULT))
    if any(item.get("categoryId", default) == row["id"] for item in portal.store.items[kind]):
        raise Refusal(*(("0", f"Deals related to the funnel {row['name']} found") if kind == DEAL else _IN_USE))
    remove_funnel(portal.store, row)


_IS_DEFAULT = ("BX_ERROR", "This funnel is the default funnel")
_IN_USE = ("BX_ERROR", "Elements related to the funnel found")
