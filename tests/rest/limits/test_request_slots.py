"""Slots of the request bucket, over the wire: a request that goes out late is counted when it goes out."""

from __future__ import annotations

import math
import ssl
import time
from typing import Any

import pytest
import trustme

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits import request_slots
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of, portal_at
from tests.rest.exchanges import says
from tests.wire import JSON_TRUE, RawServer, answer

BUCKET = Bucket(rate=100.0, burst=10.0)


class Counting(LocalBucket):
    """Counts the slots that are taken."""

    taken = 0

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        seconds = super().reserve(bucket, patience_seconds)
        self.taken += seconds <= patience_seconds
        return seconds


def test_a_request_whose_connection_took_long_is_counted_when_it_goes_out(authority: tuple[trustme.CA, str]) -> None:
    """The slot that it began with has leaked out of the bucket before the portal has seen anything of it."""
    ca, ca_file = authority
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    bucket = Counting()
    with RawServer(says(answer(JSON_TRUE)), tls) as server:
        tls.sni_callback = lambda *_: time.sleep(0.8)
        portal: Any = portal_at(_Address(server.port, ca_file), bucket=BUCKET)
        with Client(portal, bucket=bucket) as client:
            assert client.call("server.time") is True
    assert bucket.taken == 2


def test_a_request_that_waited_for_its_slot_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late it goes out: nothing has leaked out of the bucket that others could miss."""
    monkeypatch.setattr(request_slots, "LATE_SECONDS", -math.inf)
    bucket = Counting()
    with Sandbox(deals=1) as portal:
        full = Bucket(rate=20.0, burst=0.0)
        with client_of(portal, bucket=bucket, portal_bucket=full) as client:
            client.call("server.time")
        assert (bucket.taken, portal.requests) == (1, 1)
        with client_of(portal, bucket=bucket, portal_bucket=BUCKET) as client:
            client.call("server.time")
        assert (bucket.taken, portal.requests) == (3, 2)


class _Address:
    def __init__(self, port: int, ca_file: str) -> None:
        self.port, self.ca_file = port, ca_file


def test_a_request_takes_one_slot_alone_and_beside_others() -> None:
    bucket = Counting()
    with Sandbox(deals=1, latency=0.3) as portal, client_of(portal, bucket=bucket, portal_bucket=BUCKET) as client:
        client.call("server.time")
        with client.concurrent() as requests:
            for _ in range(3):
                requests.start(lambda: client.call("server.time"), ["server.time"])
            requests.wait_for_all()
        assert (bucket.taken, portal.requests) == (4, 4)


def test_a_slot_that_a_thread_was_given_serves_its_first_request_only() -> None:
    bucket = Counting()
    with Sandbox(deals=1) as portal, client_of(portal, bucket=bucket, portal_bucket=BUCKET) as client:
        with client.concurrent() as requests:
            requests.start(lambda: [client.call("server.time") for _ in range(3)], ["server.time"])
            requests.wait_for_all()
            requests.start(lambda: None, ["server.time"])
            requests.wait_for_all()
        client.call("server.time")
        # One was taken for what has sent nothing.
        assert (bucket.taken, portal.requests) == (5, 4)
