"""Deleting a payment by an operator: arguments, outcomes for Airflow, and what is said."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TaskStopped,
)
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.secrecy import assert_untold
from tests.sleepless import SleeplessDelete

DELETE, GET = "crm.item.payment.delete", "crm.item.payment.get"
EARLIER_TRY = "an earlier try of this task may have deleted it"


def delete(payment_id: Any, *, try_number: int = 1, **arguments: Any) -> Any:
    operator = SleeplessDelete(task_id="delete", payment_id=payment_id, **arguments)
    return operator.execute({"ti": SimpleNamespace(try_number=try_number)})


def failure_of(payment_id: Any, **arguments: Any) -> BaseException:
    """What the task dies of: an exception of Airflow's that stands alone, or one of ours."""
    with pytest.raises((AirflowFailException, Bitrix24Error)) as caught:
        delete(payment_id, **arguments)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_called_by_hand_without_a_task_it_says_what_is_wrong(portal, connection):
    """As in a test of a DAG: ``execute({})``."""
    for operator in (
        Bitrix24DeletePaymentOperator(task_id="one", payment_id=999_999),
        Bitrix24DeletePaymentsOperator(task_id="many", payment_ids=[999_999]),
    ):
        with pytest.raises(AirflowFailException, match="Payment has not been found"):
            operator.execute({})


# Arguments


@pytest.mark.parametrize("spelling", [str, "{} ".format, " {}\n".format, int])
def test_a_payment_is_named_by_its_id_as_a_number_or_as_text(spelling, portal, connection):
    payment_id = portal.add_payment(1)
    assert delete(spelling(payment_id)) is True
    assert portal.payment(payment_id) is None
    assert portal.calls[0].params == {"id": payment_id}


@pytest.mark.parametrize(
    "payment_id",
    [
        *("0", "-1", "+1", "abc", "3653/1", "1,2", "1 035", "１０３５", "9" * 5000),
        *(0, -1, True, False, 1.5, 10**18, {"id": 1035}, b"1035"),
    ],
)
def test_what_is_not_an_id_fails_without_a_retry_and_nothing_is_sent(payment_id, portal, connection):
    error = failure_of(payment_id)
    assert type(error) is AirflowFailException
    assert str(error).startswith("payment_id must be a whole number above 0, not ")
    assert "not the number that the portal shows (3653/1)" in str(error)
    assert "crm.item.payment.list with entityTypeId and entityId of the deal gives id" in str(error)
    assert len(str(error)) < 400
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("payment_id", "hint"),
    [
        *((nothing, "it has no value: check the template") for nothing in ("", " ", "None", None, math.nan)),
        *(
            (whole, "make it whole with int(…), in a template with | float | int")
            for whole in (1035.0, "1035.0", " 1035. ")
        ),
    ],
)
def test_an_id_that_a_template_or_a_data_frame_has_spoiled_is_refused_with_a_hint(payment_id, hint, portal, connection):
    error = failure_of(payment_id)
    assert type(error) is AirflowFailException
    assert str(error).startswith("payment_id must be a whole number above 0, not ")
    assert hint in str(error)
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("payment_id", "hint"),
    [
        ("[1006, 1007]", "this is a list: map the task over it with expand()"),
        ([1006], "this is a list: map the task over it with expand()"),
        ("(1006,)", "this is a list"),
        (np.array([1006, 1007]), "this is a list"),
        ("LazySelectSequence([1 item])", "these are the results of a mapped task: map over them with expand()"),
        ("LazyXComSequence(<Task>, <TI>)", "these are the results of a mapped task"),
    ],
)
def test_several_ids_in_place_of_one_are_refused_with_a_hint_of_their_own(payment_id, hint, portal, connection):
    message = str(failure_of(payment_id))
    assert message.startswith("payment_id must be a whole number above 0, not ")
    assert hint in message
    assert portal.requests == 0


@pytest.mark.parametrize("kind", [Decimal, np.int64, np.uint8, np.int16, lambda id_: np.array([id_])[0]])
def test_whole_numbers_of_databases_and_data_frames_are_ids(kind, portal, connection):
    assert delete(kind(200), missing_ok=True) is False
    assert portal.calls[0].params == {"id": 200}


