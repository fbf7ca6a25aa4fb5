"""The extras of a connection in every form in which they arrive, and each mistake with the sentence for it."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import certifi
import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, Bucket
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts
from airflow_provider_bitrix24.rest.settings.extras import STORED_SECRET

CODE = "s3cr3tc0dex1"
HOST = "my.bitrix24.com"
WEBHOOK = f"https://{HOST}/rest/1/{CODE}/"
CANONICAL: dict[str, Any] = {"host": HOST, "login": "1", "password": CODE}
CA_FILE = certifi.where()


def test_extras_of_an_address_arrive_as_text_and_are_understood(monkeypatch):
    proxy = quote("http://proxy.example.com:3128", safe="")
    monkeypatch.setenv(
        "AIRFLOW_CONN_PASTED",
        f"bitrix24://1:{CODE}@{HOST}?timeout=30&verify=true&proxy={proxy}&allowed_domains=a.com,b.eu",
    )
    portal = Bitrix24Hook("pasted").get_portal()
    assert (portal.timeout_seconds, portal.verify) == (30.0, True)
    assert (portal.proxy, portal.allowed_domains) == ("http://proxy.example.com:3128", ("a.com", "b.eu"))


@pytest.mark.parametrize("extra", ["[]", "{'timeout': 3}", "true"])
def test_an_extra_that_is_not_a_json_object_is_named(extra, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PASTED", json.dumps({"conn_type": "bitrix24", **CANONICAL, "extra": extra}))
    with pytest.raises(ConfigurationError, match="Extra is not a JSON object: write "):
        Bitrix24Hook("pasted").get_portal()


#: Value of an extra as forms, JSON and addresses bring it -> what it means.
UNDERSTOOD: list[tuple[str, Any, str, Any]] = [
    *(("verify", value, "verify", False) for value in (False, "false", " False ", "0", "no", "off", 0)),
    *(("verify", value, "verify", True) for value in (True, "true", "TRUE", "1", "yes", "on", 1)),
    *(("verify", value, "verify", None) for value in (None, "", " ")),
    ("verify", CA_FILE, "verify", CA_FILE),
    ("verify", str(Path(__file__).parent), "verify", str(Path(__file__).parent)),
    ("verify", f" {CA_FILE} ", "verify", CA_FILE),
    *(("timeout", value, "timeout_seconds", 30.0) for value in (30, "30", " 30 ", 30.0, "3e1")),
    *(("timeout", value, "timeout_seconds", 75.0) for value in (None, "")),
    ("timeout", 0.2, "timeout_seconds", 0.2),
    *(("max_response_mib", value, "max_response_mib", 3) for value in (3, "3", 2.5)),
    *(("max_response_mib", value, "max_response_mib", 64) for value in (None, "")),
    ("max_response_mib", 0.5, "max_response_mib", 1),
    *(("parallel", value, "parallel", 4) for value in (4, "4", 4.0)),
    *(("parallel", value, "parallel", 20) for value in (None, "")),
    ("proxy", "http://proxy:3128", "proxy", "http://proxy:3128"),
    ("proxy", " proxy:3128 ", "proxy", "http://proxy:3128"),
    ("proxy", "http://me:pass%40word@proxy:3128", "proxy", "http://me:pass%40word@proxy:3128"),
    *(("proxy", value, "proxy", None) for value in (None, "", "  ")),
    *(
        ("allowed_domains", value, "allowed_domains", ("new.bitrix24.com", "*.bitrix24.eu"))
        for value in (
            "new.bitrix24.com, *.bitrix24.eu",
            "New.Bitrix24.Com;*.bitrix24.eu",
            ["new.bitrix24.com", " *.bitrix24.eu "],
        )
    ),
    *(("allowed_domains", value, "allowed_domains", ()) for value in (None, "", [])),
    *(("plan", value, "bucket", PLANS["enterprise"]) for value in ("enterprise", " Enterprise ")),
    ("plan", "", "bucket", PLANS["standard"]),
]


@pytest.mark.parametrize(("key", "value", "attribute", "meaning"), UNDERSTOOD)
def test_an_extra_is_understood_as_forms_send_it(key, value, attribute, meaning):
    portal = portal_from_parts("pasted", **CANONICAL, extra={key: value})
    assert getattr(portal, attribute) == meaning
    assert type(getattr(portal, attribute)) is type(meaning)


PROXIES = ("ftp://proxy", "http://", "http://proxy:x", "http://proxy:0", "http://proxy..example.com:3128")
REFUSED: list[tuple[str, Any, str]] = [
    *(
        ("verify", value, "true, false, or the path")
        for value in ("/no/such/file.pem", __file__, "maybe", 2, ["x"], 0.5)
    ),
    *(("timeout", value, "a number above 0") for value in (0, -1, "soon", True, "nan", "inf", [], {}, 10**400)),
    *(("max_response_mib", value, "a number above 0") for value in (0, "much", False)),
    ("max_response_mib", 1e9, "below 1000000"),
    *(("parallel", value, "a number of 1 or more and below 101") for value in (0, -1, 101, "many", True)),
    ("parallel", 2.5, "a whole number from 1 to 100"),
    *(("proxy", value, "http://proxy.example.com:3128") for value in PROXIES),
    ("proxy", 3128, "text"),
    *(
        ("allowed_domains", value, "new.bitrix24.com")
        for value in ("*", "*.*", WEBHOOK, 5, [5], {"a": 1}, "a..b", "a b/c", "a.b:", "a.b:0", "a.b:x", "*:8443")
    ),
    *(("allow_http", value, "true or false") for value in ("maybe", 2, [])),
    ("webhook_url", ["x"], "text"),
    *(("plan", value, "standard, enterprise") for value in ("golden",)),
    ("plan", 5, "text"),
    *(("rate", value, "a number above 0") for value in (0, -1, "quick", True, "nan", "inf", [2], 10**400)),
    *(("burst", value, "a number of 1 or more") for value in (0, 0.5, "many")),
    *(("operating_budget", value, "above 0") for value in (0, "much")),
]


@pytest.mark.parametrize(("key", "value", "hint"), REFUSED)
def test_an_extra_that_makes_no_sense_is_named_with_a_hint(key, value, hint):
    with pytest.raises(ConfigurationError) as caught:
        portal_from_parts("pasted", **CANONICAL, extra={key: value})
    message = str(caught.value)
    assert message.startswith("connection 'pasted': ")
    assert re.search(rf"\b{key}\b", message)
    assert hint in message.partition(key)[2]
    assert CODE not in message


def test_a_connection_is_named_once():
    with pytest.raises(ConfigurationError) as caught:
        portal_from_parts("pasted", **CANONICAL, extra={"plan": 5})
    assert str(caught.value) == "connection 'pasted': the extra `plan` is wrong: it must be text"


def test_an_unknown_extra_is_warned_about_once_and_names_the_known_ones(caplog):
    for _ in range(2):
        portal_from_parts("unknown extra", **CANONICAL, extra={"timeuot": 30, "__note__": "x"})
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "'unknown extra'" in warnings[0]
    assert "'timeuot'" in warnings[0]
    assert "timeout" in warnings[0].partition("known extras")[2]


def test_an_address_that_became_the_name_of_an_extra_is_not_shown(caplog):
    portal_from_parts("code as a name", **CANONICAL, extra={WEBHOOK: "", f"rest/1/{CODE}": ""})
    assert "'code as a name'" in caplog.text
    assert CODE not in caplog.text


def test_switching_certificates_off_is_warned_about_once(caplog):
    for _ in range(2):
        portal_from_parts("no certificates", **CANONICAL, extra={"verify": "false"})
    assert caplog.text.count("the portal's certificate is not checked") == 1
    assert "certificate authority" in caplog.text


@pytest.mark.parametrize(
    ("extra", "bucket"),
    [
        ({}, Bucket(2.0, 48.0)),
        ({"plan": "", "rate": "", "burst": None}, Bucket(2.0, 48.0)),
        ({"plan": " Enterprise "}, Bucket(5.0, 245.0)),
        ({"rate": 1}, Bucket(1.0, 48.0)),
        ({"rate": "0.5", "burst": "12"}, Bucket(0.5, 12.0)),
        ({"rate": 1e7, "burst": 1e7}, Bucket(1e7, 1e7)),
        ({"plan": "enterprise", "burst": 1}, Bucket(5.0, 1.0)),
    ],
)
def test_rate_and_burst_override_the_plan(extra, bucket):
    assert portal_from_parts("pasted", **CANONICAL, extra=extra).bucket == bucket


@pytest.mark.parametrize(("extra", "numbers"), [({}, "(2 and 48)"), ({"plan": "enterprise"}, "(5 and 245)")])
def test_pods_that_count_alone_are_warned_once_with_the_numbers_to_divide(extra, numbers, monkeypatch, caplog):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    for _ in range(2):
        portal_from_parts(f"in a pod {numbers}", **CANONICAL, extra=extra)
    [warning] = [record.getMessage() for record in caplog.records]
    assert f"divide `rate` and `burst` {numbers} by the number of pods" in warning
    assert "`limiter`" in warning


@pytest.mark.parametrize(
    ("extra", "host"),
    [
        ({}, ""),
        ({"limiter": "redis://redis:6379/0"}, "10.0.0.1"),
        ({"rate": 1}, "10.0.0.1"),
        ({"rate": "", "burst": "24"}, "10.0.0.1"),
    ],
)
def test_nobody_is_warned_outside_pods_or_where_the_limit_is_shared_or_divided(extra, host, monkeypatch, caplog):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    portal_from_parts("no pods", **CANONICAL, extra=extra)
    assert not caplog.records


@pytest.mark.parametrize("key", ["client_id", "client_secret", "refresh_token", "access_token"])
def test_an_extra_of_an_application_that_was_copied_masked_is_refused(key):
    extra = {"client_id": "local.1", "client_secret": "secret", "refresh_token": "refresh", "access_token": "access"}
    with pytest.raises(ConfigurationError, match=rf"`{key}` is wrong: it is masked"):
        portal_from_parts("mine", host="my.bitrix24.com", extra={**extra, key: "***"})


def test_a_field_that_the_page_of_airflow_2_sends_twice_is_not_warned_of(caplog):
    extra = {"timeout": "30", "extra__bitrix24__timeout": "30"}
    assert portal_from_parts("sent twice", **CANONICAL, extra=extra).timeout_seconds == 30
    assert not caplog.records
    portal_from_parts("sent once", **CANONICAL, extra={"extra__bitrix24__timeout": "30"})
    assert "'extra__bitrix24__timeout' is unknown and ignored" in caplog.text


@pytest.mark.parametrize("key", ["webhook_url", "client_secret", "token_store", "proxy", "limiter"])
def test_what_stands_for_a_stored_secret_in_the_page_of_airflow_2_is_not_taken_for_it(key):
    extra = {"client_id": "local.1", "client_secret": "secret", "refresh_token": "refresh"}
    with pytest.raises(ConfigurationError, match=rf"sends no stored secret to its test, so the extra `{key}`.*again"):
        portal_from_parts("mine", host="my.bitrix24.com", extra={**extra, key: STORED_SECRET})
