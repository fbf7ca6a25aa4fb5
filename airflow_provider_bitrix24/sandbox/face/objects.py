"""The objects of a running portal, as tests look at them and change them behind everybody's back."""

from __future__ import annotations

import random
from abc import ABC
from typing import Any

from airflow_provider_bitrix24.sandbox.face.own_data import check_names
from airflow_provider_bitrix24.sandbox.face.sizes import check_count, check_id, check_number
from airflow_provider_bitrix24.sandbox.fields.item_kinds import DEAL, Row
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.product_rows import add_rows, new_row
from airflow_provider_bitrix24.sandbox.methods.crm.values import completed
from airflow_provider_bitrix24.sandbox.methods.sale.payments import payment_fields
from airflow_provider_bitrix24.sandbox.state import seed as seeding
from airflow_provider_bitrix24.sandbox.state.known_words import check_bool
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table, set_paid
from airflow_provider_bitrix24.sandbox.state.users import User

_OF_MESSAGE = ("id", "DIALOG_ID", "MESSAGE", "FROM", "SYSTEM", "ATTACH")


class Objects(ABC):
    """The part of :class:`~airflow_provider_bitrix24.sandbox.Sandbox` that concerns what it holds."""

    admin: User
    _state: PortalState
    #: For what :meth:`add_deals` makes up.
    _chance: random.Random

    def payments(self) -> list[dict[str, Any]]:
        """
        All payments now, by id: the fields of ``crm.item.payment.get`` and ``orderId``, ``entityTypeId``, ``entityId``,
        ``dealId`` (``None`` for a payment of an invoice).
        """
        with self._state.lock:
            return [_payment(row) for row in self._state.store.payments]

    def payment(self, payment_id: int) -> dict[str, Any] | None:
        """
        One payment in the form of :meth:`payments`, ``None`` if there is none.

        :raises ValueError: ``payment_id`` is not a whole number: no payment could have it.
        """
        check_id("payment_id", payment_id)
        with self._state.lock:
            row = self._state.store.payments.get(payment_id)
            return None if row is None else _payment(row)

    def add_payment(self, deal_id: int, *, paid: bool = False, sum: float = 0) -> int:
        """
        A payment of a deal; returns its id.

        :raises LookupError: there is no such deal.
        :raises ValueError: ``paid`` is not True or False, or ``sum`` is not a number.
        """
        check_bool("paid", paid)
        check_number("sum", sum)
        with self._state.lock:
            self._check_deal(deal_id)
            payment = self._state.store.add_payment(DEAL, deal_id)
            payment["sum"] = sum
            set_paid(payment, paid, at=self._state.clock.iso(), user_id=self.admin.id)
            return int(payment["id"])

    def remove_payment(self, payment_id: int) -> None:
        """Take a payment away behind everybody's back, paid or not. :raises LookupError: there is none."""
        check_id("payment_id", payment_id)
        with self._state.lock:
            if self._state.store.payments.remove(payment_id) is None:
                raise LookupError(f"There is no payment {payment_id}.")

    def add_product_row(self, deal_id: int, *, price: float = 0, quantity: int = 1) -> int:
        """A product row of a deal; returns its id. :raises LookupError: there is no such deal."""
        check_number("price", price)
        check_number("quantity", quantity)
        with self._state.lock:
            self._check_deal(deal_id)
            store = self._state.store
            row = new_row(store, "D", deal_id, {"productName": "Oak door", "price": price, "quantity": quantity})
            add_rows(store, [row], (DEAL, deal_id))
            return int(row["id"])

    def add_delivery(self, deal_id: int, *, price: float = 0) -> int:
        """A delivery of a deal; returns its id. :raises LookupError: there is no such deal."""
        check_number("price", price)
        with self._state.lock:
            self._check_deal(deal_id)
            return self._state.store.add_delivery(DEAL, deal_id, price)

    def add_deals(self, count: int, **fields: Any) -> list[int]:
        """
        ``count`` more deals, with ``fields`` under their ``crm.item`` names; returns their ids.

        :raises ValueError: ``count`` is not a whole number, or a field is not known.
        """
        check_count("count", count)
        check_names(fields, self._state.store.kind(DEAL).listed, "A deal")
        with self._state.lock:
            return seeding.add_deals(self._state.store, count, self._chance, **fields)

    def add_items(self, entity_type_id: int, count: int, **fields: Any) -> list[int]:
        """
        ``count`` more objects of a kind (1, 2, 3, 4, 7, 31, 128), alike but for ``{number}`` in texts; their ids.

        :raises LookupError: no such kind.
        :raises ValueError: ``count`` is not a whole number, or a field is not known.
        """
        check_count("count", count)
        with self._state.lock:
            self._table(entity_type_id)
            check_names(fields, self._state.store.kind(entity_type_id).listed, f"An object of kind {entity_type_id}")
            return seeding.add_items(self._state.store, entity_type_id, count, **fields)

    def items(self, entity_type_id: int) -> list[dict[str, Any]]:
        """All CRM objects of a kind now, by id, in the form of ``crm.item.get``. :raises LookupError: no such kind."""
        with self._state.lock:
            return [completed(self._state.store, entity_type_id, row) for row in self._table(entity_type_id)]

    def item(self, entity_type_id: int, item_id: int) -> dict[str, Any] | None:
        """
        One CRM object in the form of ``crm.item.get``, ``None`` if there is none.

        :raises LookupError: there is no such kind.
        :raises ValueError: ``item_id`` is not a whole number: no object could have it.
        """
        check_id("item_id", item_id)
        with self._state.lock:
            row = self._table(entity_type_id).get(item_id)
            return None if row is None else completed(self._state.store, entity_type_id, row)

    def remove_item(self, entity_type_id: int, item_id: int) -> None:
        """Take a CRM object away behind everybody's back. :raises LookupError: there is none."""
        check_id("item_id", item_id)
        with self._state.lock:
            row = self._table(entity_type_id).get(item_id)
            if row is None:
                raise LookupError(f"There is not an object {item_id} of kind {entity_type_id}.")
            changes.remove(self._state, entity_type_id, row)

    def _check_deal(self, deal_id: int) -> None:
        check_id("deal_id", deal_id)
        if self._state.store.items[DEAL].get(deal_id) is None:
            raise LookupError(f"There is no deal {deal_id}.")

    def _table(self, entity_type_id: int) -> Table:
        table = self._state.store.items.get(entity_type_id)
        if table is None:
            kinds = ", ".join(map(str, self._state.store.items))
            raise LookupError(f"There is no kind {entity_type_id!r} of CRM objects: choose one of {kinds}.")
        return table

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks now, by id, typed as in REST 3.0 but under the REST v2 names."""
        with self._state.lock:
            return [dict(row) for row in self._state.store.tasks]

    def notifications(self) -> list[dict[str, Any]]:
        """What ``im.notify`` and its sisters sent: ``USER_ID``, ``MESSAGE``, ``FROM``, ``TAG``, ``READ`` …"""
        with self._state.lock:
            return [dict(row) for row in self._state.store.notifications]

    def messages(self) -> list[dict[str, Any]]:
        """What ``im.message.add`` sent: ``DIALOG_ID``, ``MESSAGE``, ``FROM``, ``SYSTEM``, ``ATTACH``."""
        with self._state.lock:
            return [{name: row[name] for name in _OF_MESSAGE} for row in self._state.store.messages]


def _payment(row: Row) -> dict[str, Any]:
    owner = {"orderId": row["orderId"], "entityTypeId": row["entityTypeId"], "entityId": row["entityId"]}
    return {**payment_fields(row), **owner, "dealId": row["entityId"] if row["entityTypeId"] == DEAL else None}
