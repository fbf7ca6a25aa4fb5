"""A delete that the portal refuses: three generations of servers, any language, and who calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
)
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of
from tests.rest.deletes import DELETE, FOR_EVER, GET, MAY_BE_DELETED, UNKNOWN, delete, unpaid
from tests.rest.hostile import Hostile, Refusal, client_of_hostile
from tests.secrecy import assert_untold

# What portals of three generations say, in two languages


#: Generation and cause -> class, requests, what the message says.
REFUSALS: dict[tuple[str, str], tuple[type[Bitrix24Error], str, str]] = {
    ("current", "missing"): (NotFound, "delete", "Payment has not been found"),
    ("current", "denied"): (
        Forbidden,
        "delete",
        "right to change the payment's order; or the portal's plan does not include REST",
    ),
    ("current", "paid"): (Invalid, "delete", "unpay it first"),
    ("middle", "missing"): (
        Forbidden,
        "delete get",
        "there is none with this id, or the connection's user has no right",
    ),
    ("middle", "denied"): (Forbidden, "delete get", "exists and can be read, so the change itself was refused"),
    ("middle", "paid"): (Invalid, "delete", "unpay it first"),
    ("old", "missing"): (Invalid, "delete get", "there is none with this id, or the connection's user has no right"),
    ("old", "denied"): (Invalid, "delete get", "exists and can be read, so the change itself was refused"),
    ("old", "paid"): (Invalid, "delete get", "it is paid, so unpay it first"),
}


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("zero_code", ["0", 0])
@pytest.mark.parametrize(("generation", "cause"), REFUSALS)
def test_a_refusal_is_understood_whatever_the_portal_speaks(generation, cause, zero_code, language, all_output):
    kind, requests, says = REFUSALS[generation, cause]
    with Sandbox(deals=1, generation=generation, language=language, zero_code=zero_code) as portal:
        payment_id = portal.add_payment(1, paid=cause == "paid")
        user = portal.clerk if cause == "denied" else portal.admin
        outcome = delete(portal, 999_999 if cause == "missing" else payment_id, all_output, user=user)
        assert portal.payment(payment_id) is not None
    if (generation, language) == ("middle", "ru") and kind is Forbidden:
        kind = Invalid  # The words are unknown, the meaning is still found out.
    assert type(outcome.error) is kind
    assert says in str(outcome.error)
    assert not outcome.error.retryable
    assert (outcome.requests, outcome.executed, outcome.naps) == (requests.split(), 0, [])


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_an_older_portal_cannot_tell_after_a_lost_answer(generation, all_output):
    with Sandbox(deals=1, generation=generation) as portal:
        portal.fault("close_after", DELETE)
        outcome = delete(portal, portal.add_payment(1), all_output)
    assert type(outcome.error) is AnswerLost
    assert MAY_BE_DELETED in str(outcome.error)
    assert "crm.item.payment.get could not say whether it is gone" in str(outcome.error)
    assert outcome.error.retryable
    assert (outcome.requests, outcome.executed, outcome.naps) == (["delete", "get"], 1, [1])


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_an_older_portal_that_still_has_the_payment_is_asked_again(generation, all_output):
    with Sandbox(deals=1, generation=generation) as portal:
        portal.fault("close_before", DELETE)
        outcome = delete(portal, portal.add_payment(1), all_output)
    assert outcome.result is True
    assert (outcome.requests, outcome.executed) == (["delete", "get", "delete"], 1)


# Refusals in words that nobody knows


@pytest.mark.parametrize("code", ["0", 0, "", None])
@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_refusal_in_an_unknown_language_of_a_payment_that_is_there(code, status, portal, all_output):
    portal.fault("error", DELETE, **{**UNKNOWN, "code": code, "status": status})
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Invalid
    assert "the payment exists and can be read, so the change itself was refused" in str(outcome.error)
    assert '"Die Zahlung kann nicht gelöscht werden"' in str(outcome.error)
    assert (outcome.requests, outcome.executed) == (["delete", "get"], 0)
    assert not outcome.error.retryable


def test_a_refusal_in_an_unknown_language_of_a_payment_that_is_missing(portal, all_output):
    portal.fault("error", DELETE, **UNKNOWN)
    outcome = delete(portal, 999_999, all_output)
    assert type(outcome.error) is NotFound
    assert outcome.requests == ["delete", "get"]


def test_a_refusal_in_an_unknown_language_where_reading_fails_too(portal, all_output):
    portal.fault("error", "crm.item.payment.*", times=FOR_EVER, **UNKNOWN)
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Invalid
    assert "there is none with this id, or the connection's user has no right to it" in str(outcome.error)
    assert outcome.requests == ["delete", "get"]


def test_a_refusal_that_cannot_be_looked_into_stays_what_it_is(portal, all_output):
    portal.fault("error", DELETE, **UNKNOWN)
    portal.fault("close_before", GET, times=FOR_EVER)
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Invalid
    assert '"Die Zahlung kann nicht gelöscht werden"' in str(outcome.error)


@pytest.mark.parametrize("result", [False, None, 1, "true", [], {}])
def test_a_delete_is_done_when_its_result_is_exactly_true(result, portal, all_output):
    portal.fault("body", DELETE, body=json.dumps({"result": result}).encode(), executed=False)
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Invalid
    assert "its result is not true" in str(outcome.error)
    assert "the payment exists and can be read" in str(outcome.error)


# Who calls


def test_a_missing_scope_is_named_beside_those_that_are_there(portal, all_output):
    portal.scopes = {"task", "user"}
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Forbidden
    assert 'tick "crm"' in str(outcome.error)
    assert "task, user" in str(outcome.error)
    assert outcome.requests == ["delete", "scope"]


def test_what_the_portal_calls_its_scopes_brings_no_secret_and_no_line_break(all_output):
    code = "hostilecode12345"

    def answer(method: str, params: Any) -> Any:
        if method == "scope":
            return ["crm", f"of_{code}", "a\nERROR forged", {"task": 1}, "x" * 3000]
        raise Refusal("insufficient_scope", "no", 401)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        with pytest.raises(Forbidden) as alone:
            client.call("tasks.task.list")
        batched = client.batch({"a": ("tasks.task.get", {"taskId": 1})}).errors["a"]
    for error in (alone.value, batched):
        assert_untold(code, all_output, error)
        assert "(it has: crm, of_***)" in str(error)


def test_a_wrong_code_names_what_may_have_become_of_the_webhook(portal, all_output):
    portal.admin.code, right = "an0therc0de12345", portal.admin.code
    with client_of(portal) as client:
        portal.admin.code = right
        with pytest.raises(Unauthorized, match="create a new one and put it into the connection") as caught:
            client.call(DELETE, {"id": 1})
    for code in ("an0therc0de12345", right):
        assert_untold(code, all_output, caught.value)
    assert portal.requests == 1


def test_a_plan_without_rest_needs_a_human(portal, all_output):
    portal.plan_has_rest = False
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is Blocked
    assert "the portal's plan does not include REST" in str(outcome.error)
