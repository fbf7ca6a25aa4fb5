"""What any answer means: the table of error codes entry by entry, and bodies of every kind."""

from __future__ import annotations

import encodings.aliases
import json
import logging
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    Forbidden,
    Invalid,
    NotFound,
    OperationTimeLimit,
    QueryLimitExceeded,
    RestError,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.reply import Reply, read_reply
from airflow_provider_bitrix24.rest.scrub import scrubber

DELETE = "crm.item.payment.delete"
JSON = "application/json; charset=utf-8"
SECRET = "s3cr3tc0dex12345"

ERRORS = json.loads((Path(__file__).parent.parent / "data" / "errors.json").read_text("utf-8"))
CLASSES: dict[str, type[RestError]] = {
    "permission": Forbidden,
    "auth": Unauthorized,
    "rate_limit": QueryLimitExceeded,
    "operating_limit": OperationTimeLimit,
    "transient": ServerFault,
    "not_found": NotFound,
    "validation": Invalid,
    "blocked": Blocked,
    "method": Invalid,
}


def read(body: Any, *, status: int = 400, method: str = DELETE, content_type: str = JSON, **more: Any) -> Reply:
    encoded = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return read_reply(status, content_type, encoded, method=method, **more)


def error_of(body: Any, **more: Any) -> Any:
    with pytest.raises(Bitrix24Error) as caught:
        read(body, **more)
    return caught.value


# The table of errors


def documented() -> Iterator[tuple[str, str, str, str]]:
    """Code, text, method and class of each entry; where the code is a pattern, of a sample of it."""
    for section in ("system", "source_only", "method_level", "oauth", "rest_v3", "payments"):
        for entry in ERRORS[section]:
            code, text = entry["code"], entry.get("message", entry.get("text_en")) or ""
            where = entry.get("methods", [entry.get("where", "any method")])
            methods = [DELETE if not re.fullmatch(r"[A-Za-z.]+", method) else method for method in where]
            if code is None:
                continue  # Not an error body: {"result": false} of an old portal, see below.
            sample = f"2012{code[-3:]}00001" if code.startswith("12-digit") else code
            for method in methods:
                # Brackets stand around what a text means where its words are translated.
                yield sample, text.strip("()"), method, entry["class"]


DOCUMENTED = sorted(set(documented()))


def spellings(code: str) -> Iterator[Any]:
    yield code
    yield code.lower()
    yield code.upper()
    if code.isdigit():
        yield int(code)
        yield float(code)


def body_of(code: Any, text: str) -> dict[str, Any]:
    if str(code).upper().startswith("BITRIX_REST_V3"):
        return {"error": {"code": code, "message": text}}
    return {"error": code, "error_description": text}


def test_the_table_of_errors_has_been_found():
    assert len(DOCUMENTED) > 100
    assert {kind for *_, kind in DOCUMENTED} == set(CLASSES)


@pytest.mark.parametrize(("code", "text", "method", "kind"), DOCUMENTED)
def test_a_documented_error_has_its_class_at_any_status_and_in_any_spelling(code, text, method, kind):
    for spelling in spellings(code):
        for status in (200, 400, 401, 403):
            expected = CLASSES[kind]
            if code.endswith("ACCESSDENIEDEXCEPTION") and status == 401:
                expected = Unauthorized  # REST 3.0 has one code for missing rights and for a bad webhook.
            error = error_of(body_of(spelling, text), status=status, method=method)
            assert isinstance(error, expected), (spelling, status, error)
            assert (error.code or "").upper() == code.upper()
            assert (error.method, error.status) == (method, status)
            assert error.retryable is (kind in ("rate_limit", "operating_limit", "transient"))


@pytest.mark.parametrize(("code", "text", "method", "kind"), DOCUMENTED)
def test_only_a_code_of_the_portal_proves_that_nothing_ran(code, text, method, kind):
    error = error_of(body_of(code, text), method=method)
    says_nothing = code in ("0", "", "400", "ERROR_CORE") or kind == "transient"
    exceptions = {"CONNECTION_ERROR": "no", "WRONG_ENCODING": "yes"}
    assert error.ran == exceptions.get(code, "unknown" if says_nothing else "no")


def test_the_sample_of_each_class_says_what_to_do():
    assert "unpay it first" in str(error_of({"error": "SALE_PAYMENT_DELETE_EXIST_PAID"}))
    denied = str(error_of({"error": "ACCESS_DENIED", "error_description": "Access denied"}, status=403))
    assert "right to change the payment's order" in denied
    assert "plan has no REST" in denied
    gone = str(error_of({"error": "INVALID_CREDENTIALS"}, status=401))
    assert "create a new one and put it into the connection" in gone
    assert "https://" in str(error_of({"error": "INVALID_REQUEST", "error_description": "Https required."}))


# Codes that say nothing by themselves


