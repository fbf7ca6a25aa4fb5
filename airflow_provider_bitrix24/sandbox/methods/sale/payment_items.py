"""
``crm.item.payment.product.*`` and ``.delivery.*``: what a payment pays for, and ``salescenter.payment.getPublicUrl``.

Items of both kinds are numbered together. Every change of them is refused while the payment is paid, and the sum
follows them. Source: pages under ``crm/universal/payment``, ``salescenter/payment``; server source.
"""

from __future__ import annotations

import base64
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import integer
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.sale.payments import access_denied, existing_payment, refused_filter
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import PAYABLE
from airflow_provider_bitrix24.sandbox.state.users import User

#: Kind of item -> name of what it is about.
_KINDS = {"product": "rowId", "delivery": "deliveryId"}
_FIELDS = {name: Field(name, "integer") for name in ("id", "quantity")}
_DELIVERY_FIELDS = {
    **{name: Field(name, "integer") for name in ("id", "deliveryId")},
    **{name: Field(name) for name in ("accountNumber", "deducted", "currency", "deliveryName")},
    "priceDelivery": Field("priceDelivery", "double"),
    "dateDeducted": Field("dateDeducted", "datetime"),
}


@method("crm.item.payment.product.add", scope="crm")
def add_product(portal: PortalState, user: User, params: Params) -> Any:
    payment_id, row_id, quantity = (integer(params, name) for name in ("paymentId", "rowId", "quantity"))
    payment = _to_change(portal, user, {"id": payment_id})
    if quantity <= 0:
        raise Refusal("0", portal.text("quantity_not_positive"))
    row = portal.store.product_rows.get(row_id)
    if row is None or row["owner"] != payment["owner"]:
        raise Refusal("0", portal.text("product_missing"))
    _check_stock(portal, row, quantity)
    return _added(portal, payment, "product", row_id, quantity)


@method("crm.item.payment.delivery.add", scope="crm")
def add_delivery(portal: PortalState, user: User, params: Params) -> Any:
    payment_id, delivery_id = integer(params, "paymentId"), integer(params, "deliveryId")
    payment = _to_change(portal, user, {"id": payment_id})
    delivery = portal.store.deliveries.get(delivery_id)
    if delivery is None or delivery["owner"] != payment["owner"]:
        raise Refusal("0", portal.text("delivery_missing"))
    return _added(portal, payment, "delivery", delivery_id, 1)


@method("crm.item.payment.product.list", scope="crm")
def list_products(portal: PortalState, user: User, params: Params) -> Any:
    return _listed(portal, user, params, "product")


@method("crm.item.payment.delivery.list", scope="crm")
def list_deliveries(portal: PortalState, user: User, params: Params) -> Any:
    return _listed(portal, user, params, "delivery")


@method("crm.item.payment.product.setQuantity", scope="crm")
def set_quantity(portal: PortalState, user: User, params: Params) -> Any:
    quantity = integer(params, "quantity")
    item, payment = _item_to_change(portal, user, params, "product")
    if quantity <= 0:
        raise Refusal("0", portal.text("quantity_not_positive"))
    _check_stock(portal, portal.store.product_rows.rows[item["rowId"]], quantity, but=item["id"])
    item["quantity"] = quantity
    _sum_up(portal, payment)
    return True


@method("crm.item.payment.delivery.setDelivery", scope="crm")
def set_delivery(portal: PortalState, user: User, params: Params) -> Any:
    # Whether the delivery exists is not checked here, unlike in "add".
    delivery_id = integer(params, "deliveryId")
    item, payment = _item_to_change(portal, user, params, "delivery")
    item["deliveryId"] = delivery_id
    _sum_up(portal, payment)
    return True


@method("crm.item.payment.product.delete", scope="crm")
def delete_product(portal: PortalState, user: User, params: Params) -> Any:
    return _deleted(portal, user, params, "product")


@method("crm.item.payment.delivery.delete", scope="crm")
def delete_delivery(portal: PortalState, user: User, params: Params) -> Any:
    return _deleted(portal, user, params, "delivery")


