"""Which authorization server gets the code and the client secret, and which one workers use."""

from __future__ import annotations

import json
import os
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_bitrix24.authorize.first_pair import connection_with
from airflow_provider_bitrix24.authorize.questions import Answers, ask_for
from airflow_provider_bitrix24.authorize.terminal import Terminal as Silent
from airflow_provider_bitrix24.rest.oauth.authorization import TokenResponse
from tests.authorize.person import Terminal, run
from tests.authorize.test_authorize import ADDRESS
from tests.wire import RawServer


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("oauth.bitrix.info", "oauth.bitrix.info:443"),
        ("oauth.bitrix24.tech", "oauth.bitrix24.tech:443"),
        ("oauth.evil.example", "oauth.bitrix.info:443"),
    ],
)
def test_the_code_goes_to_the_server_that_the_redirect_names_if_it_is_bitrix24s(secret, monkeypatch, named, asked):
    heard = []

    def refuse(connection):
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with RawServer(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with Terminal("--print", "json", "--portal", "my.bitrix24.com", "--client-id", "local.1") as person:
            state = parse_qs(urlsplit(person.until(ADDRESS)[0]).query)["state"][0]
            person.until("Address or code .*: ")
            person.type(f"https://app.example.com/?code=0123456789&state={state}&server_domain={named}")
            person.until("Try again with a new code")
    assert [request.split()[:2] for request in heard] == [[b"CONNECT", asked.encode()]]


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        (None, None),
        ("https://oauth.bitrix.info/rest/", None),
        ("https://oauth.bitrix24.tech/rest/", "https://oauth.bitrix24.tech/oauth/token/"),
        ("https://oauth.evil.example/rest/", None),
    ],
)
def test_workers_are_given_a_server_that_is_not_the_usual_one_if_it_is_bitrix24s(secret, answered, kept):
    draft = ask_for(Answers("x", portal="my.bitrix24.com", client_id="local.1"), None, Silent())
    granted = TokenResponse("access", "refresh", 3600.0, "member", None, None, answered)
    assert connection_with(granted, draft)["extra"].get("oauth_url") == kept


def test_a_server_that_a_person_names_stays_named(secret):
    url = "https://oauth.example.com/oauth/token/"
    draft = ask_for(Answers("x", portal="my.bitrix24.com", client_id="local.1", oauth_url=url), None, Silent())
    granted = TokenResponse("access", "refresh", 3600.0, "member", None, None, "https://oauth.bitrix24.tech/rest/")
    assert connection_with(granted, draft)["extra"]["oauth_url"] == url


def test_a_file_of_authorities_is_named_so_that_workers_find_it(portal, app, options, secret):
    relative = os.path.relpath(portal.ca_file)
    ended = run("--print", "json", *options, "--verify", relative, answers=[app.authorize_code()])
    assert ended.exit_code == 0, ended.said
    assert os.path.samefile(json.loads(ended.printed)["extra"]["verify"], portal.ca_file)
    assert os.path.isabs(json.loads(ended.printed)["extra"]["verify"])
