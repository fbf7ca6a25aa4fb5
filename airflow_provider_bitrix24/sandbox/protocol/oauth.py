"""
The authorization server: the page where a person signs in, the endpoint where pairs are made, and who a token is.

Source: Bitrix24 REST docs, "OAuth 2.0". The pages give no statuses; those here are of RFC 6749, 5.2.
"""

from __future__ import annotations

import dataclasses
import html
import secrets
from typing import Any
from urllib.parse import urlencode

from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal
from airflow_provider_bitrix24.sandbox.protocol.answers import HTML_TYPE, Answer, html_answer, json_answer
from airflow_provider_bitrix24.sandbox.protocol.fault_answers import as_refusal, in_place, spoiled
from airflow_provider_bitrix24.sandbox.protocol.http_request import HttpRequest, params_of
from airflow_provider_bitrix24.sandbox.state.applications import Application
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.faults import Fault
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_PAGE = "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>\n"


def token_of(params: Params, headers: dict[str, str]) -> str | None:
    """The access token of a call: ``auth``, ``access_token`` or a Bearer header; ``None`` without one."""
    for name in ("auth", "access_token"):
        if name in params:
            return str(params[name])
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else headers.get("authorization")


def user_of(portal: PortalState, token: str) -> User:
    """
    The user for whom a token was made, with the application.

    :raises Refusal: unknown, too old, or of a user who may not log in.
    """
    status = portal.settings.auth_status
    access = next(
        (application.access_tokens[token] for application in portal.applications.values()
         if token in application.access_tokens), None,
    )  # fmt: skip
    if access is None:
        raise Refusal("invalid_token", "Unable to get application by token", status)
    if not access.application.installed:
        raise Refusal("APPLICATION_NOT_FOUND", "Application not found", status)
    if portal.clock.now() >= access.expires_at:
        raise Refusal("expired_token", "The access token provided has expired.", 401)
    if not access.user.active:
        raise Refusal("authorization_error", "Unable to authorize user", status)
    return dataclasses.replace(access.user, application=access.application)


class AuthorizationServer:
    """Answers requests under ``/oauth/`` one at a time; the caller holds the portal's lock."""

    def __init__(self, portal: PortalState) -> None:
        self._portal = portal

    def answer(self, request: HttpRequest) -> tuple[Answer, Fault | None]:
        """The answer, and the fault that strikes it on its way. Never raises."""
        params = params_of(request)
        call = Call(
            method=request.path.strip("/"),
            params=params,
            at=self._portal.clock.now(),
            connection=request.connection,
            verb=request.verb,
            headers=request.headers,
            path=request.path,
            query=request.query,
        )
        self._portal.log.receive(call)
        fault = self._portal.faults.for_request(call.method)
        try:
            answer = self._answer_of(call, params, fault)
        except Refusal as refusal:
            answer = _refused(refusal, call)
        call.status = None if fault is not None and fault.is_silent else answer.status
        return answer, fault

    def _answer_of(self, call: Call, params: Params, fault: Fault | None) -> Answer:
        if fault is not None:
            refusal = as_refusal(fault, self._portal)
            if refusal is not None:
                raise refusal
            if not fault.runs_first:
                return in_place(fault)
        try:
            answer = self._page_or_pair(call, params)
        except Refusal as refused:
            answer = _refused(refused, call)
        return answer if fault is None else spoiled(answer, fault)

    def _page_or_pair(self, call: Call, params: Params) -> Answer:
        if call.method == "oauth/authorize":
            return self._authorize(call, params)
        if call.method == "oauth/token":
            return self._token(call, params)
        return html_answer(404)

    def _authorize(self, call: Call, params: Params) -> Answer:
        application = self._portal.applications.get(str(params.get("client_id")))
        if application is None or not application.installed:
            # Nothing is sent to the redirect address: only the person sees it.
            return _page(404, "Application not found", "There is no such application at this portal.")
        call.user_id = application.user.id
        self._portal.log.execute(call)
        back = {
            "code": application.authorize_code(),
            "state": str(params.get("state", "")),
            "domain": self._portal.host,
            "member_id": self._portal.member_id,
            "scope": ",".join(sorted(application.scopes)),
            "server_domain": self._portal.host,
        }
        if application.redirect_to is None:
            return _page(200, "Access granted", f"Your code, good for 30 seconds: <code>{back['code']}</code>")
        separator = "&" if "?" in application.redirect_to else "?"
        location = f"{application.redirect_to}{separator}{urlencode(back)}"
        return Answer(302, b"", HTML_TYPE, {"location": location})

    def _token(self, call: Call, params: Params) -> Answer:
        application = self._client(params)
        grant_type = params.get("grant_type")
        pair: dict[str, Any] | None
        if grant_type == "authorization_code":
            pair = application.exchange(str(params.get("code")))
        elif grant_type == "refresh_token":
            pair = application.renew(str(params.get("refresh_token")))
        else:
            raise Refusal("invalid_request", "Unknown grant type")
        if pair is None:
            raise Refusal("invalid_grant", "Invalid grant")
        call.user_id = pair.get("user_id")
        self._portal.log.execute(call)
        return json_answer(pair)

    def _client(self, params: Params) -> Application:
        """:raises Refusal: as live portals: a client id that nobody has is answered with 200."""
        for name in ("client_id", "client_secret", "grant_type"):
            if not params.get(name):
                raise Refusal("invalid_request", f"Required parameter is missing: {name}")
        application = self._portal.applications.get(str(params["client_id"]))
        if application is None:
            raise Refusal("wrong_client", "Wrong client", 200)
        secret = str(params["client_secret"]).encode()
        if not application.installed or not secrets.compare_digest(application.client_secret.encode(), secret):
            raise Refusal("invalid_client", "Invalid client", 401)
        return application


def _refused(refusal: Refusal, call: Call) -> Answer:
    call.error = str(refusal.code)
    return json_answer({"error": refusal.code, "error_description": refusal.description}, refusal.status)


def _page(status: int, title: str, text: str) -> Answer:
    return Answer(status, _PAGE.format(title=html.escape(title), text=text).encode(), HTML_TYPE)
