"""
``im.chat.*`` and ``im.dialog.messages.get``: group chats, who is in them, and what was said.

Source: pages under ``chats``.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.im.messages import dialog_id_of, store_message
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_COLORS = frozenset(
    {
        *("RED", "GREEN", "MINT", "LIGHT_BLUE", "DARK_BLUE", "PURPLE", "AQUA", "PINK", "LIME", "BROWN"),
        *("AZURE", "KHAKI", "SAND", "MARENGO", "GRAY", "GRAPHITE"),
    }
)
_MESSAGES, _MOST_MESSAGES = 20, 50


def _ids(value: Any) -> list[int]:
    return [number for item in as_map(value).values() if (number := as_integer(item))]


@method("im.chat.add", scope="im", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    for name in ("AVATAR", "COPILOT_MAIN_ROLE"):
        if params.get(name):
            raise not_modelled(f"The chats of the sandbox have no {name}")
    members = list(
        dict.fromkeys([user.id, *(number for number in _ids(params.get("USERS")) if number in portal.users)])
    )
    color = str(params.get("COLOR") or "AZURE").upper()
    row: Row = {
        "TITLE": str(params.get("TITLE") or f"Chat with {', '.join(portal.users[number].name for number in members)}"),
        "DESCRIPTION": str(params.get("DESCRIPTION") or ""),
        "TYPE": "OPEN" if params.get("TYPE") == "OPEN" else "CHAT",
        "COLOR": color if color in _COLORS else "AZURE",
        "ENTITY_TYPE": str(params.get("ENTITY_TYPE") or ""),
        "ENTITY_ID": str(params.get("ENTITY_ID") or ""),
        "OWNER": user.id,
        "members": members,
        # Who came later and may not read what was said before: the first message that they see.
        "first_seen": {},
    }
    chat_id = portal.store.chats.add(row)
    if params.get("MESSAGE"):
        store_message(portal, user, f"chat{chat_id}", str(params["MESSAGE"]))
    return chat_id


@method("im.chat.get", scope="im", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    wanted = tuple(str(params.get(name) or "") for name in ("ENTITY_TYPE", "ENTITY_ID"))
    if not all(wanted):
        # The page prints no error of it; nothing is bound to nothing.
        return None
    found = [row["id"] for row in portal.store.chats if (row["ENTITY_TYPE"], row["ENTITY_ID"]) == wanted]
    return {"ID": found[-1]} if found else None


def _chat(portal: PortalState, user: User, params: Params) -> Row:
    chat_id = as_integer(params.get("CHAT_ID")) or 0
    if chat_id <= 0:
        raise Refusal("CHAT_ID_EMPTY", "Chat ID can't be empty")
    row = portal.store.chats.get(chat_id)
    if row is None or not (user.id in row["members"] or row["TYPE"] == "OPEN"):
        raise Refusal("ACCESS_ERROR", "Action unavailable", 403)
    return row


@method("im.chat.user.list", scope="im", upper=True)
def users(portal: PortalState, user: User, params: Params) -> Any:
    return list(_chat(portal, user, params)["members"])


@method("im.chat.user.add", scope="im", upper=True)
def add_users(portal: PortalState, user: User, params: Params) -> Any:
    chat = _chat(portal, user, params)
    for user_id in _ids(params.get("USERS")):
        if user_id in portal.users and user_id not in chat["members"]:
            chat["members"].append(user_id)
            if params.get("HIDE_HISTORY", "Y") != "N":
                chat["first_seen"][user_id] = 1 + max(portal.store.messages.ids, default=0)
    return True


@method("im.chat.user.delete", scope="im", upper=True)
def delete_user(portal: PortalState, user: User, params: Params) -> Any:
    chat, user_id = _chat(portal, user, params), as_integer(params.get("USER_ID")) or 0
    if user_id <= 0:
        raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
    if user_id not in chat["members"]:
        raise Refusal("USER_NOT_FOUND", "The specified user is not in the chat")
    if user.id not in (chat["OWNER"], user_id):
        raise Refusal("ACCESS_DENIED_KICK", "Insufficient rights to exclude participants from the chat", 403)
    chat["members"].remove(user_id)
    return True


@method("im.chat.leave", scope="im", upper=True)
def leave(portal: PortalState, user: User, params: Params) -> Any:
    chat = _chat(portal, user, params)
    if user.id not in chat["members"]:
        raise Refusal("ACCESS_ERROR", "Action unavailable", 403)
    chat["members"].remove(user.id)
    return True


@method("im.chat.updateTitle", scope="im", upper=True)
def update_title(portal: PortalState, user: User, params: Params) -> Any:
    if params.get("DIALOG_ID") and not params.get("CHAT_ID"):
        dialog_id = str(params["DIALOG_ID"])
        if not dialog_id.startswith("chat"):
            raise Refusal("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
        params = {**params, "CHAT_ID": dialog_id.removeprefix("chat")}
    title = str(params.get("TITLE") or "").strip()
    chat = _chat(portal, user, params) if title or not params.get("CHAT_ID") else None
    if chat is None:
        raise Refusal("TITLE_EMPTY", "Title can't be empty")
    chat["TITLE"] = title
    return True


def _bound(params: Params, name: str, word: str) -> int | None:
    if params.get(name) is None:
        return None
    number = as_integer(params[name])
    if number is None:
        raise Refusal(f"{name}_STRING", f"{word} ID can't be string")
    return number


@method("im.dialog.messages.get", scope="im", upper=True)
def messages(portal: PortalState, user: User, params: Params) -> Any:
    if not params.get("DIALOG_ID"):
        raise Refusal("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    try:
        dialog_id = dialog_id_of(portal, user, params)
    except Refusal:
        raise Refusal("ACCESS_ERROR", "You do not have access to the specified dialog", 403) from None
    last_id, first_id = _bound(params, "LAST_ID", "Last"), _bound(params, "FIRST_ID", "First")
    limit = min(max(1, as_integer(params.get("LIMIT")) or _MESSAGES), _MOST_MESSAGES)
    rows = [row for row in portal.store.messages if _is_in(row, dialog_id, user)]
    if dialog_id.startswith("chat"):
        chat = portal.store.chats.get(int(dialog_id.removeprefix("chat")))
        first_seen = chat["first_seen"].get(user.id, 0) if chat else 0
        rows = [row for row in rows if row["id"] >= first_seen]
    if first_id is not None:
        rows = [row for row in rows if row["id"] > first_id][:limit]
    else:
        rows = [row for row in rows if last_id is None or row["id"] < last_id][-limit:]
    chat_id = _chat_id(dialog_id, user)
    people = [portal.users[number] for number in dict.fromkeys(row["FROM"] for row in rows)]
    return {
        "chat_id": chat_id,
        "messages": [_shown(row, chat_id) for row in reversed(rows)],
        "users": [_card(person) for person in people],
        "files": [],
    }


def _is_in(row: Row, dialog_id: str, user: User) -> bool:
    if not dialog_id.isdigit():
        return bool(row["DIALOG_ID"] == dialog_id)
    return (row["FROM"], row["DIALOG_ID"]) in ((user.id, dialog_id), (int(dialog_id), str(user.id)))


def _chat_id(dialog_id: str, user: User) -> int:
    """A chat has its own number; that of two people is made of theirs."""
    if dialog_id.isdigit():
        return 100_000 + 1_000 * min(user.id, int(dialog_id)) + max(user.id, int(dialog_id))
    return int(dialog_id.lstrip("chatsg"))


def _shown(row: Row, chat_id: int) -> Row:
    is_system = row["SYSTEM"] == "Y"
    return {
        "id": row["id"],
        "chat_id": chat_id,
        "author_id": 0 if is_system else row["FROM"],
        "date": row["DATE"],
        "text": row["MESSAGE"],
        "unread": False,
        "uuid": None,
        "replaces": [],
        "params": {"ATTACH": [row["ATTACH"]]} if row["ATTACH"] else [],
        "disappearing_date": None,
    }


def _card(person: User) -> Row:
    return {
        "id": person.id,
        "active": person.active,
        "name": person.name,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "work_position": str(person.profile.get("WORK_POSITION", "")),
        "color": "#4ba984",
        **dict.fromkeys(("avatar", "avatar_hr", "gender", "birthday", "website"), ""),
        **dict.fromkeys(("extranet", "network", "bot", "connector", "idle", "absent"), False),
        "external_auth_id": "default",
        "status": "online",
        "last_activity_date": "2026-01-12T09:00:00+03:00",
        **dict.fromkeys(("mobile_last_date", "desktop_last_date", "phones"), False),
        "departments": [1],
        "bot_data": None,
        "type": "user",
        "email": person.email,
    }
