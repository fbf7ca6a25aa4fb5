"""The hook: one client for its life, a test of the connection for a person, secrets known to Airflow's masker."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import quote

import airflow
import pytest

from airflow_provider_bitrix24 import _compat
from airflow_provider_bitrix24._compat import AirflowFailException, BaseHook
from airflow_provider_bitrix24.exceptions import ConfigurationError, NotFound
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.hooks.async_client import aget_client
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.secrecy import assert_untold

#: As good as no limit of our own.
WIDE_OPEN = {"rate": 100_000, "burst": 100_000}


def redact(text: str) -> str:
    """``text`` as Airflow's masker lets it through."""
    return str(_compat.redact(text))


# Calls


def test_a_call_returns_the_result(portal, connection):
    payment_id = portal.add_payment(1, sum=10)
    payment = Bitrix24Hook().call("crm.item.payment.get", {"id": payment_id})
    assert (payment["id"], payment["paid"]) == (payment_id, "N")


def test_without_the_official_sdk_the_hook_names_the_extra_and_the_python_that_it_needs(connection, monkeypatch):
    monkeypatch.setitem(sys.modules, "b24pysdk", None)
    with pytest.raises(ConfigurationError, match=r"b24pysdk cannot be imported.*bitrix24\[sdk\]', with Python 3\.11"):
        Bitrix24Hook().get_sdk_client()


def test_a_method_of_rest_3_is_called_at_its_own_address(portal, connection):
    Bitrix24Hook().call("tasks.task.list", {"select": ["id"]}, version=3)
    assert [call.path.split("/")[2] for call in portal.calls] == ["api"]


def test_a_refusal_is_raised_as_it_is(connection):
    with pytest.raises(NotFound):
        Bitrix24Hook().call("crm.item.payment.delete", {"id": 999_999})


def test_a_hook_has_one_client_and_two_hundred_calls_go_over_one_connection(portal, connect):
    connect(**WIDE_OPEN)
    hook = Bitrix24Hook()
    for _ in range(200):
        hook.call("server.time")
    assert hook.get_conn() is hook.get_conn()
    assert (portal.requests, portal.connections) == (200, 1)


def test_a_hook_takes_any_connection_id(portal, connect):
    connect(portal.clerk, conn_id="my_portal")
    assert Bitrix24Hook("my_portal").call("profile")["ID"] == str(portal.clerk.id)
    assert Bitrix24Hook(bitrix24_conn_id="my_portal").bitrix24_conn_id == "my_portal"


@pytest.mark.parametrize("conn_id", ["bitrix42_default", "Bitrix24_Default_", "bitrix24-default", "http://x"])
def test_a_mistyped_connection_id_is_named_and_not_tried_again(conn_id, portal, connection):
    with (
        pytest.raises(AirflowFailException, match=f"connection '{conn_id}' is not defined: correct the id"),
        airflow_outcome(),
    ):
        Bitrix24Hook(conn_id).call("profile")
    works, reason = Bitrix24Hook(conn_id).test_connection()
    assert not works
    assert f"connection '{conn_id}' is not defined" in reason
    assert "Airflow 3, in a script, of every connection in its database" in reason
    assert portal.connections == 0


@pytest.mark.parametrize("option", ["SECRETS__BACKEND", "WORKERS__SECRETS_BACKEND"])
def test_a_connection_that_a_secrets_backend_may_know_is_left_to_retries(option, monkeypatch):
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    monkeypatch.setenv(f"AIRFLOW__{option}", backend)
    with (
        pytest.raises(
            ConfigurationError, match=r"'bitrix42' is not defined.*secrets backend does not answer"
        ) as caught,
        airflow_outcome(),
    ):
        Bitrix24Hook("bitrix42").call("profile")
    assert caught.value.retryable


def test_a_trigger_with_a_mistyped_connection_id_names_it(portal, connection):
    with pytest.raises(ConfigurationError, match="connection 'bitrix42' is not defined"):
        asyncio.run(aget_client("bitrix42"))


