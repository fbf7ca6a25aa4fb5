"""The way to the portal: certificates, proxies, and what the environment says of them."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from airflow_provider_bitrix24.exceptions import NotSent
from airflow_provider_bitrix24.rest.wire.transport import Transport
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.web.server import unused_port
from tests.rest.exchanges import (
    CODE,
    PROXY_PASSWORD,
    QUOTED_PASSWORD,
    failure_of,
    post,
    sandbox_settings,
    says,
    settings,
)
from tests.wire import JSON_TRUE, ForwardProxy, RawServer, answer, read_request

pytestmark = pytest.mark.usefixtures("nothing_odd_is_said")


@pytest.fixture
def portal(odd_portal: Sandbox) -> Sandbox:
    return odd_portal


def tls_of(ca: trustme.CA, *names: str, **dates: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **dates).configure_cert(context)
    return context


# Certificates


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_the_named_authority_is_trusted(host, authority):
    ca, ca_file = authority
    with RawServer(says(answer()), tls_of(ca, "localhost", "127.0.0.1")) as server:
        assert post(settings(server.port, host=host, verify=ca_file)).body == JSON_TRUE
        assert server.served_names == ["localhost" if host == "localhost" else None]


@pytest.mark.parametrize(
    ("names", "dates", "verify", "why", "hint"),
    [
        (
            ["localhost"],
            {},
            True,
            "self-signed certificate|unable to get local issuer certificate",
            "set the extra `verify`",
        ),
        (
            ["localhost"],
            {},
            None,
            "self-signed certificate|unable to get local issuer certificate",
            "the extra `verify`",
        ),
        (
            ["localhost"],
            {},
            certifi.where(),
            "self-signed certificate|unable to get local issuer certificate",
            "the extra `verify`",
        ),
        (["other.example.com"], {}, "ours", "Hostname mismatch", "the connection's Portal (host)"),
        (
            ["localhost"],
            {"not_after": datetime.now(timezone.utc) - timedelta(days=1)},
            "ours",
            "certificate has expired",
            "renewed at the portal",
        ),
    ],
    ids=["unknown authority", "unknown, by default", "another authority", "another name", "expired"],
)
def test_a_certificate_that_is_not_trusted_gets_no_request(names, dates, verify, why, hint, authority, all_output):
    ca, ca_file = authority
    heard: list[str] = []
    with RawServer(lambda connection: heard.append(read_request(connection)), tls_of(ca, *names, **dates)) as server:
        portal = settings(server.port, host="localhost", verify=ca_file if verify == "ours" else verify)
        error = failure_of(portal, all_output, NotSent)
    assert re.search(rf"the certificate of localhost:\d+ is not trusted \((.*{why}.*)\)", error.reason)
    assert hint in error.next_step
    assert not error.retryable
    assert heard == []


def test_verify_false_takes_any_certificate(authority):
    with RawServer(says(answer()), tls_of(authority[0], "other.example.com")) as server:
        assert post(settings(server.port, verify=False)).body == JSON_TRUE


def test_a_file_without_certificates_gets_no_request(portal, all_output, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    error = failure_of(sandbox_settings(portal, verify=str(tmp_path / "ca.pem")), all_output, NotSent)
    assert f"the certificate authorities cannot be read from {tmp_path / 'ca.pem'}" in str(error)
    assert "the extra `verify`" in str(error)
    assert not error.retryable
    assert portal.requests == 0


def test_a_portal_that_does_not_speak_tls(all_output):
    def talk(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(answer(b"no TLS here", status=400))

    with RawServer(talk) as server:
        error = failure_of(settings(server.port, host="localhost"), all_output, NotSent)
    assert re.search(r"no TLS connection to localhost:\d+ \(wrong version number\): check the .* Port", str(error))


def test_the_file_of_the_authority_may_be_a_folder_too(portal, tmp_path):
    name = f"{_hash_of(Path(portal.ca_file))}.0"
    (tmp_path / name).write_bytes(Path(portal.ca_file).read_bytes())
    assert post(sandbox_settings(portal, verify=str(tmp_path))).status == 200


def _hash_of(ca_file: Path) -> str:
    """The name under which OpenSSL looks for a certificate in a folder."""
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(ca_file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# The environment, and extras that beat it


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_without_the_extra_the_environment_names_the_authorities(name, portal, monkeypatch):
    monkeypatch.setenv(name, portal.ca_file)
    assert post(sandbox_settings(portal, verify=None)).status == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("text", [None, "no certificate"], ids=["no file", "no certificates"])
def test_authorities_of_the_environment_that_cannot_be_read_are_named(
    text, name, portal, monkeypatch, all_output, tmp_path
):
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv(name, str(file))
    error = failure_of(sandbox_settings(portal, verify=None), all_output, NotSent)
    assert f"the certificate authorities cannot be read from {file}" in str(error)
    assert f"{name}" in error.next_step
    assert not error.retryable
    assert portal.requests == 0


@pytest.mark.parametrize("address", ["http://proxy..example.com:3128", "ftp://proxy.example.com:21", "http://:::"])
def test_a_proxy_of_the_environment_that_is_none_is_named(address, portal, monkeypatch, all_output):
    monkeypatch.setenv("HTTPS_PROXY", address)
    error = failure_of(sandbox_settings(portal), all_output, NotSent)
    assert error.reason == f"127.0.0.1:{portal.port} cannot be reached: the address of the proxy is not valid"
    assert "HTTPS_PROXY" in error.next_step
    assert not error.retryable


def test_a_socks_proxy_without_its_package_is_reported(portal, all_output):
    error = failure_of(
        sandbox_settings(portal, proxy=f"socks5h://me:{QUOTED_PASSWORD}@127.0.0.1:9"), all_output, NotSent
    )
    assert "needs the package PySocks" in error.reason
    assert error.next_step == "pip install pysocks"
    assert not error.retryable


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
    assert f"127.0.0.1:{portal.port} cannot be reached through the proxy" in str(error)
    assert status in str(error)
    assert "check the extra `proxy`" in error.next_step
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
