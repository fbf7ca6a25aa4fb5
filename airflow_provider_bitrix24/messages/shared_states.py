"""What those who send to one destination share: a few lines of JSON, and whose turn it is to send."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory
from airflow_provider_bitrix24.rest.redis_client import redis_client

if TYPE_CHECKING:
    from redis import Redis

#: Longest wait for the lock, which is held for moments.
_LOCK_PATIENCE_SECONDS = 5.0
#: Redis does not see when a holder dies. A write of one that took longer than this is refused.
_LOCK_SECONDS = 5
#: How long one may take to send: a notifier's last request ends within 19 s.
SENDING_SECONDS = 20
#: Messages that nobody has sent are kept for so long.
_KEPT_SECONDS = 86_400
_REDIS_TIMEOUT_SECONDS = 1.0

_FREE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_WRITE = f"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', {_KEPT_SECONDS})
return 1
"""


class Content(Protocol):
    """The state, while it is locked."""

    def read(self) -> bytes: ...

    def write(self, content: bytes) -> None: ...


class SharedState(Protocol):
    """
    :param reach: who shares it, for messages.
    """

    reach: str

    def locked(self) -> AbstractContextManager[Content]:
        """
        Hold the state.

        :raises OSError: it cannot be used.
        """

    def sending(self) -> AbstractContextManager[object]:
        """
        Hold the turn to send.

        :raises BlockingIOError: it is another one's.
        """


def shared_states(key: str, limiter: str | None) -> list[SharedState]:
    """
    Return the states of a destination, that of all hosts first where the connection has a ``limiter``.

    :param key: what its messages have in common; no secret.
    """
    name = f"messages-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    among_hosts: list[SharedState] = [RedisState(name, limiter)] if limiter else []
    return [*among_hosts, FileState(name)]


class FileState:
    """
    A file of this host, whose locks end with their holder.

    :param directory: made if missing, readable by this user alone; that of the request bucket by default.
    """

    reach = "on this host"

    def __init__(self, name: str, directory: str | None = None) -> None:
        self._name, self._directory = name, directory or shared_directory()

    @contextmanager
    def locked(self) -> Iterator[Content]:
        with locked_file(
            self._name, self._directory, patience_seconds=_LOCK_PATIENCE_SECONDS, private=True
        ) as descriptor:
            yield _File(descriptor)

    def sending(self) -> AbstractContextManager[object]:
        return locked_file(f"{self._name}.sender", self._directory, patience_seconds=0.0, private=True)


class _File:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> bytes:
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def write(self, content: bytes) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


class RedisState:
    """
    Keys of the Redis server that shares the request bucket.

    One who dies while it sends keeps the turn for 20 seconds.

    :param url: as the connection's extra ``limiter``; the password never appears in messages.
    :raises ConfigurationError: the address cannot be used, or the package ``redis`` is not installed.
    """

    reach = "among hosts"

    def __init__(self, name: str, url: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._key, self._sleep = f"airflow-provider-bitrix24:{name}", sleep
        self._client: Redis = redis_client(url, extra="limiter", timeout_seconds=_REDIS_TIMEOUT_SECONDS)

    @contextmanager
    def locked(self) -> Iterator[Content]:
        with self._held("lock", _LOCK_SECONDS, _LOCK_PATIENCE_SECONDS) as token:
            yield _Keys(self, token)

    @contextmanager
    def sending(self) -> Iterator[None]:
        with self._held("sender", SENDING_SECONDS, 0.0):
            yield

    @contextmanager
    def _held(self, ending: str, seconds: int, patience_seconds: float) -> Iterator[str]:
        key, token, until = f"{self._key}:{ending}", secrets.token_hex(16), time.monotonic() + patience_seconds
        while not self.run(lambda: self._client.set(key, token, nx=True, ex=seconds)):
            if time.monotonic() >= until:
                raise BlockingIOError(f"another one holds {ending} in Redis")
            self._sleep(0.02)
        try:
            yield token
        finally:
            # It ends by itself.
            with suppress(OSError):
                self.run(lambda: self._client.eval(_FREE, 1, key, token))

    def read(self) -> bytes:
        return self.run(lambda: self._client.get(self._key)) or b""

    def write(self, token: str, content: bytes) -> None:
        if not self.run(lambda: self._client.eval(_WRITE, 2, f"{self._key}:lock", self._key, token, content)):
            raise OSError("the lock in Redis was held for too long")

    def run(self, ask: Callable[[], Any]) -> Any:
        """:raises OSError: Redis cannot be used; of its error only the kind, since the text may hold anything."""
        try:
            return ask()
        except Exception as error:
            # Of any kind: the package fails in many ways on what something else answers in the place of Redis.
            kind = type(error).__name__
        raise OSError(f"Redis, which the extra `limiter` names, cannot be used ({kind})")


class _Keys:
    def __init__(self, state: RedisState, token: str) -> None:
        self._state, self._token = state, token

    def read(self) -> bytes:
        return self._state.read()

    def write(self, content: bytes) -> None:
        self._state.write(self._token, content)
