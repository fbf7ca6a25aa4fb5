"""
``im.notify.*``: notifications to one user, and what that user does with them.

Everybody sees and changes only the own ones. Source: pages under ``chats/notifications``, and the server source.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.im.messages import message_text
from airflow_provider_bitrix24.sandbox.methods.registry import NoEffect, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_server_time
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_PAGE_ROWS = 50
_FROM_A_USER, _FROM_THE_SYSTEM = 2, 4
#: The chat that shows a user's notifications has this number plus the user's id.
_FIRST_CHAT_ID = 1000
_MODULE, _EVENT = "rest", "rest_notify"
_KIND = f"{_MODULE}|{_EVENT}"

_SCHEMA = {
    _MODULE: {"NAME": "Applications", "MODULE_ID": _MODULE, "LIST": [{"ID": _KIND, "NAME": "Notifications"}]},
    "tasks": {"NAME": "Tasks", "MODULE_ID": "tasks", "LIST": [{"ID": "tasks|task_update", "NAME": "Task Updates"}]},
}


# Sending


@method("im.notify", scope="im", upper=True)
def notify(portal: PortalState, user: User, params: Params) -> Any:
    is_system = str(params.get("TYPE") or "").upper() == "SYSTEM"
    return _send(portal, user, params, _FROM_THE_SYSTEM if is_system else _FROM_A_USER)


@method("im.notify.personal.add", scope="im", upper=True)
def notify_personal(portal: PortalState, user: User, params: Params) -> Any:
    return _send(portal, user, params, _FROM_A_USER)


@method("im.notify.system.add", scope="im", upper=True)
def notify_system(portal: PortalState, user: User, params: Params) -> Any:
    return _send(portal, user, params, _FROM_THE_SYSTEM)


def _send(portal: PortalState, user: User, params: Params, kind: int) -> Any:
    recipient_id = as_integer(params.get("USER_ID")) or 0
    if recipient_id <= 0:
        raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
    text = message_text(params, attachment_suffices=False)
    recipient = portal.users.get(recipient_id)
    if recipient is None or not recipient.active:
        return NoEffect(False)
    tag, sub_tag = _tag(portal, user, params, "TAG"), _tag(portal, user, params, "SUB_TAG")
    if tag:
        for row in [row for row in portal.store.notifications if row["USER_ID"] == recipient_id and row["TAG"] == tag]:
            portal.store.notifications.remove(row["id"])
    return portal.store.notifications.add(
        {
            "USER_ID": recipient_id,
            "MESSAGE": text,
            "FROM": user.id,
            "TYPE": kind,
            "TAG": tag,
            "SUB_TAG": sub_tag,
            "DATE": portal.clock.iso(),
            "READ": "N",
        }
    )


def _tag(portal: PortalState, user: User, params: Params, name: str) -> str:
    """A tag under the name of its application; a webhook has none, whatever it says of ``CLIENT_ID``."""
    owner = user.client_id
    if portal.settings.notify_tags == "documentation":
        owner = owner or params.get("CLIENT_ID")
    return f"MP|{owner}|{params[name]}" if owner and params.get(name) else ""


@method("im.notify.delete", scope="im", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    table = portal.store.notifications
    notification_id = as_integer(params.get("ID")) or 0
    if notification_id > 0:
        row = _own(portal, user, notification_id)
        if row is None:
            return NoEffect(False)
        table.remove(notification_id)
        return True
    if not params.get("TAG") and not params.get("SUB_TAG"):
        raise Refusal("PARAMS_ERROR", "Incorrect params")
    if user.client_id is None and not params.get("CLIENT_ID"):
        raise Refusal("ACCESS_DENIED", "Access denied! Client ID not specified", 403)
    name = "TAG" if params.get("TAG") else "SUB_TAG"
    tag = _tag(portal, user, params, name)
    for row in [row for row in table if tag and row[name] == tag]:
        table.remove(row["id"])
    return True


# Reading


def _own(portal: PortalState, user: User, notification_id: int) -> Row | None:
    row = portal.store.notifications.get(notification_id)
    return row if row is not None and row["USER_ID"] == user.id else None


def _all_of(portal: PortalState, user: User) -> list[Row]:
    """The newest first."""
    return [row for row in portal.store.notifications if row["USER_ID"] == user.id][::-1]


def _last_id(params: Params) -> int | None:
    if params.get("LAST_ID") is None:
        return None
    last_id = as_integer(params["LAST_ID"])
    if last_id is None:
        raise Refusal("LAST_ID_STRING", "Last notification ID can't be string")
    return last_id


def _page(rows: list[Row], params: Params, last_id: int | None) -> list[Row]:
    limit = as_integer(params.get("LIMIT")) or _PAGE_ROWS
    older = [row for row in rows if last_id is None or row["id"] < last_id]
    return older[: min(max(limit, 1), _PAGE_ROWS)]


def _answer_row(row: Row) -> Row:
    # Texts stay as they were sent: CONVERT_TEXT is taken, and changes nothing here.
    return {
        "id": row["id"],
        "chat_id": _FIRST_CHAT_ID + row["USER_ID"],
        "author_id": row["FROM"] if row["TYPE"] == _FROM_A_USER else 0,
        "date": row["DATE"],
        "notify_type": row["TYPE"],
        "notify_module": _MODULE,
        "notify_event": _EVENT,
        "notify_tag": row["TAG"],
        "notify_sub_tag": row["SUB_TAG"],
        "notify_title": "",
        "setting_name": _KIND,
        "text": row["MESSAGE"],
        "notify_read": row["READ"],
        "params": None,
    }


def _people(portal: PortalState, rows: list[Row]) -> list[Row]:
    authors = {row["FROM"]: None for row in rows if row["TYPE"] == _FROM_A_USER}
    return [_person(portal.users[user_id]) for user_id in authors]


def _person(user: User) -> Row:
    return {
        "id": user.id,
        "active": user.active,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        **dict.fromkeys(("work_position", "avatar", "avatar_hr", "birthday", "website"), ""),
        "color": "#1eb4aa",
        "gender": "M",
        **dict.fromkeys(("extranet", "network", "bot", "connector", "idle", "absent"), False),
        **dict.fromkeys(("mobile_last_date", "desktop_last_date"), False),
        "external_auth_id": "socservices",
        "status": "online",
        "last_activity_date": "2026-01-12T09:00:00+03:00",
        "departments": [1],
        "phones": {"work_phone": "", "inner_phone": ""},
        "bot_data": None,
        "type": "user",
        "email": user.email,
    }


@method("im.notify.get", scope="im", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    if (params.get("LAST_ID") is None) != (params.get("LAST_TYPE") is None):
        raise Refusal("LAST_ID_AND_LAST_TYPE", "Parameters LAST_ID and LAST_TYPE should be used together.")
    rows = _all_of(portal, user)
    page = _page(rows, params, _last_id(params))
    return {
        "total_count": len(rows),
        "total_unread_count": _unread(rows),
        "chat_id": _FIRST_CHAT_ID + user.id,
        "notifications": [_answer_row(row) for row in page],
        "users": _people(portal, page),
    }


def _unread(rows: list[Row]) -> int:
    return sum(row["READ"] == "N" for row in rows)


@method("im.notify.history.search", scope="im", upper=True)
def search(portal: PortalState, user: User, params: Params) -> Any:
    text = str(params.get("SEARCH_TEXT") or "")
    kinds = {str(kind) for kind in (params.get("SEARCH_TYPE"), *as_map(params.get("SEARCH_TYPES")).values()) if kind}
    authors = {as_integer(author) for author in as_map(params.get("SEARCH_AUTHORS")).values()}
    first_day, last_day = _days(params)
    if len(text) < 3 and not (kinds or authors or first_day):
        raise Refusal("SEARCH_TEXT_ERROR", "SEARCH_TEXT can't be less than 3 symbols")
    rows = [
        row
        for row in _all_of(portal, user)
        if text.lower() in row["MESSAGE"].lower()
        and (not kinds or kinds.intersection((_KIND, _MODULE)))
        and (not authors or row["FROM"] in authors)
        and (not first_day or first_day <= row["DATE"][:10] <= last_day)
        and params.get("GROUP_TAG", row["TAG"]) in (row["TAG"], row["SUB_TAG"])
    ]
    page = _page(rows, params, _last_id(params))
    return {
        "chat_id": _FIRST_CHAT_ID + user.id,
        "total_results": len(rows),
        "notifications": [_answer_row(row) for row in page],
        "users": _people(portal, page),
    }


def _days(params: Params) -> tuple[str, str]:
    """The days searched in, as ``2026-01-31``; empty if no day is asked for, or none that can be read."""
    first, last = params.get("SEARCH_DATE_FROM"), params.get("SEARCH_DATE_TO")
    if not first or not last:
        first = last = params.get("SEARCH_DATE")
    try:
        return _day(first), _day(last)
    except BadValue:
        return "", ""


def _day(moment: Any) -> str:
    return datetime.fromisoformat(as_server_time(moment)).date().isoformat()


# What the user does


@method("im.notify.read", scope="im", upper=True)
def read(portal: PortalState, user: User, params: Params) -> Any:
    notification_id = as_integer(params.get("ID"))
    if notification_id is None or notification_id < 0:
        return True
    only_current = params.get("ONLY_CURRENT") == "Y"
    for row in _all_of(portal, user):
        if row["id"] == notification_id or (row["id"] > notification_id and not only_current):
            row["READ"] = _mark(params)
    return True


def _mark(params: Params) -> str:
    return "Y" if params.get("ACTION", "Y") == "Y" else "N"


@method("im.notify.read.list", scope="im", upper=True)
def read_list(portal: PortalState, user: User, params: Params) -> Any:
    if not isinstance(params.get("IDS"), (dict, list)):
        raise Refusal("PARAMS_ERROR", "No IDS param or it is not an array")
    for value in as_map(params["IDS"]).values():
        notification_id = as_integer(value) or 0
        if notification_id <= 0:
            break
        row = _own(portal, user, notification_id)
        if row is not None:
            row["READ"] = _mark(params)
    return True


@method("im.notify.read.all", scope="im")
def read_all(portal: PortalState, user: User, params: Params) -> Any:
    for row in _all_of(portal, user):
        row["READ"] = "Y"
    return {"result": True, "newCounter": 0}


@method("im.notify.answer", scope="im", upper=True)
def answer(portal: PortalState, user: User, params: Params) -> Any:
    row = _named(portal, user, params)
    if not str(params.get("ANSWER_TEXT") or "").strip():
        raise Refusal("ANSWER_TEXT_ERROR", "ANSWER_TEXT can't be empty")
    return _done(row, "Your response has been successfully sent.")


@method("im.notify.confirm", scope="im", upper=True)
def confirm(portal: PortalState, user: User, params: Params) -> Any:
    row = _named(portal, user, params)
    if not str(params.get("NOTIFY_VALUE") or ""):
        raise Refusal("NOTIFY_VALUE_ERROR", "Notification Value can't be empty")
    return _done(row, "Invitation accepted")


def _named(portal: PortalState, user: User, params: Params) -> Row | None:
    notification_id = as_integer(params.get("NOTIFY_ID")) or 0
    if notification_id <= 0:
        raise Refusal("ID_ERROR", "Notification ID can't be empty")
    return _own(portal, user, notification_id)


def _done(row: Row | None, message: str) -> Any:
    if row is None:
        return NoEffect(False)
    row["READ"] = "Y"
    return {"result_message": [message]}


@method("im.notify.schema.get", scope="im")
def schema(portal: PortalState, user: User, params: Params) -> Any:
    return _SCHEMA
