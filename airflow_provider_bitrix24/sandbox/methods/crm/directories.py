"""Short lists that describe the CRM: smart processes, funnels, stages. Source: pages of the methods named below."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import integer
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list, table_of
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.seed import DEAL_STAGES, LEAD_STAGES
from airflow_provider_bitrix24.sandbox.state.store import COMPANY, CONTACT, DEAL, LEAD, SEMANTICS, SMART_PROCESS, Row
from airflow_provider_bitrix24.sandbox.state.users import User

_ON = (
    *("Categories", "Stages", "BeginCloseDates", "Client", "LinkWithProducts", "Documents", "Source", "Observers"),
    *("Automation", "BizProc", "Recyclebin"),
)
_OFF = ("UseInUserfield", "Mycompany", "Payments", "Counters")

SMART_PROCESS_TYPE: Row = {
    # Not the number to use elsewhere: that is entityTypeId.
    "id": 3,
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
    for name in as_map(params.get("order")):
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


@method("crm.category.list", scope="crm")
def categories(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    table_of(portal, entity_type_id)
    if entity_type_id in (LEAD, CONTACT, COMPANY):
        name = {LEAD: "LEAD", CONTACT: "CONTACT", COMPANY: "COMPANY"}[entity_type_id]
        raise Refusal("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {name} is not supported")
    names = {0: "General", 9: "Wholesale"} if entity_type_id == DEAL else {0: "General"}
    rows = [
        {
            "id": number,
            "name": name,
            "sort": 100 * (1 + position),
            "entityTypeId": entity_type_id,
            "isDefault": "N" if number else "Y",
            "originId": "",
            "originatorId": "",
        }
        for position, (number, name) in enumerate(names.items())
    ]
    return Page({"categories": rows}, len(rows))


_COLOR = "#39A8EF"
_MEANINGS = {"P": "process", "S": "success", "F": "failure"}


def _statuses() -> list[Row]:
    groups = {
        "DEAL_STAGE": DEAL_STAGES,
        "DEAL_STAGE_9": tuple(f"C9:{stage}" for stage in DEAL_STAGES),
        "STATUS": LEAD_STAGES,
        "SOURCE": ("CALL", "EMAIL", "WEB"),
        "DEAL_TYPE": ("SALE", "COMPLEX", "SERVICE"),
    }
    rows: list[Row] = []
    for entity_id, stages in groups.items():
        for position, stage in enumerate(stages):
            meaning = SEMANTICS.get(stage.rpartition(":")[2])
            rows.append(
                {
                    "ID": str(101 + 2 * len(rows)),
                    "ENTITY_ID": entity_id,
                    "STATUS_ID": stage,
                    "NAME": stage.rpartition(":")[2].replace("_", " ").capitalize(),
                    "NAME_INIT": "",
                    "SORT": str(10 * (1 + position)),
                    "SYSTEM": "Y" if position == 0 else "N",
                    "CATEGORY_ID": "9" if entity_id == "DEAL_STAGE_9" else None,
                    "COLOR": _COLOR,
                    "SEMANTICS": meaning,
                    "EXTRA": {"SEMANTICS": _MEANINGS[meaning or "P"], "COLOR": _COLOR},
                }
            )
    return rows


_STATUS_FIELDS = {
    name: Field(name, "integer" if name in ("ID", "SORT") else "string")
    for name in ("ID", "ENTITY_ID", "STATUS_ID", "NAME", "SORT", "SYSTEM", "CATEGORY_ID", "SEMANTICS")
}


@method("crm.status.list", scope="crm", upper=True)
def statuses(portal: PortalState, user: User, params: Params) -> Any:
    try:
        filter_, order = array_or_none(params, "FILTER"), array_or_none(params, "ORDER")
    except Refusal:
        raise Refusal("Invalid parameters.", "Incorrect parameters passed.") from None
    matcher = Matcher(_STATUS_FIELDS, refuse=None).read(filter_)
    rows = [row for row in _statuses() if all(check(row) for check in matcher.checks)]
    rows = sort_rows(rows, read_order(order, _STATUS_FIELDS, None))
    # The whole directory in one answer, whatever `start` says.
    return Page(rows, len(rows))
