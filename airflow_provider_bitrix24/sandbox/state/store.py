"""The objects of the portal, in memory: tables of rows by id, and the payments with their orders."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec
from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    DEAL,
    INVOICE,
    LEAD,
    NAMES,
    ItemKind,
    Row,
)
from airflow_provider_bitrix24.sandbox.state import user_fields
from airflow_provider_bitrix24.sandbox.state.directories import (
    DIRECTORIES,
    FIRST_CODES,
    currencies,
    funnels,
    statuses,
)
from airflow_provider_bitrix24.sandbox.state.files import Files
from airflow_provider_bitrix24.sandbox.state.presets import first_presets

#: Kinds that can have payments (page and server source agree).
PAYABLE = (DEAL, INVOICE)

#: Id of the one storage.
DRIVE = 1

PAY_SYSTEMS = {1: "Inner account", 6: "Cash", 10: "Bank transfer", 110: "Card"}


class Table:
    """Rows by id, in ascending order of id. ``gap`` is the chance that an id is skipped."""

    def __init__(self, *, first_id: int = 1, gap: float = 0.0, seed: int = 0) -> None:
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self._next_id = first_id
        self._gap = gap
        self._random = random.Random(seed)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        return (self.rows[row_id] for row_id in self.ids)

    def add(self, row: Row) -> int:
        """Add a row at the end, under the ``id`` that it has: above all others; under the next one if it has none."""
        while "id" not in row and self._gap and self._random.random() < self._gap:
            self._next_id += 1
        row_id = int(row.setdefault("id", self._next_id))
        self._next_id = row_id + 1
        self.rows[row_id] = row
        self.ids.append(row_id)
        return row_id

    def get(self, row_id: int) -> Row | None:
        return self.rows.get(row_id)

    def remove(self, row_id: int) -> Row | None:
        row = self.rows.pop(row_id, None)
        if row is not None:
            del self.ids[bisect_left(self.ids, row_id)]
        return row

    def remove_tree(self, row_id: int) -> None:
        """Remove a row and all that are below it by their ``PARENT_ID``."""
        gone = [row_id]
        for parent in gone:
            gone += [row["id"] for row in self.rows.values() if row["PARENT_ID"] == parent]
        for parent in gone:
            self.remove(parent)

    def positions_between(self, above: float | None, below: float | None) -> range:
        """Where in :attr:`ids` the ids strictly between the bounds stand."""
        low = 0 if above is None else bisect_right(self.ids, above)
        high = len(self.ids) if below is None else bisect_left(self.ids, below)
        return range(low, max(low, high))


class Store:
    """Everything the portal knows."""

    def __init__(self, *, gap: float = 0.0, seed: int = 0) -> None:
        self.items = {kind: Table(gap=gap, seed=seed + kind) for kind in NAMES}
        #: The portal's own fields of all kinds, and the kinds with all their fields.
        self.user_fields = Table(first_id=401)
        for row in user_fields.first_rows():
            self.user_fields.add(row)
        self._kinds: dict[int, ItemKind] = {}
        self.files = Files()
        #: Directories by their ``ENTITY_ID``, and their entries.
        self.directories = dict(DIRECTORIES)
        self.statuses = Table(first_id=101)
        for status in statuses():
            self.statuses.add(status)
        self.payments = Table(first_id=1001, gap=gap, seed=seed)
        #: (entityTypeId, id of the object) -> id of its order.
        self.orders: dict[tuple[int, int], int] = {}
        #: Products and deliveries in payments, numbered together.
        self.payment_items = Table()
        self.deliveries = Table()
        #: Funnels of all kinds: their ids may be the same, and 0.
        self.categories = list(funnels())
        self.addresses = Table()
        self.currencies = Table()
        for currency in currencies():
            self.currencies.add(currency)
        self.calls = Table()
        #: Folders and files; the first of them is the drive itself.
        self.drive = Table(first_id=8901)
        self.drive.add(_root_folder())
        #: Files of which the bytes are still to come, with the folder that they go to.
        self.uploads = Table()
        #: The portal's own lists with their elements; values and fields are numbered over all of them.
        self.lists = Table(first_id=101)
        self.list_elements = Table(first_id=6001)
        self.list_sections = Table(first_id=151)
        self.next_property_id, self.next_list_value_id = 951, 3741
        #: Chats of the portal's own, above those that every sandbox has.
        self.chats = Table(first_id=11)
        self.tasks = Table()
        self.time_entries = Table()
        self.checklist_items = Table()
        self.task_comments = Table()
        #: The catalogue's products, under their new names.
        self.products = Table(first_id=4301)
        self.product_rows = Table()
        #: Owners that have or had product rows: their amount follows from them.
        self.with_product_rows: set[tuple[int, int]] = set()
        self.comments = Table()
        self.activities = Table()
        self.requisites = Table()
        self.bank_details = Table()
        self.presets = Table()
        for preset in first_presets():
            self.presets.add(preset)
        self.requisite_links = Table()
        self.numerators = Table(first_id=45)
        self.document_templates = Table(first_id=39)
        self.documents = Table(first_id=61)
        self.stage_history = Table()
        self.notifications = Table()
        self.messages = Table()
        #: Phones and e-mails of all objects are numbered together.
        self.next_multi_field_id = 1
        #: Choices of the portal's own lists, too.
        self.next_choice_id = 48

    def kind(self, entity_type_id: int) -> ItemKind:
        """The fields of a kind as they are now. :raises KeyError: there is no such kind."""
        if entity_type_id not in self._kinds:
            self._kinds[entity_type_id] = ItemKind(entity_type_id, self.own_fields(entity_type_id), FIRST_CODES)
        return self._kinds[entity_type_id]

    def own_fields(self, entity_type_id: int) -> list[FieldSpec]:
        """The fields of the portal's own that a kind of objects has."""
        return [user_fields.as_field(row) for row in self.user_fields if row["entityTypeId"] == entity_type_id]

    def forget_kind(self, entity_type_id: int) -> None:
        """The portal's own fields of a kind have changed."""
        self._kinds.pop(entity_type_id, None)

    def add_payment(
        self,
        entity_type_id: int,
        entity_id: int,
        *,
        pay_system_id: int = 6,
        currency: str = "USD",
        payment_id: int | None = None,
    ) -> Row:
        """A new empty payment of the object's order; the order is made when there is none."""
        order_id = self.orders.setdefault((entity_type_id, entity_id), 501 + len(self.orders))
        number = 1 + max(
            (int(row["accountNumber"].partition("/")[2]) for row in self.payments_of(entity_type_id, entity_id)),
            default=0,
        )
        row: Row = {
            "accountNumber": f"{order_id}/{number}",
            "paid": "N",
            "datePaid": None,
            "empPaidId": None,
            "paySystemId": pay_system_id,
            "sum": 0,
            "currency": currency,
            "owner": (entity_type_id, entity_id),
            "orderId": order_id,
            "entityTypeId": entity_type_id,
            "entityId": entity_id,
        }
        if payment_id is not None:
            row["id"] = payment_id
        self.payments.add(row)
        return row

    def add_delivery(self, entity_type_id: int, entity_id: int, price: float) -> int:
        row: Row = {
            "accountNumber": f"{entity_id}/{1 + len(self.deliveries)}",
            "deducted": "N",
            "dateDeducted": None,
            "priceDelivery": price,
            "currency": "USD",
            "deliveryId": 3,
            "deliveryName": "Courier",
            "owner": (entity_type_id, entity_id),
        }
        return self.deliveries.add(row)

    def remember_stage(
        self,
        entity_type_id: int,
        owner_id: int,
        *,
        type_id: int,
        at: str,
        category_id: int,
        stage_id: str,
        meaning: str,
    ) -> None:
        """An object has come to a stage: a row of ``crm.stagehistory.list``."""
        prefix = "STATUS" if entity_type_id == LEAD else "STAGE"
        self.stage_history.add(
            {
                "owner": (entity_type_id, owner_id),
                "entityTypeId": entity_type_id,
                "TYPE_ID": type_id,
                "OWNER_ID": owner_id,
                "CREATED_TIME": at,
                "CATEGORY_ID": category_id,
                f"{prefix}_SEMANTIC_ID": meaning,
                f"{prefix}_ID": stage_id,
            }
        )

    def quantity_in_payments(self, row_id: int, *, but: int | None = None) -> float:
        """How much of a product row is in payments, leaving out one of their items."""
        items = (item for item in self.payment_items if item.get("rowId") == row_id and item["id"] != but)
        return float(sum(item["quantity"] for item in items if item["paymentId"] in self.payments.rows))

    def payments_of(self, entity_type_id: int, entity_id: int) -> list[Row]:
        order_id = self.orders.get((entity_type_id, entity_id))
        if order_id is None:
            return []
        return [row for row in self.payments if row["orderId"] == order_id]


