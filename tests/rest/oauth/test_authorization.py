"""The authorization server: where secrets may go, and what its answers are taken for."""

from __future__ import annotations

import json
import logging
import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
import trustme

from airflow_provider_bitrix24.exceptions import AnswerLost, ConfigurationError, NotSent, ServerFault, Unauthorized
from airflow_provider_bitrix24.rest.oauth.authorization import AuthorizationServer, TokenResponse, without_token
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from tests.rest.redis_server import tcp
from tests.wire import RawServer, answer, read_request


def server_of(connection, **extra):
    connection = {**connection, "extra": {**connection["extra"], **extra}}
    portal = portal_from_parts("test", **connection)
    return AuthorizationServer(portal, portal.credentials)


@contextmanager
def deaf_proxy():
    """A proxy that notes where it is asked to lead, and leads nowhere."""
    asked = []

    def serve(near: socket.socket) -> None:
        with near:
            asked.append(near.recv(65536))
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with tcp(serve) as port:
        yield f"http://127.0.0.1:{port}", asked


def test_a_code_is_exchanged_for_the_first_pair(portal):
    app = portal.application()
    granted = server_of(portal.oauth_connection(app)).exchange(app.authorize_code())
    assert app.valid_refresh_token({"refresh_token": granted.refresh_token})
    assert (granted.expires_in, granted.member_id, granted.user_id) == (3600.0, portal.member_id, None)
    (call,) = portal.calls
    assert (call.verb, call.query, call.params["grant_type"]) == ("POST", "", "authorization_code")


def test_a_code_that_is_too_old_is_refused_without_being_shown(portal):
    app = portal.application()
    code = app.authorize_code()
    portal.clock.advance(31)
    with pytest.raises(Unauthorized) as caught:
        server_of(portal.oauth_connection(app)).exchange(code)
    assert caught.value.code == "invalid_grant"
    assert code not in str(caught.value)


@pytest.mark.parametrize(
    ("server_endpoint", "asked"),
    [
        (None, "oauth.bitrix.info:443"),
        ("https://oauth.bitrix24.tech/rest/", "oauth.bitrix24.tech:443"),
        ("https://oauth.bitrix.info/rest/", "oauth.bitrix.info:443"),
        ("https://oauth.evil.example/rest/", "oauth.bitrix.info:443"),
        ("http://oauth.bitrix24.tech/rest/", "oauth.bitrix.info:443"),
        ("https://oauth.bitrix24.tech:8443/rest/", "oauth.bitrix.info:443"),
        ("https://name:word@oauth.bitrix24.tech/rest/", "oauth.bitrix.info:443"),
        ("https://oauth.bitrix24.tech.evil.example/", "oauth.bitrix.info:443"),
        ("https://[", "oauth.bitrix.info:443"),
    ],
)
def test_secrets_go_to_the_server_that_an_answer_names_only_if_it_is_one_of_bitrix24s(portal, server_endpoint, asked):
    with deaf_proxy() as (proxy, requests):
        server = server_of(portal.oauth_connection(), oauth_url=None, proxy=proxy)
        with pytest.raises(NotSent):
            server.renew("refresh", server_endpoint)
    assert [request.split()[:2] for request in requests] == [[b"CONNECT", asked.encode()]]


def test_a_server_of_the_users_own_may_be_named_in_an_answer_if_the_connection_names_it_too(portal):
    server = server_of(portal.oauth_connection())
    assert server.trusted(f"{portal.url}/rest/") == f"{portal.url}/rest/"
    assert server.trusted("https://127.0.0.1:1/rest/") is None
    assert server.trusted("https://oauth.bitrix24.tech/rest/") == "https://oauth.bitrix24.tech/rest/"
    assert server.trusted(None) is None


@pytest.mark.parametrize(
    "server_endpoint",
    [
        "https://oauth.bitrix.info/rest/",
        "https://oauth.bitrix24.tech/rest/",
        "https://oauth.egress.example/rest/",
        "https://oauth.egress.example:8443/rest/",
        None,
    ],
)
def test_the_server_that_the_connection_names_is_the_only_one_that_is_asked(portal, server_endpoint):
    with deaf_proxy() as (proxy, requests):
        server = server_of(portal.oauth_connection(), oauth_url="https://oauth.egress.example/own/", proxy=proxy)
        with pytest.raises(NotSent):
            server.renew("refresh", server_endpoint)
    assert [request.split()[:2] for request in requests] == [[b"CONNECT", b"oauth.egress.example:443"]]


PAIR = b'{"access_token": "new access", "refresh_token": "new refresh", "expires_in": 3600}'


