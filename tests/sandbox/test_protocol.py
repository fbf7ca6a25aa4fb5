from __future__ import annotations

import subprocess
import sys

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox


def test_importing_the_package_brings_neither_airflow_nor_a_server():
    script = (
        "import sys, airflow_provider_bitrix24.sandbox as sandbox\n"
        "heavy = {'starlette', 'uvicorn', 'trustme', 'httptools'} & set(sys.modules)\n"
        "sandbox.Sandbox\n"
        "print(sorted(heavy), 'airflow' in sys.modules, 'airflow_provider_bitrix24.rest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False False\n"


def test_a_good_answer_has_the_time_and_an_error_has_not(portal, ask):
    times = ask(portal, "profile").json()["time"]
    assert times["duration"] == pytest.approx(times["finish"] - times["start"])
    assert times["date_start"].endswith("+03:00")
    assert times["operating"] == 0
    assert 540 < times["operating_reset_at"] - times["finish"] <= 600
    assert "time" not in ask(portal, "no.such.method").json()


@pytest.mark.parametrize("name", ["profile", "profile.json", "PROFILE", "Profile/"])
def test_method_names_take_any_case_and_a_format(portal, ask, name):
    assert ask(portal, name).json()["result"]["ID"] == "1"


def test_an_unknown_method_is_not_found(portal, ask):
    response = ask(portal, "no.such.method")
    assert response.status_code == 404
    assert response.json() == {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/rest/1/wrong/profile", 401, "INVALID_CREDENTIALS"),
        ("/rest/999/wrong/profile", 401, "INVALID_CREDENTIALS"),
        ("/rest/profile", 401, "NO_AUTH_FOUND"),
        ("/rest/profile?auth=unknown", 401, "invalid_token"),
        ("/rest/wrong/profile", 404, "ERROR_METHOD_NOT_FOUND"),
    ],
)
def test_wrong_credentials_are_refused(portal, http, path, status, code):
    response = http.post(portal.url + path, verify=portal.ca_file)
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert portal.executed("profile") == 0


def test_a_code_of_one_user_is_not_a_code_of_another(portal, http):
    url = portal.webhook().replace("/rest/1/", "/rest/7/")
    assert http.post(url + "profile", verify=portal.ca_file).json()["error"] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(("chosen", "overload", "scheme"), [(401, 401, 401), (403, 503, 400)])
def test_authorization_errors_have_the_statuses_of_the_source_or_of_the_pages(ask, chosen, overload, scheme):
    with Sandbox(auth_status=chosen) as portal:
        portal.scopes.discard("crm")
        response = ask(portal, "crm.item.payment.get", {"id": 1001})
        assert (response.status_code, response.json()["error"]) == (chosen, "insufficient_scope")
        portal.fault("overload")
        response = ask(portal, "profile")
        assert (response.status_code, response.json()["error"]) == (overload, "OVERLOAD_LIMIT")
        plain = portal.webhook().replace("https:", "http:") + "profile"
        response = requests.post(plain, proxies={"http": ""}, timeout=10)
        assert (response.status_code, response.json()["error"]) == (scheme, "INVALID_REQUEST")
        portal.plan_has_rest = False
        response = ask(portal, "profile")
        assert (response.status_code, response.json()["error"]) == (chosen, "ACCESS_DENIED")
        assert "commercial plans" in response.json()["error_description"]


def test_a_status_that_no_source_has_is_refused():
    with pytest.raises(ValueError, match="auth_status=402 is not known: choose one of 401, 403"):
        Sandbox(auth_status=402)


def test_plain_http_is_refused(portal):
    plain = portal.webhook().replace("https:", "http:")
    response = requests.post(plain + "profile", proxies={"http": ""}, timeout=10)
    assert (response.status_code, response.json()["error"]) == (401, "INVALID_REQUEST")
    assert portal.executed("profile") == 0


def test_a_portal_of_a_closed_network_may_speak_plain_http(http):
    with Sandbox(tls=False) as portal:
        assert http.post(portal.webhook() + "profile").json()["result"]["ID"] == "1"
        assert portal.connection()["extra"] == {"allow_http": True}


