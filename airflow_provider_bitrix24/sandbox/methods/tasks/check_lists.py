"""``task.checklistitem.*``: check lists of tasks and their items. Source: pages under ``tasks/checklist-item``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Params, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.methods.tasks.task_items import FIELDS, ITEM, TASK, TaskItem, offer, visible_task
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = {
    "ID": Field("id", "integer"),
    **{name: Field(name, "integer") for name in ("TASK_ID", "PARENT_ID", "CREATED_BY")},
    "TITLE": Field("TITLE"),
    "SORT_INDEX": Field("SORT_INDEX", "integer"),
    **{name: Field(name) for name in ("IS_COMPLETE", "IS_IMPORTANT")},
    "TOGGLED_BY": Field("TOGGLED_BY", "integer"),
    "TOGGLED_DATE": Field("TOGGLED_DATE", "datetime"),
}
_KIND = TaskItem(
    "checklistitem",
    lambda store: store.checklist_items,
    _FIELDS,
    writable=frozenset({"PARENT_ID", "TITLE", "SORT_INDEX", "IS_COMPLETE", "IS_IMPORTANT", "MEMBERS"}),
    sortable=frozenset(_FIELDS) - {"TASK_ID"},
)
#: Role in a check list -> list of the task that its people come into.
_ROLES = {"A": "accomplices", "U": "auditors"}
_ACTIONS = range(1, 6)


def _shown(portal: PortalState, row: Row) -> Row:
    shown: Row = {name: None if row[field.key] is None else str(row[field.key]) for name, field in _FIELDS.items()}
    # A check list itself is below nothing, and that is a number; nobody has ticked it at an empty text.
    shown.update(
        {"PARENT_ID": shown["PARENT_ID"] if row["PARENT_ID"] else 0, "TOGGLED_DATE": row["TOGGLED_DATE"] or ""}
    )
    people = [(portal.users[user_id], role) for user_id, role in row["MEMBERS"].items() if user_id in portal.users]
    members = [
        {
            "ID": str(person.id),
            "TYPE": role,
            "NAME": person.name,
            "PERSONAL_PHOTO": "",
            "PERSONAL_GENDER": "",
            "IMAGE": "",
            "IS_COLLABER": False,
        }
        for person, role in people
    ]
    return {**shown, "MEMBERS": members, "ATTACHMENTS": []}


def _task(portal: PortalState, user: User, task_id: int, doing: str) -> Row:
    task = visible_task(portal, user, task_id)
    if task is None:
        raise _KIND.not_done(doing)
    return task


def _item(portal: PortalState, user: User, doing: str, task_id: int, item_id: int) -> Row:
    row = portal.store.checklist_items.get(item_id)
    if row is None or row["TASK_ID"] != _task(portal, user, task_id, doing)["id"]:
        raise _KIND.not_done(doing)
    return row


@offer(_KIND, "getlist")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    task_id, order = _KIND.arguments("getlist", params, TASK, ("arOrder", "array"), optional=1)
    task = _task(portal, user, task_id, "Action failed")
    rows = [row for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]]
    pairs = read_order(as_map(order) or {"ID": "desc"}, _FIELDS, None)
    return [_shown(portal, row) for row in sort_rows(rows, pairs)]


@offer(_KIND, "get")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return _shown(portal, _item(portal, user, "Action failed", *_KIND.arguments("get", params, TASK, ITEM)))


@offer(_KIND, "add")
def add(portal: PortalState, user: User, params: Params) -> Any:
    task_id, fields = _KIND.arguments("add", params, TASK, FIELDS)
    task = _task(portal, user, task_id, "Adding item: action not allowed")
    given = as_map(fields)
    if not given.get("TITLE"):
        raise _KIND.not_done("Item name not specified")
    if "PARENT_ID" not in given:
        given["PARENT_ID"] = _first_list(portal, user, task)
    return _new(portal, user, task, given)


def _new(portal: PortalState, user: User, task: Row, fields: Row) -> int:
    siblings = [row["SORT_INDEX"] for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]]
    row: Row = {
        "TASK_ID": task["id"],
        "CREATED_BY": user.id,
        "PARENT_ID": 0,
        "SORT_INDEX": 1 + max(siblings, default=-1),
        "IS_COMPLETE": "N",
        "IS_IMPORTANT": "N",
        "TOGGLED_BY": None,
        "TOGGLED_DATE": None,
        "MEMBERS": {},
    }
    _write(portal, user, task, row, fields)
    return portal.store.checklist_items.add(row)


def _first_list(portal: PortalState, user: User, task: Row) -> int:
    """The task's first check list; a new one if it has none."""
    lists = [row["id"] for row in portal.store.checklist_items if row["TASK_ID"] == task["id"] and not row["PARENT_ID"]]
    return lists[0] if lists else _new(portal, user, task, {"TITLE": "Checklist 1"})


