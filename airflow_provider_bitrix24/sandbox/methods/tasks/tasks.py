"""
``tasks.task.*`` of REST v2: asked in UPPER_CASE, answered in camelCase, ids as text.

A filter key it does not know, such as ``>id``, is dropped; an order it does not know is refused.
Source: pages under ``tasks``, and the server source.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.tasks.task_defaults import ACTIONS, NO_CHECKLIST, UNSET
from airflow_provider_bitrix24.sandbox.methods.tasks.task_details import (
    check_list_of,
    check_list_tree,
    people_of,
    person_of,
)
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import new_task
from airflow_provider_bitrix24.sandbox.state.users import User

#: Documented fields by the names of requests; rows keep them under the names of answers.
_SPECS = {spec.old: spec for spec in fields_of("task") if spec.old and spec.new}
_LISTS = frozenset({"ACCOMPLICES", "AUDITORS", "UF_CRM_TASK", "UF_TASK_WEBDAV_FILES"})
_NUMBERS = frozenset(
    {"STATUS", "PRIORITY", *(name for name, spec in _SPECS.items() if spec.type_in("old") == "integer")}
) - {name for name, spec in _SPECS.items() if "Y" in (spec.values or ())}
#: What the portal alone sets.
_SET_BY_PORTAL = frozenset(
    {
        *("ID", "CREATED_DATE", "CHANGED_BY", "CHANGED_DATE", "STATUS_CHANGED_BY", "STATUS_CHANGED_DATE", "GUID"),
        *("CLOSED_BY", "CLOSED_DATE", "ACTIVITY_DATE", "VIEWED_DATE", "COMMENTS_COUNT", "SERVICE_COMMENTS_COUNT"),
        *("NEW_COMMENTS_COUNT", "TIME_SPENT_IN_LOGS", "DURATION_FACT", "OUTLOOK_VERSION", "FORUM_ID", "CHECKLIST"),
    }
)
#: Of the lists that the portal keeps with a task, these are answered where they are named.
_NAMED_ONLY = frozenset({"UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE"})
_UNSORTABLE = frozenset({"DESCRIPTION", "UF_CRM_TASK"})


def _kind(name: str) -> str:
    kind = _SPECS[name].type_in("old")
    return "integer" if name in _NUMBERS else kind if kind in ("double", "datetime") else "string"


_FIELDS = {name: Field(spec.key, _kind(name), UNSET.get(spec.key)) for name, spec in _SPECS.items()}
#: Documented names of the filter that are not fields: members of lists, and the status as it is stored.
_FILTER_FIELDS = {
    **_FIELDS,
    "REAL_STATUS": Field("status", "integer"),
    "ACCOMPLICE": Field("accomplices"),
    "AUDITOR": Field("auditors"),
}


def _shown(portal: PortalState, task: Row, select: list[str]) -> dict[str, Any]:
    wants_all = not select or "*" in select
    shown: dict[str, Any] = {}
    for name, spec in _SPECS.items():
        if name in select or (wants_all and (name not in _NAMED_ONLY or name == "UF_CRM_TASK")):
            value = task.get(spec.key, UNSET.get(spec.key))
            # One count is a number, everything else is text.
            is_number = isinstance(value, (int, float)) and name != "NEW_COMMENTS_COUNT"
            shown[spec.key] = str(value) if is_number else value
    for name, value in UNSET.items():
        if name not in shown and (wants_all or _upper_name(name) in select) and _upper_name(name) not in _SPECS:
            shown[name] = value
    if "description" in shown:
        shown["descriptionInBbcode"] = "Y"
    shown["group"] = []
    for role in ("auditors", "accomplices"):
        if f"{role}Data" in shown:
            shown[f"{role}Data"] = people_of(portal, task.get(role) or ())
    shown["creator"] = person_of(portal, task["createdBy"])
    shown["responsible"] = person_of(portal, task["responsibleId"])
    return shown


def _upper_name(name: str) -> str:
    """``closedDate`` -> ``CLOSED_DATE``."""
    return re.sub("([A-Z])", r"_\1", name).upper()


def _whole(portal: PortalState, task: Row, select: list[str]) -> dict[str, Any]:
    whole = {**_shown(portal, task, select), "favorite": "N", "action": ACTIONS}
    if "checklist" in whole:
        whole["checklist"] = check_list_of(portal, task)
    return whole


def _select(params: Params) -> list[str]:
    select = params.get("select")
    if select is not None and not isinstance(select, (dict, list)):
        problem = "Invalid value {} to match with parameter {select}. Should be value of type array. (internal error)"
        raise Refusal("100", problem)
    return [str(name).upper() for name in as_map(select).values()]


@method("tasks.task.list", scope="task")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    select = _select(params)
    for name in array_or_nothing(params.get("order"), "order"):
        if name not in _FIELDS or name in _UNSORTABLE:
            raise Refusal("0", "Invalid sorting key (internal error)")
    matcher = Matcher(_FILTER_FIELDS, refuse=None).read(params.get("filter"))
    if user.sees_only_own:
        matcher.checks.append(lambda task: sees_task(user, task))
    order = read_order(params.get("order"), _FIELDS, None)
    page = page_of(portal.store.tasks, matcher, order, params.get("start"), old=True)
    return Page({"tasks": [_shown(portal, task, select) for task in page.result]}, page.total, page.next)


def sees_task(user: User, task: Row) -> bool:
    return not user.sees_only_own or user.id in (task["createdBy"], task["responsibleId"])


def _visible_task(portal: PortalState, user: User, params: Params) -> Row | None:
    """:raises Refusal: no id, or not one."""
    if params.get("taskId") is None:
        problem = "CTaskItem All parameters in the constructor must have real class type (internal error)"
        raise Refusal("100", problem)
    task_id = as_integer(params["taskId"])
    if task_id is None:
        raise Refusal("0", "wrong task id")
    task = portal.store.tasks.get(task_id)
    return task if task is not None and sees_task(user, task) else None


@method("tasks.task.get", scope="task")
def get(portal: PortalState, user: User, params: Params) -> Any:
    task, select = _visible_task(portal, user, params), _select(params)
    # The page: "an empty array if the task does not exist or the user does not have access to the task".
    return [] if task is None else {"task": _whole(portal, task, select)}


@method("tasks.task.delete", scope="task")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    task = _visible_task(portal, user, params)
    if task is None or not (user.is_admin or user.id == task["createdBy"]):
        raise Refusal("1048582", "No access to delete the task")
    portal.store.tasks.remove(task["id"])
    for table in (portal.store.time_entries, portal.store.checklist_items, portal.store.task_comments):
        for item_id in [row["id"] for row in table if row["TASK_ID"] == task["id"]]:
            table.remove(item_id)
    _announce(portal, "ONTASKDELETE", {"ID": task["id"]}, "undefined")
    return {"task": True}


@method("tasks.task.getFields", scope="task")
def get_fields(portal: PortalState, user: User, params: Params) -> Any:
    fields = {}
    for name, spec in _SPECS.items():
        described: Row = {"title": spec.title, "type": spec.type_in("old")}
        if spec.values:
            described["values"] = spec.values
        if name == "ID":
            described["primary"] = True
        elif spec.required:
            described["required"] = True
        else:
            described["default"] = spec.default
        fields[name] = described
    return {"fields": fields}


@method("tasks.task.add", scope="task")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    title = str(fields.get("TITLE") or "").strip()
    if not title:
        raise Refusal("ERROR_CORE", "Task title is not specified<br>")
    if as_integer(fields.get("RESPONSIBLE_ID")) is None:
        raise Refusal("ERROR_CORE", "Responsible person is not specified<br>")
    written = _written(portal, None, fields)
    created_by = written.get("createdBy") or user.id
    task = new_task(title, at=portal.clock.iso(), responsible_id=written["responsibleId"], created_by=created_by)
    task.update(written, title=title, createdBy=created_by, changedBy=created_by)
    portal.store.tasks.add(task)
    announce_task(portal, task)
    new = {
        "guid": f"{{00000000-0000-4000-8000-{task['id']:012}}}",
        "activityDate": task["createdDate"],
        "statusChangedDate": task["createdDate"],
        "checkListTree": NO_CHECKLIST,
    }
    return {"task": {**_whole(portal, task, []), **new}}


def _written(portal: PortalState, task: Row | None, fields: dict[str, Any]) -> Row:
    """
    What is stored of ``fields``: unknown names and what the portal itself sets are ignored.

    :param task: as it is; ``None`` for a new one.
    :raises Refusal: a value that cannot be.
    """
    row: Row = {}
    for name, value in fields.items():
        if name not in _SPECS or name in _SET_BY_PORTAL:
            continue
        key = _SPECS[name].key
        if name in _LISTS:
            row[key] = [str(member) for member in as_map(value).values()]
        elif name in _NUMBERS:
            row[key] = as_integer(value) or 0
        elif _kind(name) == "datetime":
            row[key] = _moment(name, value) if value else None
        else:
            row[key] = str(value or "")
    if "responsibleId" in row and row["responsibleId"] not in portal.users:
        raise Refusal("ERROR_CORE", 'User specified in the "Responsible" field not found<br>')
    if "status" in row and str(row["status"]) not in (_SPECS["STATUS"].values or ()):
        raise Refusal("ERROR_CORE", "Invalid status<br>")
    _check_parent(portal, task, row.get("parentId"))
    whole = {**(task or {}), **row}
    start, end = whole.get("startDatePlan"), whole.get("endDatePlan")
    if start and end and end < start:
        problem = "The end date specified in the scheduling is earlier than the start date<br>"
        raise Refusal("ERROR_CORE", problem)
    return row


def _moment(name: str, value: Any) -> str:
    try:
        return as_server_time(value)
    except BadValue:
        raise Refusal("ERROR_CORE", f"Incorrect {name.lower().replace('_', ' ')}<br>") from None


def _check_parent(portal: PortalState, task: Row | None, parent_id: int | None) -> None:
    if not parent_id:
        return
    parent = portal.store.tasks.get(parent_id)
    if parent is None:
        raise Refusal("ERROR_CORE", 'The task specified in the "Parent Task" field was not found<br>')
    if task is not None and parent_id == task["id"]:
        raise Refusal("ERROR_CORE", "Cannot bind the node to itself<br>")


def _task_to_change(portal: PortalState, user: User, params: Params, refusal: str, code: str = "0") -> Row:
    task = _visible_task(portal, user, params)
    if task is None or not (user.is_admin or user.id in (task["createdBy"], task["responsibleId"])):
        raise Refusal(code, refusal)
    return task


def _change(portal: PortalState, user: User, task: Row, new: Row) -> Any:
    now = portal.clock.iso()
    if new.get("status", task["status"]) != task["status"]:
        closed = new["status"] == _COMPLETED
        task.update(statusChangedBy=user.id, statusChangedDate=now)
        task.update(closedBy=user.id if closed else 0, closedDate=now if closed else None)
    task.update(new)
    task.update(changedDate=now, changedBy=user.id, activityDate=now)
    _announce(portal, "ONTASKUPDATE", {"ID": task["id"]}, {"ID": task["id"]})
    return {"task": {**_whole(portal, task, []), "checkListTree": check_list_tree(portal, task, user.id)}}


@method("tasks.task.update", scope="task")
def update(portal: PortalState, user: User, params: Params) -> Any:
    task = _task_to_change(portal, user, params, "Action on the task is not allowed (internal error)")
    fields = as_map(params.get("fields"))
    if not fields:
        raise Refusal("100", "Could not find value for parameter {fields} (internal error)")
    return _change(portal, user, task, _written(portal, task, fields))


#: Method -> the status that it sets.
_COMPLETED = 5
_STEPS = {"complete": _COMPLETED, "start": 3, "pause": 2, "defer": 6, "renew": 2}
_CODES = dict.fromkeys(("pause", "defer", "renew"), "1048582")


def _step(status: int, code: str) -> Handler:
    def step(portal: PortalState, user: User, params: Params) -> Any:
        task = _task_to_change(portal, user, params, "Action on the task is not allowed", code)
        return _change(portal, user, task, {"status": status})

    return step


for _action, _status in _STEPS.items():
    # Three of the pages print another code for the same words.
    method(f"tasks.task.{_action}", scope="task")(_step(_status, _CODES.get(_action, "0")))


def announce_task(portal: PortalState, task: Row) -> None:
    """Announce a new task."""
    _announce(portal, "ONTASKADD", "undefined", {"ID": task["id"]})


def _announce(portal: PortalState, event: str, before: Row | str, after: Row | str) -> None:
    """What there is nothing to say of is the text ``undefined`` (pages of the events)."""
    accessible = {
        f"IS_ACCESSIBLE_{moment}": "N" if fields == "undefined" else "undefined"
        for moment, fields in (("BEFORE", before), ("AFTER", after))
    }
    portal.events.announce(event, {"FIELDS_BEFORE": before, "FIELDS_AFTER": after, **accessible})
