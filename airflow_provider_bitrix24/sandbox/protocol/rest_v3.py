"""
REST 3.0, under ``/rest/api/``: JSON only, names as written, errors as objects, ``Idempotency-Key`` for writes.

Source: Bitrix24 REST docs, "REST 3.0", and public copies of the server.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods import Refusal
from airflow_provider_bitrix24.sandbox.methods.registry import Method, Params, WholeBody
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import PREFIX
from airflow_provider_bitrix24.sandbox.protocol import dispatch
from airflow_provider_bitrix24.sandbox.protocol.answers import Answer, json_answer
from airflow_provider_bitrix24.sandbox.protocol.batch_v3 import run_batch
from airflow_provider_bitrix24.sandbox.protocol.fault_answers import as_refusal
from airflow_provider_bitrix24.sandbox.protocol.http_request import read_json
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.limits import Bill
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: The stored answer of a write is repeated for a day.
REPLAY_SECONDS = 24 * 60 * 60

#: Ends of the names of methods that heed an ``Idempotency-Key``.
_WRITES = (".add", ".update", ".delete", ".send", "batch")

#: Refusals of the common part -> code and status here.
_CODES = {
    "INVALID_REQUEST": ("ACCESSDENIEDEXCEPTION", 401),
    "NO_AUTH_FOUND": ("ACCESSDENIEDEXCEPTION", 401),
    "INVALID_CREDENTIALS": ("ACCESSDENIEDEXCEPTION", 401),
    "invalid_token": ("ACCESSDENIEDEXCEPTION", 401),
    "expired_token": ("ACCESSDENIEDEXCEPTION", 401),
    "authorization_error": ("ACCESSDENIEDEXCEPTION", 401),
    "APPLICATION_NOT_FOUND": ("ACCESSDENIEDEXCEPTION", 401),
    "ACCESS_DENIED": ("LICENSEEXCEPTION", 403),
    "insufficient_scope": ("INSUFFICIENTSCOPEEXCEPTION", 403),
    "ERROR_METHOD_NOT_FOUND": ("METHODNOTFOUNDEXCEPTION", 404),
    "OPERATION_TIME_LIMIT": ("RATELIMITEXCEPTION", 429),
    "INTERNAL_SERVER_ERROR": ("INTERNAL_INTERNALEXCEPTION", 500),
}


def translated(refusal: Refusal) -> Refusal:
    """A refusal of the common part under its REST 3.0 name."""
    if refusal.code not in _CODES:
        return refusal
    code, status = _CODES[str(refusal.code)]
    return Refusal(PREFIX + code, refusal.description, status)


def error_answer(refusal: Refusal) -> Answer:
    error = {"code": refusal.code, "message": refusal.description, **refusal.extra}
    return json_answer({"error": error}, refusal.status)


class ProtocolV3:
    def __init__(self, portal: PortalState) -> None:
        self._portal = portal
        #: (user id, method, key) -> body of the request, answer, when.
        self._answers: dict[tuple[int, str, str], tuple[bytes, Answer, float]] = {}

    def call(self, user: User, call: Call, body: bytes) -> Answer:
        portal = self._portal
        entry = None
        if call.method != "batch":
            entry = dispatch.find_v3(portal, call.method)
            dispatch.check_scope(portal, entry, user)
        params = _params_of(call, body)
        key = self._idempotency_key(call)
        place = (user.id, call.method, key or "")
        if key is not None and place in self._answers:
            first_body, answer, at = self._answers[place]
            if portal.clock.now() - at < REPLAY_SECONDS:
                if first_body != body:
                    problem = "The idempotency key was already used with a different request body"
                    raise Refusal(f"{PREFIX}IDEMPOTENCYKEYREUSEDEXCEPTION", problem, 422)
                return dataclasses.replace(answer, headers={"idempotent-replayed": "true"})
        answer = json_answer(self._run(entry, params, user, call))
        if key is not None:
            self._answers[place] = (body, answer, portal.clock.now())
        return answer

    def _run(self, entry: Method | None, params: Params, user: User, call: Call) -> dict[str, Any]:
        """The body of a successful answer; no method is a batch."""
        if entry is None:
            return self._batch(params, user, call)
        bill = Bill(self._portal.operating, self._portal.credential(user))
        answer = dispatch.run(self._portal, entry, params, user, call, bill, paid=True)
        if isinstance(answer.result, WholeBody):
            return answer.result.body
        return {"result": answer.result, "time": answer.time}

    def _batch(self, params: Params, user: User, call: Call) -> dict[str, Any]:
        portal, billing = self._portal, self._portal.settings.batch_billing
        credential = portal.credential(user)
        if billing == "batch" and portal.operating.is_over("batch", credential):
            raise dispatch.operation_time_limit()
        timer = dispatch.Timer(portal)
        timer.begin_processing()
        bill = Bill(portal.operating, credential)

        def run_call(entry: Method, query: Params) -> Any:
            part = Call(entry.name, query, user_id=user.id, at=portal.clock.now(), connection=call.connection)
            portal.log.receive(part, within=call)
            try:
                fault = portal.faults.for_command(entry.name)
                refusal = as_refusal(fault, portal) if fault else None
                if refusal is not None:
                    raise refusal
                dispatch.check_scope(portal, entry, user)
                answer = dispatch.run(
                    portal, entry, query, user, part, bill,
                    paid=billing == "commands", command_seconds=portal.settings.command_seconds,
                )  # fmt: skip
            except Refusal as refused:
                part.error = str(refused.code)
                raise
            return answer.result.body if isinstance(answer.result, WholeBody) else answer.result

        result = run_batch(params, partial(dispatch.find_v3, portal), run_call)
        portal.log.execute(call)
        times = timer.end(len(call.commands) * portal.settings.command_seconds)
        if portal.settings.operating_shown:
            if billing == "batch":
                bill.add("batch", times["processing"])
            times["operating_reset_at"] = portal.operating.reset_at("batch", credential)
            times["operating"] = portal.operating.used("batch", credential)
        return {"result": result, "time": times}

    def _idempotency_key(self, call: Call) -> str | None:
        key = call.headers.get("idempotency-key")
        if key is None or not call.method.endswith(_WRITES):
            return None
        if not 1 <= len(key) <= 255 or not (key.isascii() and key.isprintable()):
            problem = "The idempotency key must be a string of 1 to 255 printable ASCII characters"
            raise Refusal(f"{PREFIX}INVALIDIDEMPOTENCYKEYEXCEPTION", problem)
        return key


def _params_of(call: Call, body: bytes) -> Params:
    """:raises Refusal: the body is not JSON."""
    if call.verb == "GET" or not body:
        return {}
    try:
        params: Any = read_json(body)
    except ValueError:
        raise Refusal(f"{PREFIX}INVALIDJSONEXCEPTION", "Invalid JSON in the request body") from None
    return {name: value for name, value in as_map(params).items() if name not in ("auth", "access_token")}
