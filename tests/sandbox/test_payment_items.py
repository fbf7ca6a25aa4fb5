"""Products and deliveries in payments, and links to payments."""

from __future__ import annotations

import base64

import pytest

PRODUCT, DELIVERY = "crm.item.payment.product", "crm.item.payment.delivery"


def result(response):
    return response.json()["result"]


def refusal(response):
    answer = response.json()
    return response.status_code, answer["error"], answer["error_description"]


def test_products_and_deliveries_make_the_sum_of_a_payment(portal, ask):
    payment, row, delivery = (
        portal.add_payment(1), portal.add_product_row(1, price=10, quantity=3), portal.add_delivery(1, price=7)
    )  # fmt: skip
    product = result(ask(portal, f"{PRODUCT}.add", {"paymentId": payment, "rowId": row, "quantity": 2}))
    delivered = result(ask(portal, f"{DELIVERY}.add", {"paymentId": payment, "deliveryId": delivery}))
    assert portal.payment(payment)["sum"] == 27
    assert result(ask(portal, f"{PRODUCT}.list", {"paymentId": payment})) == [
        {"id": product, "paymentId": payment, "quantity": 2, "rowId": row}
    ]
    assert result(ask(portal, f"{DELIVERY}.list", {"paymentId": payment})) == [
        {"id": delivered, "paymentId": payment, "quantity": 1, "deliveryId": delivery}
    ]
    assert result(ask(portal, f"{PRODUCT}.setQuantity", {"id": product, "quantity": 3})) is True
    assert portal.payment(payment)["sum"] == 37
    assert result(ask(portal, f"{PRODUCT}.delete", {"id": product})) is True
    assert portal.payment(payment)["sum"] == 7
    other = portal.add_delivery(1, price=9)
    assert result(ask(portal, f"{DELIVERY}.setDelivery", {"id": delivered, "deliveryId": other})) is True
    assert portal.payment(payment)["sum"] == 9
    assert result(ask(portal, f"{DELIVERY}.delete", {"id": delivered})) is True
    assert portal.payment(payment)["sum"] == 0
    assert [row["id"] for row in result(ask(portal, "crm.item.delivery.list", {"entityTypeId": 2, "entityId": 1}))] == [
        delivery,
        other,
    ]


def test_items_are_filtered_and_sorted(portal, ask):
    payment = portal.add_payment(1)
    for quantity in (1, 2, 3):
        row = portal.add_product_row(1, price=1, quantity=3)
        ask(portal, f"{PRODUCT}.add", {"paymentId": payment, "rowId": row, "quantity": quantity})
    params = {"paymentId": payment, "filter": {">=quantity": 2}, "order": {"quantity": "desc"}}
    assert [row["quantity"] for row in result(ask(portal, f"{PRODUCT}.list", params))] == [3, 2]
    assert ask(portal, f"{PRODUCT}.list", {**params, "filter": {"x": 1}}).json()["error"] == "100"


def test_changes_are_refused_as_the_portal_refuses_them(portal, ask):
    payment, paid, row = (
        portal.add_payment(1), portal.add_payment(1, paid=True), portal.add_product_row(1, quantity=2)
    )  # fmt: skip
    item = result(ask(portal, f"{PRODUCT}.add", {"paymentId": payment, "rowId": row, "quantity": 1}))
    for name, params, expected in [
        (f"{PRODUCT}.add", {"paymentId": paid, "rowId": row, "quantity": 1}, (403, "ACCESS_DENIED", "Access denied")),
        (f"{PRODUCT}.add", {"paymentId": 9, "rowId": row, "quantity": 1}, (400, "0", "Payment has not been found")),
        (f"{PRODUCT}.add", {"paymentId": payment, "rowId": 9, "quantity": 1}, (400, "0", "Product was not found.")),
        (
            f"{PRODUCT}.add",
            {"paymentId": payment, "rowId": row, "quantity": 2},
            (400, "0", "Insufficient product stock."),
        ),
        (
            f"{PRODUCT}.setQuantity",
            {"id": item, "quantity": 0},
            (400, "0", "Product quantity must be greater than zero."),
        ),
        (f"{PRODUCT}.setQuantity", {"id": item, "quantity": 3}, (400, "0", "Insufficient product stock.")),
        (f"{DELIVERY}.delete", {"id": item}, (400, "0", "Payable item has not been found")),
        (f"{DELIVERY}.add", {"paymentId": payment, "deliveryId": 9}, (400, "0", "Shipment was not found")),
    ]:
        assert refusal(ask(portal, name, params)) == expected, (name, params)
    for name in ("add", "delete", "setQuantity"):
        params = {"paymentId": payment, "rowId": row, "quantity": 1, "id": item}
        assert ask(portal, f"{PRODUCT}.{name}", params, user=portal.clerk).json()["error"] == "ACCESS_DENIED"


@pytest.mark.parametrize("user", ["admin", "clerk"])
def test_anybody_gets_a_link_to_a_payment(user, portal, ask):
    payment = portal.add_payment(1)
    params = {"id": payment}
    link = result(ask(portal, "salescenter.payment.getPublicUrl", params, user=getattr(portal, user)))["payment"]
    assert set(link) == {"url", "shortUrl", "qr"}
    assert base64.b64decode(link["qr"]).startswith(b"\x89PNG")


def test_there_is_no_link_without_a_confirmed_phone_and_no_error_either(portal, ask):
    portal.payment_site_phone_confirmed = False
    answer = result(ask(portal, "salescenter.payment.getPublicUrl", {"id": portal.add_payment(1)}))
    assert answer == {"connectedSiteId": 1, "isPhoneConfirmed": False}
    assert refusal(ask(portal, "salescenter.payment.getPublicUrl", {"id": 9}))[1:] == (
        "200640400001",
        "payment is not exists",
    )


def test_one_delivery_is_read(portal, ask):
    delivery = portal.add_delivery(1, price=7)
    listed = result(ask(portal, "crm.item.delivery.list", {"entityTypeId": 2, "entityId": 1}))
    assert result(ask(portal, "crm.item.delivery.get", {"id": delivery})) == listed[0]
    assert refusal(ask(portal, "crm.item.delivery.get", {"id": 999})) == (400, "0", "Shipment was not found")
    portal.clerk.rights = set()
    denied = ask(portal, "crm.item.delivery.get", {"id": delivery}, portal.clerk)
    assert refusal(denied) == (403, "ACCESS_DENIED", "Access denied")
