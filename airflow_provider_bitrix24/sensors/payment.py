"""A sensor for payments of deals and invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.payments import FIND_PAYMENT_ID
from airflow_provider_bitrix24.execution.arguments import one_of, positive_id
from airflow_provider_bitrix24.sensors.base_sensor import Bitrix24BaseSensor

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.triggers.watch import Watch

STATES = ("paid", "unpaid", "deleted")


class Bitrix24PaymentSensor(Bitrix24BaseSensor):
    """
    Wait until a payment is paid, unpaid or deleted.

    Returns the payment as it was seen, in the shape of :class:`Bitrix24GetPaymentOperator`, or
    ``{"id": 1036, "deleted": True}``. It fails at once, without retry, when a payment that is to be paid or unpaid is
    not there, or may not be read. A portal that says the same for "not found" and "no right" cannot show that a payment
    was deleted: there the task fails.

    :param payment_id: the payment's id, a whole number above 0 or its text, e.g. ``1035``; templated. It is not the
        number that the portal shows (``3653/1``).
    :param state: ``"paid"``, ``"unpaid"`` or ``"deleted"``.
    :param bitrix24_conn_id: the connection's id; templated.
    :param deferrable: wait in the triggerer and hold no worker; as ``[operators] default_deferrable`` says by default.
    :param tolerated_failures: see :class:`Bitrix24BaseSensor`, as for Airflow's own arguments of every sensor.
    :raises AirflowFailException: it can no longer come true, or an argument is wrong.
    :raises AirflowSensorTimeout: it did not come true within ``timeout``; not retried.
    :raises Bitrix24Error: the network or a fault of the portal, more often than ``tolerated_failures``: the task's
        ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.get``.
    """

    template_fields: Sequence[str] = ("payment_id", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, state: str = "paid", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.state = self.fixed(one_of, state, "state", STATES)
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def watch(self, client: Client) -> Watch:
        # Only the run needs them.
        from airflow_provider_bitrix24.triggers.condition import Condition
        from airflow_provider_bitrix24.triggers.watch import Watch

        params = {"id": positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)}
        if self.state == "deleted":
            # A condition that no payment meets: only its absence ends the waiting.
            gone = Condition("empty", None, "id")
            return Watch("crm.item.payment.get", params, gone, reads="payment", if_missing="met")
        paid = Condition("=", "Y" if self.state == "paid" else "N", "paid")
        return Watch("crm.item.payment.get", params, paid, reads="payment", hint=FIND_PAYMENT_ID)

    def believes(self, seen: Any) -> bool:
        is_ours = isinstance(seen, Mapping) and str(seen.get("id")) == str(self.payment_id).strip()
        if self.state == "deleted":
            return is_ours and seen.get("deleted") is True
        return is_ours and seen.get("paid") == ("Y" if self.state == "paid" else "N")
