"""One HTTP exchange over real connections: what happened on the wire, and that nothing secret is said about it."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from airflow_provider_bitrix24 import __version__
from airflow_provider_bitrix24.exceptions import AnswerLost, NotSent, TransportError
from airflow_provider_bitrix24.rest.portal import Portal, Webhook
from airflow_provider_bitrix24.rest.transport import Answer, Transport
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.server import unused_port
from tests.secrecy import assert_untold
from tests.wire import JSON_TRUE, ForwardProxy, RawServer, Talk, answer, chunked, read_request

#: Odd on purpose: its percent-encoded form differs.
CODE = "s3cr3t c0de+12345"
PROXY_PASSWORD = "pr0xy p@ss"
QUOTED_PASSWORD = "pr0xy%20p%40ss"


@pytest.fixture(scope="module")
def portal() -> Iterator[Sandbox]:
    with Sandbox(deals=3, code=CODE) as portal:
        yield portal


@pytest.fixture(autouse=True)
def fresh(portal: Sandbox) -> Iterator[None]:
    portal.reset_calls()
    yield
    portal.clear_faults()


@pytest.fixture(autouse=True)
def nothing_secret_is_said(all_output: Any) -> Iterator[None]:
    yield
    for secret in (CODE, PROXY_PASSWORD):
        assert_untold(secret, all_output)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """A certificate authority and its file."""
    ca, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def tls_of(ca: trustme.CA, *names: str, **dates: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **dates).configure_cert(context)
    return context


def settings(port: int, **more: Any) -> Portal:
    return Portal(
        **{"host": "127.0.0.1", "port": port, "credentials": Webhook("1", CODE), "timeout_seconds": 10.0, **more}
    )


def sandbox_settings(portal: Sandbox, **more: Any) -> Portal:
    return settings(portal.port, **{"verify": portal.ca_file, **more})


def plain(server: RawServer, **more: Any) -> Portal:
    return settings(server.port, scheme="http", **more)


def post(portal: Portal, method: str = "server.time", **more: Any) -> Answer:
    with Transport(portal) as transport:
        return transport.post(method, b"{}", request_id="r-1", **more)


def failure_of(portal: Portal, all_output: Any, kind: type[TransportError]) -> Any:
    """What a call raises, which says nothing secret and leads to no error of a library."""
    with pytest.raises(TransportError) as caught:
        post(portal)
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert (error.method, error.request_id) == ("server.time", "r-1")
    for secret in (CODE, PROXY_PASSWORD):
        assert_untold(secret, all_output, error)
    return error


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
        chunked(JSON_TRUE[:5], JSON_TRUE[5:]),
        answer(JSON_TRUE, "Connection: close"),
    ],
    ids=["gzip", "deflate", "chunked", "connection closed after it"],
)
def test_an_answer_is_read_in_whatever_way_it_is_sent(sent):
    with RawServer(says(sent)) as server:
        assert post(plain(server)).body == JSON_TRUE


def says(*answers: bytes) -> Talk:
    """One answer per request; after the last one the connection is closed."""

    def talk(connection: Any) -> None:
        for one in answers:
            read_request(connection)
            connection.sendall(one)

    return talk


def test_a_redirect_is_handed_on_and_not_followed(portal):
    portal.fault("redirect", location="https://example.com/rest/x")
    got = post(sandbox_settings(portal))
    assert (got.status, got.location) == (302, "https://example.com/rest/x")
    assert portal.requests == 1
    assert post(sandbox_settings(portal)).location is None


# Connections that end


def test_a_kept_connection_that_the_portal_closed_meanwhile_is_opened_anew():
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
    assert error.retryable
    assert error.ran == "no"


def test_a_host_name_that_nobody_knows(all_output):
    host = ".".join(["nobody-has-such-a-long-name"] * 10)
    error = failure_of(settings(443, host=f"{host}.invalid"), all_output, NotSent)
    assert "cannot be resolved: look at the connection's host" in str(error)
    assert error.retryable


def resets(connection: Any) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LOST: dict[str, tuple[Talk, str]] = {
    "reset": (resets, "reset before the answer"),
    "closed after the request": (says(b""), "closed before the answer"),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "closed before the answer"),
    "closed within the first line": (says(b"HTTP/1"), "closed before the answer"),
    "closed within the body": (says(answer(JSON_TRUE, length=100)), "the answer broke off"),
    "closed within a chunk": (says(chunked(b"x" * 50)[:-20]), "the answer broke off"),
    "closed between chunks": (says(chunked(b"x" * 50, ends=False)), "the answer broke off"),
    "no chunk where one must be": (says(chunked(b"x", ends=False) + b"zz\r\n"), "the answer broke off"),
    "no gzip where the head says so": (says(answer(b"plain", "Content-Encoding: gzip")), "the answer broke off"),
}


@pytest.mark.parametrize(("talk", "what"), LOST.values(), ids=LOST.keys())
def test_an_answer_that_breaks_off_is_lost(talk, what, all_output):
    with RawServer(talk) as server:
        error = failure_of(plain(server), all_output, AnswerLost)
    assert what in str(error)
    assert error.retryable
    assert error.ran == "unknown"


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
    assert "no answer within 0.2 s" in str(error)


def test_chunks_that_drip_in_for_ever_are_given_up(all_output):
    def talk(connection: Any) -> None:
        read_request(connection)
        connection.sendall(chunked(b" ", ends=False))
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"1\r\n \r\n")
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
        chunked(*[b" " * 65536] * 17),
        answer(b" " * (MIB + 1), length=10**15),
    ],
    ids=["plain", "gzip bomb", "chunked", "of a petabyte"],
)
def test_an_answer_above_the_limit_is_not_read(sent, all_output):
    with RawServer(says(sent)) as server:
        error = failure_of(plain(server, max_response_mib=1), all_output, AnswerLost)
    assert "the answer is larger than 1 MiB: ask for fewer fields, or raise the extra max_response_mib" in str(error)
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


# Certificates


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_the_named_authority_is_trusted(host, authority):
    ca, ca_file = authority
    with RawServer(says(answer()), tls_of(ca, "localhost", "127.0.0.1")) as server:
        assert post(settings(server.port, host=host, verify=ca_file)).body == JSON_TRUE
        assert server.served_names == ["localhost" if host == "localhost" else None]


@pytest.mark.parametrize(
    ("names", "dates", "verify", "why"),
    [
        (["localhost"], {}, True, "self-signed certificate|unable to get local issuer certificate"),
        (["localhost"], {}, None, "self-signed certificate|unable to get local issuer certificate"),
        (["localhost"], {}, certifi.where(), "self-signed certificate|unable to get local issuer certificate"),
        (["other.example.com"], {}, "ours", "Hostname mismatch"),
        (
            ["localhost"],
            {"not_after": datetime.now(timezone.utc) - timedelta(days=1)},
            "ours",
            "certificate has expired",
        ),
    ],
    ids=["unknown authority", "unknown, by default", "another authority", "another name", "expired"],
)
def test_a_certificate_that_is_not_trusted_gets_no_request(names, dates, verify, why, authority, all_output):
    ca, ca_file = authority
    heard: list[str] = []
    with RawServer(lambda connection: heard.append(read_request(connection)), tls_of(ca, *names, **dates)) as server:
        portal = settings(server.port, host="localhost", verify=ca_file if verify == "ours" else verify)
        error = failure_of(portal, all_output, NotSent)
    assert re.search(rf"the certificate of localhost:\d+ is not trusted \((.*{why}.*)\)", error.reason)
    assert "set the extra verify to the file of your certificate authority" in error.next_step
    assert not error.retryable
    assert heard == []


def test_verify_false_takes_any_certificate(authority):
    with RawServer(says(answer()), tls_of(authority[0], "other.example.com")) as server:
        assert post(settings(server.port, verify=False)).body == JSON_TRUE


def test_a_file_without_certificates_gets_no_request(portal, all_output, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    error = failure_of(sandbox_settings(portal, verify=str(tmp_path / "ca.pem")), all_output, NotSent)
    assert "no certificate or crl found" in str(error)
    assert "the extra verify" in str(error)
    assert portal.requests == 0


def test_a_portal_that_does_not_speak_tls(all_output):
    def talk(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(answer(b"no TLS here", status=400))

    with RawServer(talk) as server:
        error = failure_of(settings(server.port, host="localhost"), all_output, NotSent)
    assert re.search(r"no TLS connection to localhost:\d+ \(wrong version number\): look at the .* port", str(error))


# The environment, and extras that beat it


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_without_the_extra_the_environment_names_the_authorities(name, portal, monkeypatch):
    monkeypatch.setenv(name, portal.ca_file)
    assert post(sandbox_settings(portal, verify=None)).status == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_extra_verify_beats_the_environment(name, portal, monkeypatch, all_output):
    monkeypatch.setenv(name, portal.ca_file)
    failure_of(sandbox_settings(portal, verify=True), all_output, NotSent)
    monkeypatch.setenv(name, certifi.where())
    assert post(sandbox_settings(portal, verify=portal.ca_file)).status == 200
    assert post(sandbox_settings(portal, verify=False)).status == 200


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_without_the_extra_the_environment_names_the_proxy(name, portal, monkeypatch):
    with ForwardProxy() as proxy:
        monkeypatch.setenv(name, f"http://{proxy.address}")
        assert post(sandbox_settings(portal)).status == 200
    assert [asked.rpartition(" ")[0] for asked in proxy.asked] == [f"CONNECT 127.0.0.1:{portal.port}"]


def test_no_proxy_of_the_environment_is_heeded(portal, monkeypatch):
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert post(sandbox_settings(portal)).status == 200
    assert proxy.asked == []


def test_the_extra_proxy_beats_the_environment(portal, monkeypatch):
    with ForwardProxy() as ours, ForwardProxy() as theirs:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{theirs.address}")
        monkeypatch.setenv("NO_PROXY", "*")
        assert post(sandbox_settings(portal, proxy=f"http://{ours.address}")).status == 200
    assert (len(ours.asked), theirs.asked) == (1, [])


def test_netrc_adds_no_authorization(portal, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(sandbox_settings(portal))
    assert "authorization" not in portal.calls[0].headers


# Proxies


def through(proxy: ForwardProxy, password: str = QUOTED_PASSWORD) -> str:
    return f"http://me:{password}@{proxy.address}"


def test_a_proxy_that_asks_for_a_password_gets_it_and_the_portal_does_not(portal):
    before = portal.connections
    with ForwardProxy(PROXY_PASSWORD) as proxy, Transport(sandbox_settings(portal, proxy=through(proxy))) as transport:
        for _ in range(3):
            assert transport.post("server.time", b"{}", request_id="r").status == 200
    assert len(proxy.asked) == 1
    assert portal.connections - before == 1
    assert not any("proxy-authorization" in call.headers for call in portal.calls)


def test_a_portal_without_tls_is_reached_through_a_proxy():
    with Sandbox(deals=1, code=CODE, tls=False) as portal, ForwardProxy(PROXY_PASSWORD) as proxy:
        assert post(settings(portal.port, scheme="http", proxy=through(proxy))).status == 200
        assert portal.calls[0].error is None
    assert proxy.asked[0].startswith(f"POST http://127.0.0.1:{portal_port(proxy)}")


def portal_port(proxy: ForwardProxy) -> str:
    match = re.search(r"127\.0\.0\.1:(\d+)", proxy.asked[0])
    assert match
    return match[1]


PROXIES: dict[str, tuple[Callable[[], ForwardProxy], str]] = {
    "wrong password": (lambda: ForwardProxy("another"), "407"),
    "refusing": (lambda: ForwardProxy(PROXY_PASSWORD, refuses=403), "403"),
    "broken": (lambda: ForwardProxy(PROXY_PASSWORD, refuses=502), "502"),
}


@pytest.mark.parametrize(("make", "status"), PROXIES.values(), ids=PROXIES.keys())
def test_a_proxy_that_lets_nothing_through_is_named_and_nothing_was_sent(make, status, portal, all_output):
    with make() as proxy:
        error = failure_of(sandbox_settings(portal, proxy=through(proxy)), all_output, NotSent)
    assert f"no way to 127.0.0.1:{portal.port} through the proxy" in str(error)
    assert status in str(error)
    assert "look at the extra proxy" in error.next_step
    assert portal.requests == 0


def test_a_proxy_that_is_not_there(portal, all_output):
    address = f"http://me:{QUOTED_PASSWORD}@127.0.0.1:{unused_port()}"
    error = failure_of(sandbox_settings(portal, proxy=address), all_output, NotSent)
    assert "through the proxy (connection refused)" in str(error)


def test_a_certificate_is_checked_behind_a_proxy_too(portal, all_output):
    with ForwardProxy() as proxy:
        portal_settings = replace(sandbox_settings(portal, proxy=f"http://{proxy.address}"), verify=True)
        error = failure_of(portal_settings, all_output, NotSent)
    assert "is not trusted" in str(error)
    assert portal.requests == 0


# What is said


def test_the_loggers_of_the_http_library_are_heard_and_know_no_secret(portal, all_output):
    post(sandbox_settings(portal))
    assert '"POST /rest/server.time HTTP/1.1" 200' in all_output.records


def test_nothing_that_is_printed_of_a_transport_holds_a_secret(portal):
    transport = Transport(sandbox_settings(portal, proxy=f"http://me:{QUOTED_PASSWORD}@127.0.0.1:1"))
    printed = f"{transport!r} {transport.portal!r}"
    transport.close()
    assert not [one for one in (CODE, "s3cr3t", "pr0xy") if one in printed]


def test_the_file_of_the_authority_may_be_a_folder_too(portal, tmp_path):
    name = f"{_hash_of(Path(portal.ca_file))}.0"
    (tmp_path / name).write_bytes(Path(portal.ca_file).read_bytes())
    assert post(sandbox_settings(portal, verify=str(tmp_path))).status == 200


def _hash_of(ca_file: Path) -> str:
    """The name under which OpenSSL looks for a certificate in a folder."""
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(ca_file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
