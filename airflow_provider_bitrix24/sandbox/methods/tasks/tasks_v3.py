"""
``tasks.task.*`` of REST 3.0: typed values, ``result.item`` and ``result.items``, no total.

``pagination.limit`` is documented up to 1000 but clamped to 50 silently (measured on real portals): only an
empty page ends a list. Source: ``rest-v3`` and the pages of the methods.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.listing import PAGE_ROWS
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method_v3
from airflow_provider_bitrix24.sandbox.methods.tasks.task_defaults import RIGHTS_V3, UNSET_V3
from airflow_provider_bitrix24.sandbox.methods.tasks.tasks import announce_task
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import new_task
from airflow_provider_bitrix24.sandbox.state.users import User

PREFIX = "BITRIX_REST_V3_EXCEPTION_"

_STATUSES = {2: "pending", 3: "in_progress", 4: "supposedly_completed", 5: "completed", 6: "deferred"}
_PRIORITIES = {0: "low", 1: "average", 2: "high"}
_OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "in", "between")


def _shown(task: Row) -> Row:
    return {
        **UNSET_V3,
        "id": task["id"],
        "title": task["title"],
        "description": task["description"],
        "deadline": task["deadline"],
        "creatorId": task["createdBy"],
        "created": task["createdDate"],
        "changed": task["changedDate"],
        "responsibleId": task["responsibleId"],
        "status": _STATUSES[task["status"]],
        "priority": _PRIORITIES[task["priority"]],
        "groupId": task["groupId"],
        "crmItemIds": task["ufCrmTask"],
        "activity": task["changedDate"],
        "chatId": task["id"],
        "guid": f"{{00000000-0000-4000-8000-{task['id']:012}}}",
        "link": f"/company/personal/user/{task['responsibleId']}/tasks/task/view/{task['id']}/",
        "archiveLink": f"/bitrix/tools/disk/uf.php?entityId={task['id']}&entity=TASKS_TASK",
        "rights": RIGHTS_V3,
    }


#: Fields of a task with the values of an empty one.
TASK_FIELDS = _shown({"id": 0, **new_task("", at="", responsible_id=0, created_by=0)})

#: Fields of a person that a task's ``select`` reaches, as ``responsible.name``.
_PERSON = {
    "id": lambda person: person.id,
    "name": lambda person: person.first_name,
    "lastName": lambda person: person.last_name,
    "email": lambda person: person.email,
}
_PEOPLE = {"responsible": "responsibleId", "creator": "createdBy"}


def _selected(portal: PortalState, task: Row, params: Params) -> Row:
    items = [row["id"] for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]]
    shown = {**_shown(task), "checklist": items, "containsChecklist": bool(items)}
    select = [str(name) for name in as_map(params.get("select")).values()]
    if not select:
        return shown
    selected: Row = {}
    for name in select:
        relation, _, field = name.partition(".")
        if name in shown:
            selected[name] = shown[name]
        elif field and relation in _PEOPLE:
            if field not in _PERSON:
                raise _unknown(field, "UserDto")
            person = portal.users.get(task[_PEOPLE[relation]])
            selected.setdefault(relation, {})[field] = _PERSON[field](person) if person else None
        else:
            raise _unknown(name, "TaskDto")
    return selected


def _unknown(name: str, entity: str) -> Refusal:
    return Refusal(f"{PREFIX}UNKNOWNDTOPROPERTYEXCEPTION", f"Unknown field `{name}` for entity `{entity}`")


def invalid(field: str, message: str) -> Refusal:
    validation = [{"message": message, "field": field}]
    code = f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"
    return Refusal(code, "Error during request object validation", extra={"validation": validation})


@method_v3("tasks.task.list", scope="tasks")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    tests = [_condition(condition) for condition in as_map(params.get("filter")).values()]
    tasks = [task for task in portal.store.tasks if all(test(task["id"]) for test in tests)]
    for name, direction in as_map(params.get("order")).items():
        if name not in TASK_FIELDS or str(direction).upper() not in ("ASC", "DESC"):
            raise Refusal(f"{PREFIX}INVALIDORDEREXCEPTION", f"Unable to recognize sorting parameter `{name}`")
        tasks.sort(key=lambda task: str(_shown(task)[name]) if name != "id" else f"{task['id']:020}")
        if str(direction).upper() == "DESC":
            tasks.reverse()
    offset, limit = _pagination(params)
    return {"items": [_selected(portal, task, params) for task in tasks[offset : offset + limit]]}


def _condition(condition: Any) -> Any:
    if isinstance(condition, dict) and set(condition) == {"logic", "conditions"}:
        tests = [_condition(part) for part in as_map(condition["conditions"]).values()]
        combined = any if str(condition["logic"]).lower() == "or" else all
        return lambda task_id: combined(test(task_id) for test in tests)
    if isinstance(condition, list) and len(condition) == 2:
        # Without an operator: one of these values.
        condition = [condition[0], "in", condition[1]]
    if not isinstance(condition, list) or len(condition) != 3:
        raise Refusal(f"{PREFIX}INVALIDFILTEREXCEPTION", "Unable to recognize the filter")
    name, operator, value = condition
    if name != "id":
        problem = f"In DTO `TaskDto`, the `{name}` field requires the `Filterable` attribute for such a request"
        raise Refusal(f"{PREFIX}VALIDATION_REQUESTFILTERVALIDATIONEXCEPTION", problem)
    if operator not in _OPERATORS:
        raise Refusal(f"{PREFIX}UNKNOWNFILTEROPERATOREXCEPTION", f"Unknown filter operator `{operator}`")
    values = [value] if operator not in ("in", "between") else list(as_map(value).values())
    if not values or not all(isinstance(item, int) and not isinstance(item, bool) for item in values):
        raise invalid("id", "Field `id` requires data type `int` for this request")
    first, last = values[0], values[-1]
    return {
        "=": lambda task_id: task_id == first,
        "!=": lambda task_id: task_id != first,
        ">": lambda task_id: task_id > first,
        ">=": lambda task_id: task_id >= first,
        "<": lambda task_id: task_id < first,
        "<=": lambda task_id: task_id <= first,
        "in": lambda task_id: task_id in values,
        "between": lambda task_id: first <= task_id <= last,
    }[operator]


def _pagination(params: Params) -> tuple[int, int]:
    given = as_map(params.get("pagination"))
    numbers = {}
    for name, default in (("page", 1), ("limit", PAGE_ROWS), ("offset", 0)):
        number = as_integer(given.get(name, default))
        if number is None or number < 0 or (name == "limit" and number == 0):
            problem = f"Unable to recognize the pagination parameter `{name}`"
            raise Refusal(f"{PREFIX}INVALIDPAGINATIONEXCEPTION", problem)
        numbers[name] = number
    limit = min(numbers["limit"], PAGE_ROWS)
    return numbers["offset"] + max(0, numbers["page"] - 1) * limit, limit


@method_v3("tasks.task.get", scope="tasks")
def get(portal: PortalState, user: User, params: Params) -> Any:
    if "id" not in params:
        raise invalid("id", "Required field `id` is not specified")
    task_id = params["id"]
    if not isinstance(task_id, int) or isinstance(task_id, bool):
        raise invalid("id", "Field `id` requires data type `int` for this request")
    task = portal.store.tasks.get(task_id)
    if task is None:
        raise Refusal(f"{PREFIX}ENTITYNOTFOUNDEXCEPTION", f"Record with ID = `{task_id}` not found")
    return {"item": _selected(portal, task, params)}


@method_v3("tasks.task.add", scope="tasks")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = as_map(params.get("fields"))
    if not fields:
        raise invalid("fields", "Required field `fields` is missing")
    for name in ("title", "creatorId", "responsibleId"):
        if not fields.get(name):
            raise invalid(name, f"Required field `{name}` is missing")
    if as_integer(fields["responsibleId"]) not in portal.users:
        raise invalid("responsibleId", 'User specified in the "Executor" field not found')
    task = new_task(
        str(fields["title"]),
        at=portal.clock.iso(),
        responsible_id=int(fields["responsibleId"]),
        created_by=as_integer(fields["creatorId"]) or user.id,
    )
    task["description"] = str(fields.get("description") or "")
    task["ufCrmTask"] = [str(value) for value in as_map(fields.get("crmItemIds")).values()]
    if fields.get("deadline") is not None:
        try:
            task["deadline"] = as_server_time(fields["deadline"])
        except BadValue:
            raise invalid("deadline", "Field `deadline` requires data type `DateTime` for this request") from None
    portal.store.tasks.add(task)
    announce_task(portal, task)
    return {"item": _shown(task)}
