"""Requisites with what belongs to them: bank details, addresses, and the objects that show them."""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row
from airflow_provider_bitrix24.sandbox.state.store import Store, Table

#: What a link names: requisites and bank details, of the client and of the own company.
LINKED = ("REQUISITE_ID", "BANK_DETAIL_ID", "MC_REQUISITE_ID", "MC_BANK_DETAIL_ID")


def remove_requisite(store: Store, requisite: Row) -> None:
    """The requisite goes, and with it all that is its own."""
    store.requisites.remove(requisite["id"])
    key = (REQUISITE, requisite["id"])
    for bank_detail in _owned(store.bank_details, key):
        remove_bank_detail(store, bank_detail)
    for address in _owned(store.addresses, key):
        store.addresses.remove(address["id"])
    _unlink(store, requisite["id"], ("REQUISITE_ID", "MC_REQUISITE_ID"))


def remove_bank_detail(store: Store, bank_detail: Row) -> None:
    store.bank_details.remove(bank_detail["id"])
    _unlink(store, bank_detail["id"], ("BANK_DETAIL_ID", "MC_BANK_DETAIL_ID"))


def remove_all_of(store: Store, key: tuple[int, int]) -> None:
    """An object goes: its requisites, and what it shows of those of others."""
    for requisite in _owned(store.requisites, key):
        remove_requisite(store, requisite)
    link = link_of(store, key)
    if link is not None:
        store.requisite_links.remove(link["id"])


def link_of(store: Store, key: tuple[int, int]) -> Row | None:
    """The one link that an object may have."""
    return next(iter(_owned(store.requisite_links, key)), None)


def _owned(table: Table, key: tuple[int, int]) -> list[Row]:
    return [row for row in table if (row["ENTITY_TYPE_ID"], row["ENTITY_ID"]) == key]


def _unlink(store: Store, number: int, names: tuple[str, ...]) -> None:
    for link in store.requisite_links:
        for name in names:
            if link[name] == number:
                link[name] = 0