@pytest.mark.parametrize(
    "payment_id", [Decimal("1035.5"), Decimal("NaN"), np.float64(1035), np.bool_(True), pd.NA, pd.NaT]
)
def test_other_scalars_are_not_ids(payment_id, portal, connection):
    assert str(failure_of(payment_id)).startswith("payment_id must be a whole number above 0, not ")
    assert portal.requests == 0


def test_payment_and_connection_are_templates():
    operator = Bitrix24DeletePaymentOperator(
        task_id="delete", payment_id="{{ params.payment }}", bitrix24_conn_id="portal_{{ params.country }}"
    )
    operator.render_template_fields({"params": {"payment": 1035, "country": "de"}})
    assert (operator.payment_id, operator.bitrix24_conn_id) == ("1035", "portal_de")


def test_nothing_is_checked_or_looked_up_before_templates_are_rendered():
    operator = Bitrix24DeletePaymentOperator(task_id="delete", payment_id="{{ x }}", bitrix24_conn_id="nowhere")
    assert operator.payment_id == "{{ x }}"


@pytest.mark.parametrize("part", ["host", "login", "password"])
def test_an_incomplete_connection_fails_without_a_retry_and_nothing_is_sent(part, portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**portal.connection(), part: None}))
    error = failure_of(1)
    assert type(error) is AirflowFailException
    assert "is missing: write" in str(error)
    assert portal.connections == 0


# Success


def test_success_is_one_request_one_line_and_true(portal, connection, all_output):
    payment_id = portal.add_payment(1)
    assert delete(payment_id) is True
    assert (portal.requests, portal.executed(DELETE)) == (1, 1)
    request_id = portal.calls[0].headers["x-request-id"]
    result = re.findall(
        rf"{re.escape(DELETE)}: payment (\d+) deleted in \d+\.\d\d s \(request (.*?)\)", said(all_output)
    )
    assert set(result) == {(str(payment_id), request_id)}


def said(all_output: Any) -> str:
    """Log records, and what Airflow 3 writes of its task logs without them."""
    return f"{all_output.records}\n{all_output.printed}"


def test_a_lost_answer_is_looked_after(portal, connection):
    portal.fault("close_after", DELETE)
    assert delete(portal.add_payment(1)) is True
    assert portal.executed(DELETE) == 1


# Failures that a retry cannot fix


#: What is wrong -> how it is arranged, and what the message tells to do.
HOPELESS: dict[str, tuple[Any, str]] = {
    "the payment is not there": (lambda portal, payment_id: portal.remove_payment(payment_id), "Payment has not been"),
    "the id is another number": (lambda portal, payment_id: portal.remove_payment(payment_id), "gives id and account"),
    "a scope is missing": (lambda portal, _: setattr(portal, "scopes", {"task"}), 'tick "crm"'),
    "the plan does not include REST": (
        lambda portal, _: setattr(portal, "plan_has_rest", False),
        "does not include REST",
    ),
    "the webhook was deleted": (
        lambda portal, _: setattr(portal.admin, "code", "an0therc0de12345"),
        "create a new one",
    ),
    "the portal is blocked": (lambda portal, _: portal.fault("overload", DELETE), "ask Bitrix24 support"),
    "the portal shows a page": (
        lambda portal, _: portal.fault("redirect", DELETE, location="/license"),
        "in a browser",
    ),
    "the method is unknown": (
        lambda portal, _: portal.fault("error", DELETE, code="ERROR_METHOD_NOT_FOUND", status=404),
        "check the method's name",
    ),
    "an older portal says no": (
        lambda portal, _: portal.fault("body", DELETE, body=b'{"result": false}', executed=False),
        "exists and can be read, so the change itself was refused",
    ),
    "words that nobody knows": (
        lambda portal, _: portal.fault("error", DELETE, code=0, description="Nein", status=400),
        "exists and can be read, so the change itself was refused",
    ),
}


@pytest.mark.parametrize(("arrange", "hint"), HOPELESS.values(), ids=HOPELESS.keys())
def test_what_a_retry_cannot_fix_fails_at_once_with_a_hint(arrange, hint, portal, connection, all_output):
    code = portal.admin.code
    payment_id = portal.add_payment(1)
    arrange(portal, payment_id)
    error = failure_of(payment_id)
    assert type(error) is AirflowFailException
    assert str(error).startswith(f"{DELETE}: ")
    assert hint in str(error)
    assert re.search(r"\(request [0-9a-f-]{36}\)", str(error))
    assert portal.executed(DELETE) == 0
    assert_untold(code, all_output, error)


