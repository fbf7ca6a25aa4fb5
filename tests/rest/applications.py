"""Clients of applications for tests: as ``clients.py``, with a token pair and a store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.oauth.file_token_store import version_of
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.rest.oauth.token_stores import TokenStore
from airflow_provider_bitrix24.rest.portal import OAuthApp
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps

__all__ = ["RENEWED_AGAIN", "MemoryStore", "application_client", "errors_of"]

#: What the message about a refresh token that is not accepted tells a person to run.
RENEWED_AGAIN = "python -m airflow_provider_bitrix24.authorize"


class MemoryStore:
    """A store of this process that notes what is done with it."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.written: list[str] = []
        self.reads = 0
        self.before_write: Callable[[str], object] = lambda key: None
        self._lock = threading.Lock()

    def read(self, key: str) -> tuple[str | None, str]:
        self.reads += 1
        text = self.texts.get(key)
        return text, version_of(text)

    def write(self, key: str, text: str, version: str) -> bool:
        self.before_write(key)
        with self._lock:
            if version_of(self.texts.get(key)) != version:
                return False
            self.texts[key] = text
            self.written.append(key)
            return True

    @property
    def pairs(self) -> list[str]:
        """Texts of all stored pairs."""
        return [text for key, text in self.texts.items() if "__seed_" in key]


def application_client(
    connection: dict[str, Any],
    store: TokenStore,
    naps: Naps | None = None,
    **options: Any,
) -> Client:
    """A client of a connection as ``portal.oauth_connection()`` gives it."""
    extra = {"rate": 1e9, "burst": 1e9, "timeout": 10, **connection["extra"]}
    portal = portal_from_parts("test", **{**connection, "extra": extra})
    assert isinstance(portal.credentials, OAuthApp)
    naps = naps or Naps()
    tokens = Tokens(portal, portal.credentials, store, clock=naps.now, sleep=naps, **options)
    return Client(
        portal, tokens=tokens, bucket=LocalBucket(naps.monotonic), sleep=naps, clock=naps.now, jitter=lambda: 1.0
    )


def errors_of(portal: Sandbox, method: str) -> list[str | None]:
    """The error code that the portal answered to each call of a method; None for a success."""
    return [call.error for call in portal.calls if call.method == method]
