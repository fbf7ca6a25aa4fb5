"""With which slot of the request bucket a request goes out: one that it waits for, or one that its thread was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_bitrix24.rest.limits.bucket import Bucket, BucketStore

T = TypeVar("T")


class RequestSlots:
    """
    The slots of one client. May be used by threads.

    :param store: where the bucket is kept.
    """

    def __init__(self, store: BucketStore) -> None:
        self._store = store
        self._given = threading.local()

    def take_free(self, bucket: Bucket) -> float:
        """
        Take a slot that is free now, for :meth:`given_to`.

        :return: the seconds until there is one; 0 where it was taken.
        """
        return self._store.reserve(bucket, 0.0)

    def given_to(self, send: Callable[[], T]) -> T:
        """Run what sends requests: the first of them has its slot already."""
        self._given.is_there = True
        try:
            return send()
        finally:
            self._given.is_there = False

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        """As of :class:`BucketStore`, for a request that this thread is about to send."""
        if getattr(self._given, "is_there", False):
            self._given.is_there = False
            return 0.0
        return self._store.reserve(bucket, patience_seconds)
