"""
Where the token pair of an application is kept between renewals.

A renewal replaces the refresh token, and if the new pair is lost a person must authorize the application again. So a
store does two things only: it returns the text under a key with its version, and writes a text if the version is still
that one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.oauth.file_token_store import FileTokenStore
from airflow_provider_bitrix24.rest.redis_client import redis_client

#: Beginning of every key. It holds the word "token", by which Airflow hides values of variables.
KEY_PREFIX = "bitrix24_token__"
#: Most seconds to wait for Redis at each step: a pair that is not stored is lost.
REDIS_TIMEOUT_SECONDS = 10.0


class TokenStore(Protocol):
    """Keeps texts under keys. Many processes use one store; it must not show what it keeps."""

    def read(self, key: str) -> tuple[str | None, str]:
        """
        Return the text under a key, and its version; None, and any version, where there is none.

        :raises Exception: the store cannot be reached.
        """
        ...

    def write(self, key: str, text: str, version: str) -> bool:
        """
        Store a text durably if the version is still the one that was read; return whether it was stored.

        :raises Exception: the store cannot be written.
        """
        ...


class RedisTokenStore:
    """Redis, for workers on many hosts. It must be configured to keep its writes (``appendonly yes``)."""

    #: Compares and sets in one atomic step.
    _SCRIPT = """
        local stored = redis.call('GET', KEYS[1])
        if redis.sha1hex(stored or '') ~= ARGV[2] then return 0 end
        redis.call('SET', KEYS[1], ARGV[1])
        return 1
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = redis_client(url, extra="token_store", timeout_seconds=REDIS_TIMEOUT_SECONDS)
        self._swap: Any = self._redis.register_script(self._SCRIPT)

    def read(self, key: str) -> tuple[str | None, str]:
        stored: bytes | None = self._redis.get(key)
        version = hashlib.sha1(stored or b"", usedforsecurity=False).hexdigest()
        return None if stored is None else stored.decode(), version

    def write(self, key: str, text: str, version: str) -> bool:
        return bool(self._swap(keys=[key], args=[text, version]))


def token_store(address: str | None, default: Callable[[], TokenStore]) -> TokenStore:
    """
    Return the store that the extra ``token_store`` names.

    :param address: ``file:/path``, ``redis://…``, ``rediss://…``, the dotted path of a class, or None.
    :param default: makes the store where none is named.
    :raises ConfigurationError: it does not name a store.
    """
    if not address or address.lower() == "variable":
        return default()
    if address.startswith("file:"):
        path = address.removeprefix("file:")
        if not path.startswith("/") or path.endswith("/"):
            raise ConfigurationError(
                "the extra `token_store` does not name a file",
                next_step='write its whole path, e.g. "file:/var/lib/airflow/bitrix24-token.json"',
            )
        return FileTokenStore("/" + path.lstrip("/"))
    if address.startswith(("redis://", "rediss://")):
        return RedisTokenStore(address)
    return _custom_store(address)


def _custom_store(path: str) -> TokenStore:
    module, _, name = path.rpartition(".")
    store_class: Any = None
    with contextlib.suppress(ImportError, AttributeError, ValueError):
        store_class = getattr(import_module(module), name)
    methods = [getattr(store_class, method, None) for method in ("read", "write")]
    if not callable(store_class) or not all(callable(method) for method in methods):
        raise ConfigurationError(
            "the extra `token_store` does not name a store",
            next_step='write "variable", "file:/path", "redis://…" or the dotted path of a class that has read() and '
            "write() and takes no arguments",
        )
    store: TokenStore = store_class()
    return store