def test_query_and_body_are_merged_and_the_body_wins(portal, http):
    payment_id = portal.add_payment(1)
    url = portal.webhook() + f"crm.item.payment.get?id={payment_id}&extra[a][]=x"
    http.verify = portal.ca_file
    assert http.get(url).json()["result"]["id"] == payment_id
    assert http.post(url, data={"id": 5}).json()["error"] == "0"
    assert http.post(url, json={"id": 6}).json()["error"] == "0"
    assert [call.params["id"] for call in portal.calls] == [str(payment_id), "5", 6]
    assert portal.calls[0].params["extra"] == {"a": ["x"]}


BROKEN_JSON = {
    "cut off": b'{"id": 1001',
    "NaN": b'{"id": NaN}',
    "half of a pair": rb'{"id": "\ud800"}',
    "cp1251": '{"id": "Дуб"}'.encode("cp1251"),
    "UTF-16": '{"id": 1001}'.encode("utf-16"),
    "byte order mark": '\ufeff{"id": 1001}'.encode(),
    "endless": b"[" * 100_000,
    "deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "long number": b'{"id": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("text", [*BROKEN_JSON.values(), b"5", b'"id"'], ids=[*BROKEN_JSON, "number", "text"])
def test_a_body_that_is_not_json_is_dropped_and_the_method_runs_without_it(portal, http, text):
    headers = {"Content-Type": "application/json"}
    response = http.post(portal.webhook() + "profile", data=text, headers=headers, verify=portal.ca_file)
    assert response.json()["result"]["ID"] == "1"
    assert portal.calls[0].params == {}


def test_a_whole_pair_and_brackets_in_a_text_are_json(portal, ask):
    title = "😀" + "[{" * 200
    deal_id = ask(portal, "crm.deal.add", {"fields": {"TITLE": title}}).json()["result"]
    assert portal.item(2, deal_id)["title"] == title


@pytest.mark.parametrize("number", ["9" * 5_000, 2**63, 1e300], ids=["digits", "integer", "float"])
def test_a_number_that_no_computer_counts_to_is_not_an_id(portal, ask, number):
    answer = ask(portal, "crm.item.payment.get", {"id": number})
    assert (answer.status_code, answer.json()["error"]) == (400, "100")
    assert ask(portal, "crm.deal.get", {"id": number}).status_code == 400


def test_json_without_its_content_type_is_not_read(portal, http):
    url = portal.webhook() + "crm.item.payment.get"
    response = http.post(url, data='{"id": 1001}', headers={"Content-Type": "text/plain"}, verify=portal.ca_file)
    assert response.json()["error_description"] == "Could not find value for parameter {id}"


def test_a_call_remembers_who_asked_for_what_on_which_connection(portal, ask, http):
    ask(portal, "profile", {"a": [1]}, portal.clerk)
    ask(portal, "profile")
    call = portal.calls[0]
    assert (call.method, call.params, call.user_id, call.status, call.error) == ("profile", {"a": [1]}, 7, 200, None)
    assert (call.verb, call.executed, call.connection) == ("POST", True, 1)
    assert call.headers["content-type"] == "application/json"
    assert call.path == f"/rest/7/{portal.clerk.code}/profile"
    assert portal.clerk.code not in repr(call) + repr(portal.clerk)
    assert (portal.requests, portal.connections, portal.count("profile"), portal.executed("profile")) == (2, 1, 2, 2)
    portal.reset_calls()
    assert (portal.requests, portal.calls, portal.count("profile")) == (0, [], 0)


def test_the_webhook_says_who_and_what_it_is(portal, ask):
    portal.scopes = {"crm"}
    assert ask(portal, "profile", user=portal.clerk).json()["result"]["ADMIN"] is False
    assert ask(portal, "user.admin").json()["result"] is True
    assert ask(portal, "scope").json()["result"] == ["crm"]
    assert len(ask(portal, "scope", {"full": True}).json()["result"]) > 5
    assert ask(portal, "app.info").json()["result"] == {"SCOPE": ["crm"], "LICENSE": "en_pro100"}
    assert "crm.item.payment.delete" in ask(portal, "methods").json()["result"]
    assert "user.current" not in ask(portal, "methods").json()["result"]
    available = ask(portal, "method.get", {"name": "user.current"}).json()["result"]
    assert available == {"isExisting": True, "isAvailable": False}
    portal.scopes = {"user"}
    assert ask(portal, "user.current").json()["result"]["ID"] == "1"


def test_the_server_time_moves_with_the_clock(portal, ask):
    before = ask(portal, "server.time").json()["result"]
    portal.clock.advance(86_400)
    assert ask(portal, "server.time").json()["result"][:10] > before[:10]
