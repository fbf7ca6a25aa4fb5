"""With which slot of the request bucket a request goes out: one that it waits for, or one that its thread was given."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_bitrix24.rest.limits.bucket import Bucket, BucketStore

T = TypeVar("T")

#: A request that goes out so much later than its slot is counted again. Most portals are connected to in less.
LATE_SECONDS = 0.5


class RequestSlots:
    """
    The slots of one client. May be used by threads.

    :param store: where the bucket is kept.
    """

    def __init__(self, store: BucketStore, bucket: Bucket) -> None:
        self._store, self._bucket = store, bucket
        self._thread = threading.local()

    def take_free(self) -> tuple[float | None, float]:
        """
        Take a slot that is free now, for :meth:`given_to`.

        :return: its moment, None where there is none; and the seconds until there is one.
        """
        seconds = self._store.reserve(self._bucket, 0.0)
        return (None if seconds > 0 else time.monotonic()), seconds

    def given_to(self, send: Callable[[], T], slot: float) -> T:
        """Run what sends requests: the first of them has its slot already, from this moment."""
        self._thread.slot = slot
        try:
            return send()
        finally:
            self._thread.slot = None

    def reserve(self, patience_seconds: float) -> float:
        """As of :class:`BucketStore`, for a request that this thread is about to send."""
        slot, self._thread.slot = getattr(self._thread, "slot", None), None
        seconds = self._store.reserve(self._bucket, patience_seconds) if slot is None else 0.0
        # A bucket that makes requests wait is not empty soon.
        self._thread.due = math.inf if seconds > 0 else time.monotonic() if slot is None else slot
        return seconds

    def sending(self) -> None:
        """
        Count the request of this thread from now on, if its connection or its turn on this computer took long.

        The portal counts a request when it comes. What has leaked out of an empty bucket since its slot was taken was
        not room for others.
        """
        if time.monotonic() - getattr(self._thread, "due", math.inf) > LATE_SECONDS:
            self._store.reserve(self._bucket, math.inf)
