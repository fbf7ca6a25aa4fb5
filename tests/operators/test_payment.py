"""Payments read, listed, added, changed, paid and unpaid by operators, at portals of every age."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.operators.payment import (
    Bitrix24AddPaymentOperator,
    Bitrix24GetPaymentOperator,
    Bitrix24PayPaymentOperator,
    Bitrix24UnpayPaymentOperator,
    Bitrix24UpdatePaymentOperator,
)
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import StateStore, context
from tests.sleepless import sleepless

ADD, GET, LIST, UPDATE = (f"crm.item.payment.{name}" for name in ("add", "get", "list", "update"))
PAY, UNPAY = "crm.item.payment.pay", "crm.item.payment.unpay"
ROW = {
    "paid": "N", "datePaid": None, "empPaidId": None, "paySystemId": 6, "sum": 250.5, "currency": "USD",
    "paySystemName": "Cash",
}  # fmt: skip


def run(operator: type, *, try_number: int = 1, **arguments: Any) -> Any:
    return sleepless(operator)(task_id="task", **arguments).execute(context(try_number=try_number))


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


@pytest.fixture(params=["current", "middle", "old"])
def aged(request, monkeypatch):
    """A portal of each generation, and the connection to it."""
    with Sandbox(deals=3, generation=request.param) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        yield portal


def ids_of(portal: Sandbox, deal: int) -> list[int]:
    return [row["id"] for row in portal.payments() if row["dealId"] == deal]


# Reading


def test_a_payment_has_the_same_shape_at_portals_of_every_age(aged):
    payment = aged.add_payment(2, sum=250.5)
    result = run(Bitrix24GetPaymentOperator, payment_id=payment)
    assert result == {"id": payment, "accountNumber": result["accountNumber"], **ROW}
    assert result["accountNumber"].partition("/")[0].isdecimal()


def test_payments_of_a_deal_are_listed_in_the_same_shape_at_portals_of_every_age(aged):
    aged.add_payment(2, sum=250.5)
    result = run(Bitrix24ListPaymentsOperator, entity_id="2")
    assert [row["id"] for row in result] == ids_of(aged, 2)
    assert {name: result[-1][name] for name in ROW} == ROW


@pytest.mark.parametrize("which", ["ids", "text", "filter"])
def test_payments_of_many_say_whose_they_are(which, portal, connection):
    deals = portal.add_deals(60, title="of many")
    wanted = {(deal, portal.add_payment(deal, sum=5)) for deal in deals for _ in range(2)}
    given = {"ids": {"entity_ids": deals}, "text": {"entity_ids": json.dumps(deals)}}
    rows = run(Bitrix24ListPaymentsOperator, **given.get(which, {"entity_filter": {"=title": "of many"}}))
    assert {(row["entityId"], row["id"]) for row in rows} == wanted
    assert {row["entityTypeId"] for row in rows} == {2}
    assert {name: rows[0][name] for name in ROW} == {**ROW, "sum": 5}
    assert [row["entityId"] for row in rows] == sorted(row["entityId"] for row in rows)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give one of entity_id, entity_ids and entity_filter"),
        ({"entity_id": 1, "entity_ids": [1]}, "give one of entity_id, entity_ids and entity_filter"),
        ({"entity_filter": {}}, "entity_filter is empty"),
        ({"entity_filter": "{}"}, "entity_filter is empty"),
        ({"entity_filter": None}, "entity_filter is None"),
        ({"entity_filter": {"stageId": None}}, "'stageId' in entity_filter"),
        ({"entity_ids": "None"}, "entity_ids is"),
        ({"entity_ids": []}, ""),
    ],
)
def test_payments_of_nothing_are_not_those_of_all(given, message, portal, connection):
    if message:
        assert message in failure_of(Bitrix24ListPaymentsOperator, **given)
    else:
        assert run(Bitrix24ListPaymentsOperator, **given) == []
    assert portal.requests <= 1


@pytest.mark.parametrize("payment_filter", [{"=paid": "Y"}, '{"=paid": "Y"}'])
def test_a_list_may_be_filtered_and_be_of_ids_alone(payment_filter, portal, connection):
    portal.add_payment(1)
    paid = portal.add_payment(1, paid=True)
    result = run(Bitrix24ListPaymentsOperator, entity_id=1, payment_filter=payment_filter, ids_only=True)
    assert paid in result
    assert {portal.payment(payment_id)["paid"] for payment_id in result} == {"Y"}


@pytest.mark.parametrize("paid", [True, False])
def test_a_filter_takes_true_and_false(paid, portal, connection):
    there = {True: portal.add_payment(1, paid=True), False: portal.add_payment(1)}
    result = run(Bitrix24ListPaymentsOperator, entity_id=1, payment_filter={"=paid": paid}, ids_only=True)
    assert (there[paid] in result, there[not paid] in result) == (True, False)
    arguments = {"entity_ids": [1], "payment_filter": json.dumps({"=paid": paid}), "dry_run": True}
    assert [row["id"] for row in run(Bitrix24DeletePaymentsOperator, **arguments)["outcomes"]] == result


@pytest.mark.parametrize(
    ("condition", "is_paid"),
    [
        ({"=paid": "y"}, True),
        ({"paid": " n "}, False),
        ({"!paid": True}, False),
        ({"!=paid": "y"}, False),
        ({"@paid": [True]}, True),
        ({"@paid": ["n"]}, False),
        ({"=paid": np.bool_(False)}, False),
    ],
)
def test_paid_is_a_boolean_or_a_letter_in_any_case(condition, is_paid, portal, connection):
    there = {True: portal.add_payment(1, paid=True), False: portal.add_payment(1)}
    result = run(Bitrix24ListPaymentsOperator, entity_id=1, payment_filter=condition, ids_only=True)
    assert (there[is_paid] in result, there[not is_paid] in result) == (True, False)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ({"=paid": 0}, "'=paid' in payment_filter is 0"),
        ({"=paid": 1}, "'=paid' in payment_filter is 1"),
        ({"=paid": "false"}, "is 'false'"),
        ({"paid": "maybe"}, "is 'maybe'"),
        ({"=paid": ""}, "is ''"),
        ({"!paid": "yes"}, "is 'yes'"),
        ({"@paid": ["Y", "0"]}, "'@paid' in payment_filter is '0'"),
        ({"0": {"logic": "OR", "0": {"=paid": 0}, "1": {"=id": 1}}}, "'=paid' in payment_filter is 0"),
    ],
)
def test_another_value_for_paid_would_find_nothing_and_is_refused(condition, shown, portal, connection):
    for given in (condition, json.dumps(condition)):
        for operator, arguments in (
            (Bitrix24ListPaymentsOperator, {"entity_id": 1}),
            (Bitrix24DeletePaymentsOperator, {"entity_ids": [1]}),
        ):
            failure = failure_of(operator, **arguments, payment_filter=given)
            assert shown in failure
            assert "and would find no payment: write Y or N, true or false" in failure
    assert portal.requests == 0


@pytest.mark.parametrize("name", ["payed", "PAID"])
def test_a_filter_with_a_name_that_is_none_says_how_they_are_spelled(name, portal, connection):
    failure = failure_of(Bitrix24ListPaymentsOperator, entity_id=1, payment_filter={f"={name}": "N"})
    assert "check the names in filter, order and select; write them as in the method's answer, e.g. paid" in failure


@pytest.mark.parametrize("kind", ["deal", "Deals", 2, "2"])
def test_an_object_is_named_by_word_or_number(kind, portal, connection):
    run(Bitrix24ListPaymentsOperator, entity_type_id=kind, entity_id=5)
    assert portal.calls[0].params == {"entityTypeId": 2, "entityId": 5}


def test_an_object_without_payments_lists_none(portal, connection):
    assert run(Bitrix24ListPaymentsOperator, entity_type_id="invoice", entity_id=999_999) == []


def test_a_missing_payment_fails_and_says_where_its_id_is_or_is_none_where_that_is_fine(portal, connection):
    failure = failure_of(Bitrix24GetPaymentOperator, payment_id=999_999)
    assert "not the number that the portal shows (3653/1)" in failure
    assert run(Bitrix24GetPaymentOperator, payment_id=999_999, missing_ok=True) is None


# Adding


@pytest.mark.parametrize(("kind", "number"), [("deal", 2), ("invoice", 31)])
def test_a_payment_is_added_empty_and_its_id_returned(kind, number, portal, connection):
    added = run(Bitrix24AddPaymentOperator, entity_type_id=kind, entity_id=1)
    payment = portal.payment(added)
    assert (payment["entityTypeId"], payment["entityId"], payment["paid"], payment["sum"]) == (number, 1, "N", 0)
    assert portal.requests == 1


def test_the_payment_system_is_set_after_the_add(portal, connection):
    added = run(Bitrix24AddPaymentOperator, entity_id=1, pay_system_id="110")
    assert portal.payment(added)["paySystemId"] == 110
    assert [call.method for call in portal.calls] == [ADD, UPDATE]


@pytest.mark.parametrize("kind", ["operation_time_limit", "close_before"])
def test_a_payment_whose_system_could_not_be_set_is_named_and_not_added_twice_by_a_retry(kind, portal, connection):
    before = set(ids_of(portal, 1))
    portal.fault(kind, UPDATE, times=None)
    failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1, pay_system_id=110)
    (added,) = set(ids_of(portal, 1)) - before
    assert f"payment {added} was added: set its payment system" in failure


@pytest.mark.parametrize("kind", ["operation_time_limit", "close_before"])
def test_a_retry_sets_the_payment_system_of_the_same_payment_where_that_is_remembered(kind, portal, connection):
    before, store = set(ids_of(portal, 1)), StateStore()
    portal.fault(kind, UPDATE, times=None)
    operator = sleepless(Bitrix24AddPaymentOperator)(task_id="task", entity_id=1, pay_system_id=110)
    with pytest.raises(Bitrix24Error, match="a retry goes on with it and adds no other") as limited:
        operator.execute(context(store=store))
    assert limited.value.retryable
    portal.clear_faults()
    added = operator.execute(context(store=store, try_number=2))
    assert set(ids_of(portal, 1)) - before == {added}
    assert portal.payment(added)["paySystemId"] == 110


def test_an_unknown_payment_system_says_where_they_are(portal, connection):
    failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1, pay_system_id=999)
    assert "see sale.paysystem.list" in failure
    assert "was added: set its payment system" in failure


def test_a_lost_answer_of_an_add_is_not_repeated_and_not_retried(portal, connection):
    before = len(ids_of(portal, 1))
    portal.fault("close_after", ADD)
    failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1)
    assert "crm.item.payment" in failure
    assert "list" in failure
    assert len(ids_of(portal, 1)) == before + 1


def test_deduplicate_finds_what_a_lost_add_made(portal, connection):
    before = set(ids_of(portal, 1))
    portal.fault("close_after", ADD)
    added = run(Bitrix24AddPaymentOperator, entity_id=1, deduplicate=True, pay_system_id=110)
    assert {added} == set(ids_of(portal, 1)) - before
    assert portal.payment(added)["paySystemId"] == 110
    assert portal.count(ADD) == 1


class StoreAtTheMoment(StateStore):
    """Lets something happen at the portal right before the add."""

    def __init__(self, happen: Any) -> None:
        super().__init__()
        self.happen = happen

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        if key.endswith("_intent"):
            self.happen()


@pytest.mark.parametrize(("executed", "others", "found"), [(False, 0, "no payment has"), (True, 1, "2 payments have")])
def test_deduplicate_does_not_guess(executed, others, found, portal, connection):
    portal.fault("close_after" if executed else "close_before", ADD)
    store = StoreAtTheMoment(lambda: [portal.add_payment(1) for _ in range(others)])
    operator = Bitrix24AddPaymentOperator(task_id="task", entity_id=1, deduplicate=True)
    with pytest.raises(AirflowFailException, match=f"{found} appeared meanwhile"):
        operator.execute(context(store=store))


def test_a_lost_add_that_cannot_be_looked_for_is_not_added_again_by_a_retry(portal, connection):
    before = set(ids_of(portal, 1))
    portal.fault("close_after", ADD)
    portal.fault("operation_time_limit", LIST, after=1, times=None)
    failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1, deduplicate=True)
    assert "it could not be looked for" in failure
    assert len(set(ids_of(portal, 1)) - before) == 1


def test_a_lost_add_that_cannot_be_looked_for_is_found_by_the_next_try_where_one_is_remembered(portal, connection):
    before, store = set(ids_of(portal, 1)), StateStore()
    portal.fault("close_after", ADD)
    portal.fault("operation_time_limit", LIST, after=1, times=None)
    operator = Bitrix24AddPaymentOperator(task_id="task", entity_id=1, deduplicate=True)
    with pytest.raises(OperationTimeLimit):
        operator.execute(context(store=store))
    portal.clear_faults()
    added = operator.execute(context(store=store, try_number=2))
    assert set(ids_of(portal, 1)) - before == {added}


def test_an_add_is_refused_for_what_is_not_there_or_may_not_be_changed(portal, connect):
    connect()
    assert "does not exist" in failure_of(Bitrix24AddPaymentOperator, entity_id=999_999)
    connect(portal.clerk)
    assert "does not have the right" in failure_of(Bitrix24AddPaymentOperator, entity_id=1)


def test_an_answer_that_is_not_an_id_is_not_a_success(portal, connection):
    portal.fault("body", ADD, body=b'{"result": true}', executed=False)
    assert "the answer is True and not an id" in failure_of(Bitrix24AddPaymentOperator, entity_id=1)


# Changing


@pytest.mark.parametrize(("paid", "sent"), [(True, "Y"), (False, "N"), ("y", "Y"), ("False", "N"), (" N ", "N")])
def test_an_update_takes_yes_and_no_as_templates_write_them(paid, sent, portal, connection):
    assert run(Bitrix24UpdatePaymentOperator, payment_id=portal.add_payment(1), paid=paid) is True
    assert portal.calls[0].params["fields"] == {"paid": sent}


def test_an_update_sets_the_payment_system(portal, connection):
    payment = portal.add_payment(1)
    run(Bitrix24UpdatePaymentOperator, payment_id=payment, pay_system_id="110")
    assert (portal.payment(payment)["paySystemName"], portal.payment(payment)["paid"]) == ("Card", "N")


def test_an_update_says_which_of_the_two_is_missing(portal, connection):
    assert "3653/1" in failure_of(Bitrix24UpdatePaymentOperator, payment_id=999_999, paid=True)
    failure = failure_of(Bitrix24UpdatePaymentOperator, payment_id=portal.add_payment(1), pay_system_id=999)
    assert "see sale.paysystem.list" in failure
    assert "3653/1" not in failure


@pytest.mark.parametrize("generation", ["current", "middle", "old"])
def test_pay_and_unpay_tell_whether_they_changed_something(generation, monkeypatch):
    with Sandbox(deals=3, generation=generation) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payment = portal.add_payment(1)
        for operator, expected, paid in [
            (Bitrix24PayPaymentOperator, True, "Y"),
            (Bitrix24PayPaymentOperator, False, "Y"),
            (Bitrix24UnpayPaymentOperator, True, "N"),
            (Bitrix24UnpayPaymentOperator, False, "N"),
        ]:
            assert run(operator, payment_id=payment) is expected
            assert portal.payment(payment)["paid"] == paid


@pytest.mark.parametrize(
    ("operator", "method"), [(Bitrix24PayPaymentOperator, PAY), (Bitrix24UnpayPaymentOperator, UNPAY)]
)
def test_after_a_lost_answer_nobody_knows_who_changed_it(operator, method, portal, connection):
    payment = portal.add_payment(1, paid=method == UNPAY)
    portal.fault("close_after", method)
    assert run(operator, payment_id=payment) is None
    assert run(operator, payment_id=payment, try_number=2) is None
    assert run(operator, payment_id=payment) is False


# Every one of them


PAYMENT_OPERATORS = [
    Bitrix24GetPaymentOperator,
    Bitrix24PayPaymentOperator,
    Bitrix24UnpayPaymentOperator,
    Bitrix24UpdatePaymentOperator,
]


def given(operator: type, payment_id: Any) -> dict[str, Any]:
    return {"payment_id": payment_id, **({"paid": True} if operator is Bitrix24UpdatePaymentOperator else {})}


@pytest.mark.parametrize("operator", PAYMENT_OPERATORS)
@pytest.mark.parametrize("payment_id", ["", "3653/1", 0, True, None, 1.5])
def test_what_is_not_an_id_fails_and_nothing_is_sent(operator, payment_id, portal, connection):
    assert "payment_id must be a whole number above 0" in failure_of(operator, **given(operator, payment_id))
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        (Bitrix24UpdatePaymentOperator, {"payment_id": 1}, "give paid or pay_system_id"),
        (Bitrix24UpdatePaymentOperator, {"payment_id": 1, "paid": "maybe"}, "write True, False"),
        (Bitrix24UpdatePaymentOperator, {"payment_id": 1, "pay_system_id": "Cash"}, "pay_system_id must be"),
        (Bitrix24AddPaymentOperator, {"entity_id": "D_13"}, "entity_id must be"),
        (Bitrix24AddPaymentOperator, {"entity_id": 1, "entity_type_id": "lead"}, "write one of deal (2), invoice (31)"),
        (Bitrix24AddPaymentOperator, {"entity_id": 1, "entity_type_id": "deel"}, "did you mean deal?"),
        (Bitrix24AddPaymentOperator, {"entity_id": 1, "pay_system_id": 0}, "pay_system_id must be"),
        (Bitrix24ListPaymentsOperator, {"entity_id": 1, "payment_filter": [1]}, "payment_filter is not an object"),
        (Bitrix24ListPaymentsOperator, {"entity_id": None}, "entity_id is None"),
    ],
)
def test_wrong_arguments_fail_and_nothing_is_sent(operator, arguments, message, portal, connection):
    assert message in failure_of(operator, **arguments)
    assert portal.connections == 0


@pytest.mark.parametrize("operator", PAYMENT_OPERATORS[1:])
def test_a_missing_right_and_a_missing_payment_fail_without_a_retry(operator, portal, connect):
    connect(portal.clerk)
    payment = portal.add_payment(1, paid=True)
    failure = failure_of(operator, **given(operator, payment))
    assert "the connection's user needs the right to change the payment's order" in failure
    connect()
    assert "Payment has not been found" in failure_of(operator, **given(operator, 999_999))


@pytest.mark.parametrize("operator", PAYMENT_OPERATORS)
@pytest.mark.parametrize(
    ("kind", "error"), [("operation_time_limit", OperationTimeLimit), ("close_before", AnswerLost)]
)
def test_limits_and_the_network_are_left_to_the_retries(operator, kind, error, portal, connection):
    portal.fault(kind, "crm.item.payment.*", times=None)
    with pytest.raises(Bitrix24Error) as caught:
        run(operator, **given(operator, portal.add_payment(1)))
    assert type(caught.value) is error


# A portal that gives back what it was sent


@pytest.mark.parametrize("result", [None, True, 7, 1.5, "x", [], [{"id": 7}]])
@pytest.mark.parametrize("operator", [Bitrix24GetPaymentOperator, Bitrix24PayPaymentOperator])
def test_an_answer_that_is_not_a_payment_is_not_a_success(operator, result, portal, connection):
    portal.fault("body", GET, body=json.dumps({"result": result}).encode())
    assert "crm.item.payment.get: the answer is not a payment" in failure_of(operator, payment_id=7)
    assert portal.executed(PAY) == 0


@pytest.mark.parametrize("row", [{"id": "x"}, {"id": [7]}, {"id": "9" * 5000}])
def test_payments_without_a_number_are_not_compared(row, portal, connection):
    portal.fault("body", LIST, body=json.dumps({"result": [row]}).encode())
    failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1, deduplicate=True)
    assert "the id of a row is not a number" in failure
    assert portal.executed(ADD) == 0


def test_no_webhook_is_shown_that_stands_where_an_id_should(portal, connection):
    for result in (portal.admin.code, [portal.webhook().upper()], "x" * 50 + portal.admin.code):
        portal.fault("body", ADD, body=json.dumps({"result": result}).encode())
        failure = failure_of(Bitrix24AddPaymentOperator, entity_id=1)
        assert "and not an id: look with crm.item.payment.list before you run this again" in failure
        assert portal.admin.code[:8].lower() not in failure.lower()