def _write(portal: PortalState, user: User, task: Row, row: Row, fields: Row) -> None:
    if "PARENT_ID" in fields:
        parent_id = as_integer(fields["PARENT_ID"]) or 0
        parent = portal.store.checklist_items.get(parent_id)
        if parent_id and (parent is None or parent["TASK_ID"] != task["id"]):
            problem = f"The task has no check list item {parent_id}: the page does not say where the item goes then"
            raise not_modelled(problem)
        row["PARENT_ID"] = parent_id
    if "TITLE" in fields:
        row["TITLE"] = str(fields["TITLE"] or "")
    if "SORT_INDEX" in fields:
        row["SORT_INDEX"] = as_integer(fields["SORT_INDEX"]) or 0
    if "IS_IMPORTANT" in fields:
        row["IS_IMPORTANT"] = "Y" if fields["IS_IMPORTANT"] in ("Y", True) else "N"
    if "MEMBERS" in fields:
        given = as_map(fields["MEMBERS"])
        row["MEMBERS"] = {as_integer(key) or 0: str(as_map(value).get("TYPE", "A")) for key, value in given.items()}
        for user_id, role in row["MEMBERS"].items():
            people = task.setdefault(_ROLES.get(role, "accomplices"), [])
            if str(user_id) not in people:
                people.append(str(user_id))
    if "IS_COMPLETE" in fields:
        _tick(portal, user, row, fields["IS_COMPLETE"] in ("Y", True))


def _tick(portal: PortalState, user: User, row: Row, done: bool) -> None:
    if done != (row["IS_COMPLETE"] == "Y"):
        row.update(IS_COMPLETE="Y" if done else "N", TOGGLED_BY=user.id, TOGGLED_DATE=portal.clock.iso())


@offer(_KIND, "update")
def update(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id, fields = _KIND.arguments("update", params, TASK, ITEM, FIELDS)
    task = visible_task(portal, user, task_id)
    if task is None:
        raise _KIND.failed("No access to edit the task", 4, "ACTION_NOT_ALLOWED")
    row = _item(portal, user, "Modifying item: action not allowed", task_id, item_id)
    _write(portal, user, task, row, as_map(fields))


@offer(_KIND, "delete")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _item(portal, user, "Deleting item: action not allowed", *_KIND.arguments("delete", params, TASK, ITEM))
    portal.store.checklist_items.remove_tree(row["id"])
    return True


def _ticking(action: str, *, done: bool) -> Handler:
    def handle(portal: PortalState, user: User, params: Params) -> Any:
        row = _item(portal, user, f"{action}: action not allowed", *_KIND.arguments(action, params, TASK, ITEM))
        _tick(portal, user, row, done)
        return True

    return handle


offer(_KIND, "complete")(_ticking("complete", done=True))
offer(_KIND, "renew")(_ticking("renew", done=False))


@offer(_KIND, "moveafteritem")
def move(portal: PortalState, user: User, params: Params) -> Any:
    task_id, *ids = _KIND.arguments("moveafteritem", params, TASK, ITEM, ("afterItemId", "integer"))
    row, after = (_item(portal, user, "Moving item: action not allowed", task_id, item_id) for item_id in ids)
    if row is after:
        return None
    siblings = [
        item
        for item in sort_rows(list(portal.store.checklist_items), [(_FIELDS["SORT_INDEX"], False)])
        if item["TASK_ID"] == row["TASK_ID"] and item["PARENT_ID"] == after["PARENT_ID"] and item is not row
    ]
    siblings.insert(siblings.index(after) + 1, row)
    row["PARENT_ID"] = after["PARENT_ID"]
    for place, item in enumerate(siblings):
        item["SORT_INDEX"] = place


@offer(_KIND, "isactionallowed")
def is_action_allowed(portal: PortalState, user: User, params: Params) -> Any:
    *ids, action = _KIND.arguments("isactionallowed", params, TASK, ITEM, ("actionId", "integer"))
    if action not in _ACTIONS:
        raise _KIND.failed("Param #2 (actionId) is not an action.")
    _item(portal, user, "Action failed", *ids)
    return True
