"""Where sources disagree on what a portal does, operators do, say and refuse the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.readings import named, pairwise

DEALS = 60


@pytest.fixture(scope="module", params=pairwise(), ids=named)
def portal(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(deals=DEALS, seed=3, **request.param) as portal:
        yield portal


def delete(payment_id: int) -> Any:
    return Bitrix24DeletePaymentOperator(task_id="delete", payment_id=payment_id).execute(context())


def test_a_payment_is_deleted_and_a_paid_one_fails_without_a_retry(portal, connection):
    unpaid, paid = portal.add_payment(1), portal.add_payment(1, paid=True)
    assert delete(unpaid) is True
    with pytest.raises(AirflowFailException):
        delete(paid)
    assert portal.payment(unpaid) is None
    assert portal.payment(paid) is not None


def test_who_may_not_delete_fails_without_a_retry(portal, connect):
    connect(user=portal.clerk)
    payment_id = portal.add_payment(1)
    with pytest.raises(AirflowFailException):
        delete(payment_id)
    portal.plan_has_rest = False
    try:
        with pytest.raises(AirflowFailException, match="plan"):
            delete(payment_id)
    finally:
        portal.plan_has_rest = True
    assert portal.payment(payment_id) is not None


def test_of_many_payments_none_is_reported_deleted_that_was_not(portal, connection):
    unpaid = [portal.add_payment(1 + number % DEALS) for number in range(70)]
    paid = portal.add_payment(1, paid=True)
    arguments = {"payment_ids": [*unpaid, paid, 999_999], "on_error": "continue"}
    result = Bitrix24DeletePaymentsOperator(task_id="delete", **arguments).execute(context())
    assert (result["rows"], result["deleted"]) == (72, 70)
    assert not [payment_id for payment_id in unpaid if portal.payment(payment_id)]
    assert portal.payment(paid) is not None


def test_all_items_are_listed(portal, connection):
    rows = Bitrix24ListItemsOperator(task_id="list", entity_type_id="deal", select=["id"]).execute(context())
    assert [row["id"] for row in rows] == list(range(1, DEALS + 1))


def test_a_connection_test_tells_who_it_is(portal, connect):
    for user, rights in ((portal.admin, "administrator"), (portal.clerk, "not an administrator")):
        connect(user=user)
        works, result = Bitrix24Hook().test_connection()
        assert works
        assert f"{user.name} (user {user.id}, {rights})" in result
