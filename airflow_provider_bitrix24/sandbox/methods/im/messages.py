"""``im.message.*``, and the rules of text that all messages share. Source: pages under ``chats``."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: Longer texts are cut, and this is put behind them.
MESSAGE_MAX_CHARACTERS = 20_000
_CUT = " (...)"

#: Of an attachment as JSON.
ATTACH_MAX_CHARACTERS = 60_000

#: Chats that every sandbox has: two for everybody, and one for administrators only.
CHATS = {"chat1": "everybody", "chat2": "administrators", "sg1": "everybody"}


def message_text(params: Params, *, attachment_suffices: bool) -> str:
    """
    The text of a message, trimmed and cut.

    :param attachment_suffices: the text may be empty if there is an attachment.
    :raises Refusal: no text, or an attachment that is none or too long.
    """
    attachment = _attachment(params)
    text = _cut(params)
    if not text and not (attachment and attachment_suffices):
        raise Refusal("MESSAGE_EMPTY", "Message can't be empty")
    return text


def _attachment(params: Params) -> Any:
    attachment = _from_json(params, "ATTACH")
    if attachment is not None:
        if not isinstance(attachment, (dict, list)):
            raise Refusal("ATTACH_ERROR", "Incorrect attach params")
        if len(json.dumps(attachment, ensure_ascii=False)) > ATTACH_MAX_CHARACTERS:
            raise Refusal("ATTACH_OVERSIZE", "You have exceeded the maximum allowable size of attach")
    return attachment


def _cut(params: Params) -> str:
    text = str(params.get("MESSAGE") or "").strip()
    return text if len(text) <= MESSAGE_MAX_CHARACTERS else text[:MESSAGE_MAX_CHARACTERS] + _CUT


def _from_json(params: Params, name: str) -> Any:
    """An object, given as such or as JSON text; what is not JSON stays text. ``None`` if nothing is given."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        return value or None
    try:
        return json.loads(value)
    except ValueError:
        return value


@method("im.message.add", scope="im", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    dialog_id = dialog_id_of(portal, user, params)
    text = message_text(params, attachment_suffices=True)
    _check_buttons(params)
    _check_reply(portal, dialog_id, as_integer(params.get("REPLY_ID")))
    own = {name: _from_json(params, name) for name in ("ATTACH", "KEYBOARD", "MENU")}
    flags = {name: "Y" if params.get(name, default) == "Y" else "N" for name, default in _FLAGS.items()}
    return store_message(portal, user, dialog_id, text, **flags, **own)


@method("im.message.update", scope="im", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    row = portal.store.messages.get(as_integer(params.get("MESSAGE_ID")) or 0)
    if not as_integer(params.get("MESSAGE_ID")):
        raise Refusal("MESSAGE_ID_ERROR", "Message ID can't be empty")
    if row is None or row["FROM"] != user.id:
        raise Refusal("CANT_EDIT_MESSAGE", "Time has expired for modification or you don't have access", 403)
    # The page: N or an empty value takes the part away.
    parts: dict[str, Any] = {name: params[name] for name in ("ATTACH", "KEYBOARD", "MENU") if name in params}
    kept = {name: value for name, value in parts.items() if value not in ("N", "", None)}
    changed: dict[str, Any] = dict.fromkeys(parts)
    if "ATTACH" in kept:
        changed["ATTACH"] = _attachment(kept)
    _check_buttons(kept)
    changed.update({name: _from_json(kept, name) for name in ("KEYBOARD", "MENU") if name in kept})
    if "MESSAGE" in params:
        if not (text := _cut(params)):
            portal.store.messages.remove(row["id"])
            return True
        changed["MESSAGE"] = text
    if "URL_PREVIEW" in params:
        changed["URL_PREVIEW"] = "Y" if params["URL_PREVIEW"] == "Y" else "N"
    row.update(changed, IS_EDITED="Y" if params.get("IS_EDITED", "Y") == "Y" else "N")
    return True


def _check_buttons(params: Params) -> None:
    for name in ("KEYBOARD", "MENU"):
        if not isinstance(_from_json(params, name) or {}, (dict, list)):
            raise Refusal(f"{name}_ERROR", f"Incorrect {name.lower()} params")


#: Yes or no, with what they are if nothing is said.
_FLAGS = {"SYSTEM": "N", "URL_PREVIEW": "Y"}


def store_message(portal: PortalState, user: User, dialog_id: str, text: str, **own: Any) -> int:
    """Keep a message that has been checked; returns its id."""
    usual = {**_FLAGS, "ATTACH": None, "KEYBOARD": None, "MENU": None, "DATE": portal.clock.iso()}
    return portal.store.messages.add({"DIALOG_ID": dialog_id, "MESSAGE": text, "FROM": user.id, **usual, **own})


def dialog_id_of(portal: PortalState, user: User, params: Params) -> str:
    """Where a message goes. :raises Refusal: no such chat or user, or a chat that the user is not in."""
    dialog_id = str(params.get("DIALOG_ID") or "")
    if dialog_id.startswith(("chat", "sg")):
        members = CHATS.get(dialog_id)
        own = portal.store.chats.get(as_integer(dialog_id.removeprefix("chat")) or 0)
        if own is not None:
            if user.id not in own["members"] and own["TYPE"] != "OPEN":
                raise Refusal("ACCESS_ERROR", "Action unavailable")
            return dialog_id
        if members is None:
            raise Refusal("CHAT_ID", "Error creating message")
        if members == "administrators" and not user.is_admin:
            raise Refusal("ACCESS_ERROR", "Action unavailable")
        return dialog_id
    recipient_id = as_integer(dialog_id) or 0
    if recipient_id <= 0:
        raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
    if recipient_id not in portal.users:
        raise Refusal("USER_NOT_FOUND", "User not found")
    return str(recipient_id)


def _check_reply(portal: PortalState, dialog_id: str, reply_id: int | None) -> None:
    if not reply_id:
        return
    answered = portal.store.messages.get(reply_id)
    if answered is None:
        raise Refusal("REPLY_ACCESS_ERROR", "Action unavailable")
    if answered["DIALOG_ID"] != dialog_id:
        raise Refusal("REPLY_FROM_OTHER_CHAT_ERROR", "You can only reply to a message within the same chat")
