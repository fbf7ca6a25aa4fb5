"""What any answer gives: bodies, charsets and statuses of every kind."""

from __future__ import annotations

import encodings.aliases
import json
import logging
import pickle
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Forbidden,
    Invalid,
    RestError,
    UnprovenLimit,
)
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_reply
from airflow_provider_bitrix24.rest.scrub import scrubber
from tests.rest.replies import DELETE, JSON, SECRET, error_of, read

# Messages


def test_the_message_names_method_code_status_text_and_request():
    body = {"error": "ERROR_ARGUMENT", "error_description": "Wrong<br>value\n", "argument": "fields"}
    error = error_of(body, request_id="abc-1")
    assert str(error) == f'{DELETE}: ERROR_ARGUMENT (HTTP 400) "Wrong value (argument fields)" (request abc-1)'
    assert (error.code, error.request_id) == ("ERROR_ARGUMENT", "abc-1")
    assert error.description == "Wrong value (argument fields)"


def test_a_text_of_the_portal_cannot_forge_a_log_line():
    message = str(error_of({"error": "A\r\nB", "error_description": "one\n[2026-01-01] INFO - two\x1b[31m\u2028three"}))
    assert not re.search(r"[\n\r\x1b\u2028]", message)


@pytest.mark.parametrize("before", range(150, 215))
def test_a_secret_in_a_text_of_the_portal_is_hidden_wherever_the_text_is_cut(before):
    body = {"error": "X" * before + SECRET, "error_description": "y" * before + SECRET}
    error = error_of(body, scrub=scrubber([SECRET]))
    shown = f"{error} {error.code} {error.description} {error!r} {error.args}"
    assert SECRET[:4] not in shown
    page = f"<html><title>{'z' * before}{SECRET}</title></html>".encode()
    assert SECRET[:4] not in str(error_of(page, content_type="text/html", scrub=scrubber([SECRET])))


def test_a_long_text_is_cut():
    error = error_of({"error": "0", "error_description": "long " * 10_000})
    assert len(error.description) == 200
    assert error.description.endswith("…")


# Success


@pytest.mark.parametrize("status", [200, 201, 400, 403, 500])
@pytest.mark.parametrize("result", [True, False, None, 0, "", [], {}, {"id": 1}, [1], "text", 1.5])
def test_the_key_result_makes_a_success_whatever_the_status(status, result):
    reply = read({"result": result, "time": {"duration": 0.1}}, status=status)
    assert reply.result == result
    assert reply.time == {"duration": 0.1}


@pytest.mark.parametrize("result", [False, None, 1, "true", "Y", [], {}, 0])
def test_what_must_be_true_is_nothing_but_true(result):
    error = error_of({"result": result}, status=200, must_be_true=True)
    assert type(error) is Invalid
    assert not error.cause_known
    assert not error.retryable
    assert read({"result": True}, status=200, must_be_true=True).result is True


def test_the_key_error_beats_the_key_result():
    assert type(error_of({"result": True, "error": "ACCESS_DENIED"}, status=200)) is Forbidden


@pytest.mark.parametrize(
    ("sent", "read_as"), [(5, 5), ("50", 50), (None, None), (True, None), ("x", None), ([], None), (1e999, None)]
)
def test_totals_may_be_text_or_nonsense(sent, read_as):
    body = json.dumps({"result": [], "total": sent, "next": sent}).replace("Infinity", "1e999").encode()
    reply = read(body, status=200)
    assert (reply.total, reply.next) == (read_as, read_as)


@pytest.mark.parametrize("time", [None, [], "now", 5])
def test_a_time_that_is_not_an_object_counts_as_none(time):
    assert read({"result": 1, "time": time}, status=200).time == {}


# Charsets


TEXT = "Готово"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f'{{"result": "{TEXT}"}}'.encode(), JSON),
        (f'\ufeff{{"result": "{TEXT}"}}'.encode(), JSON),
        (f'{{"result": "{TEXT}"}}'.encode(), "text/html; charset=windows-1251"),
        (f'{{"result": "{TEXT}"}}'.encode(), ""),
        (f'{{"result": "{TEXT}"}}'.encode(), "application/json; charset=nonsense"),
        (f'{{"result": "{TEXT}"}}'.encode("cp1251"), "application/json; charset=windows-1251"),
        (f'{{"result": "{TEXT}"}}'.encode("cp1251"), 'application/json; Charset="CP1251"'),
        (f'{{"result": "{TEXT}"}}'.encode("koi8-r"), "application/json;charset=koi8-r"),
        (json.dumps({"result": TEXT}).encode(), "application/json; charset=windows-1251"),
    ],
)
def test_a_body_is_utf_8_unless_it_cannot_be(body, content_type):
    assert read(body, status=200, content_type=content_type).result == TEXT


@pytest.mark.parametrize(
    "content_type", ["", *(f"application/json; charset={charset}" for charset in ("utf-8", "nonsense", "rot13"))]
)
def test_a_body_in_no_charset_is_not_an_answer(content_type):
    error = error_of(b'{"result": "\xff"}', status=200, content_type=content_type)
    assert type(error) is AnswerLost
    assert error.ran == "unknown"


def test_a_lone_surrogate_in_a_result_is_handed_on_and_one_in_a_text_does_no_harm():
    assert read(b'{"result": "\\ud800"}', status=200).result == "\ud800"
    error = error_of(b'{"error": "A\\ud800", "error_description": "b\\udfff", "argument": "\\ud83d"}')
    assert str(error).encode()


