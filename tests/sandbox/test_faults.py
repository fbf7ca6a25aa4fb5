from __future__ import annotations

import json

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox, unused_port

DELETE = "crm.item.payment.delete"


@pytest.mark.parametrize(
    ("kind", "runs"),
    [("reset_before", False), ("close_before", False), ("reset_after", True), ("close_after", True)],
)
def test_a_lost_answer_is_not_an_answer_and_the_call_ran_or_not(portal, ask, kind, runs):
    payment_id = portal.add_payment(1)
    fault = portal.fault(kind, method=DELETE)
    with pytest.raises(requests.ConnectionError):
        ask(portal, DELETE, {"id": payment_id})
    assert (portal.payment(payment_id) is None) == runs
    assert (portal.calls[0].executed, portal.calls[0].status, fault.hits) == (runs, None, 1)


@pytest.mark.parametrize(("kind", "cause"), [("reset_after", ConnectionResetError), ("close_after", type(None))])
def test_a_reset_is_a_reset_and_a_close_is_not(http, kind, cause):
    """Without TLS, because Python's ssl module reports a reset as an end of file."""
    with Sandbox(tls=False) as portal:
        portal.fault(kind)
        with pytest.raises(requests.ConnectionError) as lost:
            http.post(portal.webhook() + "profile")
    protocol_error = lost.value.args[0]
    assert isinstance(protocol_error.args[1], cause) or cause is type(None)
    assert isinstance(protocol_error.args[1], ConnectionResetError)
    assert ("RemoteDisconnected" in repr(protocol_error)) == (cause is type(None))


@pytest.mark.parametrize(("kind", "runs"), [("status_before", False), ("status_after", True)])
@pytest.mark.parametrize("status", [200, 403, 404, 429, 502, 503, 504])
def test_a_page_for_people_stands_before_or_after_the_call(portal, ask, kind, runs, status):
    payment_id = portal.add_payment(1)
    portal.fault(kind, status=status)
    response = ask(portal, DELETE, {"id": payment_id})
    assert response.status_code == status == portal.calls[0].status
    assert response.headers["content-type"].startswith("text/html")
    assert "<title>" in response.text
    assert (portal.payment(payment_id) is None) == runs


@pytest.mark.parametrize(
    ("kind", "options", "status", "code"),
    [
        ("error", {"code": 0, "description": "Доступ запрещен", "status": 200}, 200, 0),
        ("error", {"code": "", "description": "Not found", "status": 400}, 400, ""),
        ("error", {"code": None}, 500, None),
        ("query_limit", {}, 503, "QUERY_LIMIT_EXCEEDED"),
        ("operation_time_limit", {}, 429, "OPERATION_TIME_LIMIT"),
        ("overload", {}, 401, "OVERLOAD_LIMIT"),
    ],
)
def test_an_error_takes_the_place_of_the_call(portal, ask, kind, options, status, code):
    portal.fault(kind, **options)
    response = ask(portal, "profile")
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert response.json()["error_description"] == options.get("description", response.json()["error_description"])
    assert (portal.executed("profile"), portal.calls[0].error) == (0, str(code))


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b"\xef\xbb\xbf{}", b"<html>"])
def test_a_raw_body_takes_the_place_of_the_answer(portal, ask, raw, executed):
    portal.fault("body", body=raw, status=200, content_type="text/html", executed=executed)
    response = ask(portal, "profile")
    assert (response.content, response.headers["content-type"]) == (raw, "text/html")
    assert portal.executed("profile") == executed


