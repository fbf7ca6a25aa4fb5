"""
Short lists that describe the CRM: smart processes, funnels, stages and other directories.

Source: pages of the methods named below.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    DEAL,
    INVOICE,
    NAMES,
    SMART_PROCESS,
    SMART_PROCESS_TYPE_ID,
    Row,
)
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing, integer
from airflow_provider_bitrix24.sandbox.methods.crm.items import description, invalid_list
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.directories import MEANINGS, Directory, status_row
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User

_ON = (
    *("Categories", "Stages", "BeginCloseDates", "Client", "LinkWithProducts", "Documents", "Source", "Observers"),
    *("Automation", "BizProc", "Recyclebin", "Mycompany"),
)
_OFF = ("UseInUserfield", "Payments", "Counters")

SMART_PROCESS_TYPE: Row = {
    # Not the number to use elsewhere: that is entityTypeId.
    "id": SMART_PROCESS_TYPE_ID,
    "title": "Delivery",
    "code": "",
    "createdBy": 1,
    "entityTypeId": SMART_PROCESS,
    "customSectionId": None,
    **{f"is{flag}Enabled": "Y" for flag in _ON},
    **{f"is{flag}Enabled": "N" for flag in _OFF},
    "isSetOpenPermissions": "Y",
    "createdTime": "2025-06-01T12:00:00+03:00",
    "updatedTime": "2025-06-01T12:00:00+03:00",
    "updatedBy": 1,
}

#: What ``crm.type.list`` leaves out.
_TYPE_DETAILS: Row = {
    "relations": {
        "parent": [
            {"entityTypeId": kind, "isChildrenListEnabled": "Y", "isPredefined": "Y"} for kind in (CONTACT, COMPANY)
        ],
        "child": [],
    },
    "linkedUserFields": {
        "CALENDAR_EVENT|UF_CRM_CAL_EVENT": "N",
        "TASKS_TASK|UF_CRM_TASK": "Y",
        "TASKS_TASK_TEMPLATE|UF_CRM_TASK": "N",
    },
    "customSections": [],
}

_TYPE_FIELDS = {name: Field(name, "integer" if isinstance(value, int) else "string") for name, value in
                SMART_PROCESS_TYPE.items()}  # fmt: skip


@method("crm.type.list", scope="crm")
def types(portal: PortalState, user: User, params: Params) -> Any:
    if not user.is_admin:
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    for name in array_or_nothing(params.get("order"), "order"):
        if name not in _TYPE_FIELDS:
            # Names go to the database layer as camelCase turned to UPPER_CASE: ID becomes I_D.
            column = re.sub("([A-Z])", r"_\1", name).lstrip("_").upper()
            raise Refusal("100", f"Unknown field definition `{column}`")
    matcher = Matcher(_TYPE_FIELDS, refuse=invalid_list).read(params.get("filter"))
    rows = [SMART_PROCESS_TYPE] if matcher.accepts(SMART_PROCESS_TYPE) else []
    return Page({"types": rows}, len(rows))


@method("crm.type.get", "crm.type.getByEntityTypeId", scope="crm")
def type_(portal: PortalState, user: User, params: Params) -> Any:
    name = "id" if "id" in params else "entityTypeId"
    if integer(params, name) != SMART_PROCESS_TYPE[name]:
        raise Refusal("0", "SPA not found" if name == "id" else portal.text("smart_process_not_found"))
    return {"type": {**SMART_PROCESS_TYPE, **_TYPE_DETAILS}}


@method("crm.enum.ownertype", scope="crm")
def owner_types(portal: PortalState, user: User, params: Params) -> Any:
    return [
        {"ID": number, "NAME": name.title, "SYMBOL_CODE": name.code, "SYMBOL_CODE_SHORT": name.short}
        for number, name in NAMES.items()
    ]


# Directories

#: ``SORT`` of an entry that is added without one.
_FIRST_SORT = 10


_STATUS_SPECS = {field.key: field for field in fields_of("status")}
_STATUS_FIELDS = {
    name: Field("id" if name == "ID" else name, field.kind) for name, field in _STATUS_SPECS.items() if name != "EXTRA"
}


def _status(store: Store, row: Row) -> Row:
    answer = {"ID": str(row["id"]), **{name: row[name] for name in _STATUS_SPECS if name in row and name != "SORT"}}
    answer["SORT"] = str(row["SORT"])
    answer["CATEGORY_ID"] = None if row["CATEGORY_ID"] is None else str(row["CATEGORY_ID"])
    if store.directories[row["ENTITY_ID"]].kind is not None:
        meaning = "apology" if row["STATUS_ID"].endswith("APOLOGY") else MEANINGS[row["SEMANTICS"] or "P"]
        answer["EXTRA"] = {"SEMANTICS": meaning, "COLOR": row["COLOR"]}
    return answer


@method("crm.status.list", scope="crm", upper=True)
def statuses(portal: PortalState, user: User, params: Params) -> Any:
    try:
        filter_, order = array_or_none(params, "FILTER"), array_or_none(params, "ORDER")
    except Refusal:
        raise Refusal("Invalid parameters.", "Incorrect parameters passed.") from None
    matcher = Matcher(_STATUS_FIELDS, refuse=None).read(filter_)
    rows = [row for row in portal.store.statuses if matcher.accepts(row)]
    rows = sort_rows(rows, read_order(order, _STATUS_FIELDS, None))
    # The whole directory in one answer, whatever `start` says.
    return Page([_status(portal.store, row) for row in rows], len(rows))


@method("crm.status.fields", scope="crm")
def status_fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: description(field, "old") for name, field in _STATUS_SPECS.items()}


@method("crm.status.entity.types", scope="crm")
def status_types(portal: PortalState, user: User, params: Params) -> Any:
    return [_status_type(portal, entity_id, directory) for entity_id, directory in portal.store.directories.items()]


@method("crm.status.entity.items", scope="crm", upper=True)
def status_items(portal: PortalState, user: User, params: Params) -> Any:
    """One directory, in the order in which people see it."""
    entity_id = params.get("ENTITYID")
    if not isinstance(entity_id, str) or entity_id not in portal.store.directories:
        raise Refusal(
            "The parameter entityId is not defined or invalid.", "The directory ID is not specified or is incorrect."
        )
    rows = [row for row in portal.store.statuses if row["ENTITY_ID"] == entity_id]
    rows.sort(key=lambda row: row["SORT"])
    return [{name: row[name] for name in ("NAME", "SORT", "STATUS_ID")} for row in rows]


def _status_type(portal: PortalState, entity_id: str, directory: Directory) -> Row:
    kind, category_id, prefix = directory.kind, directory.category_id, directory.prefix
    if kind is None:
        return {"ID": entity_id, "NAME": directory.name}
    rows = sorted((row for row in portal.store.statuses if row["ENTITY_ID"] == entity_id), key=lambda row: row["SORT"])
    codes = {row["STATUS_ID"]: row["SEMANTICS"] for row in rows}
    ends = {
        meaning: next((code for code, semantics in codes.items() if semantics == meaning), "") for meaning in ("S", "F")
    }
    answer: Row = {"ID": entity_id, "NAME": directory.name, "ENTITY_TYPE_ID": kind}
    # Kinds that have funnels of their own say nothing of the meaning of stages (example of the page).
    answer["SEMANTIC_INFO"] = [] if kind in (INVOICE, SMART_PROCESS) else {
        "START_FIELD": next(iter(codes), ""),
        "FINAL_SUCCESS_FIELD": ends["S"],
        "FINAL_UNSUCCESS_FIELD": ends["F"],
        "FINAL_SORT": 0,
    }  # fmt: skip
    if prefix:
        answer |= {"PREFIX": prefix, "FIELD_ATTRIBUTE_SCOPE": f"category_{category_id}", "CATEGORY_ID": category_id}
    if kind == DEAL and prefix:
        answer["PARENT_ID"] = "DEAL_STAGE"
    return answer


def _status_values(params: Params) -> dict[str, Any]:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    return as_map(params["FIELDS"])


def _existing_status(portal: PortalState, params: Params, wrong: str) -> Row:
    """:raises Refusal: ``wrong`` is how the method speaks of an id that cannot be one."""
    status_id = as_integer(params.get("ID")) or 0
    if status_id <= 0:
        raise Refusal("Invalid identifier.", wrong)
    row = portal.store.statuses.get(status_id)
    if row is None:
        raise Refusal("Status is not found.", "Directory item not found.")
    return row


@method("crm.status.get", scope="crm", upper=True)
def get_status(portal: PortalState, user: User, params: Params) -> Any:
    answer = _status(portal.store, _existing_status(portal, params, "An incorrect identifier was passed."))
    return {name: value for name, value in answer.items() if name != "EXTRA"}


@method("crm.status.add", scope="crm", upper=True)
def add_status(portal: PortalState, user: User, params: Params) -> Any:
    fields = _status_values(params)
    missing = [f"The field {name} is required." for name in ("ENTITY_ID", "STATUS_ID") if not fields.get(name)]
    if missing:
        raise Refusal("", "\n".join(missing))
    entity_id, code = str(fields["ENTITY_ID"]), str(fields["STATUS_ID"])
    directory = portal.store.directories.get(entity_id)
    if directory is None:
        raise Refusal("", "Specified entity type is not supported.")
    if not fields.get("NAME"):
        raise Refusal("", "The field Title is required.")
    if not user.is_admin:
        raise Refusal("", "Access denied.")
    prefix = f"{directory.prefix}:" if directory.prefix else ""
    code = f"{prefix}{code.removeprefix(prefix)}"
    if any((row["ENTITY_ID"], row["STATUS_ID"]) == (entity_id, code) for row in portal.store.statuses):
        raise Refusal("", f"Status with ID '{code}' already exists.")
    sort = as_integer(fields.get("SORT")) or _FIRST_SORT
    row = status_row(directory, entity_id, code, str(fields["NAME"]), sort=sort)
    _write_status(row, fields)
    if fields.get("SEMANTICS") in ("S", "F"):
        row["SEMANTICS"] = fields["SEMANTICS"]
    return portal.store.statuses.add(row)


def _write_status(row: Row, fields: dict[str, Any]) -> None:
    if "NAME" in fields:
        row["NAME"] = str(fields["NAME"])
    if "SORT" in fields:
        row["SORT"] = as_integer(fields["SORT"]) or row["SORT"]
    extra = as_map(fields.get("EXTRA"))
    if fields.get("COLOR") or extra.get("COLOR"):
        row["COLOR"] = str(fields.get("COLOR") or extra["COLOR"])


@method("crm.status.update", scope="crm", upper=True)
def update_status(portal: PortalState, user: User, params: Params) -> Any:
    row = _existing_status(portal, params, "An incorrect identifier was passed.")
    fields = _status_values(params)
    if not user.is_admin:
        raise Refusal("", "Access denied.")
    _write_status(row, fields)
    return True


@method("crm.status.delete", scope="crm", upper=True)
def delete_status(portal: PortalState, user: User, params: Params) -> Any:
    row = _existing_status(portal, params, "An invalid identifier was passed.")
    if not user.is_admin:
        raise Refusal("", "Access denied.")
    if row["SYSTEM"] == "Y" and as_map(params.get("PARAMS")).get("FORCED") != "Y":
        forced = 'CRM System Status can be deleted only if parameter FORCED is specified and equal to "Y".'
        raise Refusal(forced, forced)
    portal.store.statuses.remove(row["id"])
    return True
