"""Every form in which people paste a webhook, and every mistake, with the one sentence that answers it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import certifi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.get_provider_info import STANDARD_FIELDS
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.settings.address import PORTAL, USER_ID, WEBHOOK_CODE, portal_from_parts

CODE = "s3cr3tc0dex1"
HOST = "my.bitrix24.com"
WEBHOOK = f"https://{HOST}/rest/1/{CODE}/"
CANONICAL: dict[str, Any] = {"host": HOST, "login": "1", "password": CODE}
CA_FILE = certifi.where()
SELF_HOSTED = f"https://portal.example.com:8443/intranet/rest/7/{CODE}/"


def said(portal: Portal) -> tuple[str, str, str]:
    """What was understood: address, user id, code."""
    return portal.address, portal.credentials.user_id, portal.credentials.code


#: Name of the form -> fields of the connection. All of them mean the same webhook.
FIELDS: dict[str, dict[str, Any]] = {
    "host, user id and code": CANONICAL,
    "with blanks and line ends": {"host": f" {HOST}\n", "login": " 1 ", "password": f"\t{CODE}\r\n"},
    "with quotes": {"host": f'"{HOST}"', "login": "1", "password": f"'{CODE}'"},
    "with a scheme": {**CANONICAL, "host": f"https://{HOST}"},
    "with a slash at the end": {**CANONICAL, "host": f"https://{HOST}/"},
    "with /rest at the end": {**CANONICAL, "host": f"https://{HOST}/rest/"},
    "in capitals": {**CANONICAL, "host": f"HTTPS://{HOST.upper()}"},
    "with the final dot of DNS": {**CANONICAL, "host": f"{HOST}."},
    "with the usual port": {**CANONICAL, "port": 443},
    "as the connection test of Airflow 3 sends it": {**CANONICAL, "port": 0, "schema": "", "extra": {"timeout": None}},
    "with a scheme in Schema": {**CANONICAL, "schema": "https"},
    "whole address in host": {"host": WEBHOOK},
    "whole address in host, no slash at the end": {"host": WEBHOOK[:-1]},
    "whole address in host, no scheme": {"host": WEBHOOK[8:]},
    "whole address in host, with a method": {"host": f"{WEBHOOK}crm.deal.list"},
    "whole address in host, with method and query": {"host": f"{WEBHOOK}crm.deal.list.json?id=5#top"},
    "whole address in host, REST 3.0": {"host": f"https://{HOST}/rest/api/1/{CODE}/"},
    "whole address in host, folder in capitals": {"host": f"https://{HOST}/REST/1/{CODE}/"},
    "whole address in host, in angle brackets": {"host": f"<{WEBHOOK}>"},
    "whole address in host and its parts": {"host": WEBHOOK, "login": "1", "password": CODE},
    "whole address in host, user id with zeros": {"host": f"https://{HOST}/rest/001/{CODE}/"},
    "address without the code in host": {"host": f"https://{HOST}/rest/1/", "password": CODE},
    "whole address in password": {"password": WEBHOOK},
    "whole address in password, and the host": {"host": HOST, "password": WEBHOOK},
    "whole address in password, no scheme": {"password": WEBHOOK[8:]},
    "user id and code in password": {"host": HOST, "password": f"1/{CODE}"},
    "path in password": {"host": HOST, "password": f"/rest/1/{CODE}/"},
    "code and its slash in password": {**CANONICAL, "password": f"{CODE}/"},
    "code between slashes in password": {**CANONICAL, "password": f"/{CODE}/"},
    "code and a method in password": {**CANONICAL, "password": f"{CODE}/profile.json"},
    "user id, code and a method in password": {"host": HOST, "password": f"1/{CODE}/crm.deal.list"},
    "path and a method in password": {"host": HOST, "password": f"/rest/api/1/{CODE}/profile"},
    "whole address in an extra": {"extra": {"webhook_url": WEBHOOK}},
    "whole address in an extra, and the host": {"host": HOST, "extra": {"webhook_url": f" {WEBHOOK}profile"}},
    "host plus schema": {"host": HOST, "schema": f"rest/1/{CODE}/", "conn_type": "https"},
    "host with a scheme, plus schema": {"host": f"https://{HOST}", "schema": f"rest/1/{CODE}/"},
    "code percent-encoded": {"host": f"https://{HOST}/rest/1/%73{CODE[1:]}/"},
    "code percent-encoded in password": {**CANONICAL, "password": f"%73{CODE[1:]}"},
    "user id and code before the host": {"host": f"https://1:{CODE}@{HOST}"},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
def test_a_webhook_is_understood_in_every_form(fields):
    assert said(portal_from_parts("pasted", **fields)) == (f"https://{HOST}", "1", CODE)


def test_an_address_in_password_may_name_a_host_without_a_domain():
    portal = portal_from_parts("pasted", password=f"portal/rest/1/{CODE}/")
    assert said(portal) == ("https://portal", "1", CODE)


#: Text of AIRFLOW_CONN_PASTED -> address, user id, code.
ENVIRONMENT = {
    WEBHOOK: (f"https://{HOST}", "1", CODE),
    WEBHOOK[:-1]: (f"https://{HOST}", "1", CODE),
    f"{WEBHOOK}crm.deal.list": (f"https://{HOST}", "1", CODE),
    f"https://{HOST}/rest/api/1/{CODE}/": (f"https://{HOST}", "1", CODE),
    SELF_HOSTED: ("https://portal.example.com:8443/intranet", "7", CODE),
    f"http://portal.local/rest/1/{CODE}/?allow_http=true": ("http://portal.local", "1", CODE),
    f"bitrix24://{WEBHOOK}": (f"https://{HOST}", "1", CODE),
    f"bitrix24://{HOST}/rest/1/{CODE}/": (f"https://{HOST}", "1", CODE),
    f"bitrix24://1:{CODE}@{HOST}": (f"https://{HOST}", "1", CODE),
    f"bitrix24://1:{CODE}@{HOST}/https": (f"https://{HOST}", "1", CODE),
    f"bitrix24://1:{CODE}@{HOST}:8443": (f"https://{HOST}:8443", "1", CODE),
    f"bitrix24://1:{CODE}@{quote(f'https://{HOST}', safe='')}": (f"https://{HOST}", "1", CODE),
    f"bitrix24://{quote(WEBHOOK, safe='')}": (f"https://{HOST}", "1", CODE),
    f"bitrix24://:{quote(WEBHOOK, safe='')}@": (f"https://{HOST}", "1", CODE),
    f"bitrix24://:{quote(WEBHOOK, safe='')}@{HOST}": (f"https://{HOST}", "1", CODE),
    f"bitrix24:///?webhook_url={quote(WEBHOOK, safe='')}": (f"https://{HOST}", "1", CODE),
    json.dumps({"conn_type": "bitrix24", **CANONICAL}): (f"https://{HOST}", "1", CODE),
    json.dumps({"conn_type": "bitrix24", "host": WEBHOOK}): (f"https://{HOST}", "1", CODE),
    json.dumps({"conn_type": "bitrix24", "password": WEBHOOK}): (f"https://{HOST}", "1", CODE),
    json.dumps({"conn_type": "bitrix24", "extra": {"webhook_url": WEBHOOK}}): (f"https://{HOST}", "1", CODE),
    json.dumps({"conn_type": "bitrix24", **CANONICAL, "port": "8443"}): (f"https://{HOST}:8443", "1", CODE),
    json.dumps({"conn_type": "bitrix24", **CANONICAL, "extra": ""}): (f"https://{HOST}", "1", CODE),
}


@pytest.mark.parametrize(("text", "understood"), ENVIRONMENT.items())
def test_what_airflow_makes_of_a_variable_is_understood(text, understood, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PASTED", text)
    assert said(Bitrix24Hook("pasted").get_portal()) == understood


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "portal.example.com/intranet"}, "https://portal.example.com/intranet"),
        ({"host": "https://portal.example.com:8443/a/b/"}, "https://portal.example.com:8443/a/b"),
        ({"host": "portal.example.com", "port": 8443}, "https://portal.example.com:8443"),
        ({"host": "https://портал.рф"}, "https://xn--80awhdgm.xn--p1ai"),
        ({"host": "BÜCHER.example.com"}, "https://xn--bcher-kva.example.com"),
        ({"host": "192.0.2.7:8443"}, "https://192.0.2.7:8443"),
        ({"host": "[2001:db8::7]:8443"}, "https://[2001:db8::7]:8443"),
        ({"host": "localhost"}, "https://localhost"),
        ({"host": "http://portal.local", "extra": {"allow_http": True}}, "http://portal.local"),
        ({"host": "http://portal.local:80", "extra": {"allow_http": "true"}}, "http://portal.local"),
        ({"host": "portal.local", "schema": "http", "extra": {"allow_http": "1"}}, "http://portal.local"),
    ],
)
def test_a_portal_of_ones_own_may_have_a_port_a_folder_and_any_name(fields, address):
    portal = portal_from_parts("pasted", login="1", password=CODE, **fields)
    assert portal.address == address
    assert portal.url("profile").startswith(f"{address}/rest/")


#: Mistake -> fields, what the message names, what it tells to do.
MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing at all": ({}, "Portal (host) is missing", "into it"),
    "user id and code with a colon": (
        {**CANONICAL, "password": f"1:{CODE}"},
        "a character that is not allowed in one",
        "the code",
    ),
    "the rest of a sentence": (
        {"host": f"{WEBHOOK[:-1]};"},
        "a character that is not allowed in one",
        "paste only the code",
    ),
    "a scheme without its colon": (
        {"host": WEBHOOK.replace(":", "", 1)},
        "begins with https without a colon",
        "https://",
    ),
    "two dots in the host": (
        {**CANONICAL, "host": "my..bitrix24.com"},
        "a part that is empty or too long",
        "write e.g.",
    ),
    "a text in the host": ({**CANONICAL, "host": "a" * 64}, "a part that is empty or too long", "write e.g."),
    "port 0 in the host": ({**CANONICAL, "host": f"{HOST}:0"}, "the port in Portal (host)", "from 1 to 65535"),
    "no host": ({"login": "1", "password": CODE}, "Portal (host) is missing", "my.bitrix24.com"),
    "no user id": ({"host": HOST, "password": CODE}, "Webhook user id (login) is missing", "into it"),
    "no code": ({"host": HOST, "login": "1"}, "Webhook code (password) is missing", "into it"),
    "empty code": ({"host": HOST, "login": "1", "password": " "}, "Webhook code (password) is missing", "into it"),
    "no user id in the address": (
        {"host": f"https://{HOST}/rest/{CODE}/"},
        "Portal (host) has no user id",
        "USER_ID/CODE",
    ),
    "user id and code swapped": (
        {"host": HOST, "login": CODE, "password": "1"},
        "Webhook user id (login) is not a user id",
        "into it",
    ),
    "user id 0": ({**CANONICAL, "login": "0"}, "Webhook user id (login) is not a user id", "into it"),
    "an e-mail address as login": (
        {**CANONICAL, "login": "me@example.com"},
        "Webhook user id (login) is not a user id",
        "into it",
    ),
    "a login of 5,000 digits": (
        {**CANONICAL, "login": "9" * 5000},
        "Webhook user id (login) is not a user id",
        "into it",
    ),
    "no code in the address": ({"host": f"https://{HOST}/rest/1/"}, "Webhook code (password) is missing", "into it"),
    "an address without /rest/": (
        {"host": f"https://{HOST}/1/{CODE}/"},
        "Portal (host) has no /rest/",
        "HOST/rest/USER_ID",
    ),
    "the same at home": (
        {"password": f"https://a.example.com/b/1/{CODE}"},
        "Webhook code (password) has no /rest/",
        "USER_ID",
    ),
    "a path in the cloud": (
        {**CANONICAL, "host": f"{HOST}/intranet"},
        "has a path",
        f"write only the name, e.g. {HOST}",
    ),
    "the code as a path": ({**CANONICAL, "host": f"{HOST}/{CODE}"}, "outside of /rest/", "HOST/rest/USER_ID/CODE"),
    "the code as a host": ({**CANONICAL, "host": CODE.upper()}, "outside of /rest/", "HOST/rest/USER_ID/CODE"),
    "no encryption": ({"host": WEBHOOK.replace("https", "http")}, "begins with http://", "allow_http"),
    "no encryption in Schema": ({**CANONICAL, "schema": "HTTP"}, "begins with http://", "use https://"),
    "another scheme": ({"host": f"ftp://{HOST}"}, "Portal (host) does not begin with", "write https://"),
    "host and code in each other's field": (
        {"host": CODE, "login": "1", "password": HOST},
        "a host",
        "into Portal (host)",
    ),
    "the same of a portal at home": (
        {"host": CODE, "login": "1", "password": "crm.example.com:8443"},
        "a host",
        "into Portal (host)",
    ),
    "masked by a form": ({**CANONICAL, "password": "***"}, "masked", "paste the code itself"),
    "masked in the address": ({"host": f"https://{HOST}/rest/1/********/"}, "masked", "paste the code itself"),
    "two hosts": (
        {"host": "other.bitrix24.com", "password": WEBHOOK},
        "different values for the host",
        "one of the two",
    ),
    "two user ids": ({"host": WEBHOOK, "login": "2"}, "different values for the user id", "one of the two"),
    "two codes": ({"host": WEBHOOK, "password": "another0ne"}, "different values for the code", "one of the two"),
    "two ports": (
        {"host": f"{HOST}:8443", "login": "1", "password": CODE, "port": 444},
        "for the port",
        "one of the two",
    ),
    "two addresses": ({"host": WEBHOOK, "extra": {"webhook_url": SELF_HOSTED}}, "different values", "one of the two"),
    "a port that is none": ({"host": f"{HOST}:99999"}, "cannot be read", "HOST/rest/USER_ID/CODE"),
    "a port in words": ({"host": f"{HOST}:https"}, "cannot be read", "HOST/rest/USER_ID/CODE"),
    "a port out of range": ({**CANONICAL, "port": 70000}, "Port", "1 to 65535"),
    "a port that is text": ({**CANONICAL, "port": "abc"}, "Port", "1 to 65535"),
    "a blank in the host": (
        {**CANONICAL, "host": "my portal"},
        "a character that is not allowed in one",
        "my.bitrix24.com",
    ),
    "a name too long for DNS": ({**CANONICAL, "host": f"{'ü' * 70}.com"}, "cannot be read", "HOST/rest"),
    "a scheme only": ({**CANONICAL, "host": "https://"}, "the address in Portal (host) has no host name", "HOST/rest"),
    "a blank in the code": (
        {**CANONICAL, "password": f"{CODE} {CODE}"},
        "a character that is not allowed in one",
        "only the code",
    ),
    "an unseen character": (
        {**CANONICAL, "password": f"\u200b{CODE}"},
        "a character that is not allowed in one",
        "only the code",
    ),
    "an encoded slash in the code": (
        {"host": WEBHOOK.replace(CODE, f"{CODE}%2F9")},
        "not allowed in one",
        "only the code",
    ),
}


@pytest.mark.parametrize(("fields", "part", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_answered_with_its_part_and_a_hint(fields, part, hint):
    with pytest.raises(ConfigurationError) as caught:
        portal_from_parts("pasted", **fields)
    message = str(caught.value)
    assert message.startswith("connection 'pasted': ")
    what, _, to_do = message.removeprefix("connection 'pasted': ").partition(": ")
    assert part in what
    assert hint in to_do
    assert CODE not in message
    assert not caught.value.retryable


def test_nothing_that_is_printed_of_a_portal_holds_a_secret():
    portal = portal_from_parts(
        "pasted", **CANONICAL, extra={"proxy": "http://me:pr0xypass@proxy", "limiter": "redis://:r3d1spass@redis"}
    )
    printed = f"{portal!r} {portal} {portal.credentials!r} {portal.source} {portal.url('profile')}"
    assert not [secret for secret in (CODE, "pr0xypass", "r3d1spass") if secret in printed]
    assert {CODE, f"1/{CODE}", "pr0xypass", "r3d1spass"} <= set(portal.secrets())


TEXTS = st.text(max_size=40) | st.sampled_from(
    [HOST, WEBHOOK, "1", CODE, f"rest/1/{CODE}", "https", "http", "://", "[", "%"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(TEXTS, max_size=2)


@settings(deadline=None)
@given(
    conn_type=st.none() | TEXTS,
    host=st.none() | st.lists(TEXTS, max_size=3).map("".join),
    schema=st.none() | TEXTS,
    login=st.none() | TEXTS,
    password=st.none() | st.lists(TEXTS, max_size=3).map("/".join),
    port=st.none() | st.integers(),
    extra=st.dictionaries(
        st.sampled_from(["webhook_url", "verify", "timeout", "proxy", "allowed_domains", "rate"]), VALUES
    ),
)
def test_any_text_in_any_field_gives_a_portal_or_one_clear_error(**fields):
    try:
        portal = portal_from_parts("pasted", **fields)
    except ConfigurationError as error:
        said_of_it, secret = str(error), CODE
        expected = "connection 'pasted': "
    else:
        said_of_it = f"{portal.url('profile')} {portal.credentials!r}".lower()
        secret = portal.credentials.code.lower()
        expected = f"{portal.scheme}://"
    assert said_of_it.startswith(expected)
    # A shorter one may be a part of any word.
    assert len(secret) < 8 or secret not in said_of_it


def test_messages_name_the_fields_as_the_form_does():
    form = STANDARD_FIELDS["relabeling"]
    named = {"host": PORTAL, "login": USER_ID, "password": WEBHOOK_CODE}
    assert named == {field: f"{form[field]} ({field})" for field in named}
