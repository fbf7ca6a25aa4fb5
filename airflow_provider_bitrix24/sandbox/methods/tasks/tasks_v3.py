"""
``tasks.task.*`` of REST 3.0: typed values, ``result.item`` and ``result.items``, no total.

``pagination.limit`` is documented up to 1000 but clamped to 50 silently (measured on real portals): only an
empty page ends a list. Source: ``rest-v3`` and the pages of the methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.listing import PAGE_ROWS
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method_v3
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import (
    BASIC,
    PREFIX,
    invalid,
    shown_task,
    unknown,
    written,
)
from airflow_provider_bitrix24.sandbox.methods.tasks.tasks import announce_task, sees_task
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import new_task
from airflow_provider_bitrix24.sandbox.state.users import User

_OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "in", "between")
#: Fields that a list is sorted by.
_SORTABLE = frozenset(
    {
        *("id", "title", "creatorId", "created", "responsibleId", "deadline", "startPlan", "endPlan", "groupId"),
        *("priority", "status", "started", "estimatedTime", "changed", "closed", "activity", "mark"),
        *("allowsChangeDeadline", "allowsTimeTracking"),
    }
)

#: Fields of a person that a task's ``select`` reaches, as ``responsible.name``.
_PERSON = {
    "id": lambda person: person.id,
    "name": lambda person: person.first_name,
    "lastName": lambda person: person.last_name,
    "email": lambda person: person.email,
}
_PEOPLE = {"responsible": "responsibleId", "creator": "createdBy"}


def _selected(portal: PortalState, task: Row, names: Iterable[str]) -> Row:
    items = [row["id"] for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]]
    whole = {**shown_task(task), "checklist": items, "containsChecklist": bool(items)}
    selected: Row = {}
    for name in names:
        relation, _, field = name.partition(".")
        if name in whole:
            selected[name] = whole[name]
        elif field and relation in _PEOPLE:
            if field not in _PERSON:
                raise unknown(field, "UserDto")
            person = portal.users.get(task[_PEOPLE[relation]])
            selected.setdefault(relation, {})[field] = _PERSON[field](person) if person else None
        else:
            raise unknown(name, "TaskDto")
    return selected


def _select(params: Params) -> list[str]:
    if not isinstance(params.get("select") or [], (dict, list)):
        raise Refusal(f"{PREFIX}INVALIDSELECTEXCEPTION", "Unable to recognize the selection parameter `select`")
    return [str(name) for name in as_map(params.get("select")).values()]


@method_v3("tasks.task.list", scope="tasks")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    tests = [_condition(condition) for condition in as_map(params.get("filter")).values()]
    tasks = [task for task in portal.store.tasks if sees_task(user, task) and all(test(task["id"]) for test in tests)]
    for name, direction in as_map(params.get("order")).items():
        if name not in _SORTABLE or str(direction).upper() not in ("ASC", "DESC"):
            raise Refusal(f"{PREFIX}INVALIDORDEREXCEPTION", f"Unable to recognize sorting parameter `{name}`")
        tasks.sort(key=partial(_rank, name), reverse=str(direction).upper() == "DESC")
    offset, limit = _pagination(params)
    # The page: without `select` only the id.
    names = _select(params) or ["id"]
    return {"items": [_selected(portal, task, names) for task in tasks[offset : offset + limit]]}


def _rank(name: str, task: Row) -> tuple[bool, float, str]:
    """Nothing comes first; numbers are sorted as such, words in the order of their codes."""
    value = task[name] if name in ("status", "priority") else shown_task(task)[name]
    is_number = isinstance(value, (int, float))
    return value is not None, float(value) if is_number else 0.0, "" if is_number else str(value)


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
    if task is None or not sees_task(user, task):
        raise Refusal(f"{PREFIX}ENTITYNOTFOUNDEXCEPTION", f"Record with ID = `{task_id}` not found")
    return {"item": _selected(portal, task, _select(params) or BASIC)}


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
    row = written(fields)
    task = new_task(
        str(fields["title"]),
        at=portal.clock.iso(),
        responsible_id=int(fields["responsibleId"]),
        created_by=as_integer(fields["creatorId"]) or user.id,
    )
    task.update(row, description=row.get("description") or "")
    portal.store.tasks.add(task)
    announce_task(portal, task)
    return {"item": _selected(portal, task, BASIC)}
