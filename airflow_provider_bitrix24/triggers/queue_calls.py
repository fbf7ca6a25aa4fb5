"""
The offline queue of an application, call by call: what blocks, and what answers may look like.

Source: Bitrix24 REST docs, "Offline events", and the server source where the pages contradict themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pendulum

from airflow_provider_bitrix24.exceptions import Bitrix24Error, RestError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.types import Params

#: How times are written, in UTC.
UTC = "YYYY-MM-DD[T]HH:mm:ss[Z]"
#: What each of these codes means here, and what to do.
_HINTS = {
    "WRONG_AUTH_TYPE": "the offline queue is for OAuth applications and this connection is a webhook: use "
    "Bitrix24ChangesTrigger, or make a connection with python -m airflow_provider_bitrix24.authorize",
    "WRONG_LICENSE": "the portal's plan lacks the feature rest_offline_extended, without which events would be lost "
    "when the triggerer dies, or rest_auth_connector, if a connector is given: use Bitrix24ChangesTrigger",
    "ACCESS_DENIED": "the offline queue is for administrators: authorize the application again as one",
    "ERROR_EVENT_NOT_FOUND": "check the event's name, and that the application has the scope it belongs to; "
    "the method events lists the names",
}


@dataclass(frozen=True)
class QueueRow:
    """
    A row of the queue: this object changed, in this way.

    :param data: ``{"FIELDS": {"ID": 662}}``; what it holds depends on the event.
    :param time: of the newest change, as the portal writes it.
    """

    id: int
    event: str
    data: Any
    time: str

    def payload(self) -> dict[str, Any]:
        """
        What Airflow stores: ids and times, and no field of the object.

        The id of a row alone is not unique for ever: some databases count from 1 again when the queue was empty.
        """
        moment, time, fields = parse(self.time), self.time, _fields_of(self.data)
        if isinstance(moment, pendulum.DateTime) and moment.timezone is not None:
            time = moment.in_timezone("UTC").format(UTC)
        entry = {
            "id": f"{self.id}@{time}",
            "event": self.event,
            "object_id": _number(fields.get("ID")),
            "time": time,
            "redelivered": False,
        }
        if "ENTITY_TYPE_ID" in fields:
            entry["entity_type_id"] = _number(fields["ENTITY_TYPE_ID"])
        return entry


class QueueCalls:
    """
    :param connector: the ``auth_connector``: a queue of its own inside the application's; empty for the common one.
    """

    def __init__(self, client: Client, connector: str = "") -> None:
        self._client = client
        self._connector = connector

    def bound(self) -> set[str]:
        """Events that are put into this queue."""
        rows = self._call("event.get", with_connector=False)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _unexpected("event.get", rows)
        return {
            str(row.get("event", "")).upper()
            for row in rows
            if str(row.get("offline", 0)) == "1" and str(row.get("connector_id") or "") == self._connector
        }

    def bind(self, event: str) -> None:
        try:
            self._call("event.bind", {"event": event, "event_type": "offline"})
        except Bitrix24Error as error:
            # Another watcher may have bound it in the meantime, or the answer was lost.
            if event not in self.bound():
                raise error.but(reason=f"event {event} could not be bound: {error.reason}") from None

    def unbind(self, event: str) -> int:
        """Return how many bindings were ended."""
        result = self._call("event.unbind", {"event": event, "event_type": "offline"})
        count = result.get("count") if isinstance(result, dict) else None
        if not isinstance(count, int):
            raise _unexpected("event.unbind", result)
        return count

    def waiting(self, events: Collection[str]) -> set[str]:
        """Names of events of which rows wait; looks at the oldest 50."""
        names = {"@EVENT_NAME": sorted(events), "=PROCESS_ID": ""}
        return {row.event for row, _ in self._list(names)}

    def unfinished(self, events: Collection[str]) -> set[str]:
        """Process ids under which rows are reserved; looks at the oldest 50."""
        return {process_id for _, process_id in self._list({"@EVENT_NAME": sorted(events), ">PROCESS_ID": ""})}

    def count(self) -> int:
        """How many rows the queue has, of all events."""
        return self._client.ask("event.offline.list", self._params({})).total or 0

    def reserve(self, event: str, limit: int) -> tuple[str, list[QueueRow]]:
        """Hide rows of an event from others; an empty process id if there were none."""
        return self._get({"filter": {"=EVENT_NAME": event}, "limit": limit})

    def reserved(self, process_id: str, limit: int) -> list[QueueRow]:
        """Rows of a process that have not been cleared."""
        return self._get({"process_id": process_id, "limit": limit})[1]

    def clear(self, process_id: str, ids: Sequence[int]) -> None:
        self._call("event.offline.clear", {"process_id": process_id, "id": list(ids)})

    def _list(self, filter_: Params) -> list[tuple[QueueRow, str]]:
        rows = self._call("event.offline.list", {"filter": filter_, "order": {"ID": "ASC"}})
        if not isinstance(rows, list):
            raise _unexpected("event.offline.list", rows)
        return [(_row(row, "event.offline.list"), str(row.get("PROCESS_ID") or "")) for row in rows]

    def _get(self, params: Params) -> tuple[str, list[QueueRow]]:
        method = "event.offline.get"
        result = self._call(method, {"clear": 0, **params})
        events = result.get("events") if isinstance(result, dict) else None
        if not isinstance(events, list):
            raise _unexpected(method, result)
        process_id = str(result.get("process_id") or "")
        if events and not process_id:
            raise Bitrix24Error(
                "rows came without a process_id",
                method=method,
                next_step="the portal takes clear=0 for clear=1; its queue cannot be read without losing events",
            )
        return process_id, [_row(row, method) for row in events]

    def _call(self, method: str, params: Params | None = None, *, with_connector: bool = True) -> Any:
        try:
            return self._client.call(method, self._params(params) if with_connector else params)
        except RestError as error:
            hint = _HINTS.get((error.code or "").upper())
            if hint is None:
                raise
            failure = error.but(next_step=hint)
        raise failure

    def _params(self, params: Params | None) -> Params:
        return {**(params or {}), "auth_connector": self._connector} if self._connector else params or {}


def _row(row: Any, method: str) -> QueueRow:
    number = _number(row.get("ID")) if isinstance(row, dict) else None
    if not isinstance(number, int) or not row.get("EVENT_NAME") or not row.get("TIMESTAMP_X"):
        raise _unexpected(method, row)
    return QueueRow(number, str(row["EVENT_NAME"]).upper(), row.get("EVENT_DATA"), str(row["TIMESTAMP_X"]))


def _fields_of(data: Any) -> dict[str, Any]:
    """Where an event has the id of its object; of a deleted task it is only in ``FIELDS_BEFORE``."""
    if not isinstance(data, dict):
        return {}
    for name in ("FIELDS", "FIELDS_AFTER", "FIELDS_BEFORE"):
        if isinstance(data.get(name), dict):
            return dict(data[name])
    return data


def _number(value: Any) -> int | str | None:
    """An id as a number; other ids of the portal are short texts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value:
        return None
    return int(value) if value.isascii() and value.isdigit() else value[:50]


def _unexpected(method: str, answer: Any) -> Bitrix24Error:
    return Bitrix24Error(f"the portal answered {preview(answer)}", method=method, retryable=True)