@pytest.mark.parametrize("expected", [1, "1", " 01 ", 1.0, None, ""])
def test_the_webhook_of_the_expected_user_is_used(expected, connect):
    connect(expected_user_id=expected)
    assert Bitrix24Hook().call("profile")["ID"] == "1"


def test_the_webhook_of_another_user_than_the_expected_one_is_refused(portal, connect):
    connect(portal.clerk, expected_user_id=1)
    expected = rf"belongs to user {portal.clerk.id}, and the extra `expected_user_id` is 1: use a webhook of user 1"
    with pytest.raises(ConfigurationError, match=expected) as caught:
        Bitrix24Hook().call("profile")
    assert not caught.value.retryable
    works, reason = Bitrix24Hook().test_connection()
    assert (works, "expected_user_id" in reason) == (False, True)
    assert portal.connections == 0


@pytest.mark.parametrize("expected", [0, -1, "one", True, 1.5, "1,2", [1], 10**30])
def test_an_expected_user_that_is_not_an_id_is_refused(expected, portal, connect):
    connect(expected_user_id=expected)
    with pytest.raises(ConfigurationError, match="the extra `expected_user_id` is wrong: it must be a user's id"):
        Bitrix24Hook().call("profile")
    assert portal.connections == 0


def test_an_expected_user_of_an_application_is_refused(portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.oauth_connection_json(expected_user_id=1))
    with pytest.raises(ConfigurationError, match="it is for webhooks"):
        Bitrix24Hook().call("profile")
    assert portal.connections == 0


@pytest.mark.parametrize("part", ["host", "login", "password"])
def test_of_an_incomplete_connection_nothing_is_sent(part, portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**portal.connection(), part: None}))
    with pytest.raises(ConfigurationError, match=r"connection 'bitrix24_default': .* is missing: write "):
        Bitrix24Hook().call("profile")
    assert portal.connections == 0


@pytest.mark.parametrize(("conn_type", "asked"), [("postgres", True), ("bitrix24", False), ("https", False)])
def test_a_connection_of_another_service_is_asked_about(conn_type, asked, monkeypatch):
    fields = {"conn_type": conn_type, "host": "db.example", "login": "warehouse", "password": "s3cr3tp4ssw0rd"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))
    with pytest.raises(ConfigurationError) as caught:
        Bitrix24Hook("warehouse").get_conn()
    question = "(its type is not bitrix24; is it the right connection?)"
    assert (question in str(caught.value)) is asked
    assert "s3cr3t" not in str(caught.value)


def test_a_limiter_that_makes_no_sense_is_reported_with_the_connections_name(portal, connect):
    connect(limiter="redis//:s3cret@cache")
    with pytest.raises(
        ConfigurationError, match=r"connection 'bitrix24_default': the extra `limiter` .*: write "
    ) as caught:
        Bitrix24Hook().call("profile")
    assert "s3cret" not in str(caught.value)
    assert portal.connections == 0


# The connection test, as the button runs it


def pressed() -> tuple[bool, str]:
    return Bitrix24Hook().test_connection()


def test_the_test_says_who_the_administrator_is_and_what_the_webhook_may_do(portal, connection):
    works, message = pressed()
    assert works
    assert message.startswith("127.0.0.1: webhook of Anna Admin (user 1, administrator); scopes: ")
    assert " crm, " in message
    assert "leave out" not in message
    assert [call.method for call in portal.calls] == ["profile", "scope"]


def test_the_test_warns_that_a_user_without_all_rights_sees_less(portal, connect):
    connect(portal.clerk)
    works, message = pressed()
    assert works
    assert "webhook of Karl Clerk (user 7, not an administrator)" in message
    assert "Lists silently leave out what this user may not see" in message


def test_the_test_warns_of_a_missing_scope(portal, connection):
    portal.scopes = {"task"}
    works, message = pressed()
    assert works
    assert "scopes: task." in message
    assert "Scope crm is missing" in message
    assert "tick CRM" in message


@pytest.mark.parametrize("scopes", [set(), {"task"}, {"user", "im"}])
def test_a_missing_scope_crm_comes_first_in_the_test(scopes, portal, connection):
    portal.scopes = scopes
    assert pressed()[1].startswith("Scope crm is missing: ")


