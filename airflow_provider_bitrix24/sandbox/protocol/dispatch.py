"""One call of one method, alone or inside a batch: is it known, allowed, within its limit; then it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3, NoEffect, Page, Refusal
from airflow_provider_bitrix24.sandbox.methods.documented import documented, not_offered
from airflow_provider_bitrix24.sandbox.methods.not_modelled import check_modelled
from airflow_provider_bitrix24.sandbox.methods.registry import Method, Params
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.limits import Bill
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


@dataclass(frozen=True, slots=True)
class MethodAnswer:
    """What a method answered."""

    result: Any
    time: dict[str, Any]
    total: int | None = None
    next: int | None = None


def operation_time_limit() -> Refusal:
    return Refusal("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


def method_not_found() -> Refusal:
    return Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)


def find(portal: PortalState, name: str) -> Method:
    """:raises Refusal: there is no such method, or the sandbox has no answer for it."""
    return _found(portal, name, METHODS.get(name.lower()), 2)


def find_v3(portal: PortalState, name: str) -> Method:
    """The same of REST 3.0, which finds methods as written."""
    return _found(portal, name, METHODS_V3.get(name), 3)


def _found(portal: PortalState, name: str, entry: Method | None, version: int) -> Method:
    if name in portal.answers:
        return Method(name, (), lambda portal, user, params: portal.answers.result(name, params), False)
    if entry is not None:
        return entry
    documented_name = documented(version=version).get(name.lower())
    if documented_name is None or name.lower() == "batch" or (version == 3 and name != documented_name):
        raise method_not_found()
    raise not_offered(documented_name)


def check_scope(portal: PortalState, entry: Method, user: User, *, in_batch: bool = False) -> None:
    """:raises Refusal: the webhook or application has none of the scopes that open this method."""
    if entry.scopes and not portal.scopes_of(user).intersection(entry.scopes):
        description = "The request requires higher privileges than provided by the webhook token"
        # Inside a batch the description is empty (example on the batch page).
        raise Refusal("insufficient_scope", "" if in_batch else description, portal.settings.auth_status)


class Timer:
    """The ``time`` of an answer, on the portal's clock."""

    def __init__(self, portal: PortalState) -> None:
        self._clock = portal.clock
        self._started = self._processing_started = portal.clock.now()

    def begin_processing(self) -> None:
        self._processing_started = self._clock.now()

    def end(self, command_seconds: float = 0.0) -> dict[str, Any]:
        """:param command_seconds: what commands of a batch are said to take beside; the answer is held back for it."""
        finish = self._clock.now() + command_seconds
        return {
            "start": self._started,
            "finish": finish,
            "duration": finish - self._started,
            "processing": finish - self._processing_started,
            "date_start": self._clock.iso(self._started),
            "date_finish": self._clock.iso(finish),
        }


def run(
    portal: PortalState,
    entry: Method,
    params: Params,
    user: User,
    call: Call,
    bill: Bill,
    *,
    paid: bool,
    command_seconds: float = 0.0,
) -> MethodAnswer:
    """
    Run a method for a user. ``paid``: its own operating time is charged (a batch may pay for its commands).

    :raises Refusal: from the method, or because its operating time is used up.
    """
    name, credential = entry.name.lower(), portal.credential(user)
    if paid and portal.operating.is_over(name, credential):
        raise operation_time_limit()
    timer = Timer(portal)
    connector = params.get("auth_connector")
    if entry.upper_case_params:
        # The container is looked up in upper case; of two spellings the later one stays.
        params = {key if key == "start" else key.upper(): value for key, value in params.items()}
    check_modelled(entry.name, params)
    timer.begin_processing()
    portal.events.acting = (user, "" if connector is None else str(connector))
    try:
        answer = entry.handler(portal, user, params)
    finally:
        portal.events.acting = None
    if isinstance(answer, NoEffect):
        answer = answer.result
    else:
        portal.log.execute(call)
    # What the method is said to take passes at the portal, and nobody waits for it.
    portal.clock.advance(portal.operating.seconds_of(name))
    times = timer.end(command_seconds)
    if portal.settings.operating_shown:
        if paid:
            bill.add(name, times["processing"])
        times["operating_reset_at"] = portal.operating.reset_at(name, credential)
        times["operating"] = portal.operating.used(name, credential) if paid else 0
    if isinstance(answer, Page):
        return MethodAnswer(answer.result, times, answer.total, answer.next)
    return MethodAnswer(answer, times)
