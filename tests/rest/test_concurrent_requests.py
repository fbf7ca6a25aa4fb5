"""Room for requests beside others: who takes it has something to do first, and gives it back in any case."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest import concurrent_requests
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Watched, client_of, portal_at, request_threads


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


def test_no_two_requests_count_on_the_same_slot_of_the_bucket(portal: Sandbox) -> None:
    """Whether there is one is not asked, but the slot is taken, before anything is sent."""
    scarce = Bucket(rate=0.001, burst=3.0)
    with client_of(portal, portal_bucket=scarce) as client, client.concurrent() as requests:
        places = [requests.place(["server.time"]) for _ in range(4)]
        assert [place is not None for place in places] == [True, True, True, False]
        assert requests.is_held_back
        for place in filter(None, places):
            place.start(lambda: client.call("server.time"))
        requests.wait_for_all()
        assert portal.requests == 3


def test_requests_go_out_as_soon_as_the_bucket_gives_them() -> None:
    """Those under way take longer than that, and none of them has to be answered first."""
    rate, number = 20.0, 24
    with (
        Sandbox(deals=1, latency=0.6) as portal,
        Client(portal_at(portal, code=portal.admin.code, bucket=Bucket(rate, 2.0)), bucket=LocalBucket()) as client,
        client.concurrent() as requests,
    ):
        for _ in range(20):
            requests.start(lambda: client.call("server.time"), ["server.time"])
            requests.wait_for_all()
        portal.reset_calls()
        began = time.monotonic()
        left = number
        while left:
            if requests.start(lambda: client.call("server.time"), ["server.time"]):
                left -= 1
            else:
                requests.wait()
        requests.wait_for_all()
        # One after the other would take 14 seconds, and as many as were answered, one for each, 4.
        assert time.monotonic() - began < 0.6 + 1.5 * number / rate
        assert portal.requests == number


def test_a_portal_that_answers_at_once_is_asked_over_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in the caller's thread, once its first answer has come."""
    monkeypatch.setattr(concurrent_requests, "AT_ONCE_SECONDS", 0.5)
    bucket, begun = Watched(), []
    start = concurrent_requests.Place.start
    monkeypatch.setattr(concurrent_requests.Place, "start", lambda *given: begun.append(1) or start(*given))
    with Sandbox(deals=1) as portal, client_of(portal, bucket=bucket) as client:
        done = client.batch({number: ("crm.deal.get", {"id": 1}) for number in range(1_000)})
        assert len(done.all_results()) == 1_000
        assert portal.requests >= 20
    assert bucket.most_permits == 0
    assert len(begun) == 1


def test_a_portal_that_takes_its_time_soon_has_others_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent_requests, "AT_ONCE_SECONDS", 0.03)
    bucket = Watched()
    with Sandbox(deals=1, latency=0.3) as portal, client_of(portal, bucket=bucket) as client:
        client.batch({number: ("crm.deal.get", {"id": 1}) for number in range(1_000)})
    assert bucket.most_permits >= 3


def test_what_a_request_failed_with_holds_nothing_of_its_callers(portal: Sandbox) -> None:
    """Rows of answers would stay in memory with it, until the garbage of circles is collected."""
    with client_of(portal) as client, client.concurrent() as requests:
        future = requests.start(lambda: client.call("no.such.method"), ["no.such.method"])
        assert future is not None
        with pytest.raises(Bitrix24Error) as caught:
            requests.result(future)
        assert caught.value is not future.exception()
        failure = future.exception()
        trace = failure.__traceback__ if failure else None
        while trace is not None:
            assert trace.tb_frame.f_code.co_name != "test_what_a_request_failed_with_holds_nothing_of_its_callers"
            trace = trace.tb_next
