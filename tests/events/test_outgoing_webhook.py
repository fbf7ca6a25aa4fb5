"""Requests to our own address: only a portal that knows the application token is believed."""

from __future__ import annotations

import hmac
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlencode

import pytest

from airflow_provider_bitrix24.events import verified_event
from airflow_provider_bitrix24.exceptions import ConfigurationError, Unauthorized

TOKEN = "51856fefc120afa4b628cc82d3935cce"
FORM = {
    "event": "ONCRMDEALUPDATE",
    "event_handler_id": "5",
    "data[FIELDS][ID]": "662",
    "ts": "1769850000",
    "auth[domain]": "my.bitrix24.com",
    "auth[member_id]": "a223c6b3710f85df22e9377d6c4f7553",
    "auth[application_token]": TOKEN,
}


def test_an_event_of_the_portal_is_believed():
    assert verified_event(urlencode(FORM).encode(), TOKEN) == {
        "event": "ONCRMDEALUPDATE",
        "object_id": 662,
        "time": "2026-01-31T09:00:00Z",
        "member_id": "a223c6b3710f85df22e9377d6c4f7553",
    }


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"data[FIELDS][ID]": "24", "data[FIELDS][ENTITY_TYPE_ID]": "1220"}, {"object_id": 24, "entity_type_id": 1220}),
        ({"data[FIELDS_BEFORE][ID]": "123", "data[FIELDS_AFTER]": "undefined"}, {"object_id": 123}),
        ({"data[FIELDS_BEFORE][ID]": "undefined", "data[FIELDS_AFTER][ID]": "9"}, {"object_id": 9}),
        ({"data[ID]": "999"}, {"object_id": 999}),
        ({"data[FIELDS][ANCHOR_ID]": "17192"}, {"object_id": None}),
    ],
)
def test_the_object_is_found_where_each_event_has_it(data, found):
    """Payloads of the documentation: of smart processes, deleted and new tasks, comments and addresses."""
    form = {**FORM, **data}
    if "data[FIELDS][ID]" not in data:
        del form["data[FIELDS][ID]"]
    event = verified_event(urlencode(form), TOKEN)
    assert {name: event.get(name) for name in found} == found


@pytest.mark.parametrize(
    "form",
    [
        {name: value for name, value in FORM.items() if "application_token" not in name},
        {**FORM, "auth[application_token]": ""},
        {**FORM, "auth[application_token]": TOKEN[:-1]},
        {**FORM, "auth[application_token]": TOKEN.upper()},
        {**FORM, "auth[application_token]": "é" * 32},
    ],
)
def test_without_the_right_token_nothing_is_believed(form):
    with pytest.raises(Unauthorized, match="application token") as caught:
        verified_event(urlencode(form), TOKEN)
    assert TOKEN not in str(caught.value)


def test_two_tokens_are_not_one():
    body = f"{urlencode(FORM)}&{urlencode({'auth[application_token]': 'other'})}"
    with pytest.raises(Unauthorized):
        verified_event(body, TOKEN)


@pytest.mark.parametrize("token", ["", "  ", None])
def test_no_token_to_compare_with_is_refused_and_never_equal_to_an_empty_one(token):
    with pytest.raises(ConfigurationError, match="no application token to compare with"):
        verified_event(urlencode({**FORM, "auth[application_token]": ""}), token)


@pytest.mark.parametrize("missing", ["event", "ts"])
def test_a_body_that_is_not_an_event_is_refused(missing):
    with pytest.raises(ConfigurationError, match="has no event or ts"):
        verified_event(urlencode({**FORM, missing: ""}), TOKEN)


@pytest.mark.parametrize("ts", ["9" * 30, "9" * 18, "253402300800", "9" * 5000, "1769850000.5", "-5", "٣"])
def test_an_impossible_time_is_refused(ts):
    with pytest.raises(ConfigurationError, match="has no event or ts"):
        verified_event(urlencode({**FORM, "ts": ts}), TOKEN)


def test_the_last_second_is_one():
    assert verified_event(urlencode({**FORM, "ts": "253402300799"}), TOKEN)["time"] == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 19, "abc", ""])
def test_an_impossible_id_is_none(number):
    form = {**FORM, "data[FIELDS][ID]": number, "data[FIELDS][ENTITY_TYPE_ID]": number}
    event = verified_event(urlencode(form), TOKEN)
    assert (event["object_id"], "entity_type_id" in event) == (None, False)


def test_a_large_body_is_not_read():
    with pytest.raises(ConfigurationError, match="65536"):
        verified_event("x" * 100_000, TOKEN)


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    verified_event(urlencode(FORM), TOKEN)
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


def test_what_the_portal_sends_to_a_handler_is_believed(portal, connect, monkeypatch):
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

    app, bodies, came = portal.application(), [], threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()
            came.set()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("AIRFLOW_CONN_APP", portal.oauth_connection_json(app))
        handler = f"http://127.0.0.1:{server.server_port}/"
        Bitrix24Hook("app").call("event.bind", {"event": "ONCRMDEALUPDATE", "handler": handler})
        connect()
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "x"}})
        assert came.wait(30)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    found = verified_event(bodies[0], app.application_token)
    assert (found["event"], found["object_id"], found["member_id"]) == ("ONCRMDEALUPDATE", 7, portal.member_id)
    with pytest.raises(Unauthorized):
        verified_event(bodies[0], "another")
