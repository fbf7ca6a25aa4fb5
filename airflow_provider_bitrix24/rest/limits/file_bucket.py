"""
Where the request bucket of a portal is kept, so that all who share a source address share it.

- All processes of one user on one host: a small file (:class:`FileBucket`). Containers, and systemd services with
  ``PrivateTmp``, have a temporary directory of their own and so count alone.
- Several hosts: Redis (:class:`~airflow_provider_bitrix24.rest.limits.redis_bucket.RedisBucket`).
- One process, where no directory is writable: :class:`LocalBucket`.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Protocol

from airflow_provider_bitrix24.rest.limits.bucket import Bucket

log = logging.getLogger(__name__)

#: Longest wait for the file's lock, which is held for microseconds: longer means that its holder is stopped.
LOCK_PATIENCE_SECONDS = 2.0

_STATE, _CHECKSUM = struct.Struct("<dd"), struct.Struct("<I")


class BucketStore(Protocol):
    """One portal's bucket. May be used by threads, and after a fork."""

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        """
        Take a slot, and return the seconds to wait before sending.

        A value above ``patience_seconds`` means that nothing was taken.
        """
        ...

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        """Tell all who share the bucket that the portal refused: it is full, and stays so for ``pause_seconds``."""
        ...


def bucket_store(portal_key: str, limiter: str | None = None) -> BucketStore:
    """
    Return the bucket of a portal; within one process, the same object for the same arguments.

    :param portal_key: what shares a bucket: the portal's host, and the proxy if requests leave through one. No secret.
    :param limiter: None or empty to share it on this host; a ``redis://`` or ``rediss://`` address to share it among
        hosts (the address may hold a password, which is never shown).
    :raises ConfigurationError: ``limiter`` is no such address, or the package ``redis`` is not installed.
    """
    return _bucket_store(portal_key.strip().lower(), (limiter or "").strip())


@lru_cache(maxsize=128)
def _bucket_store(portal_key: str, limiter: str) -> BucketStore:
    name = hashlib.sha256(portal_key.encode()).hexdigest()[:32]
    on_this_host = FileBucket(name)
    if not limiter:
        return on_this_host
    from airflow_provider_bitrix24.rest.limits.redis_bucket import RedisBucket

    return RedisBucket(limiter, f"airflow-provider-bitrix24:bucket:{name}", fallback=on_this_host)


# One lock for all, taken around every fork: a child never inherits it locked by a thread that it does not have.
_local_lock = threading.Lock()
os.register_at_fork(before=_local_lock.acquire, after_in_parent=_local_lock.release, after_in_child=_local_lock.release)


class LocalBucket:
    """A bucket that the threads of one process share."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._level, self._at = 0.0, 0.0

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        with _local_lock:
            level, at, wait_seconds = bucket.take(self._level, self._at, self._clock())
            if wait_seconds <= patience_seconds:
                self._level, self._at = level, at
        return wait_seconds

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        with _local_lock:
            self._level, self._at = bucket.fill(self._level, self._at, self._clock(), pause_seconds)


def shared_directory() -> str:
    """
    Return where this user's buckets are on this host.

    Not ``XDG_RUNTIME_DIR``: a login has one and a service has none, and they would count apart.
    """
    return os.path.join(tempfile.gettempdir(), f"airflow-provider-bitrix24-{os.geteuid()}")


class FileBucket:
    """
    A bucket that all processes of one user on one host share, in a file under ``flock``.

    The file is opened anew for each call: threads and forked children must not share an open file, because ``flock``
    does not keep them apart then, and a cleaner of temporary files may take it away at any time. The kernel frees the
    lock of a process that dies. When the file cannot be used, a warning is logged once and the process counts alone.

    :param name: name of the file.
    :param directory: made if missing, readable by this user alone; :func:`shared_directory` by default.
    :param clock: seconds, the same for all processes and never set back while the host runs. It may start anew when
        the host does, but then from 0.
    :param sleep: how to wait for the lock.
    """

    def __init__(
        self,
        name: str,
        directory: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._name, self._directory = name, directory
        self._clock, self._sleep = clock, sleep
        self._alone = LocalBucket(clock)
        self._warned = False

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        try:
            with self._locked() as file:
                now = self._clock()
                level, at, wait_seconds = bucket.take(*_read(file, bucket, now), now)
                if wait_seconds <= patience_seconds:
                    _write(file, level, at)
                return wait_seconds
        except OSError as error:
            self._warn(error)
            return self._alone.reserve(bucket, patience_seconds)

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        try:
            with self._locked() as file:
                now = self._clock()
                _write(file, *bucket.fill(*_read(file, bucket, now), now, pause_seconds))
        except OSError as error:
            self._warn(error)
            self._alone.report_full(bucket, pause_seconds)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        directory = _open_directory(shared_directory() if self._directory is None else self._directory)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._name, flags, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            self._lock(file)
            try:
                yield file
            finally:
                # Closing is not enough: a child forked meanwhile has the open file too, and would keep the lock.
                fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            os.close(file)

    def _lock(self, file: int) -> None:
        waited_seconds, pause_seconds = 0.0, 0.00005
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waited_seconds >= LOCK_PATIENCE_SECONDS:
                    raise
            self._sleep(pause_seconds)
            waited_seconds += pause_seconds
            pause_seconds = min(2 * pause_seconds, 0.005)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "The request bucket cannot be shared on this host (%s): this process counts alone, and several at once "
                "may be refused by the portal. Set TMPDIR to a directory that this user can write to, or the extra "
                "`limiter` to a redis:// address.",
                error,
            )


def _read(file: int, bucket: Bucket, now: float) -> tuple[float, float]:
    """The level in the file, and its moment."""
    content = os.pread(file, _STATE.size + _CHECKSUM.size, 0)
    if not content:
        return 0.0, now
    state, checksum = content[: _STATE.size], content[_STATE.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(state)):
        # Torn, or not ours: how much has been sent is not known, so nothing goes out at once.
        return bucket.burst, now
    level, at = _STATE.unpack(state)
    # A moment ahead of the clock is from before the host's last start, which was `now` seconds ago.
    return level, at if at <= now else 0.0


def _write(file: int, level: float, at: float) -> None:
    state = _STATE.pack(level, at)
    os.pwrite(file, state + _CHECKSUM.pack(zlib.crc32(state)), 0)


def _open_directory(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        directory = os.open(path, flags)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        directory = os.open(path, flags)
    try:
        found = os.fstat(directory)
        # Anybody may make a directory of this name in a shared place like /tmp.
        if found.st_uid != os.geteuid():
            raise PermissionError(None, f"{path} belongs to another user")
        if found.st_mode & 0o077:
            os.fchmod(directory, 0o700)
    except BaseException:
        os.close(directory)
        raise
    return directory
