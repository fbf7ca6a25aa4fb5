"""How waiting ended, as a trigger says it and a task reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from airflow.triggers.base import TriggerEvent

from airflow_provider_bitrix24 import exceptions
from airflow_provider_bitrix24.exceptions import Bitrix24Error

Status: TypeAlias = Literal["met", "failed", "timeout"]

_TEXTS = ("reason", "method", "description", "next_step")
_MAYBE_TEXTS = ("code", "request_id")


class Ending(NamedTuple):
    """
    :param seen: what goes to XCom, where it was met.
    :param error: why it failed.
    """

    status: Status
    seen: Any = None
    error: Bitrix24Error | None = None


class SensorEvent(TriggerEvent):
    """An event that is logged without what was seen: triggerers log every event, and it may be personal data."""

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload.get('status')}>"


def event_of(ending: Ending) -> SensorEvent:
    """The event that brings it to the task."""
    error = None if ending.error is None else error_as_json(ending.error)
    return SensorEvent(payload={"status": ending.status, "seen": ending.seen, "error": error})


def ending_in(payload: Any) -> Ending:
    """
    What an event says.

    :raises Bitrix24Error: it is none of ours.
    """
    if isinstance(payload, Mapping) and payload.get("status") in ("met", "timeout"):
        return Ending(payload["status"], payload.get("seen"))
    if isinstance(payload, Mapping) and payload.get("status") == "failed":
        return Ending("failed", error=error_in(payload.get("error")))
    raise Bitrix24Error("the trigger's event is not one of a sensor's", retryable=True, next_step="run the task again")


def error_as_json(error: Bitrix24Error) -> dict[str, Any]:
    """The whole error: class, code, description, method, and what to do. No message of ours has a secret."""
    names = (*_TEXTS, *_MAYBE_TEXTS, "status", "ran", "retryable")
    return {"error": type(error).__name__, **{name: getattr(error, name) for name in names}}


def error_in(given: Any) -> Bitrix24Error:
    """
    The error that :func:`error_as_json` wrote.

    :raises Bitrix24Error: it is none of ours.
    """
    kind = getattr(exceptions, str(given.get("error")), None) if isinstance(given, Mapping) else None
    if not (
        isinstance(kind, type)
        and issubclass(kind, Bitrix24Error)
        and all(isinstance(given.get(name), str) for name in _TEXTS)
        and all(isinstance(given.get(name), (str, type(None))) for name in _MAYBE_TEXTS)
        and isinstance(given.get("status"), (int, type(None)))
        and given.get("ran") in ("no", "yes", "unknown")
        and isinstance(given.get("retryable"), bool)
    ):
        raise Bitrix24Error("the trigger's event has no error of ours", retryable=True, next_step="run the task again")
    if kind is exceptions.BatchError:
        kind = Bitrix24Error
    fields = {name: given.get(name) for name in (*_TEXTS[1:], *_MAYBE_TEXTS, "status", "ran", "retryable")}
    return kind(given["reason"], **fields)
