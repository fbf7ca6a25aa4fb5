"""One request bucket for several hosts, in a real Redis server that can be away, slow, strict or encrypted."""

from __future__ import annotations

import logging
import multiprocessing
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import trustme

from airflow_provider_bitrix24.rest.limits.bucket import PLANS, Bucket
from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.limits.redis_bucket import RedisBucket
from tests.rest.redis_server import Server, forwarding_to, refused_port, tcp

BUCKET = PLANS["standard"]
#: Leaks so slowly that the time a test takes does not matter.
SLOW = Bucket(rate=1e-6, burst=3.0)
FOREVER = 1e9
PASSWORD = "s3cret/of#redis"


@pytest.fixture(scope="session")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(server_process: Server) -> Server:
    if server_process.process is None:
        server_process.start()
    server_process.client().flushall()
    return server_process


@pytest.fixture
def strict_server(server_process: Server) -> Iterator[Server]:
    server_process.stop()
    server_process.start("--requirepass", PASSWORD)
    yield server_process
    server_process.stop()


class HandClock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def alone() -> LocalBucket:
    """What counts when Redis is away, at a moment that does not pass."""
    return LocalBucket(HandClock())


def in_redis(server: Server, key: str = "bucket", **options: Callable[[], float]) -> RedisBucket:
    return RedisBucket(f"unix://localhost{server.socket}", key, alone(), **options)


def state(server: Server, key: str = "bucket") -> tuple[float, float]:
    level, at = server.client().hmget(key, "level", "at")
    return float(level), float(at)


def test_hosts_share_one_bucket_first_come_first_served(server: Server) -> None:
    one, two = in_redis(server), in_redis(server)
    assert [store.reserve(SLOW, FOREVER) for store in (one, two, one)] == [0.0] * 3
    waits = [store.reserve(SLOW, FOREVER) for store in (two, one, two)]
    assert waits == pytest.approx([1e6, 2e6, 3e6], rel=1e-4)


def test_portals_do_not_slow_each_other(server: Server) -> None:
    in_redis(server, "one").report_full(SLOW, 100.0)
    assert in_redis(server, "two").reserve(SLOW, 0.0) == 0.0


def test_a_wait_beyond_patience_takes_no_slot(server: Server) -> None:
    store = in_redis(server)
    for _ in range(3):
        store.reserve(SLOW, 0.0)
    before = state(server)
    assert store.reserve(SLOW, 30.0) == pytest.approx(1e6, rel=1e-4)
    assert state(server) == before


def test_a_refusal_that_one_host_met_slows_the_others(server: Server) -> None:
    fallback = alone()
    RedisBucket(f"unix://localhost{server.socket}", "bucket", fallback).report_full(BUCKET, 500.0)
    assert fallback.reserve(BUCKET, 0.0) == 0.0
    in_redis(server).report_full(BUCKET, 500.0)
    assert in_redis(server).reserve(BUCKET, FOREVER) == pytest.approx(500.5, abs=0.4)


def test_what_was_sent_under_other_limits_holds_nobody_up_for_hours(server: Server) -> None:
    in_redis(server).report_full(Bucket(rate=1000.0, burst=100_000.0), 0.0)
    assert in_redis(server).reserve(BUCKET, 30.0) == pytest.approx(650.5, abs=0.4)


def test_the_server_decides_exactly_as_the_arithmetic_does(server: Server) -> None:
    """The rule is written twice, here and in the server's language: they may not drift apart."""
    chance, store, client = random.Random(1), in_redis(server), server.client()
    for _ in range(300):
        bucket = Bucket(rate=chance.choice([0.1, 2.0, 5.0, 37.5]), burst=chance.choice([1.0, 7.5, 48.0, 245.0]))
        seconds, micros = client.time()
        level, at = chance.uniform(0, 300), seconds + micros / 1e6 - chance.choice([-3600, 0, 0.001, 1, 20, 100])
        client.hset("bucket", mapping={"level": repr(level), "at": repr(at)})
        if chance.random() < 0.2:
            store.report_full(bucket, 3.0)
            new_level, now = state(server)
            assert bucket.fill(level, at, now, 3.0) == (pytest.approx(new_level, abs=1e-9), now)
            continue
        wait_seconds = store.reserve(bucket, FOREVER)
        new_level, now = state(server)
        assert abs(now - (seconds + micros / 1e6)) < 1
        assert bucket.take(level, at, now) == (
            pytest.approx(new_level, abs=1e-9),
            now,
            pytest.approx(wait_seconds, abs=1e-9),
        )


def test_microseconds_are_kept(server: Server) -> None:
    in_redis(server).reserve(BUCKET, 0.0)
    _, at = state(server)
    assert abs(at - time.time()) < 5
    assert any(round(state(server)[1] * 1e6) % 1000 for _ in range(10) if in_redis(server).reserve(BUCKET, 0.0) == 0.0)