@method("crm.item.delivery.list", scope="crm")
def deliveries(portal: PortalState, user: User, params: Params) -> Any:
    owner = integer(params, "entityTypeId"), integer(params, "entityId")
    if not user.may("read"):
        raise access_denied(portal)
    matcher = Matcher(_DELIVERY_FIELDS, refuse=refused_filter).read(params.get("filter"))
    order = read_order(params.get("order"), _DELIVERY_FIELDS, refused_filter)
    rows = [row for row in portal.store.deliveries if row["owner"] == owner and owner[0] in PAYABLE]
    return [_delivery(row) for row in sort_rows(list(filter(matcher.accepts, rows)), order)]


def _delivery(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "owner"}


@method("crm.item.delivery.get", scope="crm")
def delivery(portal: PortalState, user: User, params: Params) -> Any:
    row = portal.store.deliveries.get(integer(params, "id"))
    if row is None and portal.settings.generation == "current":
        raise Refusal("0", portal.text("delivery_missing"))
    if row is None or not user.may("read"):
        raise access_denied(portal)
    return _delivery(row)


@method("salescenter.payment.getPublicUrl", scope="salescenter")
def public_url(portal: PortalState, user: User, params: Params) -> Any:
    payment_id = integer(params, "id")
    if portal.store.payments.get(payment_id) is None:
        raise Refusal("200640400001", "payment is not exists")
    if not portal.payment_site_phone_confirmed:
        return {"connectedSiteId": 1, "isPhoneConfirmed": False}
    address = f"{portal.url}/pub/payment_pay/{payment_id}/"
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3000)).decode()
    return {"payment": {"url": address, "shortUrl": f"{portal.url}/~p{payment_id}", "qr": picture}}


def _to_change(portal: PortalState, user: User, params: Params) -> Row:
    payment = existing_payment(portal, user, params, "change_orders")
    if payment["paid"] == "Y":
        raise access_denied(portal)
    return payment


def _item_to_change(portal: PortalState, user: User, params: Params, kind: str) -> tuple[Row, Row]:
    item = portal.store.payment_items.get(integer(params, "id"))
    payment = None if item is None else portal.store.payments.get(item["paymentId"])
    if item is None or payment is None or item["kind"] != kind:
        raise Refusal("0", "Payable item has not been found")
    return item, _to_change(portal, user, {"id": payment["id"]})


def _added(portal: PortalState, payment: Row, kind: str, about: int, quantity: int) -> int:
    item: Row = {"paymentId": payment["id"], "quantity": quantity, _KINDS[kind]: about, "kind": kind}
    portal.store.payment_items.add(item)
    _sum_up(portal, payment)
    return int(item["id"])


def _listed(portal: PortalState, user: User, params: Params, kind: str) -> list[Row]:
    payment = existing_payment(portal, user, {"id": integer(params, "paymentId")}, "read")
    matcher = Matcher(_FIELDS, refuse=refused_filter).read(params.get("filter"))
    order = read_order(params.get("order"), _FIELDS, refused_filter)
    rows = [row for row in portal.store.payment_items if row["paymentId"] == payment["id"] and row["kind"] == kind]
    names = ("id", "paymentId", "quantity", _KINDS[kind])
    return [{name: row[name] for name in names} for row in sort_rows(list(filter(matcher.accepts, rows)), order)]


def _deleted(portal: PortalState, user: User, params: Params, kind: str) -> bool:
    item, payment = _item_to_change(portal, user, params, kind)
    portal.store.payment_items.remove(item["id"])
    _sum_up(portal, payment)
    return True


def _check_stock(portal: PortalState, row: Row, quantity: int, *, but: int | None = None) -> None:
    """A product row is paid for once, over all payments."""
    if portal.store.quantity_in_payments(row["id"], but=but) + quantity > row["quantity"]:
        raise Refusal("0", portal.text("product_stock"))


def _sum_up(portal: PortalState, payment: Row) -> None:
    total = 0
    for item in portal.store.payment_items:
        if item["paymentId"] == payment["id"]:
            product = portal.store.product_rows.get(item.get("rowId", 0))
            delivery = portal.store.deliveries.get(item.get("deliveryId", 0))
            total += item["quantity"] * product["price"] if product else delivery["priceDelivery"] if delivery else 0
    payment["sum"] = total
