"""Lists that are interrupted with requests under way: those are waited for, and nothing more is sent."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import TaskStopped
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from tests.rest.clients import Watched, portal_at, request_threads
from tests.rest.hostile import Hostile, client_of_hostile
from tests.rest.lists.test_id_ranges import DEALS, honest, read

LISTED = honest(range(1, 60_001))


def interrupt(client: Client) -> None:
    """As Ctrl-C and the timeout of a task do: an exception in the main thread, wherever it is."""
    _thread.interrupt_main()


@pytest.mark.parametrize(("stop", "error"), [(interrupt, KeyboardInterrupt), (Client.stop, TaskStopped)])
def test_an_interrupted_list_ends_with_the_answers_that_are_under_way(
    stop: Callable[[Client], None], error: type[BaseException], each_parallel: int
) -> None:
    seen: list[int] = []
    at: list[float] = []

    def spoil(body: dict[str, Any], method: str) -> None:
        if len(portal.asked) == 5:
            seen.append(len(portal.asked))
            at.append(time.monotonic())
            stop(client)

    with Hostile(LISTED, spoil=spoil, seconds=lambda under_way: 0.2) as portal, client_of_hostile(portal) as client:
        rows = client.list(DEALS)
        with pytest.raises(error):
            read(rows)
        # An answer takes 0.2 s.
        assert time.monotonic() - at[0] < 0.2 + 1.5
        assert request_threads() == 0
        # The portal counts an answer off after it has sent it.
        while portal.under_way:
            time.sleep(0.01)
        assert not rows.report.complete
        # Those that were on their way, and no other.
        assert len(portal.asked) <= seen[0] + each_parallel


@pytest.mark.parametrize("burst", [1.0, 2.0, 4.0])
def test_a_list_that_waits_for_the_bucket_ends_at_once(burst: float) -> None:
    """In the task's own thread, in that of a request, or for a place beside others."""
    scarce = Bucket(rate=0.05, burst=burst)
    with (
        Hostile(LISTED) as portal,
        Client(portal_at(portal, bucket=scarce), bucket=LocalBucket()) as client,
    ):
        began = time.monotonic()
        # A real signal: only that wakes a thread that waits.
        threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            read(client.list(DEALS))
        assert time.monotonic() - began < 1.5 + 2.5
        assert request_threads() == 0
        assert len(portal.asked) <= burst


def test_a_list_that_is_dropped_gives_its_permits_back() -> None:
    bucket = Watched()
    with Hostile(LISTED, seconds=lambda under_way: 0.1) as portal, client_of_hostile(portal, store=bucket) as client:
        rows = client.list(DEALS)
        for _ in range(3_000):
            next(rows)
        assert bucket.permits > 0
        del rows
        assert bucket.permits == 0