def test_the_key_is_gone_once_the_bucket_is_empty(server: Server) -> None:
    store = in_redis(server)
    for _ in range(10):
        store.reserve(BUCKET, 0.0)
    assert 5_500 <= server.client().pttl("bucket") <= 6_001


@pytest.mark.parametrize("spoiled", [{"level": "x", "at": "y"}, {"at": "5"}, {"level": "1"}, {"other": "1"}])
def test_a_spoiled_key_never_stops_us(server: Server, spoiled: dict[str, str]) -> None:
    server.client().hset("bucket", mapping=spoiled)
    assert in_redis(server).reserve(BUCKET, 30.0) <= 0.5
    assert state(server)[0] > 0


def test_four_hosts_together_use_all_of_the_bucket_and_never_more(server: Server) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(4), context.SimpleQueue()

    def work() -> None:
        store = in_redis(server)
        start.wait()
        results.put([time.monotonic() + store.reserve(BUCKET, FOREVER) for _ in range(45)])

    processes = [context.Process(target=work) for _ in range(4)]
    for process in processes:
        process.start()
    moments = sorted(moment for _ in processes for moment in results.get())
    for process in processes:
        process.join()

    assert len(moments) == 180
    best_seconds = (180 - 50) / 2
    assert best_seconds <= moments[-1] - moments[0] <= 1.05 * best_seconds
    for first in range(180 - 50):
        # Fifty-one requests never fit into less time than the portal needs to let one of them go.
        assert moments[first + 50] - moments[first] > 0.9


def test_a_store_made_before_a_fork_serves_parent_and_child(server: Server) -> None:
    store = in_redis(server)
    store.reserve(SLOW, 0.0)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=lambda: results.put([store.reserve(SLOW, 0.0) for _ in range(2)]))
    child.start()
    child.join()
    assert results.get() == [0.0, 0.0]
    assert store.reserve(SLOW, 0.0) == pytest.approx(1e6, rel=1e-4)


def test_a_redis_that_goes_away_slows_us_and_is_asked_again_after_half_a_minute(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = HandClock()
    store = RedisBucket(f"unix://localhost{server.socket}", "bucket", LocalBucket(clock), clock=clock)
    assert store.reserve(BUCKET, 30.0) == 0.0

    server.stop()
    # The burst may have been spent already: nothing goes out at once.
    assert [store.reserve(BUCKET, 30.0) for _ in range(3)] == [0.5, 1.0, 1.5]
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    server.start()
    clock.now += 29
    store.reserve(BUCKET, 30.0)
    assert not server.client().exists("bucket")

    clock.now += 2
    assert store.reserve(BUCKET, 30.0) == pytest.approx(0.5, abs=0.1)
    assert server.client().exists("bucket")
    server.client().delete("bucket")
    assert store.reserve(BUCKET, 30.0) == 0.0
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_redis_that_stays_away_is_warned_of_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    store = RedisBucket(f"redis://127.0.0.1:{refused_port()}/0", "bucket", LocalBucket(clock), clock=clock)
    for _ in range(10):
        store.reserve(BUCKET, 30.0)
        store.report_full(BUCKET)
        clock.now += 31
    assert len(caplog.records) == 1


def test_a_refusal_is_remembered_while_redis_is_away() -> None:
    clock = HandClock()
    store = RedisBucket(f"redis://127.0.0.1:{refused_port()}/0", "bucket", LocalBucket(clock), clock=clock)
    store.report_full(BUCKET, 8.0)
    assert store.reserve(BUCKET, 30.0) == 8.5


def test_a_restarted_redis_is_used_at_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    store = in_redis(server)
    store.reserve(SLOW, 0.0)
    server.stop()
    server.start()
    assert store.reserve(SLOW, 0.0) == 0.0
    assert state(server)[0] == 1.0
    assert not caplog.records


def test_a_kept_connection_that_dies_under_a_call_is_made_again(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    cut = threading.Event()

    with tcp(forwarding_to(server, cut=cut)) as port:
        store = RedisBucket(f"redis://127.0.0.1:{port}/0", "bucket", alone())
        store.reserve(SLOW, 0.0)
        cut.set()
        assert store.reserve(SLOW, 0.0) == 0.0
        assert not cut.is_set()
    assert state(server)[0] == pytest.approx(2.0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_redis_that_accepts_and_never_answers_does_not_hold_us_up(caplog: pytest.LogCaptureFixture) -> None:
    def say_nothing(near: socket.socket) -> None:
        while near.recv(65536):
            pass

    with tcp(say_nothing) as port:
        store = RedisBucket(f"redis://127.0.0.1:{port}/0", "bucket", alone(), timeout_seconds=0.02)
        began = time.monotonic()
        assert store.reserve(BUCKET, 30.0) == 0.5
        assert time.monotonic() - began < 2.0
    assert "TimeoutError" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda client: client.set("bucket", "text"), "WRONGTYPE"),
        (
            lambda client: client.execute_command("ACL", "SETUSER", "default", "-evalsha", "-eval"),
            "NOPERM|NoPermission",
        ),
        (lambda client: client.execute_command("REPLICAOF", "127.0.0.1", "1"), "READONLY|ReadOnly"),
    ],
    ids=["the key is something else", "scripts are not allowed", "a replica"],
)
def test_a_redis_that_refuses_slows_us_and_its_reason_is_reported(
    server: Server, caplog: pytest.LogCaptureFixture, spoil: Callable[[redis.Redis], object], named: str
) -> None:
    spoil(server.client())
    try:
        assert in_redis(server).reserve(BUCKET, 30.0) == 0.5
    finally:
        server.stop()
    [record] = caplog.records
    assert any(word in record.getMessage() for word in named.split("|"))


