"""Operators for payments of deals and invoices (``crm.item.payment.*``)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.payments import (
    FIND_PAYMENT_ID,
    added_id,
    appeared_payment,
    kind_with_payments,
    payment_ids,
    payment_owner,
    payment_row,
)
from airflow_provider_bitrix24.exceptions import ConfigurationError, NotFound, RestError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    flag,
    positive_id,
)
from airflow_provider_bitrix24.execution.at_most_once import after, once
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.checkpoint import is_repeated
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rest.message_parts import preview

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

ADD = "crm.item.payment.add"


def _nothing_to_update() -> ConfigurationError:
    return ConfigurationError("nothing to update", next_step="give paid or pay_system_id")


def _yes_or_no(paid: Any, name: str = "paid") -> str:
    word = {True: "Y", False: "N"}.get(paid) if isinstance(paid, bool) else str(paid).strip().upper()
    word = {"TRUE": "Y", "FALSE": "N"}.get(word or "", word)
    if word not in ("Y", "N"):
        raise ConfigurationError(f"{name} is {preview(paid)}", next_step='write True, False, "Y" or "N"')
    return word


class Bitrix24GetPaymentOperator(Bitrix24BaseOperator):
    """
    Read one payment.

    Returns ``{"id": 1036, "accountNumber": "3653/1", "paid": "Y", "datePaid": "2024-05-20T12:32:02+03:00",
    "empPaidId": 1, "paySystemId": 6, "sum": 0, "currency": "USD", "paySystemName": "Cash"}``, in this shape from old
    portals too.

    :param payment_id: the payment's id; templated.
    :param missing_ok: return None instead of failing when there is no such payment.
    :raises AirflowFailException: no right, no such payment, a wrong id.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.get``.
    """

    template_fields: Sequence[str] = ("payment_id", "bitrix24_conn_id")

    def __init__(self, *, payment_id: int | str, missing_ok: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.missing_ok = self.fixed(flag, missing_ok, "missing_ok")
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def run(self, client: Client, context: Any) -> dict[str, Any] | None:
        payment_id = positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)
        try:
            return payment_row(client.call("crm.item.payment.get", {"id": payment_id}))
        except NotFound as error:
            if self.missing_ok:
                self.log.info("%s; this is accepted, since missing_ok is set.", error)
                return None
            raise error.but(advice=FIND_PAYMENT_ID) from None


class Bitrix24AddPaymentOperator(Bitrix24BaseOperator):
    """
    Add an empty payment (sum 0, unpaid) to a deal or an invoice, and return its id, a number.

    An add is never repeated: when its answer is lost, the task fails without retry, since the payment may be there. So
    does the next try of a task that was killed while it added; but before Airflow 3.3 nothing remembers that, and the
    next try adds again: set ``retries=0`` there. Products and deliveries are added by operators of their own.

    :param entity_type_id: ``"deal"``, ``"invoice"``, ``2`` or ``31``; templated.
    :param entity_id: the id of the deal or invoice; templated.
    :param pay_system_id: id of the payment system (``sale.paysystem.list``), set once the payment is added; the
        portal's own choice by default; templated. Where that meets a limit or the network, a retry sets it on the same
        payment in Airflow 3.3; before, the task fails without retry and names the payment.
    :param deduplicate: in both cases, compare the object's payments before and after, and return the one that
        appeared. If somebody else adds one at the same moment, nobody can say which is which, and the task fails.
    :raises AirflowFailException: no right, no such object, a plan without more payments, or a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.add``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "entity_id", "pay_system_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": kind_with_payments}

    def __init__(
        self,
        *,
        entity_id: int | str,
        entity_type_id: int | str = "deal",
        pay_system_id: int | str | NotGiven = NOT_GIVEN,
        deduplicate: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.entity_id = entity_id
        self.pay_system_id = self.given(pay_system_id, "pay_system_id")
        self.deduplicate = self.fixed(flag, deduplicate, "deduplicate")
        self.check_literals()

    def run(self, client: Client, context: Any) -> int:
        owner = payment_owner(self.entity_type_id, positive_id(self.entity_id, "entity_id"))
        pay_system_id = None if self.pay_system_id is None else positive_id(self.pay_system_id, "pay_system_id")
        before = sorted(payment_ids(client, owner)) if self.deduplicate else []

        find = partial(appeared_payment, client, owner) if self.deduplicate else None
        payment_id = once(context, ADD, owner, partial(added_id, client, ADD, owner), before=before, find=find)
        if pay_system_id is not None:
            # ``fields`` of add is documented nowhere, so the payment system is set by what is documented.
            fields = {"id": payment_id, "fields": {"paySystemId": pay_system_id}}
            hint = "set its payment system, or delete it before another try"
            with after(context, f"payment {payment_id} was added", hint):
                client.call("crm.item.payment.update", fields)
        self.log.info("%s: payment %d added", ADD, payment_id)
        return payment_id


class Bitrix24UpdatePaymentOperator(Bitrix24BaseOperator):
    """
    Set a payment's state or payment system, and return ``True``.

    :param payment_id: the payment's id; templated.
    :param paid: True or False, or ``"Y"`` or ``"N"``; unchanged by default; templated.
    :param pay_system_id: id of the payment system (``sale.paysystem.list``); unchanged by default; templated.
    :raises AirflowFailException: no right, no such payment, a wrong argument.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.update``.
    """

    template_fields: Sequence[str] = ("payment_id", "paid", "pay_system_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {"paid": _yes_or_no}

    def __init__(
        self,
        *,
        payment_id: int | str,
        paid: bool | str | NotGiven = NOT_GIVEN,
        pay_system_id: int | str | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.paid = self.given(paid, "paid")
        self.pay_system_id = self.given(pay_system_id, "pay_system_id")
        self.check_literals(payment_id=FIND_PAYMENT_ID)
        if not (self.is_given("paid") or self.is_given("pay_system_id")):
            with airflow_outcome():
                raise _nothing_to_update()

    def run(self, client: Client, context: Any) -> bool:
        payment_id = positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)
        fields: dict[str, Any] = {}
        if self.paid is not None:
            fields["paid"] = _yes_or_no(self.paid)
        if self.pay_system_id is not None:
            fields["paySystemId"] = positive_id(self.pay_system_id, "pay_system_id")
        if not fields:
            raise _nothing_to_update()
        try:
            client.call("crm.item.payment.update", {"id": payment_id, "fields": fields})
        except NotFound as error:
            raise (error if error.referred else error.but(advice=FIND_PAYMENT_ID)) from None
        self.log.info("crm.item.payment.update: payment %d has %s", payment_id, fields)
        return True


class Bitrix24PayPaymentOperator(Bitrix24BaseOperator):
    """
    Mark a payment as paid.

    Returns whether that changed something: ``True``, or ``False`` for a payment that was already paid; None when the
    portal's answer was lost on the way, or when an earlier try of the task may have done it.

    :param payment_id: the payment's id; templated.
    :raises AirflowFailException: no right, no such payment, a wrong id.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.pay``.
    """

    template_fields: Sequence[str] = ("payment_id", "bitrix24_conn_id")
    #: The method, and the state that it leads to.
    method, paid = "crm.item.payment.pay", "Y"

    def __init__(self, *, payment_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.payment_id = payment_id
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def run(self, client: Client, context: Any) -> bool | None:
        payment_id = positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)
        try:
            before = payment_row(client.call("crm.item.payment.get", {"id": payment_id})).get("paid")
        except NotFound as error:
            raise error.but(advice=FIND_PAYMENT_ID) from None
        reply = client.ask(self.method, {"id": payment_id})
        # An earlier attempt or try, lost or killed, may be what made the payment so.
        unsure = reply.repeated or (before == self.paid and is_repeated(context))
        changed = None if unsure else before != self.paid
        self.log.info("%s: payment %d, changed: %s", self.method, payment_id, changed)
        return changed


class Bitrix24UnpayPaymentOperator(Bitrix24PayPaymentOperator):
    """
    Mark a payment as unpaid; returns what :class:`Bitrix24PayPaymentOperator` returns.

    :param payment_id: the payment's id; templated.
    :raises AirflowFailException: no right, no such payment, a wrong id.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.unpay``.
    """

    method, paid = "crm.item.payment.unpay", "N"


class Bitrix24DeletePaymentOperator(Bitrix24BaseOperator):
    """
    Delete a payment of a deal or an invoice.

    Calls ``crm.item.payment.delete`` and returns ``True``, pushed to XCom as a JSON boolean. A delete is harmless to
    repeat: when its answer was lost, the payment is looked up, and gone means done.

    :param payment_id: the payment's id, a whole number above 0 or its text, e.g. ``1035``; templated. It is not the
        number that the portal shows (``3653/1``).
    :param missing_ok: return ``False`` instead of failing when there is no such payment. A portal that says the same
        for "not found" and "no right" makes the task fail even so.
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
        self.missing_ok = self.fixed(flag, missing_ok, "missing_ok")
        self.check_literals(payment_id=FIND_PAYMENT_ID)

    def run(self, client: Client, context: Any) -> bool:
        payment_id = positive_id(self.payment_id, "payment_id", FIND_PAYMENT_ID)
        began = time.monotonic()
        try:
            reply = client.ask("crm.item.payment.delete", {"id": payment_id})
        except RestError as error:
            missing = isinstance(error, NotFound)
            if missing and self.missing_ok:
                self.log.info("%s; this is accepted, since missing_ok is set.", error)
                return False
            failure = error.but(advice=FIND_PAYMENT_ID) if missing else error
            if context["ti"].try_number > 1 and (missing or not error.cause_known):
                failure = failure.but(advice="an earlier try of this task may have deleted it")
            raise failure from None
        self.log.info(
            "crm.item.payment.delete: payment %d deleted in %.2f s (request %s)",
            payment_id,
            time.monotonic() - began,
            reply.request_id,
        )
        return True