def _root_folder() -> Row:
    at = "2025-06-01T12:00:00+03:00"
    people = {"CREATED_BY": 1, "UPDATED_BY": 1, "DELETED_BY": 0}
    times = {"CREATE_TIME": at, "UPDATE_TIME": at, "DELETE_TIME": None}
    place = {"NAME": "Company drive", "TYPE": "folder", "STORAGE_ID": DRIVE, "PARENT_ID": 0, "DELETED_TYPE": 0}
    return {**place, **times, **people}


def set_paid(payment: Row, paid: bool, *, at: str, user_id: int) -> None:
    """Mark a payment paid or unpaid; a payment that already is stays as it was."""
    if paid != (payment["paid"] == "Y"):
        payment["paid"] = "Y" if paid else "N"
        payment["datePaid"] = at if paid else None
        payment["empPaidId"] = user_id if paid else None


def stage_fields(stage_id: str, meaning: str) -> Row:
    """The stage and what follows from it; what all that is in process has is left out, to save memory."""
    return {"stageId": stage_id} if meaning == "P" else {"stageId": stage_id, "stageSemanticId": meaning, "closed": "Y"}


def new_task(title: str, *, at: str, responsible_id: int, created_by: int) -> Row:
    return {
        "title": title,
        "description": "",
        "status": 2,
        "priority": 1,
        "responsibleId": responsible_id,
        "createdBy": created_by,
        "createdDate": at,
        "changedDate": at,
        "deadline": None,
        "groupId": 0,
        "ufCrmTask": [],
    }