@contextmanager
def opening_proxy(ca, name):
    """A proxy that opens what is sent through it, as companies have them, with a certificate for ``name``."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(tls)
    asked = []

    def talk(client):
        asked.append(read_request(client).split()[1])
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(ssl.SSLError), tls.wrap_socket(client, server_side=True) as opened:
            asked.append(read_request(opened).split()[1])
            opened.sendall(answer(PAIR))

    with RawServer(talk) as server:
        yield f"http://127.0.0.1:{server.port}", asked


@pytest.mark.parametrize("oauth_url", [None, "https://oauth.bitrix24.tech/", "https://oauth.example.com/"])
def test_the_companys_authority_is_trusted_for_the_authorization_server_too(portal, authority, oauth_url):
    ca, ca_file = authority
    host = oauth_url.split("/")[2] if oauth_url else "oauth.bitrix.info"
    with opening_proxy(ca, host) as (proxy, asked):
        server = server_of(portal.oauth_connection(), oauth_url=oauth_url, proxy=proxy, verify=ca_file)
        assert server.renew("refresh", None).access_token == "new access"
    assert [line for line in asked if line.startswith("/")] == ["/oauth/token/"]


@pytest.mark.parametrize("oauth_url", [None, "https://oauth.bitrix24.tech/", "https://oauth.example.com/"])
def test_an_authority_that_is_missing_in_the_companys_file_is_to_be_added_to_it(portal, authority, oauth_url, tmp_path):
    company_file = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(str(company_file))
    host = oauth_url.split("/")[2] if oauth_url else "oauth.bitrix.info"
    with opening_proxy(authority[0], host) as (proxy, asked):
        server = server_of(portal.oauth_connection(), oauth_url=oauth_url, proxy=proxy, verify=str(company_file))
        with pytest.raises(NotSent, match="is not trusted") as caught:
            server.renew("refresh", None)
    assert f"add the authority that issued it to {company_file}, or" in caught.value.next_step
    assert not caught.value.retryable
    assert [line for line in asked if line.startswith("/")] == []


def test_a_server_that_is_not_used_is_named_in_the_log(portal, caplog):
    with caplog.at_level(logging.WARNING):
        server_of(portal.oauth_connection()).trusted("https://name:word@oauth.evil.example/rest/")
    assert "oauth.evil.example" in caplog.text
    assert "word" not in caplog.text


@pytest.mark.parametrize(
    ("oauth_url", "server"),
    [
        ("oauth.example.com", "https://oauth.example.com/oauth/token/"),
        ("https://oauth.example.com", "https://oauth.example.com/oauth/token/"),
        ("https://oauth.example.com:8443/", "https://oauth.example.com:8443/oauth/token/"),
        ("https://oauth.example.com/own/path/", "https://oauth.example.com/own/path/"),
    ],
)
def test_the_connection_may_name_the_server_with_or_without_its_path(portal, oauth_url, server):
    connection = portal.oauth_connection(oauth_url=oauth_url)
    assert portal_from_parts("test", **connection).credentials.oauth_url == server


@pytest.mark.parametrize(
    "oauth_url", ["http://oauth.bitrix.info/", "ftp://x", "https://", "https://a:b@host", "https://host:x"]
)
def test_a_server_without_https_or_sense_is_refused(portal, oauth_url):
    with pytest.raises(ConfigurationError, match=r"oauth_url.*with https"):
        portal_from_parts("test", **portal.oauth_connection(oauth_url=oauth_url))


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b"[]", b"<html>", b"{}", b'{"access_token": "a"}', b'{"access_token": "a", "refresh_token": ""}',
     b'{"access_token": "a", "refresh_token": true}', b'{"result": {}}', b"[" * 100_000],
    ids=lambda answer: answer[:40].decode(),
)  # fmt: skip
def test_an_answer_without_both_tokens_is_a_lost_one(portal, answer):
    portal.fault("body", "oauth/token", body=answer, status=200)
    expected = r"HTTP 200 without tokens from the authorization server 127\.0\.0\.1: check the extra `oauth_url`"
    with pytest.raises(AnswerLost, match=expected):
        server_of(portal.oauth_connection()).renew("refresh", None)


@pytest.mark.parametrize("spoil", [lambda body: b"\xef\xbb\xbf" + body, lambda body: body[:-1] + b',"x":"\xe9"}'])
def test_a_pair_is_not_lost_for_a_byte_that_cannot_be_read(portal, spoil):
    answer = json.dumps(portal.application().grant()).encode()
    portal.fault("body", "oauth/token", body=spoil(answer), status=200)
    granted = server_of(portal.oauth_connection()).renew("refresh", None)
    assert granted.access_token == json.loads(answer)["access_token"]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed_with_secrets(portal, status):
    portal.fault("redirect", "oauth/token", location="https://oauth.evil.example/", status=status)
    with pytest.raises(AnswerLost, match=f"HTTP {status} without tokens"):
        server_of(portal.oauth_connection()).renew("refresh", None)


def test_a_text_of_the_server_that_repeats_secrets_is_cleaned(portal):
    app = portal.application()
    connection = portal.oauth_connection(app)
    shown = f"{app.client_secret} and {connection['extra']['refresh_token']}"
    portal.fault("error", "oauth/token", code="invalid_grant", description=shown, status=400)
    with pytest.raises(Unauthorized) as caught:
        server_of(connection).renew(connection["extra"]["refresh_token"], None)
    assert caught.value.description == "*** and ***"


@pytest.mark.parametrize(
    ("fields", "expires_in"),
    [({}, None), ({"expires_in": 3600}, 3600.0), ({"expires_in": "3600"}, 3600.0), ({"expires_in": "soon"}, None),
     ({"expires_in": None}, None), ({"expires_in": 10**400}, None)],
)  # fmt: skip
def test_the_life_of_a_token_may_be_a_number_a_text_or_unknown(fields, expires_in):
    granted = TokenResponse.from_answer({"access_token": "a", "refresh_token": "r", **fields})
    assert granted.expires_in == expires_in


@pytest.mark.parametrize(("user_id", "read"), [(67, "67"), ("67", "67"), (None, None), ([], None), (True, None)])
def test_a_user_id_may_be_a_number_or_a_text(user_id, read):
    assert TokenResponse.from_answer({"access_token": "a", "refresh_token": "r", "user_id": user_id}).user_id == read


def test_the_documented_answers_are_read_whole():
    # Examples of the pages "Full OAuth 2.0 protocol" and "Automatic renewal".
    granted = TokenResponse.from_answer(
        {
            "access_token": "ydtj8pho532wydb5ixk78ol7uqlb7sch",
            "client_endpoint": "https://portal.bitrix24.com/rest/",
            "domain": "oauth.bitrix.info",
            "expires": 1780319382,
            "expires_in": 3600,
            "member_id": "a223c6b3710f85df22e9377d6c4f7553",
            "refresh_token": "3s6lr4kr3cv2od4v853gvrchb875bwxb",
            "scope": "crm,entity,im,task",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
            "status": "F",
            "user_id": 67,
        }
    )
    assert granted == TokenResponse(
        access_token="ydtj8pho532wydb5ixk78ol7uqlb7sch",
        refresh_token="3s6lr4kr3cv2od4v853gvrchb875bwxb",
        expires_in=3600.0,
        member_id="a223c6b3710f85df22e9377d6c4f7553",
        user_id="67",
        client_endpoint="https://portal.bitrix24.com/rest/",
        server_endpoint="https://oauth.bitrix.info/rest/",
    )
    assert "ydtj8pho" not in repr(granted)
    assert "3s6lr4kr" not in repr(granted)


@pytest.mark.parametrize(
    ("failure", "retryable"),
    [
        (AnswerLost("x"), True),
        (AnswerLost("x", retryable=False), False),
        (ServerFault("x"), True),
        (NotSent("x"), True),
    ],
)
def test_a_method_whose_token_could_not_be_had_did_not_run(failure, retryable):
    seen = without_token(failure)
    assert (type(seen), seen.ran, seen.retryable) == (NotSent, "no", retryable)


def test_a_refusal_stays_what_it_is():
    refusal = Unauthorized("x")
    assert without_token(refusal) is refusal


# Where the tokens say that the portal is


@pytest.fixture
def here(portal):
    return portal_from_parts(
        "test", **portal.oauth_connection(allowed_domains=["*.bitrix24.com", "*.bitrix24.com:8443"])
    )


@pytest.mark.parametrize(
    "endpoint", [None, "", "https://127.0.0.1/rest/", "https://127.0.0.1:1/folder/rest/", "/rest/", "https://["]
)
def test_a_portal_is_where_the_connection_says_unless_the_tokens_name_another_host(here, endpoint):
    assert here.at(endpoint) is here


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://New.bitrix24.com/rest/", "https://new.bitrix24.com"),
        ("https://new.bitrix24.com:8443/rest/", "https://new.bitrix24.com:8443"),
        ("https://new.bitrix24.com/folder/rest/", "https://new.bitrix24.com/folder"),
    ],
)
def test_a_portal_is_called_at_the_allowed_address_that_its_tokens_name(here, endpoint, address):
    assert here.at(endpoint).address == address
    assert here.at(endpoint) == replace(
        here, **{name: getattr(here.at(endpoint), name) for name in ("host", "port", "folder")}
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/rest/",
        "http://new.bitrix24.com/rest/",
        "https://a.b.bitrix24.com/rest/",
        "https://new.bitrix24.com:9443/rest/",
    ],
)
def test_a_portal_at_an_address_that_is_not_allowed_is_refused(here, endpoint):
    with pytest.raises(ConfigurationError, match=r"allowed_domains"):
        here.at(endpoint)
