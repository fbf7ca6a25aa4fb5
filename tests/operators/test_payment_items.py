"""Products and deliveries of payments, and links to them, by operators."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.operators.payment_items import (
    Bitrix24AddPaymentDeliveryOperator,
    Bitrix24AddPaymentProductOperator,
    Bitrix24DeletePaymentDeliveryOperator,
    Bitrix24DeletePaymentProductOperator,
    Bitrix24GetPaymentPublicUrlOperator,
    Bitrix24ListPaymentDeliveriesOperator,
    Bitrix24ListPaymentProductsOperator,
    Bitrix24SetPaymentDeliveryOperator,
    Bitrix24SetPaymentProductQuantityOperator,
)
from tests.operators.context import context

URL = "salescenter.payment.getPublicUrl"


def run(operator: type, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(context())


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


def test_a_product_is_added_listed_changed_and_taken_out(portal, connection):
    payment, row = portal.add_payment(1), portal.add_product_row(1, price=10, quantity=3)
    item = run(Bitrix24AddPaymentProductOperator, payment_id=str(payment), row_id=str(row), quantity="2")
    expected = {"id": item, "paymentId": payment, "quantity": 2, "rowId": row}
    assert run(Bitrix24ListPaymentProductsOperator, payment_id=payment) == [expected]
    assert portal.payment(payment)["sum"] == 20
    assert run(Bitrix24SetPaymentProductQuantityOperator, item_id=item, quantity=3) is True
    assert portal.payment(payment)["sum"] == 30
    assert run(Bitrix24ListPaymentProductsOperator, payment_id=payment, item_filter={">quantity": 3}) == []
    assert run(Bitrix24DeletePaymentProductOperator, item_id=item) is True
    assert run(Bitrix24ListPaymentProductsOperator, payment_id=payment) == []


def test_a_delivery_is_added_listed_changed_and_taken_out(portal, connection):
    payment, first, second = portal.add_payment(1), portal.add_delivery(1, price=7), portal.add_delivery(1, price=9)
    item = run(Bitrix24AddPaymentDeliveryOperator, payment_id=payment, delivery_id=first)
    assert run(Bitrix24ListPaymentDeliveriesOperator, payment_id=payment) == [
        {"id": item, "paymentId": payment, "quantity": 1, "deliveryId": first}
    ]
    assert run(Bitrix24SetPaymentDeliveryOperator, item_id=item, delivery_id=second) is True
    assert portal.payment(payment)["sum"] == 9
    assert run(Bitrix24DeletePaymentDeliveryOperator, item_id=item) is True
    assert portal.payment(payment)["sum"] == 0


def test_a_link_comes_without_its_long_picture_unless_asked_for(portal, connection, all_output):
    payment = portal.add_payment(1)
    link = run(Bitrix24GetPaymentPublicUrlOperator, payment_id=payment)
    assert set(link) == {"url", "shortUrl"}
    assert link["url"].startswith("https://")
    picture = run(Bitrix24GetPaymentPublicUrlOperator, payment_id=payment, qr=True)["qr"]
    assert len(picture) > 1000
    assert all_output.places_of(picture) == []


def test_a_portal_without_a_confirmed_phone_gives_no_link_and_says_what_to_do(portal, connection):
    portal.payment_site_phone_confirmed = False
    failure = failure_of(Bitrix24GetPaymentPublicUrlOperator, payment_id=portal.add_payment(1))
    assert "confirm the phone of the site for payments" in failure


def test_a_link_needs_its_own_scope(portal, connection):
    portal.scopes = {"crm"}
    assert "salescenter" in failure_of(Bitrix24GetPaymentPublicUrlOperator, payment_id=portal.add_payment(1))


ADDS = [
    (Bitrix24AddPaymentProductOperator, "product", "row_id", "add_product_row"),
    (Bitrix24AddPaymentDeliveryOperator, "delivery", "delivery_id", "add_delivery"),
]


@pytest.mark.parametrize(("operator", "kind", "name", "add"), ADDS)
def test_an_add_whose_answer_is_lost_is_not_repeated_and_says_where_to_look(
    operator, kind, name, add, portal, connection
):
    payment, about = portal.add_payment(1), getattr(portal, add)(1)
    portal.fault("close_after", f"crm.item.payment.{kind}.add")
    failure = failure_of(operator, payment_id=payment, **{name: about})
    assert "list" in failure
    assert portal.count(f"crm.item.payment.{kind}.add") == portal.executed(f"crm.item.payment.{kind}.add") == 1


@pytest.mark.parametrize(("operator", "kind", "name", "add"), ADDS)
def test_what_is_paid_missing_or_not_allowed_fails_without_a_retry(operator, kind, name, add, portal, connect):
    connect()
    about = getattr(portal, add)(1)
    paid = portal.add_payment(1, paid=True)
    assert "a paid payment must be unpaid first" in failure_of(operator, payment_id=paid, **{name: about})
    assert "Payment has not been found" in failure_of(operator, payment_id=999_999, **{name: about})
    assert "was not found" in failure_of(operator, payment_id=portal.add_payment(1), **{name: 999_999})
    connect(portal.clerk)
    failure = failure_of(operator, payment_id=portal.add_payment(1), **{name: about})
    assert "the connection's user needs the right to change the payment's order" in failure


def test_more_than_is_left_to_pay_is_refused(portal, connection):
    payment, row = portal.add_payment(1), portal.add_product_row(1, quantity=2)
    failure = failure_of(Bitrix24AddPaymentProductOperator, payment_id=payment, row_id=row, quantity=3)
    assert "the quantity is above what is left to pay" in failure


CHANGES = [
    (Bitrix24SetPaymentProductQuantityOperator, {"quantity": 1}),
    (Bitrix24SetPaymentDeliveryOperator, {"delivery_id": 1}),
    (Bitrix24DeletePaymentProductOperator, {}),
    (Bitrix24DeletePaymentDeliveryOperator, {}),
]


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
def test_an_item_that_is_not_there_says_that_its_id_is_its_own(operator, arguments, portal, connection):
    failure = failure_of(operator, item_id=999_999, **arguments)
    assert (
        '"Payable item has not been found": the id may belong to the other kind of item (product or delivery)'
        in failure
    )
    assert "item_id must be a whole number" in failure_of(operator, item_id="x", **arguments)


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
def test_a_limit_is_left_to_the_retries(operator, arguments, portal, connection):
    portal.fault("operation_time_limit", "crm.item.payment.*", times=None)
    with pytest.raises(OperationTimeLimit):
        run(operator, item_id=1, **arguments)


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        (Bitrix24AddPaymentProductOperator, {"row_id": 1, "quantity": 1.5}, "the portal takes whole numbers only"),
        (Bitrix24AddPaymentProductOperator, {"row_id": 1, "quantity": 0}, "the portal takes whole numbers only"),
        (Bitrix24AddPaymentProductOperator, {"row_id": "Oak door"}, "crm.item.productrow.getAvailableForPayment"),
        (Bitrix24AddPaymentDeliveryOperator, {"delivery_id": "door"}, "crm.item.delivery.list gives"),
        (Bitrix24ListPaymentProductsOperator, {"item_filter": "quantity"}, "item_filter is not an object"),
    ],
)
def test_wrong_arguments_fail_and_nothing_is_sent(operator, arguments, message, portal, connection):
    assert message in failure_of(operator, payment_id=1, **arguments)
    assert portal.connections == 0
