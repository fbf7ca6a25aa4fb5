"""Operators for payments of deals and invoices (``crm.item.payment.*``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.operators.base import Bitrix24BaseOperator

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

FIND_PAYMENT_ID = (
    "the id is not the number that the portal shows (3653/1): "
    "crm.item.payment.list with entityTypeId and entityId of the deal gives id and accountNumber of its payments"
)


class Bitrix24DeletePaymentOperator(Bitrix24BaseOperator):
    """
    Delete a payment of a deal or an invoice.

    Calls ``crm.item.payment.delete`` and returns ``True``, pushed to XCom as a JSON boolean. A delete is harmless to
    repeat: when its answer was lost, the payment is asked for, and gone means done.

    :param payment_id: the payment's id, a whole number above 0 or its text, e.g. ``1035``; templated. It is not the
        number that the portal shows (``3653/1``).
    :param missing_ok: return ``False`` instead of failing when there is no such payment. A portal that says the same
        for «not found» and «no right» makes the task fail all the same.
    :param bitrix24_conn_id: the connection's id; templated.
    :raises AirflowFailException: no retry would help: permission, authorization, a wrong id, a payment that is not
        there or is paid, a blocked portal. The message says what to do.
    :raises Bitrix24Error: a limit, the network, a fault of the portal or a lost answer: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delete``.
    """

    template_fields: Sequence[str] = ("payment_id", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, missing_ok: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.missing_ok = missing_ok

    def run(self, client: Client, context: Any) -> bool:
        from airflow_provider_bitrix24.exceptions import NotFound
        from airflow_provider_bitrix24.operators.arguments import positive_id

        payment_id = positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)
        began = time.monotonic()
        try:
            reply = client.ask("crm.item.payment.delete", {"id": payment_id})
        except NotFound as error:
            if self.missing_ok:
                self.log.info("%s; that is fine, since missing_ok is set.", error)
                return False
            error.advise(FIND_PAYMENT_ID)
            if context["ti"].try_number > 1:
                error.advise("An earlier try of this task may have deleted it.")
            raise
        self.log.info(
            "crm.item.payment.delete: payment %d deleted in %.2f s (request %s)",
            payment_id,
            time.monotonic() - began,
            reply.request_id,
        )
        return True
