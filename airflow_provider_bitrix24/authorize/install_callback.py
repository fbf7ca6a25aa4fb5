"""Reading the one request that an application without pages gets when it is installed."""

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
_WHAT = "paste the whole body of the POST to the application's initial installation path"


@dataclass(frozen=True, slots=True)
class InstallCallback:
    """
    The first pair of an application, and where it holds.

    The ``application_token`` of the callback is left out: it only serves those who receive events.

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

    :raises ConfigurationError: it is no such request, of another event, or a part is missing.

    Source: Bitrix24 REST docs, «OnAppInstall» and «Installation callback».
    """
    event, auth = _fields(text.strip())
    if not event and not auth:
        raise ConfigurationError("this is not the body of an installation callback", next_step=_WHAT)
    if event.upper() != EVENT:
        said = f"the event {event}" if re.fullmatch(r"\w{1,60}", event) else "no event"
        raise ConfigurationError(f"the callback is of {said}, not of {EVENT}", next_step=_WHAT)
    for name in ("access_token", "refresh_token"):
        if not auth.get(name):
            raise ConfigurationError(f"the callback has no auth[{name}]", next_step=_WHAT)
    return InstallCallback(
        access_token=auth["access_token"],
        refresh_token=auth["refresh_token"],
        address=_address(auth),
        member_id=auth.get("member_id"),
        server_endpoint=auth.get("server_endpoint"),
    )


def _fields(text: str) -> tuple[str, dict[str, str]]:
    """The event, and what stands under ``auth``."""
    found: Any
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        found = found if isinstance(found, dict) else {}
    else:
        found = {name: values[-1] for name, values in parse_qs(text).items()}
    nested = found.get("auth")
    auth = dict(nested) if isinstance(nested, Mapping) else {}
    auth |= {match[1]: value for name, value in found.items() if (match := re.fullmatch(r"auth\[(\w+)\]", name))}
    texts = {name: trimmed(value) for name, value in auth.items() if isinstance(value, str)}
    event = found.get("event")
    return event.strip() if isinstance(event, str) else "", {name: value for name, value in texts.items() if value}


def _address(auth: Mapping[str, str]) -> str:
    """The portal: its endpoint knows port and folder, its domain only the host."""
    endpoint = auth.get("client_endpoint") or (f"https://{auth['domain']}/rest/" if auth.get("domain") else "")
    try:
        url = urlsplit(endpoint)
        usable = url.scheme == "https" and bool(url.hostname) and not url.username and (url.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            "the callback names no portal with https in auth[client_endpoint] or auth[domain]", next_step=_WHAT
        )
    return f"https://{url.netloc}{url.path.partition('/rest')[0].rstrip('/')}"
