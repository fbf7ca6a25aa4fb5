"""
Events: who listens, what waits in the offline queue, and what is sent to handlers.

Only calls of methods cause events; what a test does through ``Sandbox`` happens behind everybody's back.

Source: Bitrix24 REST docs, "Events" and "Offline events", and public copies of the server.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import build_query
from airflow_provider_bitrix24.sandbox.state.applications import Application
from airflow_provider_bitrix24.sandbox.state.core import PortalCore
from airflow_provider_bitrix24.sandbox.state.event_delivery import Delivery
from airflow_provider_bitrix24.sandbox.state.event_names import QUEUE_NOT_EMPTY
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Age at which a daily job deletes rows of the queue, reserved or not: 34 days in the server source, 30 on the page.
ROW_SECONDS = {"source": 2_952_000.0, "documentation": 30 * 24 * 3600.0}

#: Tokens of an event sent to a handler; these alone also bring a refresh token.
_WITH_REFRESH_TOKEN = frozenset({"ONAPPINSTALL", "ONAPPUPDATE", QUEUE_NOT_EMPTY})


@dataclass(slots=True)
class Binding:
    """An application listens to an event: at ``handler``, or with none in its offline queue."""

    id: int
    application: Application
    event: str
    handler: str | None
    #: Whose tokens the handler gets; 0 for those of the user who acted.
    auth_type: int = 0
    connector: str = ""
    #: Seconds between two calls of a handler of ``ONOFFLINEEVENT``.
    min_timeout_seconds: float = 1.0
    called_at: float | None = None

    @property
    def is_offline(self) -> bool:
        return self.handler is None


class Events:
    """Bindings and queues of all applications; the caller holds the portal's lock."""

    def __init__(self, portal: PortalCore) -> None:
        self._portal = portal
        self.bindings: list[Binding] = []
        #: Rows have the fields of ``event.offline.list`` and the ``application`` and ``connector`` they belong to.
        self.queue = Table()
        #: The unreserved row of each change.
        self._waiting: dict[tuple[Any, ...], Row] = {}
        self.delivery = Delivery()
        #: Whose call is running, and its ``auth_connector``; ``None`` while no method runs.
        self.acting: tuple[User, str] | None = None
        self._next_binding_id = 1

    def bind(self, application: Application, event: str, handler: str | None, **options: Any) -> Binding | None:
        """A new binding; ``None`` if there is one like it."""
        binding = Binding(self._next_binding_id, application, event, handler, **options)
        if any(_place_of(other) == _place_of(binding) for other in self.bindings):
            return None
        self._next_binding_id += 1
        self.bindings.append(binding)
        return binding

    def bindings_of(self, application: Application) -> list[Binding]:
        return [binding for binding in self.bindings if binding.application is application]

    def announce(self, event: str, data: Row) -> None:
        """Something happened in the call that is running: queue it, and tell the handlers."""
        if self.acting is None or not self.bindings:
            return
        user, connector = self.acting
        listening = [binding for binding in self.bindings if binding.application.installed]
        for binding in listening:
            if binding.event != event:
                continue
            if binding.handler is not None:
                self._tell(binding, binding.handler, data, user)
            elif not self._is_echo(binding, user, connector):
                self._enqueue(binding, data, user)
                self._tell_of_queue([other for other in listening if other.application is binding.application], user)

    def _is_echo(self, binding: Binding, user: User, connector: str) -> bool:
        if user.application is not binding.application or connector != binding.connector:
            return False
        # Without a connector on either side the page queues an application's own changes, and warns of the loop.
        return bool(connector) or self._portal.settings.offline_queue == "source"

    # The offline queue

    def _enqueue(self, binding: Binding, data: Row, user: User) -> None:
        message = json.dumps([binding.event, data], sort_keys=True).encode()
        message_id = hashlib.md5(message, usedforsecurity=False).hexdigest()
        at = self._portal.clock.iso()
        row: Row = {
            "TIMESTAMP_X": at,
            "EVENT_NAME": binding.event,
            "EVENT_DATA": data,
            "EVENT_ADDITIONAL": {"user_id": user.id},
            "MESSAGE_ID": message_id,
            "PROCESS_ID": "",
            "ERROR": "0",
            "application": binding.application,
            "connector": binding.connector,
            "at": self._portal.clock.now(),
        }
        waiting = self._waiting.get(_message_of(row))
        if waiting is None:
            self._waiting[_message_of(row)] = row
            self.queue.add(row)
        else:
            # A set of "this object changed", not a log. The mark of an error stays.
            waiting.update(TIMESTAMP_X=at, EVENT_ADDITIONAL=row["EVENT_ADDITIONAL"], at=row["at"])

    def queue_of(self, application: Application, connector: str) -> list[Row]:
        """What an application finds in one of its queues, by id; rows that are too old are gone."""
        oldest = self._portal.clock.now() - ROW_SECONDS[self._portal.settings.offline_queue]
        for row in [row for row in self.queue if row["at"] < oldest]:
            self.remove(row)
        return [row for row in self.queue if row["application"] is application and row["connector"] == connector]

    def reserved(self, application: Application, process_id: str) -> list[Row]:
        """The rows that a process has taken, of every connector."""
        return [row for row in self.queue if row["application"] is application and row["PROCESS_ID"] == process_id]

    def reserve(self, row: Row, process_id: str) -> None:
        """Hide a row from others; the same change makes a new row from now on."""
        self._waiting.pop(_message_of(row), None)
        row["PROCESS_ID"] = process_id

    def release_as_error(self, row: Row) -> None:
        newer = self._waiting.get(_message_of(row))
        if newer is not None:
            # The object changed again in the meantime: there is one unreserved row of a change.
            self.queue.remove(newer["id"])
            row.update(TIMESTAMP_X=newer["TIMESTAMP_X"], at=newer["at"])
        row.update(PROCESS_ID="", ERROR="1")
        self._waiting[_message_of(row)] = row

    def remove(self, row: Row) -> None:
        self.queue.remove(row["id"])
        if self._waiting.get(_message_of(row)) is row:
            del self._waiting[_message_of(row)]

    # Handlers

    def _tell_of_queue(self, bindings: list[Binding], user: User) -> None:
        now = self._portal.clock.now()
        for binding in bindings:
            if binding.event != QUEUE_NOT_EMPTY or binding.handler is None:
                continue
            if binding.called_at is None or now - binding.called_at >= binding.min_timeout_seconds:
                binding.called_at = now
                self._tell(binding, binding.handler, {}, user)

    def _tell(self, binding: Binding, handler: str, data: Row, user: User) -> None:
        if not self.delivery.reaches(handler):
            return
        portal, application = self._portal, binding.application
        pair = application.grant(portal.users[binding.auth_type or user.id])
        names = ["access_token", "expires_in", "server_endpoint", "status", "client_endpoint", "member_id"]
        if binding.event in _WITH_REFRESH_TOKEN:
            names.append("refresh_token")
        auth = {name: pair[name] for name in names if name in pair}
        auth |= {
            "domain": portal.host,
            "scope": ",".join(sorted(application.scopes)),
            "application_token": application.application_token,
        }
        payload = {"event": binding.event, "event_handler_id": binding.id, "data": data}
        payload |= {"ts": int(portal.clock.now()), "auth": auth}
        self.delivery.send(handler, build_query(payload))


def _place_of(binding: Binding) -> tuple[Any, ...]:
    return (binding.application.client_id, binding.event, binding.handler, binding.auth_type, binding.connector)


def _message_of(row: Row) -> tuple[Any, ...]:
    return (row["MESSAGE_ID"], row["application"].client_id, row["connector"])


def new_process_id() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(32))
