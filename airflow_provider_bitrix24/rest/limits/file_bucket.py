"""
The request bucket of a portal in a file that all processes of one user on one host share.

Containers, and systemd services with ``PrivateTmp``, have a temporary directory of their own and so count alone.
"""

from __future__ import annotations

import logging
import os
import random
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory

log = logging.getLogger(__name__)

#: Longest wait for the file's lock, which is held for microseconds: longer means that its holder is stopped.
LOCK_PATIENCE_SECONDS = 2.0

_STATE, _CHECKSUM = struct.Struct("<dd"), struct.Struct("<I")


class FileBucket:
    """
    A bucket that all processes of one user on one host share, in a file under a lock.

    When the file cannot be used, a warning is logged once and the process counts alone.

    :param name: name of the file.
    :param directory: made if missing, readable by this user alone; :func:`shared_directory` by default.
    :param clock: seconds, the same for all processes and never set back while the host runs. It may restart with
        the host, but then from 0.
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

    def take_permit(self, most: int) -> Callable[[], object] | None:
        # Each permit is a locked file, so that the kernel frees the permits of a process that dies.
        first = random.randrange(most) if most > 0 else 0  # noqa: S311 - spreads the tries, guards nothing
        for offset in range(most):
            permit = ExitStack()
            try:
                permit.enter_context(self._locked(f"{self._name}.permit{(first + offset) % most}", 0.0))
            except BlockingIOError:
                continue
            except OSError as error:
                self._warn(error)
                return self._alone.take_permit(most)
            return permit.close
        return None

    def _locked(
        self, name: str | None = None, patience_seconds: float = LOCK_PATIENCE_SECONDS
    ) -> AbstractContextManager[int]:
        directory = shared_directory() if self._directory is None else self._directory
        return locked_file(
            name or self._name, directory, patience_seconds=patience_seconds, private=True, sleep=self._sleep
        )

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
    """Read the level in the file, and its moment."""
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