def test_a_paid_payment_is_to_be_unpaid_first(portal, connection):
    error = failure_of(portal.add_payment(1, paid=True))
    assert type(error) is AirflowFailException
    assert "SALE_PAYMENT_DELETE_EXIST_PAID" in str(error)
    assert "unpay it first" in str(error)


def test_a_missing_right_names_both_possible_causes(portal, connect):
    connect(portal.clerk)
    error = failure_of(portal.add_payment(1))
    assert type(error) is AirflowFailException
    assert "user needs the right to change the payment's order; or the portal's plan does not include REST" in str(
        error
    )


# Failures that a retry may fix


@pytest.mark.parametrize(
    ("kind", "error_class"),
    [
        ("operation_time_limit", OperationTimeLimit),
        ("query_limit", QueryLimitExceeded),
        ("close_before", AnswerLost),
        ("status_before", AnswerLost),
        ("error", ServerFault),
    ],
)
def test_limits_faults_and_the_network_are_raised_as_they_are(kind, error_class, portal, connection, all_output):
    portal.fault(kind, DELETE, times=None)
    error = failure_of(portal.add_payment(1))
    assert type(error) is error_class
    assert portal.executed(DELETE) == 0
    assert_untold(portal.admin.code, all_output, error)


def test_a_portal_that_is_away_is_raised_as_it_is(portal, connection):
    portal.stop_listening()
    assert type(failure_of(1)) is NotSent


# missing_ok


@pytest.mark.parametrize("language", ["en", "ru"])
def test_missing_ok_takes_a_missing_payment_for_false(language, monkeypatch, all_output):
    with Sandbox(deals=1, language=language) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        assert delete(999_999, missing_ok=True) is False
    assert "this is accepted, since missing_ok is set" in said(all_output)


@pytest.mark.parametrize("generation", ["middle", "old"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_an_answer_that_may_mean_a_missing_right_is_never_taken_for_missing(generation, language, monkeypatch):
    with Sandbox(deals=1, generation=generation, language=language) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        error = failure_of(999_999, missing_ok=True)
    assert type(error) is AirflowFailException
    assert "there is none with this id, or the connection's user has no right to it" in str(error)


@pytest.mark.parametrize("generation", ["current", "middle", "old"])
def test_missing_ok_forgives_neither_a_missing_right_nor_a_paid_payment(generation, monkeypatch):
    with Sandbox(deals=1, generation=generation) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(portal.clerk))
        assert type(failure_of(portal.add_payment(1), missing_ok=True)) is AirflowFailException
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        assert "unpay it first" in str(failure_of(portal.add_payment(1, paid=True), missing_ok=True))


# Later tries


def test_not_found_on_a_later_try_says_that_an_earlier_one_may_have_deleted_it(portal, connection):
    assert EARLIER_TRY not in str(failure_of(999_999))
    assert EARLIER_TRY in str(failure_of(999_999, try_number=2))


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_an_older_portal_that_cannot_tell_on_a_later_try_says_so_too(generation, monkeypatch):
    with Sandbox(deals=1, generation=generation) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        portal.fault("close_after", DELETE)
        payment_id = portal.add_payment(1)
        first = failure_of(payment_id)
        assert type(first) is AnswerLost
        assert "the payment may already be deleted" in str(first)
        assert EARLIER_TRY in str(failure_of(payment_id, try_number=2))
        assert EARLIER_TRY not in str(failure_of(portal.add_payment(1, paid=True), try_number=2))


# What is left behind


def test_the_connection_is_closed_when_the_task_has_ended(portal, connection):
    closed = SleeplessDelete(task_id="delete", payment_id=portal.add_payment(1))
    closed.execute({"ti": SimpleNamespace(try_number=1)})
    assert closed._client is None


def test_a_killed_task_sends_nothing_more(portal, connection):
    operator = SleeplessDelete(task_id="delete", payment_id=1)
    operator.on_kill()
    with pytest.raises(TaskStopped):
        operator.execute({})
    assert portal.connections == 0
