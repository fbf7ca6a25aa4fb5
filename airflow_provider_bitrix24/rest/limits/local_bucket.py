"""The request bucket of a portal in memory: shared by the threads of one process, and by nobody else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from airflow_provider_bitrix24.rest.limits.bucket import Bucket

# One lock for all, taken around every fork: a child never inherits it locked by a thread that it does not have.
_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class LocalBucket:
    """
    A bucket of one process.

    :param clock: seconds, never set back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._level, self._at = 0.0, 0.0
        self._permits = 0

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        with _lock:
            level, at, wait_seconds = bucket.take(self._level, self._at, self._clock())
            if wait_seconds <= patience_seconds:
                self._level, self._at = level, at
        return wait_seconds

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        with _lock:
            self._level, self._at = bucket.fill(self._level, self._at, self._clock(), pause_seconds)

    def take_permit(self, most: int) -> Callable[[], object] | None:
        with _lock:
            if self._permits >= most:
                return None
            self._permits += 1
        return self._free_permit

    def _free_permit(self) -> None:
        with _lock:
            self._permits -= 1