@pytest.mark.parametrize(
    "change",
    [
        {"host": None},
        {"password": None},
        {"password": "***"},
        {"extra": {"verify": "/no/such/file"}},
        {"extra": {"limiter": "memcached://host"}},
        {"extra": {"expected_user_id": 5}},
        {"host": "my.bitrix24.com", "extra": {"webhook_url": "https://other.bitrix24.com/rest/1/CODE/"}},
        {"extra": {"auth": "oauth"}},
        {"conn_type": "postgres", "login": "somebody"},
    ],
)
def test_the_test_does_not_name_the_random_id_that_airflow_gives_the_connection(change, portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DT06Z2MH", json.dumps({**portal.connection(), **change}))
    works, message = Bitrix24Hook("DT06Z2Mh").test_connection()
    assert not works
    assert "DT06Z2Mh" not in message
    assert not message.startswith("connection ")


@pytest.mark.parametrize("login", ["1", None])
def test_the_test_says_where_the_page_of_airflow_2_leaves_out_a_stored_code(login, monkeypatch):
    fields = {"conn_type": "bitrix24", "host": "my.bitrix24.com", "login": login}
    monkeypatch.setenv("AIRFLOW_CONN_DT06Z2MH", json.dumps(fields))
    works, message = Bitrix24Hook("DT06Z2Mh").test_connection()
    assert not works
    noted = "the page of Airflow 2 sends no stored code to its test: write it again" in message
    assert noted == (airflow.__version__.startswith("2.") and login == "1"), message


@pytest.mark.parametrize("scopes", [[], {}])
def test_the_test_understands_a_webhook_without_any_scope(scopes, portal, connection):
    portal.fault("body", "scope", body=json.dumps({"result": scopes}).encode())
    works, message = pressed()
    assert works
    assert "scopes: none." in message


@pytest.mark.parametrize("profile", [[], {}, None])
def test_the_test_fails_for_a_user_who_is_not_active(profile, portal, connection):
    portal.fault("body", "profile", body=json.dumps({"result": profile}).encode())
    works, message = pressed()
    assert not works
    assert "its user is not active" in message


def test_the_test_shows_a_profile_with_nothing_but_an_id(portal, connection):
    portal.fault("body", "profile", body=b'{"result": {"ID": "9", "NAME": null}}')
    assert "webhook of no name (user 9, not an administrator)" in pressed()[1]


def test_the_test_shows_no_code_that_a_name_holds(portal, connection):
    code = portal.admin.code
    profile = {"ID": "1", "ADMIN": True, "NAME": f"https://x/rest/1/{code.upper()}/", "LAST_NAME": "A\nB"}
    portal.fault("body", "profile", body=json.dumps({"result": profile}).encode())
    works, message = pressed()
    assert works
    assert "webhook of https://x/rest/***/ A B (user 1, administrator)" in message
    assert code.lower() not in message.lower()


def test_the_test_names_a_wrong_code(portal, monkeypatch, all_output):
    wrong = {**portal.connection(), "password": "wr0ngc0de1234567"}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(wrong))
    works, message = pressed()
    assert not works
    assert "INVALID_CREDENTIALS" in message
    assert "create a new one and put it into the connection" in message
    assert "wr0ngc0de1234567" not in message
    assert_untold("wr0ngc0de1234567", all_output)


def test_the_test_tells_within_seconds_that_the_portal_is_away(portal, connection):
    portal.stop_listening()
    began = time.monotonic()
    works, message = pressed()
    assert not works
    assert "no connection to 127.0.0.1" in message
    assert time.monotonic() - began < 4


def test_the_test_does_not_wait_long_for_the_limits(portal, connect):
    connect(rate=0.1, burst=1)
    began = time.monotonic()
    works, message = pressed()
    assert not works
    assert "not sent: the limit allows it only in 10 s" in message
    assert time.monotonic() - began < 4


def test_the_test_says_what_is_missing(portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**portal.connection(), "login": ""}))
    works, message = pressed()
    assert not works
    assert "Webhook user id (login) is missing: write the number" in message
    assert portal.connections == 0


