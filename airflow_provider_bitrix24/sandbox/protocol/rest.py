"""
From an HTTP request to a method call and back: address, credentials, parameters, limits, errors.

Source: Bitrix24 REST docs, "General principles", and public copies of the server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from airflow_provider_bitrix24.sandbox.methods import disk
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal
from airflow_provider_bitrix24.sandbox.protocol import dispatch
from airflow_provider_bitrix24.sandbox.protocol.answers import Answer, error_body, json_answer
from airflow_provider_bitrix24.sandbox.protocol.batch import Batch
from airflow_provider_bitrix24.sandbox.protocol.fault_answers import as_refusal, in_place, query_limit, spoiled
from airflow_provider_bitrix24.sandbox.protocol.http_request import HttpRequest, file_of_form, params_of
from airflow_provider_bitrix24.sandbox.protocol.oauth import token_of, user_of
from airflow_provider_bitrix24.sandbox.protocol.rest_v3 import ProtocolV3, error_answer, translated
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.faults import Fault
from airflow_provider_bitrix24.sandbox.state.limits import Bill
from airflow_provider_bitrix24.sandbox.state.portal import DOWNLOADS, PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """``/rest/[api/][USER/CODE/]METHOD[.json]`` taken apart."""

    method: str
    user_id: str | None
    code: str
    is_v3: bool

    @classmethod
    def of(cls, path: str) -> Address:
        parts = [unquote(part) for part in path.split("/") if part][1:]
        is_v3 = parts[:1] == ["api"]
        if is_v3:
            parts = parts[1:]
        user_id, code = None, ""
        if len(parts) > 1 and parts[0].isascii() and parts[0].isdigit():
            user_id, code, parts = parts[0], parts[1], parts[2:]
        method = "/".join(parts)
        if method.lower().endswith((".json", ".xml")):
            method = method.rpartition(".")[0]
        return cls(method, user_id, code, is_v3)


class Protocol:
    """Answers requests one at a time; the caller holds the portal's lock."""

    def __init__(self, portal: PortalState, *, needs_https: bool) -> None:
        self._portal = portal
        self._needs_https = needs_https
        self._v3 = ProtocolV3(portal)

    def answer(self, request: HttpRequest) -> tuple[Answer, Fault | None]:
        """The answer, and the fault that strikes it on its way. Never raises."""
        portal, address = self._portal, Address.of(request.path)
        call = Call(
            method=address.method,
            params=params_of(request),
            at=portal.clock.now(),
            connection=request.connection,
            verb=request.verb,
            headers=request.headers,
            path=request.path,
            query=request.query,
        )
        portal.log.receive(call)
        fault: Fault | None = None
        try:
            user = self._owner(address)
            call.user_id = user.id if user else None
            if self._needs_https and not request.is_https:
                raise Refusal("INVALID_REQUEST", "Https required.", portal.settings.auth_status_of("INVALID_REQUEST"))
            if not portal.bucket.admits(request.address):
                raise query_limit()
            fault = portal.faults.for_request(address.method)
            answer = self._answer_of(address, user, call, request, fault)
        except Refusal as refusal:
            answer = self._refused(refusal, call, address)
        except Exception:
            log.exception("The sandbox itself failed in %s", address.method)
            answer = self._refused(Refusal("INTERNAL_SERVER_ERROR", "Internal server error", 500), call, address)
        if call.commands and portal.settings.command_seconds:
            answer = replace(answer, command_seconds=len(call.commands) * portal.settings.command_seconds)
        call.status = None if fault is not None and fault.is_silent else answer.status
        return answer, fault

    def _answer_of(
        self, address: Address, user: User | None, call: Call, request: HttpRequest, fault: Fault | None
    ) -> Answer:
        if fault is None:
            return self._call(address, user, call, request)
        refusal = as_refusal(fault, self._portal)
        if refusal is not None:
            raise refusal
        if not fault.runs_first:
            return in_place(fault)
        try:
            answer = self._call(address, user, call, request)
        except Refusal as refused:
            answer = self._refused(refused, call, address)
        return spoiled(answer, fault)

    def _refused(self, refusal: Refusal, call: Call, address: Address) -> Answer:
        if address.is_v3 and refusal.code != "QUERY_LIMIT_EXCEEDED":
            refusal = translated(refusal)
            call.error = str(refusal.code)
            return error_answer(refusal)
        call.error = str(refusal.code)
        return json_answer(error_body(refusal, self._portal.settings.zero_code), refusal.status)

    def _call(self, address: Address, user: User | None, call: Call, request: HttpRequest) -> Answer:
        if address.is_v3:
            return self._v3.call(self._authorized(address, user, call), call, request.body)
        if address.method in DOWNLOADS:
            return self._file(address.method, call.params)
        if address.method == "upload":
            return self._upload(call, request)
        signs = {"auth"} if address.user_id is not None else {"auth", "access_token"}
        params = {name: value for name, value in call.params.items() if name not in signs}
        is_batch = address.method.lower() == "batch"
        entry = None if is_batch else dispatch.find(self._portal, address.method)
        user = self._authorized(address, user, call)
        if entry is None:
            return self._batch(params, user, call)
        dispatch.check_scope(self._portal, entry, user)
        bill = Bill(self._portal.operating, self._portal.credential(user))
        answer = dispatch.run(self._portal, entry, params, user, call, bill, paid=True)
        body: dict[str, Any] = {"result": answer.result}
        if answer.next is not None:
            body["next"] = answer.next
        if answer.total is not None:
            body["total"] = answer.total
        body["time"] = answer.time
        return json_answer(body)

    def _file(self, action: str, params: Params) -> Answer:
        """What a ``DOWNLOAD_URL`` answers."""
        found = self._portal.downloaded(action, params)
        if found is None:
            raise Refusal("ACCESS_DENIED", "Access denied", 403)
        name, content = found
        disposition = {"content-disposition": f"attachment; filename*=utf-8''{quote(name)}"}
        return Answer(200, content, "application/octet-stream", disposition)

    def _upload(self, call: Call, request: HttpRequest) -> Answer:
        """What an ``uploadUrl`` answers to a form with the file."""
        timer = dispatch.Timer(self._portal)
        awaited, sent = self._portal.awaited(call.params), file_of_form(request, disk.UPLOAD_FIELD)
        if awaited is None:
            raise Refusal("ACCESS_DENIED", "Access denied", 403)
        if sent is None:
            raise Refusal("ERROR_COULD_NOT_SAVE_FILE", "Could not save file")
        result = disk.receive(self._portal, awaited, *sent)
        self._portal.log.execute(call)
        return json_answer({"result": result, "time": timer.end()})

    def _owner(self, address: Address) -> User | None:
        return None if address.user_id is None else self._portal.webhook_owner(address.user_id, address.code)

    def _authorized(self, address: Address, user: User | None, call: Call) -> User:
        status = self._portal.settings.auth_status
        if address.user_id is None:
            token = token_of(call.params, call.headers)
            if token is None:
                raise Refusal("NO_AUTH_FOUND", "Wrong authorization data", 401)
            user = user_of(self._portal, token)
            call.user_id, call.client_id = user.id, user.client_id
        elif user is None:
            raise Refusal("INVALID_CREDENTIALS", "Invalid request credentials", status)
        if not self._portal.plan_has_rest:
            raise Refusal("ACCESS_DENIED", "REST API is available only on commercial plans.", status)
        return user

    def _batch(self, params: Params, user: User, call: Call) -> Answer:
        portal, billing = self._portal, self._portal.settings.batch_billing
        credential = portal.credential(user)
        if billing == "batch" and portal.operating.is_over("batch", credential):
            raise dispatch.operation_time_limit()
        timer = dispatch.Timer(portal)
        timer.begin_processing()
        bill = Bill(portal.operating, credential)
        # Stands beside `auth`, so it is said of all commands.
        connector = {name: value for name, value in params.items() if name == "auth_connector"}

        def run_command(method: str, command_params: Params) -> dispatch.MethodAnswer:
            command = Call(method, command_params, user_id=user.id, at=portal.clock.now(), connection=call.connection)
            portal.log.receive(command, within=call)
            try:
                fault = portal.faults.for_command(method)
                refusal = as_refusal(fault, portal) if fault else None
                if refusal is not None:
                    raise refusal
                entry = dispatch.find(portal, method)
                dispatch.check_scope(portal, entry, user, in_batch=True)
                own_params = {key: value for key, value in command_params.items() if key != "auth"}
                return dispatch.run(
                    portal, entry, {**connector, **own_params}, user, command, bill,
                    paid=billing == "commands", command_seconds=portal.settings.command_seconds,
                )  # fmt: skip
            except Refusal as refused:
                command.error = str(refused.code)
                raise

        batch = Batch(run_command, lambda refusal: error_body(refusal, portal.settings.zero_code))
        result = batch.run(params)
        portal.log.execute(call)
        times = timer.end(len(call.commands) * portal.settings.command_seconds)
        if portal.settings.operating_shown:
            if billing == "batch":
                bill.add("batch", times["processing"])
            times["operating_reset_at"] = portal.operating.reset_at("batch", credential)
            times["operating"] = portal.operating.used("batch", credential)
        return json_answer({"result": result, "time": times}, batch.status)
