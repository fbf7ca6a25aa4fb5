"""``im.notify.*``: notifications to one user. Source: pages under ``chats/notifications``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, Unchanged, method
from airflow_provider_bitrix24.sandbox.state import PortalState, User

#: Longer texts are cut, and this is put behind them.
MESSAGE_MAX_CHARACTERS = 20_000
_CUT = " (...)"


def cut(message: str) -> str:
    return message if len(message) <= MESSAGE_MAX_CHARACTERS else message[:MESSAGE_MAX_CHARACTERS] + _CUT


@method("im.notify", "im.notify.personal.add", "im.notify.system.add", scope="im", upper=True)
def notify(portal: PortalState, user: User, params: Params) -> Any:
    recipient_id = as_integer(params.get("USER_ID")) or 0
    if recipient_id <= 0:
        raise Refusal("USER_ID_EMPTY", "User ID can't be empty")
    message = str(params.get("MESSAGE") or "").strip()
    if not message:
        raise Refusal("MESSAGE_EMPTY", "Message can't be empty")
    recipient = portal.users.get(recipient_id)
    if recipient is None or not recipient.active:
        return Unchanged(False)
    return portal.store.notifications.add({"USER_ID": recipient_id, "MESSAGE": cut(message), "FROM": user.id})
