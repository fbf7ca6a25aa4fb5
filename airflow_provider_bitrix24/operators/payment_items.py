"""Operators for what a payment pays for: products, deliveries, and its public link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.payments import FIND_PAYMENT_ID, added_id, payment_row
from airflow_provider_bitrix24.exceptions import Blocked
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, conditions, flag, positive_id
from airflow_provider_bitrix24.execution.at_most_once import once
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER, Bitrix24BaseOperator

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

FIND_ROW_ID = "crm.item.productrow.getAvailableForPayment gives the product rows that can still be paid"
FIND_DELIVERY_ID = "crm.item.delivery.list gives the deliveries of the deal"
FIND_ITEM_ID = "it is the id of the item in the payment, not of the product or delivery: list the payment's items"


class Bitrix24AddPaymentProductOperator(Bitrix24BaseOperator):
    """
    Add a product row of the deal or invoice to a payment, and return the id of the payment's item, a number.

    The payment's sum follows. The change is not written back to the deal's product rows. A paid payment refuses it:
    unpay it first. Never repeated: after a lost answer the task fails without retry, since the item may be there; for a
    task that is killed, see :class:`Bitrix24AddPaymentOperator`.

    :param payment_id: the payment's id; templated.
    :param row_id: id of a product row of the deal; templated.
    :param quantity: a whole number above 0, at most what is left to pay; templated.
    :raises AirflowFailException: no right, a paid payment, more than is left to pay, a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.product.add``.
    """

    template_fields: Sequence[str] = ("payment_id", "row_id", "quantity", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, row_id: int | str, quantity: int | str = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.row_id = row_id
        self.quantity = quantity
        self.check_literals(
            payment_id=FIND_PAYMENT_ID, row_id=FIND_ROW_ID, quantity="the portal takes whole numbers only"
        )

    def run(self, client: Client, context: Any) -> int:
        method = "crm.item.payment.product.add"
        params = {
            "paymentId": positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID),
            "rowId": positive_id(self.row_id, "row_id", FIND_ROW_ID),
            # The page says "double"; the server cuts or refuses fractions ("payments: methods").
            "quantity": positive_id(self.quantity, "quantity", "the portal takes whole numbers only"),
        }
        return once(context, method, params, partial(added_id, client, method, params))


class Bitrix24AddPaymentDeliveryOperator(Bitrix24BaseOperator):
    """
    Add a delivery to a payment, and return the id of the payment's item, a number.

    Sums, paid payments, lost answers and killed tasks: see :class:`Bitrix24AddPaymentProductOperator`.

    :param payment_id: the payment's id; templated.
    :param delivery_id: id of a delivery of the deal; templated.
    :raises AirflowFailException: no right, a paid payment, no such delivery, a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delivery.add``.
    """

    template_fields: Sequence[str] = ("payment_id", "delivery_id", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, delivery_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.delivery_id = delivery_id
        self.check_literals(payment_id=FIND_PAYMENT_ID, delivery_id=FIND_DELIVERY_ID)

    def run(self, client: Client, context: Any) -> int:
        method = "crm.item.payment.delivery.add"
        params = {
            "paymentId": positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID),
            "deliveryId": positive_id(self.delivery_id, "delivery_id", FIND_DELIVERY_ID),
        }
        return once(context, method, params, partial(added_id, client, method, params))


class Bitrix24ListPaymentProductsOperator(Bitrix24BaseOperator):
    """
    List the products in a payment: ``[{"id": 1195, "paymentId": 1039, "quantity": 2, "rowId": 17587}, …]``.

    :param payment_id: the payment's id; templated.
    :param item_filter: the method's own filter, e.g. ``{">=quantity": 2}``; templated.
    :raises AirflowFailException: no right, a wrong id or filter.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.product.list``.
    """

    after_wait = LIST_STARTS_OVER
    template_fields: Sequence[str] = ("payment_id", "item_filter", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"item_filter": "json"}
    method = "crm.item.payment.product.list"

    def __init__(
        self, *, payment_id: int | str, item_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.item_filter = self.given(item_filter, "item_filter")
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def run(self, client: Client, context: Any) -> list[dict[str, Any]]:
        params: dict[str, Any] = {"paymentId": positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)}
        if item_filter := conditions(self.item_filter, "item_filter"):
            params["filter"] = item_filter
        return [payment_row(row) for row in client.list(self.method, params)]


class Bitrix24ListPaymentDeliveriesOperator(Bitrix24ListPaymentProductsOperator):
    """
    List the deliveries in a payment: ``[{"id": 1199, "paymentId": 1039, "quantity": 1, "deliveryId": 4072}, …]``.

    :param payment_id: the payment's id; templated.
    :param item_filter: the method's own filter, e.g. ``{"=deliveryId": 4072}``; templated.
    :raises AirflowFailException: no right, a wrong id or filter.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delivery.list``.
    """

    method = "crm.item.payment.delivery.list"


class Bitrix24SetPaymentProductQuantityOperator(Bitrix24BaseOperator):
    """
    Set the quantity of a product in a payment, and return ``True``. Harmless to repeat.

    :param item_id: id of the payment's item, not of the product; templated.
    :param quantity: a whole number above 0; templated.
    :raises AirflowFailException: no right, no such item, a paid payment, more than is left to pay.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.product.setQuantity``.
    """

    template_fields: Sequence[str] = ("item_id", "quantity", "bitrix24_conn_id")

    def __init__(self, *, item_id: int | str, quantity: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item_id = item_id
        self.quantity = quantity
        self.check_literals(item_id=FIND_ITEM_ID, quantity="the portal takes whole numbers only")

    def run(self, client: Client, context: Any) -> bool:
        params = {
            "id": positive_id(self.item_id, "item_id", FIND_ITEM_ID),
            "quantity": positive_id(self.quantity, "quantity", "the portal takes whole numbers only"),
        }
        return client.call("crm.item.payment.product.setQuantity", params) is True


class Bitrix24SetPaymentDeliveryOperator(Bitrix24BaseOperator):
    """
    Put another delivery into an item of a payment, and return ``True``. Harmless to repeat.

    The portal does not check that the delivery exists: see ``crm.item.delivery.list``.

    :param item_id: id of the payment's item, not of the delivery; templated.
    :param delivery_id: id of a delivery of the deal; templated.
    :raises AirflowFailException: no right, no such item, a paid payment.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delivery.setDelivery``.
    """

    template_fields: Sequence[str] = ("item_id", "delivery_id", "bitrix24_conn_id")

    def __init__(self, *, item_id: int | str, delivery_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item_id = item_id
        self.delivery_id = delivery_id
        self.check_literals(item_id=FIND_ITEM_ID, delivery_id=FIND_DELIVERY_ID)

    def run(self, client: Client, context: Any) -> bool:
        params = {
            "id": positive_id(self.item_id, "item_id", FIND_ITEM_ID),
            "deliveryId": positive_id(self.delivery_id, "delivery_id", FIND_DELIVERY_ID),
        }
        return client.call("crm.item.payment.delivery.setDelivery", params) is True


class Bitrix24DeletePaymentProductOperator(Bitrix24BaseOperator):
    """
    Take a product out of a payment, and return ``True``. The deal's product rows stay as they are.

    :param item_id: id of the payment's item, not of the product; templated.
    :raises AirflowFailException: no right, no such item, a paid payment.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.product.delete``.
    """

    template_fields: Sequence[str] = ("item_id", "bitrix24_conn_id")
    method = "crm.item.payment.product.delete"

    def __init__(self, *, item_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item_id = item_id
        self.check_literals(item_id=FIND_ITEM_ID)

    def run(self, client: Client, context: Any) -> bool:
        return client.call(self.method, {"id": positive_id(self.item_id, "item_id", FIND_ITEM_ID)}) is True


class Bitrix24DeletePaymentDeliveryOperator(Bitrix24DeletePaymentProductOperator):
    """
    Take a delivery out of a payment, and return ``True``.

    :param item_id: id of the payment's item, not of the delivery; templated.
    :raises AirflowFailException: no right, no such item, a paid payment.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delivery.delete``.
    """

    method = "crm.item.payment.delivery.delete"


class Bitrix24GetPaymentPublicUrlOperator(Bitrix24BaseOperator):
    """
    Return the link under which a customer pays: ``{"url": "https://…", "shortUrl": "https://…"}``.

    Needs the scope ``salescenter``. The portal also sends a QR code of the link (``qr``), which is left out
    unless asked for: it is long.

    :param payment_id: the payment's id; templated.
    :param qr: also return the link's QR code, a PNG in base64.
    :raises AirflowFailException: the portal has no public site for payments, or its phone is not confirmed.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``salescenter.payment.getPublicUrl``.
    """

    template_fields: Sequence[str] = ("payment_id", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, qr: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.qr = self.fixed(flag, qr, "qr")
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        method = "salescenter.payment.getPublicUrl"
        result = client.call(method, {"id": positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)})
        payment = result.get("payment") if isinstance(result, dict) else None
        if not isinstance(payment, dict):
            raise Blocked(
                "the portal gave no link",
                method=method,
                next_step="confirm the phone of the site for payments in the portal's sales center",
            )
        return {name: value for name, value in payment.items() if name != "qr" or self.qr}
