"""
``sale.order.list`` and ``sale.basketitem.list``: orders of payments, and the goods in them.

An order belongs to a deal or an invoice (``crm.orderentity.list``): its goods are the product rows of that object.
Source: pages of the methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: What `sale.order.get` alone answers: an order with all that hangs on it.
_OF_ONE_ORDER = frozenset(
    {"basketItems", "clients", "payments", "shipments", "propertyValues", "requisiteLink", "tradeBindings"}
)
_ORDERS = Records("sale_order", "new", "id", without=_OF_ONE_ORDER)
_BASKET_ITEMS = Records("sale_basket_item", "new", "id")


def _orders(portal: PortalState) -> Iterator[Row]:
    for (entity_type_id, entity_id), order_id in portal.store.orders.items():
        owner = portal.store.items[entity_type_id].get(entity_id)
        if owner is None:
            continue
        payments = portal.store.payments_of(entity_type_id, entity_id)
        paid = bool(payments) and all(payment["paid"] == "Y" for payment in payments)
        at = owner["createdTime"]
        flags = dict.fromkeys(("canceled", "deducted", "marked", "externalOrder", "updated1c"), "N")
        yield {
            "id": order_id,
            "accountNumber": str(order_id),
            "price": owner.get("opportunity", 0),
            "currency": owner.get("currencyId", "USD"),
            "payed": "Y" if paid else "N",
            "companyId": owner.get("companyId", 0),
            "responsibleId": owner.get("assignedById", 1),
            **dict.fromkeys(("dateInsert", "dateUpdate", "dateStatus"), at),
            **flags,
            "recountFlag": "Y",
            "statusId": "N",
            "lid": "s1",
            "personTypeId": 3,
            "userId": 1,
            "empStatusId": 1,
            "taxValue": owner.get("taxValue", 0),
            "xmlId": f"bx_{order_id:013x}",
        }


def _basket_items(portal: PortalState) -> Iterator[Row]:
    for row in portal.store.product_rows:
        order_id = portal.store.orders.get(row["owner"])
        if order_id is None:
            continue
        owner = portal.store.items[row["owner"][0]].rows[row["owner"][1]]
        yield {
            "id": row["id"],
            "orderId": order_id,
            "productId": row["productId"],
            "name": row["productName"],
            "price": row["price"],
            "basePrice": row["price"],
            "quantity": row["quantity"],
            "currency": owner.get("currencyId", "USD"),
            "sort": row["sort"],
            **dict.fromkeys(("canBuy", "customPrice"), "Y"),
            "barcodeMulti": "N",
            **dict.fromkeys(("dateInsert", "dateUpdate"), owner["createdTime"]),
            "xmlId": f"bx_item_{row['id']}",
            "measureCode": str(row["measureCode"]),
            "measureName": row["measureName"],
            "vatIncluded": row["taxIncluded"],
            "type": 1,
        }


def _listed(name: str, records: Records, rows: Iterator[Row], user: User, params: Params) -> Page:
    if not user.may("read"):
        raise Refusal("200040300010", "Access Denied")
    asked: dict[str, Any] = {part: params.get(part) for part in ("filter", "order", "select", "start")}
    page = records.page(rows, **asked, refuse=invalid_list)
    return Page({name: page.result}, page.total, page.next)


@method("sale.order.list", scope="sale")
def orders(portal: PortalState, user: User, params: Params) -> Any:
    return _listed("orders", _ORDERS, _orders(portal), user, params)


@method("sale.basketitem.list", scope="sale")
def basket_items(portal: PortalState, user: User, params: Params) -> Any:
    return _listed("basketItems", _BASKET_ITEMS, _basket_items(portal), user, params)
