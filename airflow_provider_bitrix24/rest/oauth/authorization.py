"""The authorization server: a code or a refresh token goes in, a token pair comes out."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, NotSent, ServerFault, TransportError
from airflow_provider_bitrix24.rest.answers.reply import read_error
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal
from airflow_provider_bitrix24.rest.scrub import scrubber
from airflow_provider_bitrix24.rest.wire.transport import Answer, Transport

log = logging.getLogger(__name__)

#: Hosts of Bitrix24's authorization servers (REST docs, "OAuth", and the official SDKs).
OFFICIAL_HOSTS = ("oauth.bitrix.info", "oauth.bitrix24.tech")
#: The documented address.
DEFAULT_URL = "https://oauth.bitrix.info/oauth/token/"
#: What errors of the authorization server carry as their ``method``.
METHOD = "oauth/token"
_NOT_A_SERVER = "what answered is not an authorization server; check the extra `oauth_url`"
_SCOPES = "tick the scopes in the application's card at the portal, then authorize the application again"
#: Hints by code, where the code of a method has another hint or none.
_HINTS = {
    "insufficient_scope": _SCOPES,
    "invalid_scope": _SCOPES,
    "invalid_request": "check the extras `client_id`, `client_secret` and `refresh_token` of the connection",
    # What a portal's REST answers to a request without method and webhook.
    "error_method_not_found": _NOT_A_SERVER,
    "no_auth_found": _NOT_A_SERVER,
    "invalid_credentials": _NOT_A_SERVER,
}


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """
    What the authorization server answers: a token pair, and whose it is.

    :param expires_in: seconds that the access token lives.
    :param client_endpoint: base of REST calls, ``https://my.bitrix24.com/rest/``.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float | None
    member_id: str | None
    user_id: str | None
    client_endpoint: str | None
    server_endpoint: str | None

    @classmethod
    def from_answer(cls, answer: Any) -> TokenResponse | None:
        """Read the answer; None where one of the two tokens is missing."""
        if not isinstance(answer, dict):
            return None
        texts = {name: _text(answer.get(name)) for name in ("access_token", "refresh_token")}
        if not all(texts.values()):
            return None
        try:
            expires_in = float(answer["expires_in"])
        except (KeyError, TypeError, ValueError, OverflowError):
            expires_in = None
        return cls(
            access_token=texts["access_token"] or "",
            refresh_token=texts["refresh_token"] or "",
            expires_in=expires_in,
            member_id=_text(answer.get("member_id")),
            user_id=_text(answer.get("user_id")),
            client_endpoint=_text(answer.get("client_endpoint")),
            server_endpoint=_text(answer.get("server_endpoint")),
        )


class AuthorizationServer:
    """
    Where an application gets its tokens.

    The secrets travel in the body of a POST, never in a URL, and only to the hosts that Bitrix24 names or the
    connection itself.
    """

    def __init__(self, portal: Portal, app: OAuthApp) -> None:
        self._portal, self._app = portal, app

    def renew(self, refresh_token: str, server_endpoint: str | None) -> TokenResponse:
        """
        Exchange a refresh token for a new pair. The old refresh token does not work any more afterwards.

        :raises NotSent: the server cannot be reached.
        :raises AnswerLost: its answer was lost: the pair may have been renewed.
        :raises RestError: the server refused; ``code`` is ``invalid_grant``, ``invalid_client``, ``PAYMENT_REQUIRED`` …
        """
        # A server that the connection names is the one that may be reached from here, whatever answers name.
        named = None if self._app.oauth_url else self.trusted(server_endpoint)
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token}, named)

    def exchange(self, code: str) -> TokenResponse:
        """Exchange the code of an authorization, which lives 30 seconds, for the first pair."""
        return self._ask({"grant_type": "authorization_code", "code": code}, None)

    def trusted(self, server_endpoint: str | None) -> str | None:
        """Return the server that an answer names, if secrets may be sent to it; None otherwise."""
        if not server_endpoint:
            return None
        try:
            url = urlsplit(server_endpoint)
            host, port = url.hostname, url.port
        except ValueError:
            return None
        named = urlsplit(self._app.oauth_url or DEFAULT_URL)
        allowed = {(official_host, None) for official_host in OFFICIAL_HOSTS} | {(named.hostname, named.port)}
        if url.scheme == "https" and not url.username and (host, None if port == 443 else port) in allowed:
            return server_endpoint
        log.warning("The authorization server names %s, which is not one of Bitrix24's servers; it is not used.", host)
        return None

    def _ask(self, fields: dict[str, str], server_endpoint: str | None) -> TokenResponse:
        url = self._app.oauth_url or DEFAULT_URL
        if server_endpoint:
            # An answer names the server's REST address; tokens are at another path of the same host.
            url = f"https://{urlsplit(server_endpoint).netloc}/oauth/token/"
        form = urlencode({"client_id": self._app.client_id, "client_secret": self._app.client_secret, **fields})
        scrub = scrubber([self._app.client_secret, *fields.values()])
        request_id = str(uuid.uuid4())
        target = urlsplit(url)
        server = replace(
            self._portal,
            host=target.hostname or "",
            port=target.port,
            scheme="https",
            # Tokens take a few hundred bytes.
            max_response_mib=1,
        )
        address_in = "the extra `oauth_url`" if self._app.oauth_url else None
        answer = self._send(server, url, form.encode(), address_in=address_in, request_id=request_id)
        try:
            # Tokens are ASCII: they must not be lost because a text beside them cannot be decoded.
            body = json.loads(answer.body.decode("utf-8-sig", errors="replace"))
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and "error" in body:
            error = read_error(body, method=METHOD, status=answer.status, request_id=request_id, scrub=scrub)
            raise error.but(next_step=_HINTS.get((error.code or "").lower(), error.next_step))
        response = TokenResponse.from_answer(body)
        if response is None:
            raise AnswerLost(
                f"HTTP {answer.status} without tokens from the authorization server {target.hostname}",
                method=METHOD,
                status=answer.status,
                request_id=request_id,
                next_step=f"check {address_in}" if address_in else "check what answers in its place, e.g. a proxy",
            )
        return response

    def _send(self, server: Portal, url: str, form: bytes, *, address_in: str | None, request_id: str) -> Answer:
        """
        Send a form; one of Bitrix24's servers is trusted by the usual authorities, or by the connection's file.

        A company's file holds the authority of its portal, or of a proxy that opens what leaves the company: only the
        second one signs for Bitrix24's servers too.
        """
        verify = self._portal.verify
        if server.host in OFFICIAL_HOSTS and verify is not None:
            server = replace(server, verify=True)
            if isinstance(verify, str):
                try:
                    return _post(server, url, form, address_in, request_id)
                except NotSent as error:
                    if not error.untrusted:
                        raise
                server = replace(server, verify=verify)
        return _post(server, url, form, address_in, request_id)


def _post(server: Portal, url: str, form: bytes, address_in: str | None, request_id: str) -> Answer:
    with Transport(server, secret_path="", address_in=address_in) as transport:
        return transport.exchange(
            url, form, content_type="application/x-www-form-urlencoded", what=METHOD, request_id=request_id
        )


def without_token(error: Bitrix24Error) -> Bitrix24Error:
    """Return a failure of the authorization server as it concerns the method that needed the token: it did not run."""
    if isinstance(error, (TransportError, ServerFault)):
        return NotSent(
            f"no token: {error.reason}",
            method=error.method,
            request_id=error.request_id,
            next_step=error.next_step,
            retryable=error.retryable,
        )
    return error


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None