# Bodies that are not an answer


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (b"", JSON, "an empty body"),
        (b" \n", JSON, "an empty body"),
        (b"null", JSON, "other JSON"),
        (b"[]", JSON, "other JSON"),
        (b"{}", JSON, "other JSON"),
        (b"true", JSON, "other JSON"),
        (b'"result"', JSON, "other JSON"),
        (b'[{"result": true}]', JSON, "other JSON"),
        (b'{"result": tr', JSON, "a body that is not JSON"),
        (b'{"result": NaN}', JSON, "a body that is not JSON"),
        (b'{"result": true} trailing', JSON, "a body that is not JSON"),
        (b"<html><head><title>502 Bad\n Gateway</title>", "text/html", 'an HTML page titled "502 Bad Gateway"'),
        (b"<!DOCTYPE html><p>Oops", JSON, "an HTML page"),
        (b"<html><title></title></html>", "text/html", "an HTML page"),
        (b"Service Unavailable", "text/plain", "a body that is not JSON"),
        (b"[" * 100_000, JSON, "a body that is not JSON"),
        (b'{"result": ' + b"1" * 10_000 + b"}", JSON, "a body that is not JSON"),
    ],
)
@pytest.mark.parametrize("status", [200, 403, 429, 502])
def test_a_body_that_is_not_the_portals_json_proves_nothing(body, content_type, what, status):
    error = error_of(body, status=status, content_type=content_type, must_be_true=True)
    assert type(error) is (UnprovenLimit if status == 429 else AnswerLost)
    assert error.ran == "unknown"
    assert f"HTTP {status}, {what} instead of the portal's answer" in str(error)


@pytest.mark.parametrize(
    ("status", "passes"),
    [
        *((status, True) for status in (200, 408, 425, 429, 500, 502, 503, 504, 520)),
        *((status, False) for status in (400, 401, 403, 404, 405, 413)),
    ],
)
def test_a_status_without_a_body_of_the_portal_tells_only_whether_it_may_pass(status, passes):
    error = error_of(b"<html>", status=status, content_type="text/html")
    assert error.retryable is passes
    hints = {413: "send less", 429: "give the task retries"}
    otherwise = "open the portal in a browser" if passes else "the connection's Portal (host)"
    assert hints.get(status, otherwise) in error.next_step


# Any answer at all


WORDS = ["error", "error_description", "argument", "code", "message", "validation", "result", "time"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
STATUSES = st.sampled_from([200, 204, 302, 400, 401, 403, 404, 429, 500, 503]) | st.integers(100, 999)
#: What Python decodes and no header should name.
NO_CHARSETS = ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
CONTENT_TYPES = st.sampled_from(["", JSON, "text/html"]) | st.sampled_from(
    sorted({*encodings.aliases.aliases, *NO_CHARSETS})
).map("application/json; charset={}".format)


def reply_or_error(status: int, content_type: str, body: bytes, must_be_true: bool) -> None:
    scrub = scrubber([SECRET])
    outcome: Reply | Bitrix24Error
    try:
        outcome = read_reply(status, content_type, body, method=DELETE, must_be_true=must_be_true, scrub=scrub)
    except Bitrix24Error as error:
        outcome = error
    if isinstance(outcome, Reply):
        assert not must_be_true or outcome.result is True
        return
    assert isinstance(outcome, (RestError, AnswerLost))
    twin = pickle.loads(pickle.dumps(outcome))
    assert (type(twin), str(twin), vars(twin)) == (type(outcome), str(outcome), vars(outcome))
    for text in (str(outcome), repr(outcome), outcome.code or "", outcome.description, outcome.next_step):
        text.encode()
    logging.getLogger("tests").error("%s", outcome, exc_info=outcome)


@settings(deadline=None)
@given(status=STATUSES, content_type=CONTENT_TYPES, value=JSON_VALUES, must_be_true=st.booleans())
@example(200, JSON, {"error": {"code": {"error": []}, "validation": {"field": 1}}}, True)
@example(200, JSON, {"error": 1e999, "error_description": {"\ud800": ["\udfff"]}, "argument": 1}, True)
def test_any_json_value_gives_a_reply_or_one_of_our_errors(status, content_type, value, must_be_true):
    reply_or_error(status, content_type, json.dumps(value).encode(), must_be_true)


@settings(deadline=None)
@given(
    status=STATUSES,
    content_type=CONTENT_TYPES,
    body=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    must_be_true=st.booleans(),
)
def test_any_bytes_give_a_reply_or_one_of_our_errors(status, content_type, body, must_be_true):
    reply_or_error(status, content_type, body, must_be_true)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("charset", sorted({*encodings.aliases.aliases.values(), *NO_CHARSETS}))
def test_any_charset_that_a_header_may_name_gives_a_reply_or_one_of_our_errors(charset):
    for body in (b'{"result": "\xff\\q"}', bytes(range(256)), b"\xff\xfe{\x00}\x00"):
        reply_or_error(200, f"application/json; charset={charset}", body, False)


@pytest.mark.parametrize(
    "opened", [b'{"error": ', b'{"error": "0", "argument": ', b'{"error": {"code": ', b'{"result": ']
)
def test_a_body_at_the_edge_of_what_can_be_nested_gives_a_reply_or_one_of_our_errors(opened):
    for depth in range(850, 1000):
        closed = b"}" * opened.count(b"{")
        reply_or_error(400, JSON, opened + b"[" * depth + b"]" * depth + closed, False)
