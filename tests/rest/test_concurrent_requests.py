"""Room for requests beside others: who takes it has something to do first, and gives it back in any case."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Watched, client_of, request_threads


@pytest.fixture
def portal() -> Any:
    with Sandbox(deals=1) as portal:
        yield portal


def test_a_place_counts_before_anything_is_sent_and_is_given_back(portal: Sandbox) -> None:
    bucket = Watched()
    with client_of(portal, parallel=3, bucket=bucket) as client, client.concurrent() as requests:
        places = [requests.place(["user.get"]) for _ in range(4)]
        assert [place is not None for place in places] == [True, True, True, False]
        assert (requests.are_most, bucket.permits) == (True, 2)
        first = places[0]
        assert first is not None
        assert first.start(lambda: client.call("server.time")).result()
        requests.wait()
        assert not requests.are_most
    assert bucket.permits == 0
    assert portal.requests == 1


def test_calls_of_their_own_begin_with_four_whatever_the_client_has_found(portal: Sandbox) -> None:
    bucket = Watched()
    with client_of(portal, bucket=bucket) as client:
        client.batch({number: ("crm.deal.get", {"id": 1}) for number in range(1_000)})
        with client.concurrent() as requests:
            assert [requests.place(["user.get"]) is not None for _ in range(6)] == [True] * 4 + [False] * 2


def test_a_thread_is_waited_for_though_a_signal_came_while_it_was_started(portal: Sandbox) -> None:
    """The executor does not know of a thread whose start was interrupted."""
    released, is_done = threading.Event(), []

    def send() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(60)
        is_done.append(1)

    with client_of(portal) as client:
        requests = client.concurrent()
        threading.Timer(0.2, released.set).start()
        with suppress(KeyboardInterrupt):
            requests.start(send, ["user.get"])
            # Where the signal comes later than the start.
            released.wait(60)
            pytest.fail("no signal came")
        requests.close()
        assert is_done
        assert not request_threads()
