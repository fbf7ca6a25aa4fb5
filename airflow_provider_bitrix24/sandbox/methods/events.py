"""
``event.*`` and ``events``: who hears of what, and the offline queue. For applications only.

Source: pages under ``events``, and the server source where those contradict themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import PAGE_ROWS
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer, is_truthy
from airflow_provider_bitrix24.sandbox.state.applications import Application
from airflow_provider_bitrix24.sandbox.state.event_names import EVENTS, QUEUE_NOT_EMPTY
from airflow_provider_bitrix24.sandbox.state.events import new_process_id
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_GET_FIELDS = {
    "ID": Field("id", "integer"),
    "TIMESTAMP_X": Field("TIMESTAMP_X", "datetime"),
    "EVENT_NAME": Field("EVENT_NAME"),
    "MESSAGE_ID": Field("MESSAGE_ID"),
}
_LIST_FIELDS = {**_GET_FIELDS, "PROCESS_ID": Field("PROCESS_ID"), "ERROR": Field("ERROR")}
_SHOWN = ("TIMESTAMP_X", "EVENT_NAME", "EVENT_DATA", "EVENT_ADDITIONAL", "MESSAGE_ID")
_FILTER_KEY = re.compile("(?:=|>|<|>=|<=|@|%)?([A-Z_]+)")

#: Length of a ``MESSAGE_ID``, an MD5 sum.
_MESSAGE_ID_CHARACTERS = 32


def _application(portal: PortalState, user: User) -> Application:
    if user.client_id is None:
        raise Refusal("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)
    return portal.applications[user.client_id]


def _administrators_application(portal: PortalState, user: User) -> Application:
    application = _application(portal, user)
    if not user.is_admin:
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    return application


def _wrong_argument(name: str, description: str) -> Refusal:
    return Refusal("ERROR_ARGUMENT", description, extra={"argument": name})


def _text(params: Params, name: str) -> str:
    value = params.get(name.upper())
    if not isinstance(value, (str, int)) or not str(value):
        raise _wrong_argument(name, f"Argument '{name}' is null or empty")
    return str(value)


def _is_offline(params: Params) -> bool:
    event_type = str(params.get("EVENT_TYPE") or "online").lower()
    if event_type not in ("online", "offline"):
        raise _wrong_argument("event_type", "Value must be one of {online|offline}")
    return event_type == "offline"


def _connector(portal: PortalState, params: Params) -> str:
    connector = str(params.get("AUTH_CONNECTOR") or "")
    if connector:
        _check_feature(portal, "rest_auth_connector", "auth_connector")
    return connector


def _check_feature(portal: PortalState, feature: str, name: str) -> None:
    if feature not in portal.plan_features:
        raise Refusal("WRONG_LICENSE", f"This feature is not enabled for the current license: {name}", 403)


# Bindings


@method("events", upper=True)
def events(portal: PortalState, user: User, params: Params) -> Any:
    application = _application(portal, user)
    scopes: Iterable[str]
    if params.get("SCOPE") is not None:
        scopes = (str(params["SCOPE"]),)
    else:
        scopes = EVENTS if is_truthy(params.get("FULL")) else ("", *application.scopes)
    return [event for scope, names in EVENTS.items() if scope in scopes for event in names]


@method("event.bind", upper=True)
def bind(portal: PortalState, user: User, params: Params) -> Any:
    application = _application(portal, user)
    event = _text(params, "event").upper()
    if not any(event in EVENTS.get(scope, ()) for scope in ("", *application.scopes)):
        raise Refusal("ERROR_EVENT_NOT_FOUND", "Event not found")
    if _is_offline(params):
        if not user.is_admin:
            problem = "Access denied! Offline events binding requires administrator access rights"
            raise Refusal("ACCESS_DENIED", problem, 403)
        if event == QUEUE_NOT_EMPTY:
            raise _wrong_argument("event_type", f"{QUEUE_NOT_EMPTY} cannot be an offline event")
        # The page requires a handler; none is needed here, and a given one is ignored (page on offline events).
        binding = portal.events.bind(application, event, None, connector=_connector(portal, params))
    else:
        handler, auth_type = _text(params, "handler"), _auth_type(user, params, "binding") or 0
        wait = as_integer(as_map(params.get("OPTIONS")).get("minTimeout"))
        timeout = {"min_timeout_seconds": float(wait)} if wait else {}
        binding = portal.events.bind(application, event, handler, auth_type=auth_type, **timeout)
    if binding is None:
        raise Refusal("ERROR_CORE", "Unable to set event handler: Handler already binded")
    return True


def _auth_type(user: User, params: Params, action: str) -> int | None:
    """Whose tokens a handler gets; 0 for the user who acts, ``None`` if nothing is said."""
    if params.get("AUTH_TYPE") is None:
        return None
    auth_type = as_integer(params["AUTH_TYPE"]) or 0
    if auth_type not in (0, user.id) and not user.is_admin:
        problem = f"Access denied! Event {action} with AUTH_TYPE requires administrator access rights"
        raise Refusal("ACCESS_DENIED", problem, 403)
    return auth_type


@method("event.get")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return [
        {"event": binding.event, "connector_id": binding.connector, "offline": 1}
        if binding.is_offline
        else {
            "event": binding.event,
            "handler": binding.handler,
            "auth_type": str(binding.auth_type),
            "offline": 0,
        }
        for binding in portal.events.bindings_of(_application(portal, user))
    ]


@method("event.unbind", upper=True)
def unbind(portal: PortalState, user: User, params: Params) -> Any:
    application = _application(portal, user)
    bindings = [
        binding
        for binding in portal.events.bindings_of(application)
        if binding.event == _text(params, "event").upper() and binding.is_offline == _is_offline(params)
    ]
    if _is_offline(params):
        if not user.is_admin:
            problem = "Access denied! Offline events unbinding requires administrator access rights"
            raise Refusal("ACCESS_DENIED", problem, 403)
        connector = _connector(portal, params)
        bindings = [binding for binding in bindings if binding.connector == connector]
    else:
        handler, auth_type = _text(params, "handler"), _auth_type(user, params, "unbinding")
        bindings = [
            binding
            for binding in bindings
            if binding.handler == handler and (auth_type is None or binding.auth_type == auth_type)
        ]
    for binding in bindings:
        portal.events.bindings.remove(binding)
    return {"count": len(bindings)}


# The offline queue


@method("event.offline.list", upper=True)
def offline_list(portal: PortalState, user: User, params: Params) -> Any:
    application = _administrators_application(portal, user)
    rows = _selected(portal, application, params, _LIST_FIELDS, {"ID": "ASC"}, scalars_only=False)
    offset = max(0, as_integer(params.get("start")) or 0)
    offset -= offset % PAGE_ROWS
    page = [
        {**_answer_row(row), "PROCESS_ID": row["PROCESS_ID"], "ERROR": row["ERROR"]}
        for row in rows[offset : offset + PAGE_ROWS]
    ]
    after = offset + len(page)
    return Page(page, len(rows), after if page and after < len(rows) else None)


@method("event.offline.get", upper=True)
def offline_get(portal: PortalState, user: User, params: Params) -> Any:
    application = _administrators_application(portal, user)
    clears = is_truthy(params.get("CLEAR", 1))
    if not clears:
        _check_feature(portal, "rest_offline_extended", "extended offline events handling")
    limit = as_integer(params.get("LIMIT", PAGE_ROWS)) or 0
    if limit <= 0:
        raise _wrong_argument("limit", "Value must be positive integer")
    process_id = str(params.get("PROCESS_ID") or "")
    error = "1" if is_truthy(params.get("ERROR")) else "0"
    rows = _selected(portal, application, params, _GET_FIELDS, {"TIMESTAMP_X": "ASC"}, scalars_only=True)
    # The rows of a process are read again; without one, those that nobody has taken.
    rows = [row for row in rows if row["PROCESS_ID"] == process_id and row["ERROR"] == error][:limit]
    if not clears and not process_id:
        process_id = new_process_id()
        for row in rows:
            portal.events.reserve(row, process_id)
    if clears:
        for row in rows:
            portal.events.remove(row)
    return {"process_id": process_id or None, "events": [_answer_row(row) for row in rows]}


def _selected(
    portal: PortalState,
    application: Application,
    params: Params,
    fields: dict[str, Field],
    default_order: dict[str, str],
    *,
    scalars_only: bool,
) -> list[Row]:
    filter_ = array_or_nothing(params.get("FILTER"), "FILTER")
    for key, value in filter_.items():
        match = _FILTER_KEY.fullmatch(key)
        if match is None or match.group(1) not in fields:
            raise _wrong_argument("filter", f"Filter is not allowed: {key}")
        if scalars_only and isinstance(value, (dict, list)):
            raise _wrong_argument("filter", f"Value must be scalar: {key}")
    matcher = Matcher(fields, refuse=_refused).read(filter_)
    rows = portal.events.queue_of(application, _connector(portal, params))
    order = read_order(array_or_nothing(params.get("ORDER"), "ORDER") or default_order, fields, _refused)
    return sort_rows([row for row in rows if matcher.accepts(row)], order)


def _refused(problem: str, name: str, value: object) -> Refusal:
    argument = "filter" if problem in ("filter", "value") else "order"
    return _wrong_argument(argument, f"Value is not allowed: {name}")


def _answer_row(row: Row) -> Row:
    return {"ID": str(row["id"]), **{name: row[name] for name in _SHOWN}}


@method("event.offline.clear", upper=True)
def offline_clear(portal: PortalState, user: User, params: Params) -> Any:
    for row in _rows_of_process(portal, user, params, by_id=True):
        portal.events.remove(row)
    return True


@method("event.offline.error", upper=True)
def offline_error(portal: PortalState, user: User, params: Params) -> Any:
    for row in _rows_of_process(portal, user, params, by_id=False):
        portal.events.release_as_error(row)
    return True


def _rows_of_process(portal: PortalState, user: User, params: Params, *, by_id: bool) -> list[Row]:
    """What a process has taken, or the part of it that is named."""
    application = _administrators_application(portal, user)
    rows = portal.events.reserved(application, _text(params, "process_id"))
    message_ids = [str(value) for value in as_map(params.get("MESSAGE_ID")).values()]
    ids = [as_integer(value) for value in as_map(params.get("ID")).values()] if by_id else []
    follows_source = portal.settings.offline_queue == "source"
    if follows_source and any(len(message_id) != _MESSAGE_ID_CHARACTERS for message_id in message_ids):
        raise _wrong_argument("message_id", "Value must be array of MESSAGE_ID values")
    # Of two lists the page takes the ids, the server source the messages.
    if message_ids and (follows_source or not ids):
        return [row for row in rows if row["MESSAGE_ID"] in message_ids]
    return [row for row in rows if row["id"] in ids] if ids else rows
