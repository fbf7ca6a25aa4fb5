"""``task.commentitem.*``: comments of tasks, with files of the drive. Source: pages under ``tasks/comment-item``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.methods.tasks.task_items import FIELDS, ITEM, TASK, TaskItem, offer, visible_task
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = {
    "ID": Field("id", "integer"),
    "AUTHOR_ID": Field("AUTHOR_ID", "integer"),
    **{name: Field(name) for name in ("AUTHOR_NAME", "AUTHOR_EMAIL")},
    "POST_DATE": Field("POST_DATE", "datetime"),
}
_FILES = "UF_FORUM_MESSAGE_DOC"
_KIND = TaskItem(
    "commentitem",
    lambda store: store.task_comments,
    _FIELDS,
    writable=frozenset({"POST_MESSAGE", "AUTHOR_ID", "POST_DATE", _FILES}),
    sortable=frozenset(_FIELDS),
    filterable=frozenset(_FIELDS) - {"AUTHOR_EMAIL"},
)


def _shown(portal: PortalState, row: Row) -> Row:
    attached = {}
    for file_id in row["files"]:
        file = portal.store.drive.get(file_id)
        if file is not None:
            _, content = portal.store.files.get(file["versions"][-1]) or ("", b"")
            address = f"/bitrix/tools/disk/uf.php?attachedId={file_id}"
            attached[str(file_id)] = {
                "ATTACHMENT_ID": str(file_id),
                "NAME": file["NAME"],
                "SIZE": str(len(content)),
                "FILE_ID": str(file_id),
                "DOWNLOAD_URL": f"{address}&action=download&ncc=1",
                "VIEW_URL": f"{address}&action=show&ncc=1",
            }
    return {
        "POST_MESSAGE_HTML": None,
        "ID": str(row["id"]),
        "AUTHOR_ID": str(row["AUTHOR_ID"]),
        **{name: row[name] for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "POST_DATE", "POST_MESSAGE")},
        "ATTACHED_OBJECTS": attached,
    }


def _failed(problem: str) -> Refusal:
    return Refusal("ERROR_CORE", f"{problem}<br>")


def _found(portal: PortalState, user: User, task_id: int, item_id: int) -> Row | None:
    row = portal.store.task_comments.get(item_id)
    is_there = row is not None and row["TASK_ID"] == task_id and visible_task(portal, user, task_id) is not None
    return row if is_there else None


@offer(_KIND, "getlist")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    places = (("arOrder", "array"), ("arFilter", "array"))
    task_id, order, filter_ = _KIND.arguments("getlist", params, TASK, *places, optional=2)
    if visible_task(portal, user, task_id) is None:
        raise _KIND.not_done("Action failed")
    matcher = Matcher(_FIELDS, refuse=None).read(filter_)
    rows = [row for row in portal.store.task_comments if row["TASK_ID"] == task_id and matcher.accepts(row)]
    pairs = read_order(as_map(order) or {"ID": "desc"}, _FIELDS, None)
    return [_shown(portal, row) for row in sort_rows(rows, pairs)]


@offer(_KIND, "get")
def get(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, *_KIND.arguments("get", params, TASK, ITEM))
    if row is None:
        problem = "Check listitem not found or not accessible"
        raise _KIND.failed(problem, 512, "ITEM_NOT_FOUND_OR_NOT_ACCESSIBLE")
    return _shown(portal, row)


@offer(_KIND, "add")
def add(portal: PortalState, user: User, params: Params) -> Any:
    task_id, fields = _KIND.arguments("add", params, TASK, FIELDS)
    if visible_task(portal, user, task_id) is None:
        raise _failed("Insufficient permissions to add a comment.")
    given = as_map(fields)
    author = portal.users.get(as_integer(given.get("AUTHOR_ID")) or user.id, user)
    try:
        at = as_server_time(given["POST_DATE"]) if given.get("POST_DATE") else portal.clock.iso()
    except BadValue:
        raise _failed("Incorrect date.") from None
    row: Row = {"TASK_ID": task_id, "AUTHOR_ID": author.id, "POST_DATE": at, "files": []}
    row.update(AUTHOR_NAME=author.name, AUTHOR_EMAIL=author.email)
    _write(portal, row, given)
    comment_id = portal.store.task_comments.add(row)
    portal.events.announce("ONTASKCOMMENTADD", {"FIELDS_AFTER": {"ID": comment_id, "TASK_ID": task_id}})
    return comment_id


def _write(portal: PortalState, row: Row, given: Row) -> None:
    if not str(given.get("POST_MESSAGE") or "").strip():
        raise _failed("Comment text not specified.")
    row["POST_MESSAGE"] = str(given["POST_MESSAGE"])
    if _FILES in given:
        files = [as_integer(str(name).removeprefix("n")) or 0 for name in as_map(given[_FILES]).values()]
        if any(file_id not in portal.store.drive.rows for file_id in files):
            raise _failed("File not found.")
        row["files"] = files


def _to_change(portal: PortalState, user: User, task_id: int, item_id: int) -> Row:
    row = _found(portal, user, task_id, item_id)
    if row is None or not (user.is_admin or row["AUTHOR_ID"] == user.id):
        raise _KIND.failed("Action is not allowed", 4, "ACTION_NOT_ALLOWED")
    return row


@offer(_KIND, "update")
def update(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id, fields = _KIND.arguments("update", params, TASK, ITEM, FIELDS)
    _write(portal, _to_change(portal, user, task_id, item_id), as_map(fields))
    return True


@offer(_KIND, "delete")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _to_change(portal, user, *_KIND.arguments("delete", params, TASK, ITEM))
    portal.store.task_comments.remove(row["id"])
    return True


@offer(_KIND, "isactionallowed")
def is_action_allowed(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id, action = _KIND.arguments("isactionallowed", params, TASK, ITEM, ("actionId", "integer"))
    if action not in (1, 2, 3):
        raise _KIND.failed("Param #2 (actionId) is not an action.")
    row = _found(portal, user, task_id, item_id)
    return row is not None and (action == 1 or user.is_admin or row["AUTHOR_ID"] == user.id)
