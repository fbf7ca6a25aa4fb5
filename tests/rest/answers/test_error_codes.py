"""What an error of the portal means: the table of codes entry by entry, and codes that say nothing by themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
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
from tests.rest.replies import DELETE, error_of

ERRORS = json.loads((Path(__file__).parents[2] / "data" / "errors.json").read_text("utf-8"))
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
    # Of payments the portal says "not found" also where an earlier attempt has done its work.
    names_the_object = kind == "not_found" and not method.startswith("crm.item.payment.")
    says_nothing = (code in ("0", "", "400", "ERROR_CORE") and not names_the_object) or kind == "transient"
    exceptions = {"CONNECTION_ERROR": "no", "WRONG_ENCODING": "yes"}
    assert error.ran == exceptions.get(code, "unknown" if says_nothing else "no")


@pytest.mark.parametrize("code", ["", "ERROR_CORE", 0, "0"])
@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("crm.company.update", "Company is not found"),
        ("crm.company.delete", "Company is not found"),
        ("crm.contact.update", "Contact is not found"),
        ("crm.contact.delete", "Element not found"),
        ("crm.quote.update", "Quote is not found"),
        ("crm.quote.delete", "Element not found"),
        ("crm.deal.delete", "Not found"),
        ("crm.deal.update", "Элемент не найден"),
    ],
)
def test_a_missing_object_of_the_old_methods_is_known_by_its_text(method, text, code):
    error = error_of({"error": code, "error_description": text}, status=400, method=method)
    assert (type(error), error.ran, error.cause_known) == (NotFound, "no", True)
    assert "check the id" in str(error)
    added = error_of({"error": code, "error_description": "Not found"}, status=400, method="crm.deal.contact.add")
    assert (type(added), added.ran) == (NotFound, "unknown")


@pytest.mark.parametrize("method", ["crm.deal.update", "crm.contact.delete", "crm.company.get"])
def test_a_call_without_an_id_did_nothing(method):
    for text in ("ID is not defined or invalid", "ID is not defined or invalid."):
        error = error_of({"error": "", "error_description": text}, status=400, method=method)
        assert (type(error), error.ran, error.cause_known) == (Invalid, "no", True)
        assert "give the id of an object" in str(error)


def test_a_missing_object_that_a_parameter_names_is_not_the_one_that_is_changed():
    error = error_of({"error": "", "error_description": "Contact is not found"}, status=400, method="crm.deal.update")
    assert type(error) is Invalid


def test_the_sample_of_each_class_says_what_to_do():
    assert "unpay it first" in str(error_of({"error": "SALE_PAYMENT_DELETE_EXIST_PAID"}))
    denied = str(error_of({"error": "ACCESS_DENIED", "error_description": "Access denied"}, status=403))
    assert "right to change the payment's order" in denied
    assert "plan does not include REST" in denied
    gone = str(error_of({"error": "INVALID_CREDENTIALS"}, status=401))
    assert "create a new one and put it into the connection" in gone
    unknown = str(error_of({"error": "NO_AUTH_FOUND"}, status=401))
    assert "check the connection's Portal (host)" in unknown
    assert "or authorize the application again" in unknown
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
def test_a_generic_code_is_recognized_by_its_exact_text(code, status, text, kind):
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


def test_the_plan_is_distinguished_from_a_missing_right_even_at_the_end_of_a_long_text():
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
    assert '"Oh"' in str(error)


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
def test_a_missing_right_in_rest_3_is_not_a_bad_webhook(status):
    body = {"error": {"code": "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION", "message": ""}}
    assert type(error_of(body, status=status)) is Forbidden
    assert type(error_of(body, status=401)) is Unauthorized


# Fields that decide, in place of words


@pytest.mark.parametrize(
    ("code", "text", "method", "referred"),
    [
        (0, "Payment has not been found", "crm.item.payment.update", False),
        (0, "Payment system has not been found.", "crm.item.payment.update", True),
        (0, "payable item has not been found", "crm.item.payment.product.delete", False),
        (0, "Product was not found", "crm.item.payment.product.add", True),
        (0, "Order binding has not been found", "crm.item.payment.product.add", True),
        (0, "Shipment was not found", "crm.item.payment.delivery.add", True),
        ("OWNER_NOT_FOUND", "Owner was not found", "crm.timeline.comment.delete", True),
        ("NOT_FOUND", "Not found", "crm.item.delete", False),
    ],
)
def test_a_missing_object_is_the_methods_own_or_one_that_its_arguments_name(code, text, method, referred):
    error = error_of({"error": code, "error_description": text}, method=method)
    assert type(error) is NotFound
    assert error.referred is referred
    assert error.but(next_step="words do not decide").referred is referred


@pytest.mark.parametrize(
    ("code", "paid"), [("SALE_PAYMENT_DELETE_EXIST_PAID", True), ("ACCESS_DENIED", False), ("NOT_FOUND", False)]
)
def test_a_payment_is_known_to_be_paid_by_a_field(code, paid):
    assert error_of({"error": code, "error_description": "unpay it first"}).paid is paid
