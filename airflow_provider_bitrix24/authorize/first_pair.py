"""The first token pair of an application: by signing in or from a callback, and the connection with it."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_bitrix24.authorize.install_callback import InstallCallback
from airflow_provider_bitrix24.authorize.questions import Draft, application_of
from airflow_provider_bitrix24.authorize.redirect import Redirect, read_redirect
from airflow_provider_bitrix24.authorize.terminal import NoAnswer, Terminal
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, ExpiredToken, RestError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.oauth.authorization import (
    DEFAULT_URL,
    OFFICIAL_HOSTS,
    AuthorizationServer,
    TokenResponse,
)
from airflow_provider_bitrix24.rest.oauth.signal_shield import termination_put_off
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from airflow_provider_bitrix24.rest.whoami import introduce

#: How long a code is valid (REST docs, "Full OAuth 2.0 flow").
CODE_SECONDS = 30


def sign_in(draft: Draft, terminal: Terminal, until_stored: contextlib.ExitStack) -> TokenResponse:
    """
    Let the person sign in, and exchange the code that comes of it; repeat until one is pasted in time.

    :param until_stored: gets what keeps the pair from being lost; the caller closes it once the pair is stored.
    :raises ConfigurationError: the person signed in at another portal, or pasted nothing.
    :raises Bitrix24Error: the authorization server refuses the application, or cannot be reached.
    """
    refused: Bitrix24Error | None = None
    while True:
        state = secrets.token_urlsafe(18)
        query = urlencode({"client_id": draft.app.client_id, "state": state})
        terminal.say(
            "\nOpen this in a browser that is signed in to the portal as the user whom all calls shall run as:\n\n"
            f"    {draft.portal.address}/oauth/authorize/?{query}\n\n"
            "The browser is sent on to the application's own address, which need not load. Copy that whole address\n"
            f"from the browser, and paste it here within {CODE_SECONDS} seconds. The value of code= alone is enough."
        )
        shown_at = time.monotonic()
        try:
            redirect = _pasted(draft, state, terminal)
        except NoAnswer as nothing:
            raise refused or nothing from None
        waited_seconds = time.monotonic() - shown_at
        try:
            until_stored.enter_context(termination_put_off())
            return _exchanged(draft, redirect)
        except Bitrix24Error as error:
            until_stored.close()
            if not error.retryable and not _is_invalid_grant(error):
                raise
            refused = error
        if _is_invalid_grant(refused):
            refused = refused.but(next_step=f"run this again, and paste a new code within {CODE_SECONDS} seconds")
            terminal.say(
                f"Too late, or used before: a code is valid once, for {CODE_SECONDS} seconds, and the address was "
                f"shown {waited_seconds:.0f} seconds ago. Try again."
            )
        else:
            terminal.say(f"{refused}. Try again with a new code.")


def _pasted(draft: Draft, state: str, terminal: Terminal) -> Redirect:
    while True:
        pasted = terminal.ask_secret("Address or code (not shown)", otherwise="run this in a terminal, and paste it")
        try:
            redirect = read_redirect(pasted, state)
        except ConfigurationError as error:
            terminal.say(f"{error}.")
            continue
        host = (redirect.domain or draft.portal.host).partition(":")[0]
        if not draft.portal.allows(host):
            raise ConfigurationError(
                f"this address comes from the portal {host}, but the portal to sign in to is {draft.portal.host}",
                next_step=f"run this again and sign in to that one, or run it with --portal {host}",
            )
        return redirect


def _exchanged(draft: Draft, redirect: Redirect) -> TokenResponse:
    app = draft.app
    if app.oauth_url is None and redirect.server_domain in OFFICIAL_HOSTS:
        app = replace(app, oauth_url=f"https://{redirect.server_domain}/oauth/token/")
    response = AuthorizationServer(draft.portal, app).exchange(redirect.code)
    return _checked(response, redirect.member_id)


def exchange_callback(callback: InstallCallback, draft: Draft, until_stored: contextlib.ExitStack) -> TokenResponse:
    """
    Exchange the pair of an installation callback for a new one, which also shows that the client secret is right.

    :param until_stored: see :func:`sign_in`.
    :raises Bitrix24Error: the portal or the authorization server refuses it; the pair may be used up by then.
    """
    app = replace(draft.app, access_token=callback.access_token, refresh_token=callback.refresh_token)
    with contextlib.suppress(ExpiredToken):
        # Before the exchange: what the portal refuses now it would refuse afterwards too, without a second try.
        check(replace(draft.portal, credentials=app))
    until_stored.enter_context(termination_put_off())
    try:
        response = AuthorizationServer(draft.portal, app).renew(callback.refresh_token, callback.server_endpoint)
    except RestError as error:
        refused = error
    else:
        return _checked(response, callback.member_id)
    if _is_invalid_grant(refused):
        hint = "the callback was used before, or is too old: install the application again, or sign in"
        refused = refused.but(next_step=hint)
    raise refused


def connection_with(response: TokenResponse, draft: Draft) -> dict[str, Any]:
    """
    Return the whole connection, ``{"conn_type": "bitrix24", "host": "my.bitrix24.com", "port": 443, "extra": {…}}``.

    :raises ConfigurationError: the pair is for another portal.
    """
    draft.portal.at(response.client_endpoint)
    extra = {**draft.extra, "refresh_token": response.refresh_token, "access_token": response.access_token}
    if response.member_id:
        extra["member_id"] = response.member_id
    server = AuthorizationServer(draft.portal, draft.app).trusted(response.server_endpoint)
    host = urlsplit(server or DEFAULT_URL).netloc
    if draft.app.oauth_url is None and host != urlsplit(DEFAULT_URL).netloc:
        extra["oauth_url"] = f"https://{host}/oauth/token/"
    host, port = draft.portal.address.removeprefix("https://"), draft.portal.effective_port
    return {"conn_type": "bitrix24", "host": host, "port": port, "extra": extra}


def portal_with(conn_id: str, connection: dict[str, Any]) -> Portal:
    """The portal of a whole connection, read as workers read it."""
    return portal_from_parts(conn_id, host=connection["host"], extra=connection["extra"])


def check(portal: Portal) -> str:
    """
    Check that the portal accepts the access token.

    :return: who calls, and what the application may do.
    :raises Bitrix24Error: the portal does not accept it.
    """
    with Client(portal, tokens=Tokens(portal, application_of(portal), _EmptyTokenStore(), renews=False)) as client:
        works, summary = introduce(client)
    if not works:
        raise ConfigurationError(summary)
    return summary


class _EmptyTokenStore:
    """A token store without tokens, so that the pair in the connection is the one that is used."""

    def read(self, key: str) -> tuple[str | None, str]:
        return None, ""

    def write(self, key: str, text: str, version: str) -> bool:
        return False


def _is_invalid_grant(error: Bitrix24Error) -> bool:
    """Whether the code or the refresh token was refused: used before, or too old."""
    return (error.code or "").lower() == "invalid_grant"


def _checked(response: TokenResponse, member_id: str | None) -> TokenResponse:
    if member_id and response.member_id and response.member_id != member_id:
        raise ConfigurationError(
            f"the authorization server answers for another portal (member_id {response.member_id}) than the one that "
            f"sent the code or the callback ({member_id})",
            next_step="check that --oauth-url, if it is needed at all, belongs to this portal",
        )
    return response
