"""
Simulated days at a portal, each with a load at night: in the morning the tables equal the portal.

Its clock is that of Berlin, and the first night is the one in which it is set back: 02:30 comes twice.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.sandbox import Sandbox, php
from airflow_provider_bitrix24.sandbox.state import limits, seed
from airflow_provider_bitrix24.sandbox.web import page
from tests.rest.clients import client_of
from tests.transfers.lists import LIST
from tests.transfers.test_to_sql import operator, run_of, utc

#: All of a month: ``BITRIX24_NIGHTS=30``.
NIGHTS = int(os.environ.get("BITRIX24_NIGHTS", "3"))
BERLIN = ZoneInfo("Europe/Berlin")
#: The first load is in the first of the two hours from two to three.
FIRST_NIGHT = datetime(2027, 10, 31, 2, 30, tzinfo=BERLIN)
#: Every so many nights everything is loaded.
FULL = 3
FIELD = "UF_CRM_SIZE"


@pytest.fixture
def berlin(monkeypatch) -> Iterator[Sandbox]:
    for module in (php, limits, seed, page):
        monkeypatch.setattr(module, "SERVER_ZONE", BERLIN)
    limits._iso.cache_clear()
    with Sandbox(deals=60) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(rate=100_000, burst=100_000))
        yield portal
    limits._iso.cache_clear()


class Month:
    """The portal, what happens there, and what the tables should hold of it."""

    def __init__(self, portal: Sandbox, chance: random.Random) -> None:
        self.portal, self.chance = portal, chance
        self.client = client_of(portal)
        #: Deals whose product rows have changed since they were last read, which moves no time of change.
        self.silent: set[int] = set()
        #: By deal, the value of the own field of the present type; and the column of that type.
        self.sizes: dict[int, Any] = {}
        self.column: str | None = None
        self.field_id: int | None = None
        self.types = 0

    def until(self, moment: datetime) -> None:
        self.portal.clock.advance(moment.timestamp() - self.portal.clock.now())

    def ids(self, kind: int) -> list[int]:
        return [item["id"] for item in self.portal.items(kind)]

    def some(self, kind: int, most: int) -> list[int]:
        every = self.ids(kind)
        return self.chance.sample(every, min(len(every), self.chance.randint(1, most)))

    def all(self, *commands: tuple[str, dict[str, Any]]) -> None:
        """Many within one second."""
        errors = self.client.batch(dict(enumerate(commands))).errors
        assert errors == {}

    def day(self, number: int) -> None:
        happenings: list[Callable[[], None]] = [
            self.add, self.update, self.move, self.delete, self.merge, self.sell, self.size, self.update,
        ]  # fmt: skip
        if number % 5 == 1:
            happenings.append(self.change_field)
        self.chance.shuffle(happenings)
        for happening in happenings:
            happening()
            self.portal.clock.advance(self.chance.randint(0, 7200))

    def add(self) -> None:
        titles = [f"Deal {self.chance.random()}" for _ in range(self.chance.randint(1, 60))]
        self.all(*(("crm.item.add", {"entityTypeId": 2, "fields": {"title": title}}) for title in titles))
        names = [f"Anna {self.chance.random()}" for _ in range(self.chance.randint(1, 5))]
        self.all(*(("crm.item.add", {"entityTypeId": 3, "fields": {"name": name}}) for name in names))

    def update(self) -> None:
        self.all(*(self.updating(deal, title=f"Title {self.chance.random()}") for deal in self.some(2, 60)))
        phones = [{"VALUE": f"+49{self.chance.randint(10**8, 10**9)}", "VALUE_TYPE": "WORK"}]
        self.all(*(("crm.contact.update", {"id": contact, "fields": {"PHONE": phones}}) for contact in self.some(3, 5)))

    def move(self) -> None:
        stages = ("NEW", "PREPARATION", "WON", "LOSE")
        self.all(*(self.updating(deal, stageId=self.chance.choice(stages)) for deal in self.some(2, 10)))

    def updating(self, deal: int, **fields: Any) -> tuple[str, dict[str, Any]]:
        # Its rows are read then.
        self.silent.discard(deal)
        return "crm.item.update", {"entityTypeId": 2, "id": deal, "fields": fields}

    def delete(self) -> None:
        for kind in (2, 3):
            self.all(*(("crm.item.delete", {"entityTypeId": kind, "id": item}) for item in self.some(kind, 3)))

    def merge(self) -> None:
        name = f"Twin {self.chance.random()}"
        adds = self.client.batch(
            {at: ("crm.item.add", {"entityTypeId": 3, "fields": {"name": name}}) for at in range(2)}
        )
        twins = [reply.result["item"]["id"] for reply in adds.replies.values()]
        merged = self.client.call("crm.entity.mergeBatch", {"params": {"entityTypeId": 3, "entityIds": twins}})
        assert merged["STATUS"] == "SUCCESS"

    def sell(self) -> None:
        for deal in self.some(2, 4):
            rows = [
                {"productName": "Oak door", "price": self.chance.randint(1, 999) / 4, "quantity": 2}
                for _ in range(self.chance.randint(0, 3))
            ]
            params = {"ownerType": "D", "ownerId": deal, "productRows": rows}
            self.client.call("crm.item.productrow.set", params)
            self.silent.add(deal)

    def change_field(self) -> None:
        """An own field is deleted, and comes again as another type."""
        if self.field_id is not None:
            self.client.call("crm.deal.userfield.delete", {"id": self.field_id})
        type_, self.column = (("integer", "uf_crm_size"), ("string", "uf_crm_size__text"))[self.types % 2]
        fields = {"FIELD_NAME": "SIZE", "USER_TYPE_ID": type_, "LABEL": "Size"}
        self.field_id = int(self.client.call("crm.deal.userfield.add", {"fields": fields}))
        self.types += 1
        self.sizes = {}

    def size(self) -> None:
        if self.field_id is None:
            return
        values = {deal: self.chance.randint(1, 10**6) for deal in self.some(2, 8)}
        if self.column != "uf_crm_size":
            values = {deal: f"{value} cm" for deal, value in values.items()}
        self.all(*(self.updating(deal, **{FIELD: value}) for deal, value in values.items()))
        self.sizes.update(values)

    def product_rows(self) -> dict[int, list[tuple[int, Decimal]]]:
        found: dict[int, list[tuple[int, Decimal]]] = {}
        deals = self.ids(2)
        listed = self.client.children(
            "crm.item.productrow.list", deals, lambda deal: {"filter": {"=ownerType": "D", "=ownerId": deal}}
        )
        for deal, row in listed:
            found.setdefault(deal, []).append((row["id"], Decimal(str(row["price"]))))
        return found


def load(month: Month, night: int, *, blocked: bool, **arguments: Any) -> dict[str, Any]:
    """What the task of a night does, with its retries."""
    if blocked:
        month.portal.fault("operation_time_limit", arguments.get("method", LIST), times=1, after=1)
    for try_number in range(1, 5):
        try:
            return operator(**arguments).execute(run_of(night, try_number=try_number))
        except Bitrix24Error:
            month.portal.clock.advance(60)
    raise AssertionError("the load of a night has failed four times")


def check(month: Month, target: Any, *, is_full: bool) -> None:
    deals = {item["id"]: item for item in month.portal.items(2)}
    columns = "id, title, stage_id, updated_time, opportunity"
    rows = {row[0]: row[1:] for row in target.rows("deals WHERE _deleted_at IS NULL", columns)}
    assert rows.keys() == deals.keys()
    for deal, (title, stage, updated, amount) in rows.items():
        meant = deals[deal]
        assert (title, stage, utc(updated)) == (
            meant["title"], meant["stageId"], datetime.fromisoformat(meant["updatedTime"]),
        )  # fmt: skip
        assert deal in month.silent or Decimal(str(amount)) == Decimal(str(meant["opportunity"]))
    if month.column is not None:
        sizes = {deal: size for deal, size in month.sizes.items() if deal in deals}
        if sizes:
            found = dict(target.rows("deals WHERE _deleted_at IS NULL", f"id, {month.column}"))
            assert {deal: found[deal] for deal in sizes} == sizes
    contacts = {item["id"]: sorted(entry["value"] for entry in item.get("fm", ())) for item in month.portal.items(3)}
    phones = target.rows("contacts WHERE _deleted_at IS NULL", "id, phone, email, web, im")
    assert {row[0] for row in phones} == contacts.keys()
    for contact, *several in phones:
        values = sorted(entry["value"] for text in several for entry in (json.loads(text) if text else ()))
        assert values == contacts[contact]
    bought: dict[int, list[tuple[int, Decimal]]] = {}
    for row, owner, price in target.rows("product_rows", "id, owner_id, price"):
        bought.setdefault(owner, []).append((row, Decimal(str(price))))
    silent = set() if is_full else month.silent
    meant = {deal: several for deal, several in month.product_rows().items() if deal not in silent}
    assert {deal: several for deal, several in bought.items() if deal not in silent} == meant


@pytest.mark.parametrize("target", ["sqlite"] if NIGHTS < 30 else ["sqlite", "postgres"], indirect=True)
def test_tables_equal_the_portal_every_morning(berlin, target):
    month = Month(berlin, random.Random(NIGHTS))
    blocks = 0
    for night in range(NIGHTS):
        month.day(night)
        due = FIRST_NIGHT + timedelta(days=night)
        month.until(due)
        is_full = night % FULL == FULL - 1
        window = "all" if is_full else "watermark"
        blocked = month.chance.random() < 0.4
        blocks += blocked
        # Both generations of methods fill one table.
        deals = {"method": "crm.deal.list"} if night % 8 > 4 else {"entity_type_id": "deal"}
        load(month, night, blocked=blocked, window=window, max_deleted_share=0.5, **deals)
        load(
            month, night, blocked=False, window=window, table="contacts", entity_type_id="contact",
            max_deleted_share=0.5,
        )  # fmt: skip
        load(
            month, night, blocked=False, window=window, table="product_rows", entity_type_id="deal",
            children="product_rows", max_deleted_share=0.5,
        )  # fmt: skip
        if is_full:
            month.silent.clear()
        check(month, target, is_full=is_full)
        # Soon after a load: in the first night, in the hour that comes again.
        month.portal.clock.advance(35 * 60)
        month.update()
    assert blocks


@pytest.mark.parametrize("minute", [0, 8, 35, 59])
def test_what_changes_in_the_hour_that_comes_twice_is_in_the_next_load(minute, berlin, sqlite_alone):
    """Loads before it, in both of its passes, and after it."""
    month = Month(berlin, random.Random(minute))
    month.until(FIRST_NIGHT.replace(minute=minute) - timedelta(hours=1))
    for night in range(6):
        load(month, night, blocked=False, select=["title"], window="watermark")
        titles = dict(sqlite_alone.rows("deals", "id, title"))
        assert titles == {item["id"]: item["title"] for item in berlin.items(2)}
        for deal in range(1, 7):
            month.all(month.updating(deal, title=f"Title of {night}"))
            berlin.clock.advance(420)
    assert berlin.clock.iso().endswith("+01:00")
