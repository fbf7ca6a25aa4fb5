"""
Addresses of pages of a portal: where a person sees what a task is about.

A path has numbers, and words from here, and nothing else of what a task was given. What has no known page has None.

Source: ``/crm/deal/details/1663/`` and ``/crm/lead/details/1205/`` (``im.dialog.get``,
``imopenlines.session.history.get``), ``/company/personal/user/1/tasks/task/view/3835/`` and
``/company/personal/user/7/`` (``tasks.task.get``, ``humanresources.node.get``); all others from the sources of a
portal: the modules ``crm`` (``options.php``, ``lib/Service/Router.php``) and ``im`` ("copy link" of a chat).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES, entity_type_id
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.missing_values import from_json
from airflow_provider_bitrix24.rest.scalars import native
from airflow_provider_bitrix24.types import EntityTypeId

#: Kinds whose pages have a word in their address; those of the others have their number.
_WORDS: Mapping[EntityTypeId, str] = {
    ENTITY_TYPES[word]: word for word in ("lead", "deal", "contact", "company", "quote")
}
#: Of these, the one whose items have their pages under its number.
_QUOTE = ENTITY_TYPES["quote"]

_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_DIALOG = re.compile(r"(?:chat|sg)?[1-9][0-9]{0,17}", re.ASCII)

#: ``crm.deal.update``, ``crm.deal.list``; not ``crm.deal.userfield.get``, whose id is that of a field.
_OLD_METHOD = re.compile(r"crm\.(lead|deal|contact|company|quote)\.(add|get|list|update|delete|productrows\.[gs]et)")
_ITEM_METHOD = re.compile(r"crm\.item\.(?:add|get|list|update|delete|import|batchimport)")
_PAYMENT_METHOD = re.compile(r"(?:crm\.item|sale)\.payment\.(?:get|update|pay|unpay|delete)")
_PAYMENTS_METHOD = re.compile(r"crm\.item\.payment\.(?:add|list)")
_TASK_METHOD = re.compile(r"tasks\.task\.(?!add|list|get(?:access|fields))\w+")


def page_of(arguments: Mapping[str, Any], user_id: Any = None) -> str | None:
    """
    The page of what a task is about.

    :param arguments: of an operator, by name, as they come out of templates: ``{"entity_type_id": "deal", "item_id":
        7}`` is ``/crm/deal/details/7/``.
    :param user_id: who calls: a task of the portal has a page for each user.
    :return: a path that begins with a slash; None where nothing has a known page.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    if "payment_id" in given:
        return page_of_payment(given["payment_id"])
    if "portal_task_id" in given:
        return page_of_task(given["portal_task_id"], user_id)
    if "payment_ids" in given:
        return None
    if "entity_type_id" in given:
        return page_of_item(given["entity_type_id"], given.get("item_id", given.get("entity_id")))
    if "dialog_id" in given:
        return page_of_dialog(given["dialog_id"])
    if "user_id" in given or "responsible_id" in given:
        return page_of_user(given.get("user_id", given.get("responsible_id")))
    if "method" in given:
        return page_of_call(given["method"], given.get("method_params", {}), user_id)
    return None


def page_of_call(method: Any, params: Any, user_id: Any = None) -> str | None:
    """The page of what a call is about: ``crm.deal.get`` with ``{"ID": 7}`` is ``/crm/deal/details/7/``."""
    name = method.strip().lower() if isinstance(method, str) else ""
    read = from_json(params, "method_params") if isinstance(params, str) else params
    given = {str(key).lower(): value for key, value in read.items()} if isinstance(read, Mapping) else {}
    if match := _OLD_METHOD.fullmatch(name):
        return page_of_item(match[1], given.get("id"))
    if _ITEM_METHOD.fullmatch(name):
        return page_of_item(given.get("entitytypeid"), given.get("id"))
    if _PAYMENTS_METHOD.fullmatch(name):
        return page_of_item(given.get("entitytypeid"), given.get("entityid"))
    if _PAYMENT_METHOD.fullmatch(name):
        return page_of_payment(given.get("id"))
    if _TASK_METHOD.fullmatch(name):
        return page_of_task(given.get("taskid", given.get("id")), user_id)
    if name == "im.message.add":
        return page_of_dialog(given.get("dialog_id"))
    return None


def page_of_item(kind: Any, item_id: Any = None) -> str | None:
    """The page of a CRM item; without its id, that of all items of this kind."""
    try:
        number = entity_type_id(kind)
    except ConfigurationError:
        return None
    word, item = _WORDS.get(number), _number(item_id)
    if item is None:
        return None if item_id is not None else f"/crm/{word}/list/" if word else f"/crm/type/{number}/list/category/0/"
    return f"/crm/{word}/details/{item}/" if word and number != _QUOTE else f"/crm/type/{number}/details/{item}/"


def page_of_payment(payment_id: Any) -> str | None:
    """The page of a payment in its order."""
    payment = _number(payment_id)
    return payment and f"/shop/orders/payment/details/{payment}/"


def page_of_task(task_id: Any, user_id: Any) -> str | None:
    """The page of a task of the portal, among the tasks of a user."""
    task, page = _number(task_id), page_of_user(user_id)
    return task and page and f"{page}tasks/task/view/{task}/"


def page_of_user(user_id: Any) -> str | None:
    """The page of a user."""
    user = _number(user_id)
    return user and f"/company/personal/user/{user}/"


def page_of_dialog(dialog_id: Any) -> str | None:
    """A chat: ``chat12``, ``sg45`` of a project, or ``7`` with a user."""
    text = str(native(dialog_id)).strip()
    return f"/online/?IM_DIALOG={text}" if _DIALOG.fullmatch(text) else None


def _number(value: Any) -> str | None:
    """An id as text; None for anything else."""
    plain = native(value)
    text = str(plain).strip() if isinstance(plain, (int, str)) and not isinstance(plain, bool) else ""
    return text if _ID.fullmatch(text) else None
