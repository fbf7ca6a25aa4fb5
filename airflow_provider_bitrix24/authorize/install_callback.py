"""Reading the request that an application without an interface gets once, when it is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.settings.extras import trimmed

EVENT = "ONAPPINSTALL"
_HINT = "paste the whole body of the POST to the application's initial installation path"


@dataclass(frozen=True, slots=True)
class InstallCallback:
    """
    The first token pair of an application, and its portal.

    The ``application_token`` of the callback is left out: only receivers of events need it.

    :param address: the portal, ``https://my.bitrix24.com``.
    :param server_endpoint: the authorization server, ``https://oauth.bitrix.info/rest/``.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    address: str
    member_id: str | None
    server_endpoint: str | None


def read_install_callback(text: str) -> InstallCallback:
    """
    Read the body of the request: form-encoded as it came, or as the JSON that many handlers log.

    :raises ConfigurationError: it is not such a request, it is of another event, or a part is missing.

    Source: Bitrix24 REST docs, "OnAppInstall" and "Installation callback".
    """
    event, auth = _fields(text.strip())
    if not event and not auth:
        raise ConfigurationError("this is not the body of an installation callback", next_step=_HINT)
    if event.upper() != EVENT:
        name = f"the event {event}" if re.fullmatch(r"\w{1,60}", event) else "no event"
        raise ConfigurationError(f"the callback is of {name}, not of {EVENT}", next_step=_HINT)
    for name in ("access_token", "refresh_token"):
        if not auth.get(name):
            raise ConfigurationError(f"the callback has no auth[{name}]", next_step=_HINT)
    return InstallCallback(
        access_token=auth["access_token"],
        refresh_token=auth["refresh_token"],
        address=_address(auth),
        member_id=auth.get("member_id"),
        server_endpoint=auth.get("server_endpoint"),
    )


def _fields(text: str) -> tuple[str, dict[str, str]]:
    """Return the event, and the texts under ``auth``."""
    body: Any
    if text.startswith("{"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        body = body if isinstance(body, dict) else {}
    else:
        body = {name: values[-1] for name, values in parse_qs(text).items()}
    nested = body.get("auth")
    auth = dict(nested) if isinstance(nested, Mapping) else {}
    auth |= {match[1]: value for name, value in body.items() if (match := re.fullmatch(r"auth\[(\w+)\]", name))}
    texts = {name: trimmed(value) for name, value in auth.items() if isinstance(value, str)}
    event = body.get("event")
    return event.strip() if isinstance(event, str) else "", {name: value for name, value in texts.items() if value}


def _address(auth: Mapping[str, str]) -> str:
    """Return the portal's address: the endpoint has port and folder, the domain only the host."""
    endpoint = auth.get("client_endpoint") or (f"https://{auth['domain']}/rest/" if auth.get("domain") else "")
    try:
        url = urlsplit(endpoint)
        usable = url.scheme == "https" and bool(url.hostname) and not url.username and (url.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            "the callback names no portal with https in auth[client_endpoint] or auth[domain]", next_step=_HINT
        )
    return f"https://{url.netloc}{url.path.partition('/rest')[0].rstrip('/')}"
