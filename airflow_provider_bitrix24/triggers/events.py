"""A trigger for asset watchers: events of a portal, from the offline queue of an OAuth application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.triggers.change_loop import Source
from airflow_provider_bitrix24.triggers.progress import Progress
from airflow_provider_bitrix24.triggers.watcher import Audience, WatcherTrigger


def events_of(names: Iterable[str]) -> tuple[str, ...]:
    """Names of events in the one form that is compared: upper case, sorted, each once."""
    return tuple(sorted({str(name).strip().upper() for name in names}))


def _is_name(given: Any) -> bool:
    return isinstance(given, str) and not nothing_hint(given)


class Bitrix24EventTrigger(WatcherTrigger):
    """
    Fire for each object that an event happened to, also while Airflow was away (up to 30 days).

    ``AssetWatcher(name="deals", trigger=Bitrix24EventTrigger(events=["ONCRMDEALUPDATE"]))``. The events are bound if
    they are not, and stay bound: ``python -m airflow_provider_bitrix24.events unbind`` ends that.

    Each Airflow event has the payload ``{"id": "5@2026-01-31T09:00:00Z", "event": "ONCRMDEALUPDATE", "object_id": 662,
    "time": "2026-01-31T09:00:00Z", "redelivered": False, "bitrix24_conn_id": "bitrix24_default"}``; ``id`` is the same
    however often it is delivered, ``entity_type_id`` comes with items of smart processes. It says that the object
    changed: read it for its values.

    The connection is of an OAuth application that an administrator authorized, on a plan with
    ``rest_offline_extended``; otherwise see
    :class:`~airflow_provider_bitrix24.triggers.changes.Bitrix24ChangesTrigger`.

    :param events: names, e.g. ``["ONCRMDEALADD", "ONCRMDEALUPDATE"]``; the method ``events`` lists them.
    :param bitrix24_conn_id: the connection.
    :param connector: an ``auth_connector``: a queue of its own, without changes made by calls with the same one. Needs
        ``rest_auth_connector`` in the plan. A queue is read by one Airflow, and by nobody else.
    :param poll_interval: seconds between two looks into the empty queue; each is one request.
    """

    def __init__(
        self,
        events: Iterable[str],
        bitrix24_conn_id: str = "bitrix24_default",
        connector: str = "",
        poll_interval: float = 30.0,
    ) -> None:
        super().__init__(bitrix24_conn_id, poll_interval)
        given = [events] if isinstance(events, str) or not isinstance(events, Iterable) else list(events)
        names = events_of(given)
        if isinstance(events, str) or not names or not all(map(_is_name, given)):
            raise ConfigurationError(
                f"events must be a list of names of events, not {events!r}", next_step='write ["ONCRMDEALUPDATE"]'
            )
        if not isinstance(connector, str):
            raise ConfigurationError(
                f"connector must be a text, not {connector!r}", next_step="leave it out for the application's own queue"
            )
        self.events = names
        self.connector = connector

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made of again: names, and no secret."""
        arguments = {
            "events": list(self.events),
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "connector": self.connector,
            "poll_interval": self.poll_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def stream(self) -> tuple[str, ...]:
        """The queue: one loop reads it for all, since what one takes no other gets."""
        return (self.bitrix24_conn_id, self.connector)

    def wants(self, payload: dict[str, Any]) -> bool:
        return payload["event"] in self.events

    def overlaps(self, other: WatcherTrigger) -> bool:
        return isinstance(other, Bitrix24EventTrigger) and bool(set(self.events) & set(other.events))

    def source(self, audience: Audience) -> Source:
        def events() -> set[str]:
            triggers = (trigger for trigger in audience.triggers if isinstance(trigger, Bitrix24EventTrigger))
            return {event for trigger in triggers for event in trigger.events}

        # It imports requests, which a DAG file has no use for.
        from airflow_provider_bitrix24.triggers.offline_queue import OfflineQueue

        name = "__".join(["bitrix24_offline_queue", *filter(None, self.stream())])
        progress = Progress(name, audience.stores)
        return OfflineQueue(self.bitrix24_conn_id, self.connector, events, progress, clock=self.clock)
