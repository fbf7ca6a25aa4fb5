"""From an Airflow connection, read once, to plain data and to a client."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_bitrix24._compat import mask_secret
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.metrics import AirflowMeter
from airflow_provider_bitrix24.hooks.token_store import VariableTokenStore
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.oauth.file_token_store import FileTokenStore
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.rest.oauth.token_stores import RedisTokenStore, TokenStore, token_store
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts

#: ``ask_airflow(function, *arguments)`` runs a function that talks to Airflow, and returns its result.
AskAirflow = Callable[..., Any]

#: Airflow's masker would hide shorter texts in ordinary words as well.
_SHORTEST_MASKED = 5
#: Types that a Bitrix24 connection may have: Airflow takes ``https`` from an address that is pasted as a whole.
_OUR_TYPES = frozenset({"bitrix24", "generic", "http", "https", ""})


def portal_from(connection: Any, name: str) -> Portal:
    """
    Read a connection, and register its secrets with Airflow's masker.

    :param name: the id the user knows it by; Airflow's connection test runs under a random one.
    :raises ConfigurationError: a part is missing or wrong; the message names it.
    """
    try:
        portal = _read(connection, name)
    except ConfigurationError as error:
        if str(connection.conn_type or "").lower() in _OUR_TYPES:
            raise
        # The connection may be for another service. Its type is not shown: it may be part of what was pasted.
        raise error.but(advice="(its type is not bitrix24; is it the right connection?)") from None
    for secret in portal.secrets():
        mask(secret)
    return portal


def _read(connection: Any, name: str) -> Portal:
    return portal_from_parts(
        name,
        conn_type=connection.conn_type,
        host=connection.host,
        schema=connection.schema,
        login=connection.login,
        password=connection.password,
        port=connection.port,
        extra=_extra(connection, name),
    )


def client_for(
    portal: Portal,
    name: str,
    *,
    renews: bool = True,
    ask_airflow: AskAirflow | None = None,
    variables: type[TokenStore] = VariableTokenStore,
    **options: Any,
) -> Client:
    """
    Make the client of a portal; of an application, with its token store.

    :param name: the connection's id, for messages.
    :param renews: False where nothing may be stored, as in a connection test.
    :param ask_airflow: how to call Airflow from the thread that calls the client; None calls it directly.
    :param variables: how Airflow's variables are reached, where they are the token store.
    :raises ConfigurationError: the extra ``limiter`` or ``token_store`` cannot be used.
    """
    meter = AirflowMeter() if portal.metrics else None
    try:
        return _client(portal, renews, ask_airflow, variables, {"meter": meter, **options})
    except ConfigurationError as error:
        raise ConfigurationError(f"connection {name!r}: {error.reason}", next_step=error.next_step) from None


def _client(
    portal: Portal,
    renews: bool,
    ask_airflow: AskAirflow | None,
    variables: type[TokenStore],
    options: Mapping[str, Any],
) -> Client:
    app = portal.credentials
    if not isinstance(app, OAuthApp):
        return Client(portal, **options)
    store, on_secret = token_store(app.token_store, variables), mask
    if ask_airflow is not None:
        on_secret = partial(ask_airflow, mask)
        # Any other store may ask Airflow for something, such as a connection.
        if not isinstance(store, (FileTokenStore, RedisTokenStore)):
            store = ForwardingTokenStore(store, ask_airflow)
    return Client(portal, tokens=Tokens(portal, app, store, renews=renews, on_secret=on_secret), **options)


class ForwardingTokenStore:
    """A token store whose methods run where ``ask_airflow`` runs them."""

    def __init__(self, store: TokenStore, ask_airflow: AskAirflow) -> None:
        self._store, self._ask_airflow = store, ask_airflow

    def read(self, key: str) -> tuple[str | None, str]:
        stored: tuple[str | None, str] = self._ask_airflow(self._store.read, key)
        return stored

    def write(self, key: str, text: str, version: str) -> bool:
        return bool(self._ask_airflow(self._store.write, key, text, version))


def mask(secret: str) -> None:
    """
    Register a secret with Airflow's masker.

    Airflow masks exact texts only, so the form that a secret has in an address is registered too.
    """
    for spelling in {secret, quote(secret, safe="")}:
        if len(spelling) >= _SHORTEST_MASKED:
            mask_secret(spelling)


def _extra(connection: Any, name: str) -> dict[str, Any]:
    try:
        extra = json.loads(connection.extra) if connection.extra else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(
            f"connection {name!r}: Extra is not a JSON object", next_step='write e.g. {"timeout": 75} or leave it empty'
        )
    return extra
