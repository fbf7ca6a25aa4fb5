"""How an application gets a token pair, and a connection gets the pair."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_bitrix24.authorize.install_callback import InstallCallback
from airflow_provider_bitrix24.authorize.questions import Draft, application_of
from airflow_provider_bitrix24.authorize.redirect import Redirected, read_redirect
from airflow_provider_bitrix24.authorize.terminal import NoAnswer, Terminal
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, ExpiredToken, RestError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.oauth.authorization import (
    DEFAULT_URL,
    OFFICIAL_HOSTS,
    AuthorizationServer,
    TokenResponse,
)
from airflow_provider_bitrix24.rest.oauth.tokens import Tokens
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from airflow_provider_bitrix24.rest.whoami import introduce

#: How long a code lives («Full OAuth 2.0 flow»).
CODE_SECONDS = 30


def sign_in(draft: Draft, terminal: Terminal) -> TokenResponse:
    """
    Let the person sign in, and exchange the code that comes of it; again and again until one is pasted in time.

    :raises ConfigurationError: the person signed in at another portal, or did not paste anything.
    :raises Bitrix24Error: the authorization server refuses the application, or cannot be asked.
    """
    refused: Bitrix24Error | None = None
    while True:
        state = secrets.token_urlsafe(18)
        query = urlencode({"client_id": draft.app.client_id, "state": state})
        terminal.say(
            "\nOpen this in a browser where you are signed in as the user that all calls shall run as:\n\n"
            f"    {draft.portal.address}/oauth/authorize/?{query}\n\n"
            "It leads to the application's own address, which need not load. Copy that whole address out of the\n"
            f"browser, and paste it here within {CODE_SECONDS} seconds. The code= in it alone will do."
        )
        shown_at = time.monotonic()
        try:
            redirected = _pasted(draft, state, terminal)
        except NoAnswer as nothing:
            raise refused or nothing from None
        waited_seconds = time.monotonic() - shown_at
        try:
            return _exchanged(draft, redirected)
        except Bitrix24Error as error:
            if not error.retryable and not _is_dead(error):
                raise
            refused = error
        if _is_dead(refused):
            refused.next_step = f"run this again, and paste a new code within {CODE_SECONDS} seconds"
            terminal.say(
                f"Too late, or used before: a code is good once, for {CODE_SECONDS} seconds, and it is "
                f"{waited_seconds:.0f} seconds since the address was shown. Once more."
            )
        else:
            terminal.say(f"{refused}. Once more, with a new code.")


def _pasted(draft: Draft, state: str, terminal: Terminal) -> Redirected:
    while True:
        pasted = terminal.ask_secret("Address or code (not shown)", otherwise="run this in a terminal, and paste it")
        try:
            redirected = read_redirect(pasted, state)
        except ConfigurationError as error:
            terminal.say(f"{error}.")
            continue
        host = (redirected.domain or draft.portal.host).partition(":")[0]
        if not draft.portal.allows(host):
            raise ConfigurationError(
                f"this address comes from the portal {host}, and {draft.portal.host} was to be signed in at",
                next_step=f"run this again and sign in there, or run it with --portal {host}",
            )
        return redirected


def _exchanged(draft: Draft, redirected: Redirected) -> TokenResponse:
    app = draft.app
    if app.oauth_url is None and redirected.server_domain in OFFICIAL_HOSTS:
        app = replace(app, oauth_url=f"https://{redirected.server_domain}/oauth/token/")
    granted = AuthorizationServer(draft.portal, app).exchange(redirected.code)
    return _of_the_same_portal(granted, redirected.member_id)


def take(callback: InstallCallback, draft: Draft) -> TokenResponse:
    """
    Exchange the pair of an installation callback for a new one, which shows that the client secret is right as well.

    :raises Bitrix24Error: the portal or the authorization server refuses it; the pair may be used up by then.
    """
    app = replace(draft.app, access_token=callback.access_token, refresh_token=callback.refresh_token)
    with contextlib.suppress(ExpiredToken):
        # What the portal refuses now it would refuse afterwards, when the callback is used up.
        check(replace(draft.portal, credentials=app))
    try:
        granted = AuthorizationServer(draft.portal, app).renew(callback.refresh_token, callback.server_endpoint)
    except RestError as error:
        if _is_dead(error):
            error.next_step = "the callback was used before, or is too old: install the application again, or sign in"
        raise
    return _of_the_same_portal(granted, callback.member_id)


def connection_with(granted: TokenResponse, draft: Draft) -> dict[str, Any]:
    """
    Return the whole connection, ``{"conn_type": "bitrix24", "host": "my.bitrix24.com", "extra": {…}}``.

    :raises ConfigurationError: the pair is for another portal.
    """
    draft.portal.at(granted.client_endpoint)
    extra = {**draft.extra, "refresh_token": granted.refresh_token, "access_token": granted.access_token}
    if granted.member_id:
        extra["member_id"] = granted.member_id
    server = AuthorizationServer(draft.portal, draft.app).trusted(granted.server_endpoint)
    host = urlsplit(server or DEFAULT_URL).netloc
    if draft.app.oauth_url is None and host != urlsplit(DEFAULT_URL).netloc:
        extra["oauth_url"] = f"https://{host}/oauth/token/"
    return {"conn_type": "bitrix24", "host": draft.portal.address.removeprefix("https://"), "extra": extra}


def portal_with(conn_id: str, connection: dict[str, Any]) -> Portal:
    """The portal of a whole connection, read as workers read it."""
    return portal_from_parts(conn_id, host=connection["host"], extra=connection["extra"])


def check(portal: Portal) -> str:
    """
    See that the portal takes the access token.

    :return: who calls, and what the application may do.
    :raises Bitrix24Error: the portal does not take it.
    """
    with Client(portal, tokens=Tokens(portal, application_of(portal), _NothingStored(), renews=False)) as client:
        works, told = introduce(client)
    if not works:
        raise ConfigurationError(told)
    return told


class _NothingStored:
    """A token store without tokens: the pair in the connection is the one to be seen at work."""

    def read(self, key: str) -> tuple[str | None, str]:
        return None, ""

    def write(self, key: str, text: str, version: str) -> bool:
        return False


def _is_dead(error: Bitrix24Error) -> bool:
    """Whether the code or the refresh token is what was refused."""
    return (error.code or "").lower() == "invalid_grant"


def _of_the_same_portal(granted: TokenResponse, member_id: str | None) -> TokenResponse:
    if member_id and granted.member_id and granted.member_id != member_id:
        raise ConfigurationError(
            f"the authorization server answers for another portal (member_id {granted.member_id}) than the one that "
            f"sent the code or the callback ({member_id})",
            next_step="see that --oauth-url, if it is needed at all, belongs to this portal",
        )
    return granted
