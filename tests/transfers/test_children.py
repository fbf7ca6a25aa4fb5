"""Product rows and payments of CRM items: all rows of one owner replace each other, and go with their owner."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exports import children, part_files
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.rest.clients import client_of
from tests.transfers.lists import LIST, calls
from tests.transfers.test_to_object_storage import folder_of
from tests.transfers.test_to_object_storage import load as load_files
from tests.transfers.test_to_sql import load, operator, run_of

ROWS = "crm.item.productrow.list"


def set_rows(deal: int, *prices: float) -> None:
    rows = [{"productName": f"Door {price}", "price": price, "quantity": 1} for price in prices]
    Bitrix24Hook().call("crm.item.productrow.set", {"ownerType": "D", "ownerId": deal, "productRows": rows})


def change(portal: Any, *deals: int) -> None:
    portal.clock.advance(3600)
    for deal in deals:
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"title": "Changed"}})


def at_portal(portal: Any, name: str = "product_rows") -> list[tuple[int, int]]:
    with client_of(portal) as client:
        deals = [row["id"] for row in client.list(LIST, {"entityTypeId": 2, "select": ["id"]})]
        if name == "payments":
            found = client.children("crm.item.payment.list", deals, lambda deal: {"entityTypeId": 2, "entityId": deal})
        else:
            found = client.children(ROWS, deals, lambda deal: {"filter": {"=ownerType": "D", "=ownerId": deal}})
        return sorted((int(row["id"]), owner) for owner, row in found)


def in_table(target: Any) -> list[tuple[int, int]]:
    return [tuple(map(int, row)) for row in target.rows("deals", "id, owner_id")]


def lines_of(done: dict[str, Any]) -> list[dict[str, Any]]:
    parts = json.loads((folder_of(done) / "_manifest.json").read_text())["parts"]
    return [json.loads(line) for part in parts for line in (folder_of(done) / part["name"]).read_text().splitlines()]


@pytest.fixture
def rows_of_all(portal, connection):
    """Three product rows of each deal but two."""
    for deal in range(1, 29):
        set_rows(deal, 10, 20.5, deal)
    return portal


def test_rows_of_changed_owners_are_replaced_and_those_of_deleted_ones_go(rows_of_all, target):
    first = load(1, children="product_rows")
    # Deals of the portal's own seed have rows too.
    without = 30 - len({owner for _, owner in at_portal(rows_of_all)})
    assert (first["rows"], first["empty"], first["window"], first["deleted"]) == (84 + 2 - without, without, {}, 0)
    assert in_table(target) == at_portal(rows_of_all) != []
    assert set(target.rows("deals", "owner_type")) == {("D",)}
    kept = dict(target.rows("deals WHERE owner_id = 4", "id, price"))
    set_rows(1)
    set_rows(2, 7)
    set_rows(3, 1, 2, 3, 4, 5)
    # Nothing says of this one that it was changed.
    set_rows(4, 99)
    change(rows_of_all, 1, 2, 3)
    Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": 5})
    second = load(2, children="product_rows")
    assert (second["rows"], second["empty"], second["deleted"], second["hidden"]) == (6, 1, 3, 0)
    now = at_portal(rows_of_all)
    assert [row for row in in_table(target) if row[1] != 4] == [row for row in now if row[1] != 4]
    assert dict(target.rows("deals WHERE owner_id = 4", "id, price")) == kept
    load(3, children="product_rows", window="all", write="replace")
    assert in_table(target) == at_portal(rows_of_all)
    assert target.tables() == {"deals", "_bitrix24_loads"}


def test_payments_say_whose_they_are(portal, connection, target):
    first = load(1, children="payments", select=["sum", "paid"])
    assert first["rows"] == len(at_portal(portal, "payments")) > 0
    assert list(target.columns("deals")) == ["id", "owner_id", "owner_type", "sum", "paid", "_bad"]
    assert in_table(target) == at_portal(portal, "payments")
    portal.remove_payment(in_table(target)[0][0])
    added = portal.add_payment(2, sum=12.5)
    change(portal, *range(1, 31))
    load(2, children="payments", select=["sum", "paid"])
    assert in_table(target) == at_portal(portal, "payments")
    assert (added, 2) in in_table(target)


def test_a_retry_goes_on_behind_the_last_owner_and_never_parts_its_rows(rows_of_all, sqlite_alone, monkeypatch):
    # No multiple of the rows of an owner.
    monkeypatch.setattr(part_files, "ROWS_OF_A_PART", 10)
    monkeypatch.setattr(part_files, "_ROWS_OF_THE_FIRST", 10)
    monkeypatch.setattr(children, "_OWNERS_AT_ONCE", 5)
    # Only after a limit or a fault of the network are the rows before it kept too.
    rows_of_all.fault("error", ROWS, times=None, after=17, code="ACCESS_DENIED", status=403)
    with pytest.raises(AirflowFailException):
        load(1, children="product_rows")
    rows_of_all.clear_faults()
    rows_of_all.reset_calls()
    done = load(1, children="product_rows")
    assert done["parts"] > 6
    assert calls(rows_of_all, ROWS) == 18
    assert in_table(sqlite_alone) == at_portal(rows_of_all)


def test_files_have_a_row_without_an_id_where_an_owner_has_none(rows_of_all, tmp_path):
    arguments = {"children": "product_rows", "window": "watermark", "file_format": "jsonl"}
    done = load_files(tmp_path, **arguments)
    rows = lines_of(done)
    assert len(rows) == done["rows"] + done["empty"]
    assert sorted((row["id"], row["owner_id"]) for row in rows if row["id"]) == at_portal(rows_of_all)
    assert {row["owner_id"] for row in rows} == set(range(1, 31))
    set_rows(1)
    change(rows_of_all, 1)
    later = load_files(tmp_path, **arguments, run=run_of(2))
    assert [(row["id"], row["owner_id"], row["owner_type"]) for row in lines_of(later)] == [(None, 1, "D")]
    assert (later["rows"], later["empty"]) == (0, 1)


def test_an_owner_that_is_deleted_while_rows_are_read_has_none(rows_of_all, sqlite_alone, monkeypatch):
    listed = children.ChildRows._read

    def deleted_first(self: Any, owners: Any) -> Any:
        monkeypatch.setattr(children.ChildRows, "_read", listed)
        Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": 7})
        return listed(self, owners)

    monkeypatch.setattr(children.ChildRows, "_read", deleted_first)
    load(1, children="product_rows")
    assert in_table(sqlite_alone) == at_portal(rows_of_all)
    assert 7 not in {owner for _, owner in in_table(sqlite_alone)}


def test_a_filter_chooses_owners_and_a_dry_run_counts_them(rows_of_all, sqlite_alone):
    dry = load(1, children="product_rows", dry_run=True)
    assert (dry["rows"], dry["owners"], dry["requests"]) == (None, 30, 4)
    done = load(1, children="product_rows", item_filter={"id": [3, 4]}, write="append")
    assert (done["rows"], {row[1] for row in in_table(sqlite_alone)}) == (6, {3, 4})
    assert "deleted" not in done


def test_too_many_missing_owners_fail_and_nothing_is_removed(rows_of_all, sqlite_alone):
    load(1, children="product_rows")
    before = in_table(sqlite_alone)
    for deal in range(1, 13):
        Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": deal})
    with pytest.raises(AirflowFailException, match=r"12 of \d+ owners are missing at the portal, and none"):
        load(2, children="product_rows")
    assert in_table(sqlite_alone) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"children": "rows"}, "children is 'rows'"),
        ({"children": "payments", "entity_type_id": "lead"}, "items of the kind 'lead' have none: set entity_type_id"),
        ({"children": "product_rows", "entity_type_id": "contact"}, "items of the kind 'contact' have none"),
        ({"children": "payments", "method": "crm.deal.list"}, "children belongs to entity_type_id"),
    ],
)
def test_what_has_no_children_is_refused_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        operator(**arguments)


def test_rows_are_not_marked(rows_of_all, sqlite_alone):
    with pytest.raises(AirflowFailException, match='set deleted="remove" or "keep"'):
        load(1, children="product_rows", deleted="mark")


def test_rows_of_a_smart_process_have_its_short_name(portal, connection, sqlite_alone):
    (item,) = portal.add_items(128, 1, title="Smart")
    row = {"productName": "Hinge", "price": 3, "quantity": 2}
    Bitrix24Hook().call("crm.item.productrow.set", {"ownerType": "T80", "ownerId": item, "productRows": [row]})
    load(1, entity_type_id=128, children="product_rows")
    assert [tuple(each) for each in sqlite_alone.rows("deals", "owner_id, owner_type, product_name")] == [
        (item, "T80", "Hinge")
    ]
