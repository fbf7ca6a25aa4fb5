"""
``tasks.task.*`` of REST v2: asked in UPPER_CASE, answered in camelCase, ids as text.

A filter key it does not know, such as ``>id``, is dropped; an order it does not know is refused.
Source: pages under ``tasks``, and the server source.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.tasks.task_defaults import ACTIONS, NO_CHECKLIST, UNSET
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import new_task
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = {
    "ID": Field("id", "integer"),
    "TITLE": Field("title"),
    "DESCRIPTION": Field("description"),
    "STATUS": Field("status", "integer"),
    "PRIORITY": Field("priority", "integer"),
    "RESPONSIBLE_ID": Field("responsibleId", "integer"),
    "CREATED_BY": Field("createdBy", "integer"),
    "CREATED_DATE": Field("createdDate", "datetime"),
    "CHANGED_DATE": Field("changedDate", "datetime"),
    "DEADLINE": Field("deadline", "datetime"),
    "GROUP_ID": Field("groupId", "integer"),
    "UF_CRM_TASK": Field("ufCrmTask"),
}
_UNSORTABLE = frozenset({"DESCRIPTION", "UF_CRM_TASK"})


def _shown(portal: PortalState, task: Row, select: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        if select and "*" not in select and name not in select:
            continue
        value = task[field.key]
        shown[field.key] = value if value is None or isinstance(value, list) else str(value)
    wants_all = not select or "*" in select
    for name, value in UNSET.items():
        if wants_all or _upper_name(name) in select:
            shown[name] = value
    if "description" in shown:
        shown["descriptionInBbcode"] = "Y"
    shown["group"] = []
    for key, user_id in (("creator", task["createdBy"]), ("responsible", task["responsibleId"])):
        person = portal.users.get(user_id)
        name = person.name if person else ""
        shown[key] = {
            "id": str(user_id),
            "name": name,
            "link": f"/company/personal/user/{user_id}/",
            "icon": "/bitrix/images/tasks/default_avatar.png",
            "workPosition": "",
        }
    return shown


def _upper_name(name: str) -> str:
    """``closedDate`` -> ``CLOSED_DATE``."""
    return re.sub("([A-Z])", r"_\1", name).upper()


def _whole(portal: PortalState, task: Row, select: list[str]) -> dict[str, Any]:
    return {**_shown(portal, task, select), "favorite": "N", "action": ACTIONS}


def _select(params: Params) -> list[str]:
    select = params.get("select")
    if select is not None and not isinstance(select, (dict, list)):
        problem = "Invalid value {} to match with parameter {select}. Should be value of type array. (internal error)"
        raise Refusal("100", problem)
    return [str(name).upper() for name in as_map(select).values()]


@method("tasks.task.list", scope="task")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    select = _select(params)
    for name in as_map(params.get("order")):
        if name not in _FIELDS or name in _UNSORTABLE:
            raise Refusal("0", "Invalid sorting key (internal error)")
    matcher = Matcher(_FIELDS, refuse=None).read(params.get("filter"))
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
    _announce(portal, "ONTASKDELETE", {"ID": task["id"]}, "undefined")
    return {"task": True}


@method("tasks.task.add", scope="task")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    title = str(fields.get("TITLE") or "").strip()
    if not title:
        raise Refusal("ERROR_CORE", "Task title is not specified<br>")
    responsible_id = as_integer(fields.get("RESPONSIBLE_ID"))
    if responsible_id is None:
        raise Refusal("ERROR_CORE", "Responsible person is not specified<br>")
    if responsible_id not in portal.users:
        raise Refusal("ERROR_CORE", 'User specified in the "Responsible" field not found<br>')
    created_by = as_integer(fields.get("CREATED_BY")) or user.id
    task = new_task(title, at=portal.clock.iso(), responsible_id=responsible_id, created_by=created_by)
    task["description"] = str(fields.get("DESCRIPTION") or "")
    task["ufCrmTask"] = [str(value) for value in as_map(fields.get("UF_CRM_TASK")).values()]
    for name in ("PRIORITY", "GROUP_ID"):
        task[_FIELDS[name].key] = as_integer(fields.get(name)) or task[_FIELDS[name].key]
    if fields.get("DEADLINE"):
        try:
            task["deadline"] = as_server_time(fields["DEADLINE"])
        except BadValue:
            raise Refusal("ERROR_CORE", "Incorrect deadline<br>") from None
    portal.store.tasks.add(task)
    announce_task(portal, task)
    new = {
        "guid": f"{{00000000-0000-4000-8000-{task['id']:012}}}",
        "changedBy": str(created_by),
        "activityDate": task["createdDate"],
        "statusChangedDate": task["createdDate"],
        "checkListTree": NO_CHECKLIST,
    }
    return {"task": {**_whole(portal, task, []), **new}}


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