def test_the_test_runs_under_the_random_id_and_with_the_empty_fields_that_airflow_gives_it(portal, monkeypatch):
    extras = dict.fromkeys(("webhook_url", "timeout", "proxy", "allowed_domains", "allow_http", "max_response_mib"))
    fields = portal.connection(**extras)
    # The port stands in the host; Airflow 3 sends 0 for the empty field, and an empty text for the schema.
    monkeypatch.setenv("AIRFLOW_CONN_DT06Z2MH", json.dumps({**fields, "port": 0, "schema": ""}))
    hook: Any = Bitrix24Hook(**{Bitrix24Hook.conn_name_attr: "DT06Z2Mh"})
    works, message = hook.test_connection()
    assert works, message


def test_the_test_changes_nothing(portal, connection):
    before = portal.payments()
    pressed()
    assert portal.payments() == before
    assert {call.method for call in portal.calls} == {"profile", "scope"}


# Masking


@pytest.mark.parametrize("form", ["password", "webhook", "host", "schema"])
def test_airflows_masker_knows_the_code_in_every_form_of_the_connection(form, monkeypatch):
    code = f"s3cr3t{form}c0de42"
    fields = {
        "password": {"host": "my.bitrix24.com", "login": "1", "password": code},
        "webhook": {"extra": {"webhook_url": f"https://my.bitrix24.com/rest/1/{code}/"}},
        "host": {"host": f"https://my.bitrix24.com/rest/1/{code}/"},
        "schema": {"conn_type": "https", "host": "my.bitrix24.com", "schema": f"rest/1/{code}/"},
    }[form]
    monkeypatch.setenv("AIRFLOW_CONN_MASKED", json.dumps({"conn_type": "bitrix24", **fields}))
    Bitrix24Hook("masked").get_portal()
    assert redact(f"a {code} b") == "a *** b"
    assert code not in redact(f"https://my.bitrix24.com/rest/1/{code}/crm.deal.list")


def test_airflows_masker_knows_odd_secrets_as_they_stand_in_addresses(monkeypatch):
    password = "pr0xy p@ss&word"
    fields = {
        "host": "my.bitrix24.com",
        "login": "1",
        "password": "c0de+odd&12345",
        "extra": {"proxy": f"http://me:{quote(password, safe='')}@proxy:3128"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MASKED", json.dumps({"conn_type": "bitrix24", **fields}))
    Bitrix24Hook("masked").get_portal()
    for secret in ("c0de+odd&12345", password):
        for spelling in (secret, quote(secret, safe="")):
            assert redact(f"a {spelling} b") == "a *** b"


def test_short_texts_are_not_masked_in_ordinary_words(monkeypatch):
    fields = {"conn_type": "bitrix24", "host": "my.bitrix24.com", "login": "31", "password": "c0de-of-31-1234"}
    monkeypatch.setenv("AIRFLOW_CONN_MASKED", json.dumps(fields))
    Bitrix24Hook("masked").get_portal()
    assert redact("31 payments") == "31 payments"


# What Airflow asks of a hook class


def test_the_hook_is_one_of_airflows():
    assert issubclass(Bitrix24Hook, BaseHook)
    assert (Bitrix24Hook.conn_type, Bitrix24Hook.hook_name) == ("bitrix24", "Bitrix24")
    assert Bitrix24Hook().bitrix24_conn_id == Bitrix24Hook.default_conn_name == "bitrix24_default"


def test_the_code_is_said_nowhere(portal, connect, all_output):
    connect(**WIDE_OPEN)
    hook = Bitrix24Hook()
    hook.call("profile")
    hook.test_connection()
    assert "POST /rest/profile" in all_output.records
    assert portal.admin.code not in f"{hook!r} {hook.get_conn()!r} {hook.get_portal()!r}"
    assert_untold(portal.admin.code, all_output)


def test_a_portal_in_another_language_is_understood(monkeypatch):
    with Sandbox(deals=1, language="ru", generation="old") as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        assert pressed()[0]
