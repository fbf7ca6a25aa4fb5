"""What must not be done twice: a task that was killed while it did it is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24AddPaymentOperator
from airflow_provider_bitrix24.operators.payment_items import (
    Bitrix24AddPaymentDeliveryOperator,
    Bitrix24AddPaymentProductOperator,
)
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from tests.operators.context import StateStore, context

ADD_DEAL = {"entityTypeId": 2, "fields": {"title": "Oak door"}}


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


class DyingStore(StateStore):
    """Kills the task right before, or right after, it remembers a key."""

    def __init__(self, at: str, *, after: bool = False) -> None:
        super().__init__()
        self.at, self.after = f"bitrix24_3_{at}", after

    def set(self, key: str, value: Any) -> None:
        dies = key == self.at
        if not dies or self.after:
            super().set(key, value)
        if dies:
            self.at = ""
            raise Killed


def operators(portal: Any) -> dict[str, tuple[Any, str]]:
    """An operator of each kind, and the method that it must not call twice."""
    payment_id = portal.add_payment(1)
    row, delivery = portal.add_product_row(1, price=5, quantity=5), portal.add_delivery(1)
    return {
        "payment": (Bitrix24AddPaymentOperator(task_id="t", entity_id=1), "crm.item.payment.add"),
        "product": (
            Bitrix24AddPaymentProductOperator(task_id="t", payment_id=payment_id, row_id=row),
            "crm.item.payment.product.add",
        ),
        "delivery": (
            Bitrix24AddPaymentDeliveryOperator(task_id="t", payment_id=payment_id, delivery_id=delivery),
            "crm.item.payment.delivery.add",
        ),
        "item": (
            Bitrix24AddItemOperator(task_id="t", entity_type_id="deal", fields={"title": "Oak door"}),
            "crm.item.add",
        ),
        "any method": (
            Bitrix24Operator(task_id="t", method="crm.item.add", method_params=ADD_DEAL, result_path="item.id"),
            "crm.item.add",
        ),
        "batch": (
            Bitrix24BatchOperator(task_id="t", commands={"a": ["crm.item.add", ADD_DEAL], "b": ["profile"]}),
            "crm.item.add",
        ),
    }


KINDS = ("payment", "product", "delivery", "item", "any method", "batch")


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_was_killed_while_it_added_fails_instead_of_adding_again(portal, connection, kind):
    operator, method = operators(portal)[kind]
    store = DyingStore("done")
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    assert portal.executed(method) == 1
    with pytest.raises(
        AirflowFailException, match=r"an earlier try .* was killed or timed out .*: check whether it was done"
    ):
        operator.execute(context(store=store, try_number=2))
    assert portal.executed(method) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_was_killed_after_it_had_remembered_the_result_returns_it(portal, connection, kind):
    operator, method = operators(portal)[kind]
    store = DyingStore("done", after=True)
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    result = operator.execute(context(store=store, try_number=2))
    assert result == operator.execute(context(store=store, try_number=3))
    assert result
    assert portal.executed(method) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_is_left_to_the_retries_and_then_it_is_done(portal, connection, kind):
    operator, method = operators(portal)[kind]
    store = StateStore()
    portal.fault("operation_time_limit", method, times=None)
    with pytest.raises(Bitrix24Error, match="OPERATION_TIME_LIMIT") as limited:
        operator.execute(context(store=store))
    assert limited.value.retryable
    portal.clear_faults()
    operator.execute(context(store=store, try_number=2))
    assert portal.executed(method) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_a_person_cleared_begins_again(portal, connection, kind):
    operator, method = operators(portal)[kind]
    store = DyingStore("done")
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    # Clearing raises max_tries.
    operator.execute(context(store=store, try_number=2, retries=4))
    assert portal.executed(method) == 2


def test_a_payment_that_a_killed_try_added_is_found(portal, connection):
    operator = Bitrix24AddPaymentOperator(task_id="t", entity_id=2, deduplicate=True, pay_system_id=10)
    portal.add_payment(2)
    store = DyingStore("done")
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    ours = max(row["id"] for row in portal.payments() if row["dealId"] == 2)
    assert operator.execute(context(store=store, try_number=2)) == ours
    assert portal.payment(ours)["paySystemId"] == 10
    assert portal.executed("crm.item.payment.add") == 1


def test_a_payment_that_a_killed_try_did_not_add_is_not_guessed(portal, connection):
    operator = Bitrix24AddPaymentOperator(task_id="t", entity_id=2, deduplicate=True)
    store = DyingStore("intent", after=True)
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    with pytest.raises(AirflowFailException, match="no payment has appeared meanwhile"):
        operator.execute(context(store=store, try_number=2))
    assert portal.executed("crm.item.payment.add") == 0


@pytest.mark.parametrize("remembered", [True, False])
def test_an_item_that_could_not_be_read_back_is_not_added_again_by_a_retry(remembered, portal, connection):
    store = StateStore() if remembered else None
    portal.fault("operation_time_limit", "crm.item.get", times=None)
    operator = Bitrix24AddItemOperator(task_id="t", entity_type_id=2, fields={"title": "Oak door"}, read_back=True)
    expected, message = (
        (OperationTimeLimit, "a retry goes on with it") if remembered else (AirflowFailException, "look at it before")
    )
    with pytest.raises(expected, match=rf"deal \d+ was added: {message}"):
        operator.execute(context(store=store))
    portal.clear_faults()
    if remembered:
        assert operator.execute(context(store=store, try_number=2)) == max(item["id"] for item in portal.items(2))
    assert portal.executed("crm.item.add") == 1


def test_where_nothing_remembers_the_next_try_warns(portal, connection, caplog):
    operator = Bitrix24Operator(task_id="t", method="crm.item.add", method_params=ADD_DEAL)
    operator.execute(context())
    assert "may have been done already" not in caplog.text
    operator.execute(context(try_number=2))
    assert "crm.item.add: if an earlier try of this task was killed, it may have been done already" in caplog.text


def test_what_may_be_repeated_is_not_remembered(portal, connection):
    store = StateStore()
    Bitrix24Operator(task_id="t", method="crm.item.get", method_params={"entityTypeId": 2, "id": 1}).execute(
        context(store=store)
    )
    Bitrix24BatchOperator(task_id="t", commands={"a": ["profile"]}).execute(context(store=store))
    assert store.values == {}


@pytest.mark.parametrize("argument", ["response_filter", "response_check"])
def test_a_function_of_the_author_that_raises_after_an_add_is_not_a_reason_to_add_again(argument, portal, connection):
    def broken(result: Any) -> Any:
        raise KeyError("no_such_key")

    adding = Bitrix24Operator(task_id="t", method="crm.item.add", method_params=ADD_DEAL, **{argument: broken})
    with pytest.raises(AirflowFailException, match=f"{argument} raised KeyError, and the method has been done"):
        adding.execute(context())
    reading = Bitrix24Operator(task_id="t", method="profile", **{argument: broken})
    with pytest.raises(KeyError):
        reading.execute(context())


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_with_other_params_does_not_take_the_earlier_result_for_its_own(portal, connection, kind):
    operator, method = operators(portal)[kind]
    store = DyingStore("done", after=True)
    with pytest.raises(Killed):
        operator.execute(context(store=store))
    changes: dict[str, tuple[str, Any]] = {
        "payment": ("entity_id", 2),
        "product": ("quantity", 2),
        "delivery": ("delivery_id", portal.add_delivery(1)),
        "item": ("fields", {"title": "Elm door"}),
        "any method": ("method_params", {**ADD_DEAL, "fields": {"title": "Elm door"}}),
        "batch": ("commands", {"a": ["crm.item.add", {**ADD_DEAL, "fields": {"title": "Elm door"}}]}),
    }
    setattr(operator, *changes[kind])
    with pytest.raises(AirflowFailException, match=r"an earlier try of this task has called .* with other params"):
        operator.execute(context(store=store, try_number=2))
    assert portal.executed(method) == 1
    assert operator.execute(context(store=store, try_number=2, retries=5))
    assert portal.executed(method) == 2