def test_a_truncated_answer_is_shorter_than_it_says(portal, ask):
    portal.fault("truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask(portal, "profile")
    assert portal.executed("profile") == 1


@pytest.mark.parametrize(
    ("charset", "declared", "text"),
    [("cp1251", None, "Готово"), ("latin-1", None, "déjà vu"), ("cp1251", "utf-8", "Готово")],
)
def test_an_answer_in_another_charset_says_so_or_lies(portal, ask, charset, declared, text):
    portal.fault("wrong_charset", charset=charset, declared=declared)
    response = ask(portal, "profile")
    assert response.headers["content-type"] == f"application/json; charset={declared or charset}"
    assert json.loads(response.content.decode(charset))["notice"] == text
    with pytest.raises(UnicodeDecodeError):
        response.content.decode()


def test_a_redirect_runs_nothing(portal, http):
    portal.fault("redirect", location="https://moved.example.invalid/rest/", status=301)
    response = http.post(portal.webhook() + "profile", verify=portal.ca_file, allow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (301, "https://moved.example.invalid/rest/")
    assert portal.executed("profile") == 0


def test_a_slow_answer_comes_after_the_call_ran(portal, http):
    portal.fault("slow", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        http.post(portal.webhook() + "profile", verify=portal.ca_file, timeout=0.05)
    assert portal.executed("profile") == 1


def test_a_dripping_answer_is_whole_in_the_end(portal, ask):
    portal.fault("drip", seconds=0)
    assert ask(portal, "profile").json()["result"]["ID"] == "1"


def test_a_fault_strikes_as_often_and_as_late_as_asked(portal, ask):
    fault = portal.fault("status_before", method="PRO*", times=2, after=1)
    statuses = [ask(portal, method).status_code for method in ("profile", "scope", "profile", "profile", "profile")]
    assert statuses == [200, 200, 502, 502, 200]
    assert fault.hits == 2


def test_a_fault_for_ever_ends_when_cleared(portal, ask):
    portal.fault("status_before", times=None)
    assert {ask(portal, "profile").status_code for _ in range(5)} == {502}
    portal.clear_faults()
    assert ask(portal, "profile").status_code == 200


def test_chance_is_the_same_for_the_same_seed(ask):
    def struck(seed):
        with Sandbox() as portal:
            portal.fault("status_before", times=None, probability=0.5, seed=seed)
            return [ask(portal, "profile").status_code for _ in range(20)]

    assert struck(1) == struck(1) != struck(2)
    assert set(struck(1)) == {200, 502}


def test_single_commands_of_a_batch_meet_errors(portal, ask):
    reset = portal.fault("reset_after", method="profile")
    portal.fault("operation_time_limit", method="profile", after=1)
    result = ask(portal, "batch", {"cmd": {"a": "profile", "b": "profile", "c": "profile"}}).json()["result"]
    assert list(result["result"]) == ["a", "c"]
    assert reset.hits == 0
    assert result["result_error"]["b"]["error"] == "OPERATION_TIME_LIMIT"
    assert portal.calls[0].commands[1].error == "OPERATION_TIME_LIMIT"
    assert portal.executed("profile") == 2


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [("explode", {}, "reset_before"), ("slow", {"delay": 1}, "seconds"), ("redirect", {}, "location=")],
)
def test_a_fault_that_does_not_exist_is_refused(portal, kind, options, words):
    with pytest.raises(ValueError, match=words):
        portal.fault(kind, **options)


def test_a_portal_that_stops_listening_refuses_new_connections(portal, ask):
    ask(portal, "profile")
    portal.stop_listening()
    assert ask(portal, "profile").status_code == 200
    for port in (portal.port, unused_port()):
        with pytest.raises(requests.ConnectionError, match="refused"):
            requests.get(f"http://127.0.0.1:{port}/", proxies={"http": ""}, timeout=10)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("slow", {"probability": 2}, r"'slow' cannot have probability=2: give a number from 0 to 1\."),
        ("slow", {"probability": "often"}, "a number from 0 to 1"),
        ("slow", {"times": -1}, "a number of calls, or None for ever"),
        ("slow", {"times": 0}, "a number of calls, or None for ever"),
        ("slow", {"after": -1}, "a number of calls to let pass"),
        ("slow", {"seconds": "1"}, "a number of seconds"),
        ("slow", {"seconds": -1}, "a number of seconds"),
        ("status_before", {"status": "502"}, "an HTTP status from 200 to 599"),
        ("error", {"status": 42}, "an HTTP status from 200 to 599"),
        ("body", {"body": {"result": 1}}, "text or bytes"),
        ("body", {"executed": "no"}, "True or False"),
        ("body", {"content_type": None}, "a text"),
        ("slow", {"seconds": float("inf")}, "a number of seconds"),
        ("slow", {"seed": "x"}, "a whole number"),
        ("status_before", {"title": 5}, "a text"),
        ("error", {"code": ["X"]}, "the portal's code, a text or a number"),
        ("error", {"code": True}, "the portal's code, a text or a number"),
        ("error", {"description": 5}, "a text"),
        ("redirect", {"location": 5}, "a text"),
        (["slow"], {}, "choose one of reset_before"),
        ("wrong_charset", {"charset": "klingon"}, "a charset that Python knows"),
    ],
)
def test_a_value_that_cannot_be_is_refused_when_the_rule_is_made(portal, kind, given, words):
    with pytest.raises(ValueError, match=words):
        portal.fault(kind, **given)


def test_a_body_may_be_text(portal, ask):
    portal.fault("body", body="Готово")
    assert ask(portal, "profile").content.decode() == "Готово"