@pytest.mark.parametrize("code", [0, "0", 0.0, "", None, "ERROR_CORE", 400])
@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Payment has not been found", NotFound),
        ("Payment has not been found.", NotFound),
        ("PAYMENT HAS NOT BEEN FOUND", NotFound),
        (" <b>Payment</b> has not<br>been found ", NotFound),
        ("Not found", NotFound),
        ("Элемент не найден", NotFound),
        ("Элемент не найден.", NotFound),
        ("Insufficient permissions", Forbidden),
        ("Insufficient permissions.", Forbidden),
        ("Access denied", Forbidden),
        ("Access denied!", Forbidden),
        ("Доступ запрещен", Forbidden),
        ("Доступ запрещён.", Forbidden),
        ("module &quot;sale&quot; is not installed.", Blocked),
        ("REST is available only by subscription.", Blocked),
    ],
)
def test_a_generic_code_is_told_by_its_exact_text(code, status, text, kind):
    assert type(error_of({"error": code, "error_description": text}, status=status)) is kind


@pytest.mark.parametrize("code", [0, "0", "", None])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
@pytest.mark.parametrize(
    "text", ["Недостаточно прав", "Zahlung nicht gefunden", "Payment has not been found, sorry", "denied", "", None]
)
def test_a_generic_code_with_a_text_nobody_knows_is_a_refusal_of_unknown_cause(code, status, text):
    error = error_of({"error": code, "error_description": text}, status=status)
    assert type(error) is Invalid
    assert not error.cause_known
    assert not error.retryable


@pytest.mark.parametrize("code", ["0", ""])
def test_words_that_mean_two_things_leave_the_cause_unknown(code):
    error = error_of({"error": code, "error_description": "Insufficient permissions"})
    assert type(error) is Forbidden
    assert not error.cause_known
    assert "there is no payment with this id, or" in str(error)


def test_a_text_of_another_method_tells_nothing():
    body = {"error": "0", "error_description": "Payment system has not been found"}
    assert type(error_of(body, method="crm.item.payment.update")) is NotFound
    assert type(error_of(body, method=DELETE)) is Invalid


def test_a_code_beats_its_text():
    assert type(error_of({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Access denied"})) is QueryLimitExceeded
    assert type(error_of({"error": "NOT_FOUND", "error_description": "Access denied"}, status=403)) is NotFound


def test_the_plan_is_told_from_a_missing_right_even_at_the_end_of_a_long_text():
    text = f"{'<b>REST</b> ' * 60}REST API is available only on commercial plans"
    assert type(error_of({"error": "ACCESS_DENIED", "error_description": text})) is Blocked


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("200640400001", NotFound),
        (200640400001, NotFound),
        ("201240400001", NotFound),
        (200040300010, Forbidden),
        ("200040300020", Forbidden),
        ("200540000001", Invalid),
        ("2006404000011", Invalid),
        ("403", Invalid),
    ],
)
def test_digits_five_to_seven_of_a_twelve_digit_code_tell_its_class(code, kind):
    assert type(error_of({"error": code, "error_description": "payment is not exists"})) is kind


@pytest.mark.parametrize(("status", "kind"), [(400, Invalid), (200, Invalid), (500, ServerFault), (503, ServerFault)])
def test_a_code_nobody_knows_is_judged_by_its_status(status, kind):
    error = error_of({"error": "SOMETHING_NEW", "error_description": "Oh"}, status=status)
    assert type(error) is kind
    assert "SOMETHING_NEW" in str(error)
    assert "«Oh»" in str(error)


# Bodies of REST 3.0


def test_the_fields_that_rest_3_refuses_are_named():
    error = error_of(
        {
            "error": {
                "code": "BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION",
                "message": "Invalid request",
                "validation": [{"field": "title", "message": "is required"}, "odd"],
            }
        },
        method="tasks.task.add",
    )
    assert type(error) is Invalid
    assert error.description == "Invalid request; title: is required"


@pytest.mark.parametrize("status", [200, 403])
def test_a_missing_right_in_rest_3_is_no_bad_webhook(status):
    body = {"error": {"code": "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION", "message": ""}}
    assert type(error_of(body, status=status)) is Forbidden
    assert type(error_of(body, status=401)) is Unauthorized


# Messages


def test_the_message_names_method_code_status_text_and_request():
    body = {"error": "ERROR_ARGUMENT", "error_description": "Wrong<br>value\n", "argument": "fields"}
    error = error_of(body, request_id="abc-1")
    assert str(error) == f"{DELETE}: ERROR_ARGUMENT (HTTP 400) «Wrong value (argument fields)» (request abc-1)"
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
def test_a_time_that_is_no_object_counts_as_none(time):
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
def test_a_body_in_no_charset_is_no_answer(content_type):
    error = error_of(b'{"result": "\xff"}', status=200, content_type=content_type)
    assert type(error) is AnswerLost
    assert error.ran == "unknown"


def test_a_lone_surrogate_in_a_result_is_handed_on_and_one_in_a_text_does_no_harm():
    assert read(b'{"result": "\\ud800"}', status=200).result == "\ud800"
    error = error_of(b'{"error": "A\\ud800", "error_description": "b\\udfff", "argument": "\\ud83d"}')
    assert str(error).encode()


# Bodies that are no answer


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
        (b"<html><head><title>502 Bad\n Gateway</title>", "text/html", "an HTML page titled «502 Bad Gateway»"),
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
    assert type(error) is AnswerLost
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
    assert ("the connection's host" in error.next_step) is (status in (401, 403, 404))


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
