"""The callback of an application without pages, as it comes and as handlers log it."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from airflow_provider_bitrix24.authorize.install_callback import read_install_callback
from airflow_provider_bitrix24.exceptions import ConfigurationError

#: The documentation's own example (OnAppInstall).
BODY = {
    "event": "ONAPPINSTALL",
    "data": {"VERSION": "1.0.0", "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "de"},
    "ts": "1696527000",
    "auth": {
        "domain": "some-domain.bitrix24.com",
        "scope": "imbot",
        "access_token": "s6p6eclrvim6da22ft9ch94ekreb52lv",
        "refresh_token": "4s386p3q0tr8dy89xvmt96234v3dljg8",
        "expires_in": 3600,
        "server_endpoint": "https://oauth.bitrix.info/rest/",
        "status": "F",
        "client_endpoint": "https://some-domain.bitrix24.com/rest/",
        "member_id": "a223c6b3710f85df22e9377d6c4f7553",
        "application_token": "51856fefc120afa4b628cc82d3935cce",
    },
}
FLAT = {
    "event": BODY["event"],
    "ts": BODY["ts"],
    **{f"data[{name}]": value for name, value in BODY["data"].items()},
    **{f"auth[{name}]": value for name, value in BODY["auth"].items()},
}
FORM = urlencode(FLAT)


@pytest.mark.parametrize(
    "text",
    [
        FORM,
        f"{FORM}\r\n",
        urlencode(FLAT, safe="[]:/"),
        json.dumps(BODY),
        json.dumps(BODY, indent=2),
        json.dumps(FLAT),
        FORM.replace("ONAPPINSTALL", "OnAppInstall"),
    ],
)
def test_the_pair_is_found_in_every_form(text):
    callback = read_install_callback(text)
    auth = BODY["auth"]
    assert (callback.access_token, callback.refresh_token) == (auth["access_token"], auth["refresh_token"])
    assert callback.address == "https://some-domain.bitrix24.com"
    assert (callback.member_id, callback.server_endpoint) == (auth["member_id"], auth["server_endpoint"])


def test_nothing_secret_is_shown_and_the_application_token_is_left_out():
    callback = read_install_callback(FORM)
    shown = repr(callback)
    assert not [name for name in ("access_token", "refresh_token") if BODY["auth"][name] in shown]
    kept = [getattr(callback, name) for name in callback.__slots__]
    assert BODY["auth"]["application_token"] not in kept


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://crm.example.com:8443/intranet/rest/", "https://crm.example.com:8443/intranet"),
        (None, "https://some-domain.bitrix24.com"),
    ],
)
def test_the_portal_is_where_its_endpoint_says_with_port_and_folder(endpoint, address):
    auth = {**BODY["auth"], "client_endpoint": endpoint}
    assert read_install_callback(json.dumps({**BODY, "auth": auth})).address == address


def without(name):
    return {**BODY, "auth": {key: value for key, value in BODY["auth"].items() if key != name}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not the body of an installation callback"),
        ("POST /install HTTP/1.1", "not the body of an installation callback"),
        ("{", "not the body of an installation callback"),
        ("[" * 10_000, "not the body of an installation callback"),
        ('{"event": 1, "auth": []}', "not the body of an installation callback"),
        (FORM.replace("ONAPPINSTALL", "ONAPPUPDATE"), "of the event ONAPPUPDATE, not of ONAPPINSTALL"),
        (FORM.replace("ONAPPINSTALL", "<b>"), "of no event, not of ONAPPINSTALL"),
        (json.dumps({"auth": BODY["auth"]}), "of no event, not of ONAPPINSTALL"),
        (json.dumps(without("refresh_token")), "the callback has no auth[refresh_token]"),
        (json.dumps(without("access_token")), "the callback has no auth[access_token]"),
        (FORM.replace("client_endpoint%5D=https", "client_endpoint%5D=http"), "no portal with https"),
        (json.dumps({**BODY, "auth": {**without("domain")["auth"], "client_endpoint": "/rest/"}}), "no portal"),
        (json.dumps({**BODY, "auth": {**BODY["auth"], "client_endpoint": "https://[x/"}}), "no portal"),
    ],
)
def test_anything_else_is_refused_without_being_repeated(text, reason):
    with pytest.raises(ConfigurationError) as refused:
        read_install_callback(text)
    assert reason in str(refused.value)
    assert not [token for name, token in BODY["auth"].items() if "token" in name and token in str(refused.value)]
