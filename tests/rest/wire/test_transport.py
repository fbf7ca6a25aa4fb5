"""One HTTP exchange over real connections: what happened on the wire, and that nothing secret is said about it."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_bitrix24 import __version__
from airflow_provider_bitrix24.exceptions import AnswerLost, NotSent
from airflow_provider_bitrix24.rest.wire.transport import Transport
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.web.server import unused_port
from tests.rest.exchanges import CODE, QUOTED_PASSWORD, failure_of, plain, post, sandbox_settings, says, settings
from tests.wire import JSON_TRUE, RawServer, Talk, answer, chunked, read_request

pytestmark = pytest.mark.usefixtures("nothing_odd_is_said")


@pytest.fixture
def portal(odd_portal: Sandbox) -> Sandbox:
    return odd_portal


# A good exchange


def test_a_call_is_one_post_with_the_heads_that_the_documentation_asks_for(portal):
    sent = post(sandbox_settings(portal), "server.time", headers={"Idempotency-Key": "k"})
    assert sent.status == 200
    assert b'"result"' in sent.body
    (call,) = portal.calls
    assert (call.verb, call.method, call.user_id, call.error) == ("POST", "server.time", 1, None)
    assert call.headers["content-type"] == "application/json"
    assert call.headers["accept"] == "application/json"
    assert call.headers["user-agent"] == f"airflow-provider-bitrix24/{__version__}"
    assert call.headers["x-request-id"] == "r-1"
    assert call.headers["idempotency-key"] == "k"
    assert not {"authorization", "cookie"} & set(call.headers)


def test_two_hundred_calls_go_over_one_connection(portal):
    before = portal.connections
    with Transport(sandbox_settings(portal)) as transport:
        for _ in range(200):
            assert transport.post("server.time", b"{}", request_id="r").status == 200
    assert (portal.requests, portal.connections - before) == (200, 1)


def test_threads_may_share_a_transport(portal):
    with Transport(sandbox_settings(portal)) as transport, ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: transport.post("server.time", b"{}", request_id="r"), range(40)):
            pass
    assert [call.error for call in portal.calls] == [None] * 40


def test_the_portals_cookies_are_not_kept():
    seen: list[str] = []

    def talk(connection: Any) -> None:
        while True:
            seen.append(read_request(connection))
            connection.sendall(answer(JSON_TRUE, "Set-Cookie: PHPSESSID=abc; path=/"))

    with RawServer(talk) as server, Transport(plain(server)) as transport:
        for _ in range(2):
            transport.post("profile", b"{}", request_id="r")
    assert len(seen) == 2
    assert server.connections == 1
    assert not any("cookie" in request.lower() for request in seen)


def test_the_code_stands_in_the_path_on_the_wire_and_nowhere_else():
    seen: list[str] = []

    def talk(connection: Any) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer())

    with RawServer(talk) as server:
        post(plain(server, folder="/intranet"), "crm.deal.list")
        post(plain(server), "tasks.task.list", version=3)
    first, second = (request.splitlines()[0] for request in seen)
    assert first == "POST /intranet/rest/1/s3cr3t%20c0de%2B12345/crm.deal.list HTTP/1.1"
    assert second == "POST /rest/api/1/s3cr3t%20c0de%2B12345/tasks.task.list HTTP/1.1"
    assert seen[0].count("s3cr3t") == 1


@pytest.mark.parametrize(
    "sent",
    [
        answer(gzip.compress(JSON_TRUE), "Content-Encoding: gzip"),
        answer(zlib.compress(JSON_TRUE), "Content-Encoding: deflate"),
        answer(zlib.compress(JSON_TRUE, wbits=-15), "Content-Encoding: deflate"),
        answer(gzip.compress(JSON_TRUE[:9]) + gzip.compress(JSON_TRUE[9:]) + bytes(512), "Content-Encoding: X-GZIP"),
        answer(JSON_TRUE, "Content-Encoding: identity"),
        chunked(JSON_TRUE[:5], JSON_TRUE[5:]),
        answer(JSON_TRUE, "Connection: close"),
    ],
    ids=["gzip", "deflate", "raw deflate", "gzip of two members", "identity", "chunked", "connection closed after it"],
)
def test_an_answer_is_read_in_whatever_way_it_is_sent(sent):
    with RawServer(says(sent)) as server:
        assert post(plain(server)).body == JSON_TRUE


def test_a_redirect_is_handed_on_and_not_followed(portal):
    portal.fault("redirect", location="https://example.com/rest/x")
    got = post(sandbox_settings(portal))
    assert (got.status, got.location) == (302, "https://example.com/rest/x")
    assert portal.requests == 1
    assert post(sandbox_settings(portal)).location is None


@pytest.mark.parametrize("location", ["https://[", "https://*", "http://a:99999/", "\xff", "javascript:x", "/"])
def test_a_redirect_is_handed_on_whatever_its_address(location):
    with RawServer(says(answer(b"", f"Location: {location}", status=302))) as server:
        got = post(plain(server))
    assert (got.status, got.location) == (302, location)


# Connections that end


def test_a_kept_connection_that_the_portal_closed_meanwhile_is_opened_again():
    with RawServer(says(answer())) as server, Transport(plain(server)) as transport:
        for _ in range(3):
            assert transport.post("server.time", b"{}", request_id="r").body == JSON_TRUE
            _closed_by(server)
    assert server.connections == 3


def _closed_by(server: RawServer) -> None:
    """Wait until the server has closed what it opened."""
    for thread in list(server._threads)[1:]:
        thread.join(5)


def test_nothing_listens_there(all_output):
    error = failure_of(settings(unused_port()), all_output, NotSent)
    assert re.search(r"no connection to 127\.0\.0\.1:\d+ \(connection refused\)", str(error))
    assert "check the connection's Portal (host) and Port" in error.next_step
    assert error.retryable
    assert error.ran == "no"


def test_a_host_name_that_nobody_knows(all_output):
    host = ".".join(["nobody-has-such-a-long-name"] * 10)
    error = failure_of(settings(443, host=f"{host}.invalid"), all_output, NotSent)
    assert "cannot be resolved: check the connection's Portal (host)" in str(error)
    assert error.retryable


@pytest.mark.parametrize("accepts", [False, True], ids=["no connection", "no TLS handshake"])
def test_a_portal_that_does_not_let_anybody_in_is_given_up_in_time(accepts, all_output):
    with socket.socket() as listener, socket.socket() as before:
        listener.bind(("127.0.0.1", 0))
        # Linux keeps one connection more than the backlog says, and leaves all others without an answer.
        listener.listen(1 if accepts else 0)
        if not accepts:
            before.connect(listener.getsockname())
        error = failure_of(settings(listener.getsockname()[1], timeout_seconds=0.3), all_output, NotSent)
    assert re.search(r"no connection to 127\.0\.0\.1:\d+ within 0\.3 s", str(error))
    assert error.retryable
    assert error.ran == "no"


def resets(connection: Any) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LOST: dict[str, tuple[Talk, str]] = {
    "reset": (resets, "reset before the answer"),
    "closed after the request": (says(b""), "closed before the answer"),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "closed before the answer"),
    "closed within the first line": (says(b"HTTP/1"), "closed before the answer"),
    "closed within the body": (says(answer(JSON_TRUE, length=100)), "the answer was cut off"),
    "closed within a chunk": (says(chunked(b"x" * 50)[:-20]), "the answer was cut off"),
    "closed between chunks": (says(chunked(b"x" * 50, ends=False)), "the answer was cut off"),
    "no chunk where one must be": (says(chunked(b"x", ends=False) + b"zz\r\n"), "the answer was cut off"),
    "a chunk of less than nothing": (says(chunked(b"x", ends=False) + b"-5\r\nabc"), "the answer was cut off"),
    "another protocol": (says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), "closed before the answer"),
    "interim answers without end": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200), "closed before the answer"),
    "closed within gzip": (
        says(answer(gzip.compress(JSON_TRUE)[:-12], "Content-Encoding: gzip")),
        "the answer was cut off",
    ),
    "no deflate where the head says so": (
        says(answer(b"\xff" * 40, "Content-Encoding: deflate")),
        "the answer was cut off",
    ),
    "no gzip where the head says so": (says(answer(b"plain", "Content-Encoding: gzip")), "the answer was cut off"),
}


@pytest.mark.parametrize(("talk", "what"), LOST.values(), ids=LOST.keys())
def test_an_answer_that_breaks_off_is_lost(talk, what, all_output):
    with RawServer(talk) as server:
        error = failure_of(plain(server), all_output, AnswerLost)
    assert what in str(error)
    assert error.retryable
    assert error.ran == "unknown"


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_an_interim_answer_is_not_taken_for_the_final_one(status):
    """The final one would be read as the answer to the next request."""
    interim = f"HTTP/1.1 {status}\r\nLink: </a.css>\r\n\r\n".encode()
    talk = says(*(interim * 2 + answer(b'{"result": %d}' % number) for number in (1, 2)))
    with RawServer(talk) as server, Transport(plain(server)) as transport:
        answers = [transport.post("server.time", b"{}", request_id="r") for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b'{"result": 1}'), (200, b'{"result": 2}')]
    assert server.connections == 1


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_reset_connection_proves_nothing(kind, portal, all_output):
    portal.fault(kind)
    error = failure_of(sandbox_settings(portal), all_output, AnswerLost)
    # OpenSSL tells a reset as an end without farewell.
    assert "the connection was closed before the answer" in str(error)
    assert error.ran == "unknown"


@pytest.mark.parametrize(
    ("kind", "options"), [("slow", {"seconds": 1.0}), ("drip", {"seconds": 0.02})], ids=["late", "dripping"]
)
def test_an_answer_that_takes_too_long_is_lost(kind, options, portal, all_output):
    portal.fault(kind, **options)
    error = failure_of(sandbox_settings(portal, timeout_seconds=0.2), all_output, AnswerLost)
    assert "no answer within 0.2 s: raise the extra `timeout`" in str(error)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (answer(b"", length=10**6), b" "),
        (chunked(b" ", ends=False), b"1\r\n \r\n"),
        (chunked(b" ", ends=False) + b"fffff\r\n", b" "),
    ],
    ids=["first line", "line of the head", "head", "interim answers", "body", "chunks", "chunk"],
)
def test_an_answer_that_drips_in_for_ever_is_given_up(begins, goes_on, all_output):
    def talk(connection: Any) -> None:
        read_request(connection)
        connection.sendall(begins)
        connection.settimeout(0.02)
        while True:
            connection.sendall(goes_on)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    with RawServer(talk) as server:
        error = failure_of(plain(server, timeout_seconds=0.2), all_output, AnswerLost)
    assert "no answer within 0.2 s" in str(error)


MIB = 1024 * 1024


@pytest.mark.parametrize(
    "sent",
    [
        answer(b" " * (MIB + 1)),
        answer(gzip.compress(b" " * 64 * MIB), "Content-Encoding: gzip"),
        answer(gzip.compress(b" " * MIB) * 64, "Content-Encoding: gzip"),
        answer(zlib.compress(b" " * 64 * MIB), "Content-Encoding: deflate"),
        answer(zlib.compress(b" " * 64 * MIB, wbits=-15), "Content-Encoding: deflate"),
        chunked(gzip.compress(b" " * 64 * MIB)).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1),
        chunked(*[b" " * 65536] * 17),
        answer(b" " * (MIB + 1), length=10**15),
        answer(b" " * (MIB + 1), "Location: /elsewhere", status=302, length=10**15),
    ],
    ids=[
        *("plain", "gzip bomb", "gzip bombs one after the other", "deflate bomb", "raw deflate bomb"),
        *("gzip bomb in chunks", "chunked"),
        "of a petabyte",
        "of a redirect",
    ],
)
def test_an_answer_above_the_limit_is_not_read(sent, all_output):
    with RawServer(says(sent)) as server:
        error = failure_of(plain(server, max_response_mib=1), all_output, AnswerLost)
    assert "the answer is larger than 1 MiB: ask for fewer fields, or raise the extra `max_response_mib`" in str(error)
    assert not error.retryable
    assert error.ran == "yes"


def test_the_connection_of_an_answer_that_is_not_read_to_its_end_is_closed():
    ended = threading.Event()

    def talk(connection: Any) -> None:
        read_request(connection)
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            connection.sendall(answer(b" " * 2 * MIB))
            connection.sendall(b" " * 64 * MIB)
            connection.recv(1)
        ended.set()

    with RawServer(talk) as server, Transport(plain(server, max_response_mib=1)) as transport:
        with pytest.raises(AnswerLost):
            transport.post("crm.deal.list", b"{}", request_id="r")
        assert ended.wait(3)


def test_an_answer_of_just_the_limit_is_read():
    with RawServer(says(answer(b" " * MIB))) as server:
        assert len(post(plain(server, max_response_mib=1)).body) == MIB


# What is said


def test_the_loggers_of_the_http_library_are_heard_and_know_no_secret(portal, all_output):
    post(sandbox_settings(portal))
    assert '"POST /rest/server.time HTTP/1.1" 200' in all_output.records


def test_nothing_that_is_printed_of_a_transport_holds_a_secret(portal):
    transport = Transport(sandbox_settings(portal, proxy=f"http://me:{QUOTED_PASSWORD}@127.0.0.1:1"))
    printed = f"{transport!r} {transport.portal!r}"
    transport.close()
    assert not [secret for secret in (CODE, "s3cr3t", "pr0xy") if secret in printed]
