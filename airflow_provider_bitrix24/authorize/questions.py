"""What must be known before an application can be authorized: from options, an existing connection, or a person."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bitrix24.authorize.connections import ExistingConnection
from airflow_provider_bitrix24.authorize.install_callback import InstallCallback
from airflow_provider_bitrix24.authorize.terminal import Terminal
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from airflow_provider_bitrix24.rest.settings.extras import trimmed

#: Where the client secret may come from instead of a question. Not an option: all users can list processes.
SECRET_VARIABLE = "BITRIX24_CLIENT_SECRET"  # noqa: S105 - a name, not a secret
#: Extras of a connection that are not kept when it is replaced.
_REPLACED = frozenset({"webhook_url", "refresh_token", "access_token", "member_id"})
#: In place of what a connection must have and is not known yet.
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the options have answered already; None is taken from the existing connection, or asked of a person."""

    conn_id: str
    portal: str | None = None
    client_id: str | None = None
    verify: str | None = None
    oauth_url: str | None = None
    callback: InstallCallback | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A connection that lacks only its tokens.

    :param portal: where the application signs in; its credentials are ``app``.
    :param extra: the extras of the connection. Holds the client secret.
    """

    conn_id: str
    portal: Portal
    app: OAuthApp
    extra: Mapping[str, Any] = field(repr=False)


def ask_for(known: Answers, existing: ExistingConnection | None, terminal: Terminal) -> Draft:
    """
    Ask for whatever is missing.

    :param existing: the connection that will be replaced; its settings are kept, and its application is the default.
    :raises ConfigurationError: an option, an answer or a kept setting is wrong; the message names it.
    """
    before = dict(existing.extra) if existing else {}
    address = _portal(known, existing, terminal)
    client_id = _client_id(known, _text(before, "client_id"), terminal)
    is_the_same = client_id == _text(before, "client_id")
    extra = {
        **{name: value for name, value in before.items() if value is not None and name not in _REPLACED},
        "auth": "oauth",
        "client_id": client_id,
        "client_secret": _client_secret(_text(before, "client_secret") if is_the_same else None, terminal),
        **{name: value for name, value in (("verify", known.verify), ("oauth_url", known.oauth_url)) if value},
    }
    portal = portal_from_parts(known.conn_id, host=address, extra={**extra, "refresh_token": _UNKNOWN})
    app = replace(application_of(portal), refresh_token="")
    return Draft(known.conn_id, replace(portal, credentials=app), app, extra)


def application_of(portal: Portal) -> OAuthApp:
    """Return the application that calls a portal."""
    if not isinstance(portal.credentials, OAuthApp):
        raise TypeError("not an application's portal")
    return portal.credentials


def _portal(known: Answers, existing: ExistingConnection | None, terminal: Terminal) -> str:
    callback, allow_http = known.callback, existing.extra.get("allow_http") if existing else None
    text = known.portal or (callback.address if callback else None)
    if text is None:
        text = terminal.ask("Portal", otherwise="add --portal", default=_address_of(existing))
    if text.lower().startswith("http://") and not allow_http:
        raise ConfigurationError(
            "the portal's address begins with http://, which would send tokens unencrypted",
            next_step="write it with https://",
        )
    portal = _read_address(known.conn_id, allow_http, host=text)
    if callback and urlsplit(callback.address).hostname != portal.host:
        raise ConfigurationError(
            f"the callback comes from {callback.address}, but --portal names {portal.address}",
            next_step="leave --portal out",
        )
    return portal.address


def _address_of(existing: ExistingConnection | None) -> str | None:
    """Return the portal of a connection; None without a connection, and where it cannot be read."""
    if existing is None:
        return None
    try:
        return _read_address("", existing.extra.get("allow_http"), **existing.parts).address
    except ConfigurationError:
        return None


def _read_address(name: str, allow_http: Any, **parts: Any) -> Portal:
    """Read the address alone: whatever else was pasted with it, such as a webhook's code, is left out."""
    unknown = dict.fromkeys(("client_id", "client_secret", "refresh_token"), _UNKNOWN)
    return portal_from_parts(name, **parts, extra={"auth": "oauth", "allow_http": allow_http, **unknown})


def _client_id(known: Answers, before: str | None, terminal: Terminal) -> str:
    client_id = known.client_id or terminal.ask("client_id", otherwise="add --client-id", default=before)
    if not re.fullmatch(r"(local|app)\.[\w.]{1,100}", client_id):
        # Not shown: it may be the secret.
        raise ConfigurationError(
            "this is not a client_id",
            next_step='copy it from the application\'s card; it begins with "local." or "app."',
        )
    return client_id


def _client_secret(before: str | None, terminal: Terminal) -> str:
    secret = trimmed(os.environ.get(SECRET_VARIABLE)) or terminal.ask_secret(
        f"client_secret ({'not shown; Enter keeps the present one' if before else 'not shown'})",
        otherwise=f"set {SECRET_VARIABLE}",
        default=before,
    )
    if not re.fullmatch(r"[!-~]{4,200}", secret):
        raise ConfigurationError(
            "the client_secret has a character that is not allowed in one",
            next_step="copy it again from the application's card",
        )
    return secret


def _text(extra: Mapping[str, Any], key: str) -> str | None:
    value = extra.get(key)
    return trimmed(value) if isinstance(value, str) else None
