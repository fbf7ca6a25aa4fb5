"""What an answer has of a task beside its fields: its people, and its check lists as a list and as a tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.tasks.task_defaults import NO_CHECKLIST
from airflow_provider_bitrix24.sandbox.state.portal import PortalState

#: What the asking user may do with an item of a check list.
_ACTIONS = dict.fromkeys(("modify", "remove", "toggle", "add", "addAccomplice"), True)


def person_of(portal: PortalState, user_id: Any) -> Row:
    person = portal.users.get(int(user_id))
    return {
        "id": str(user_id),
        "name": person.name if person else "",
        "link": f"/company/personal/user/{user_id}/",
        "icon": "/bitrix/images/tasks/default_avatar.png",
        "workPosition": "",
    }


def people_of(portal: PortalState, user_ids: Iterable[str]) -> Any:
    """By id; nobody is an empty list."""
    return {user_id: person_of(portal, user_id) for user_id in user_ids if user_id.isdigit()} or []


def check_list_of(portal: PortalState, task: Row) -> Any:
    """All items by id, the lists themselves among them; none is an empty list."""
    return {str(row["id"]): _item(row) for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]} or []


def _item(row: Row) -> Row:
    task_id = str(row["TASK_ID"])
    return {
        "id": str(row["id"]),
        "taskId": task_id,
        "createdBy": str(row["CREATED_BY"]),
        "parentId": str(row["PARENT_ID"]) if row["PARENT_ID"] else 0,
        "title": row["TITLE"],
        "sortIndex": str(row["SORT_INDEX"]),
        "isComplete": row["IS_COMPLETE"],
        "isImportant": row["IS_IMPORTANT"],
        "toggledBy": None if row["TOGGLED_BY"] is None else str(row["TOGGLED_BY"]),
        "toggledDate": row["TOGGLED_DATE"],
        "ufChecklistFiles": False,
        # Printed empty everywhere: `task.checklistitem.get` shows them.
        "members": [],
        "attachments": [],
        "entityId": task_id,
        "action": _ACTIONS,
    }


def check_list_tree(portal: PortalState, task: Row, user_id: int) -> Row:
    """The same as a tree, numbered from above."""
    rows = sorted(
        (row for row in portal.store.checklist_items if row["TASK_ID"] == task["id"]), key=lambda row: row["SORT_INDEX"]
    )
    number = 0

    def below(parent_id: int, place: str) -> list[Row]:
        nonlocal number
        nodes = []
        for position, row in enumerate((row for row in rows if (row["PARENT_ID"] or 0) == parent_id), 1):
            number += 1
            # Lists are not numbered for people, their items are.
            own_place = f"{place}.{position}" if place else str(position) if parent_id else ""
            node_id, deeper = number, below(row["id"], own_place)
            fields = {**NO_CHECKLIST["fields"], **_node(row), "userId": user_id, "displaySortIndex": own_place}
            fields["completedCount"] = sum(node["fields"]["isComplete"] for node in deeper)
            nodes.append({"nodeId": node_id, "fields": fields, "action": _ACTIONS, "descendants": deeper})
        return nodes

    return {**NO_CHECKLIST, "descendants": below(0, "")}


def _node(row: Row) -> Row:
    return {
        "id": row["id"],
        "entityId": row["TASK_ID"],
        "createdBy": row["CREATED_BY"],
        "parentId": row["PARENT_ID"] or 0,
        "title": row["TITLE"],
        "sortIndex": row["SORT_INDEX"],
        "isComplete": row["IS_COMPLETE"] == "Y",
        "isImportant": row["IS_IMPORTANT"] == "Y",
    }
