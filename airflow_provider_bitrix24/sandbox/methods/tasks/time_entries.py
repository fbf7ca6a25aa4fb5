"""``task.elapseditem.*``: time that people spent on tasks. Source: pages under ``tasks/elapsed-item``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.methods.tasks.task_items import (
    FIELDS,
    ITEM,
    TASK,
    TaskItem,
    offer,
    positional,
    visible_task,
)
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: Rows of a page, and the most that ``nPageSize`` asks for.
_PAGE_ROWS = 50

_FIELDS = {
    "ID": Field("id", "integer"),
    **{name: Field(name, "integer") for name in ("TASK_ID", "USER_ID", "SECONDS", "MINUTES", "SOURCE")},
    "COMMENT_TEXT": Field("COMMENT_TEXT"),
    **{name: Field(name, "datetime") for name in ("CREATED_DATE", "DATE_START", "DATE_STOP")},
}
_KIND = TaskItem(
    "elapseditem",
    lambda store: store.time_entries,
    _FIELDS,
    writable=frozenset({"USER_ID", "COMMENT_TEXT", "SECONDS"}),
    sortable=frozenset(_FIELDS) - {"COMMENT_TEXT", "SOURCE"},
    filterable=frozenset({"ID", "TASK_ID", "USER_ID", "CREATED_DATE"}),
)
#: Entered by hand.
_SOURCE = 2


def _shown(row: Row) -> Row:
    return {name: str(row[field.key]) for name, field in _FIELDS.items()}


def _denied() -> Refusal:
    return Refusal("ERROR_CORE", "ACTION_NOT_ALLOWED")


def _task(portal: PortalState, user: User, task_id: int) -> Row:
    task = visible_task(portal, user, task_id)
    if task is None:
        raise _denied()
    return task


def _entry(portal: PortalState, user: User, task_id: int, item_id: int) -> Row:
    row = portal.store.time_entries.get(item_id)
    if row is None or row["TASK_ID"] != _task(portal, user, task_id)["id"]:
        raise _denied()
    return row


@offer(_KIND, "getlist")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    # Without a task, the entries of all: then the order stands first.
    values = positional(params)
    task_id = as_integer(values[0]) if values else None
    if task_id is None:
        values.insert(0, None)
    order, filter_, select, options = ([as_map(value) for value in values[1:5]] + [{}] * 4)[:4]
    for position, place, given in ((1, "order", order), (2, "filter", filter_)):
        allowed = _KIND.sortable if place == "order" else _KIND.filterable
        for key in given:
            if (key if place == "order" else key.lstrip("!<>=")) not in allowed:
                problem = (
                    f'Param #{position} ({place}) for method ctaskelapseditem::getlist() must not contain key "{key}".'
                )
                raise _KIND.failed(problem)
    matcher = Matcher(_FIELDS, refuse=None).read(filter_)
    rows = [row for row in portal.store.time_entries if matcher.accepts(row)]
    if task_id is not None:
        task = _task(portal, user, task_id)
        rows = [row for row in rows if row["TASK_ID"] == task["id"]]
    else:
        rows = [row for row in rows if visible_task(portal, user, row["TASK_ID"]) is not None]
    rows = sort_rows(rows, read_order(order, _FIELDS, None))
    navigation = as_map(options.get("NAV_PARAMS"))
    size = min(as_integer(navigation.get("nPageSize")) or _PAGE_ROWS, _PAGE_ROWS)
    first = size * (max(1, as_integer(navigation.get("iNumPage")) or 1) - 1)
    # Behind the last page an old list begins again.
    page = rows[first : first + size] or rows[:size]
    names = {str(name) for name in select.values()}
    shown = [
        {name: value for name, value in _shown(row).items() if not names or "*" in names or name in names}
        for row in page
    ]
    return Page(shown, len(rows))


@offer(_KIND, "get")
def get(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id = _KIND.arguments("get", params, TASK, ITEM)
    if visible_task(portal, user, task_id) is None:
        raise Refusal("ERROR_CORE", "Task not found")
    # A list of one, as printed.
    return [_shown(_entry(portal, user, task_id, item_id))]


@offer(_KIND, "add")
def add(portal: PortalState, user: User, params: Params) -> Any:
    task_id, fields = _KIND.arguments("add", params, TASK, FIELDS)
    task, now = _task(portal, user, task_id), portal.clock.iso()
    moments = dict.fromkeys(("CREATED_DATE", "DATE_START", "DATE_STOP"), now)
    row = {"TASK_ID": task["id"], "USER_ID": user.id, "SOURCE": _SOURCE, "COMMENT_TEXT": "", "SECONDS": 0, **moments}
    _write(portal, row, fields)
    return portal.store.time_entries.add(row)


def _write(portal: PortalState, row: Row, fields: Any) -> None:
    given = as_map(fields)
    if "COMMENT_TEXT" in given:
        row["COMMENT_TEXT"] = str(given["COMMENT_TEXT"] or "")
    for name in ("SECONDS", "USER_ID"):
        if name in given:
            row[name] = as_integer(given[name]) or row[name]
    if row["USER_ID"] not in portal.users:
        raise _denied()
    row["MINUTES"] = row["SECONDS"] // 60


@offer(_KIND, "update")
def update(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id, fields = _KIND.arguments("update", params, TASK, ITEM, FIELDS)
    row = _entry(portal, user, task_id, item_id)
    if not _may_change(user, row):
        raise _denied()
    _write(portal, row, fields)


def _may_change(user: User, row: Row) -> bool:
    return user.is_admin or row["USER_ID"] == user.id


@offer(_KIND, "delete")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _entry(portal, user, *_KIND.arguments("delete", params, TASK, ITEM))
    if not _may_change(user, row):
        raise _denied()
    portal.store.time_entries.remove(row["id"])


@offer(_KIND, "isActionAllowed")
def is_action_allowed(portal: PortalState, user: User, params: Params) -> Any:
    task_id, item_id, action = _KIND.arguments("isActionAllowed", params, TASK, ITEM, ("actionId", "integer"))
    if action not in (1, 2, 3):
        raise _KIND.failed("Param #2 (actionId) is not an action.")
    row = _entry(portal, user, task_id, item_id)
    return action == 1 or _may_change(user, row)
