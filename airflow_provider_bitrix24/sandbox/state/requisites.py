"""Requisites with what belongs to them: bank details and addresses."""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row
from airflow_provider_bitrix24.sandbox.state.store import Store


def remove_requisite(store: Store, requisite: Row) -> None:
    """The requisite goes, and with it all that is its own."""
    store.requisites.remove(requisite["id"])
    for table in (store.bank_details, store.addresses):
        owned = [
            row["id"] for row in table if (row["ENTITY_TYPE_ID"], row["ENTITY_ID"]) == (REQUISITE, requisite["id"])
        ]
        for owned_id in owned:
            table.remove(owned_id)