def quoted(password: str) -> str:
    return password.replace("/", "%2F").replace("#", "%23")


def test_a_password_is_sent_and_never_shown(strict_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with tcp(forwarding_to(strict_server)) as port:
        good = bucket_store("one.bitrix24.com", f"redis://:{quoted(PASSWORD)}@127.0.0.1:{port}/0")
        assert good.reserve(SLOW, 0.0) == 0.0
        assert repr(good) == f"RedisBucket(127.0.0.1:{port})"
        [key] = strict_server.client(password=PASSWORD).keys()
        assert key.startswith(b"airflow-provider-bitrix24:bucket:")
        assert b"one" not in key

        wrong = RedisBucket(f"redis://:{quoted(PASSWORD)}x@127.0.0.1:{port}/0", "bucket", alone())
        assert wrong.reserve(BUCKET, 30.0) == 0.5
    assert f"Redis at 127.0.0.1:{port}, which" in caplog.text
    assert "AuthenticationError" in caplog.text
    everything = [*(str(vars(record)) for record in caplog.records), caplog.text, repr(wrong)]
    assert "s3cret" not in "".join(everything)


def test_a_password_that_a_server_repeats_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    def parrot(near: socket.socket) -> None:
        while near.recv(65536):
            near.sendall(f"-ERR no entry for {PASSWORD} here\r\n".encode())

    with tcp(parrot) as port:
        store = RedisBucket(f"redis://:{quoted(PASSWORD)}@127.0.0.1:{port}/0", "bucket", alone())
        assert store.reserve(BUCKET, 30.0) == 0.5
    assert "no entry for *** here" in caplog.text


@pytest.mark.parametrize(
    "nonsense", [b"+OK\r\n", b"$-1\r\n", b"*1\r\n:1\r\n", b"$3\r\nnan\r\n", b"$3\r\ninf\r\n", b"$2\r\n-5\r\n"], ids=repr
)
def test_what_answers_in_the_place_of_redis_slows_us(nonsense: bytes, caplog: pytest.LogCaptureFixture) -> None:
    def serve(near: socket.socket) -> None:
        while asked := near.recv(65536):
            near.sendall(nonsense if b"EVAL" in asked else b"+OK\r\n" * asked.count(b"*"))

    with tcp(serve) as port:
        store = RedisBucket(f"redis://127.0.0.1:{port}/0?protocol=2", "bucket", alone())
        assert [store.reserve(BUCKET, 30.0) for _ in range(2)] == [0.5, 1.0]
    assert len(caplog.records) == 1


def test_an_encrypted_redis_is_used_and_an_untrusted_one_is_not(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def encrypt(near: socket.socket) -> socket.socket:
        return context.wrap_socket(near, server_side=True)

    with tcp(forwarding_to(server, encrypt)) as port:
        trusting = RedisBucket(
            f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}", "bucket", LocalBucket()
        )
        assert trusting.reserve(SLOW, 0.0) == 0.0
        assert state(server)[0] == 1.0
        assert not caplog.records

        wary = RedisBucket(f"rediss://127.0.0.1:{port}/0", "bucket", alone())
        assert wary.reserve(BUCKET, 30.0) == 0.5
        assert "certificate verify failed" in caplog.text
        assert state(server)[0] == 1.0


def test_a_host_name_that_cannot_be_one_slows_us(caplog: pytest.LogCaptureFixture) -> None:
    store = RedisBucket("redis://redis..invalid:6379/0", "bucket", alone())
    assert store.reserve(BUCKET, 30.0) == 0.5
    assert len(caplog.records) == 1
