"""Which contacts an object has and which companies a contact: one relation, however it is written and read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, Row
from airflow_provider_bitrix24.sandbox.state.bindings import COMPANIES, CONTACTS, Binding
from airflow_provider_bitrix24.sandbox.state.store import Store

#: The old methods' name for the contacts of a company, a list.
_COMPANY_CONTACTS_OLD = "CONTACT_ID"


def binding_of(entity_type_id: int) -> Binding:
    """The binding that an object of this kind keeps itself; a company's contacts keep theirs."""
    return COMPANIES if entity_type_id == CONTACT else CONTACTS


def complete(store: Store, entity_type_id: int, full: Row) -> None:
    """Put the binding under both its names into a whole object."""
    if entity_type_id == COMPANY:
        full["contactIds"] = contacts_of_company(store, full["id"])
        return
    binding = binding_of(entity_type_id)
    if binding.all in full:
        # Empty lists come from the completion, not from the row.
        ids = full[binding.all] or ([full[binding.primary]] if full.get(binding.primary) else [])
        full[binding.all], full[binding.primary] = ids, full.get(binding.primary) or (ids[0] if ids else 0)


def derivation(store: Store, entity_type_id: int, key: str) -> Callable[[Row], Any] | None:
    """How lists find the value of a field that rows keep under another key."""
    if entity_type_id == COMPANY:
        return (lambda row: contacts_of_company(store, row["id"])) if key == "contactIds" else None
    binding = binding_of(entity_type_id)
    if key == binding.all:
        return binding.ids
    return binding.primary_id if key == binding.primary else None


def contacts_of_company(store: Store, company_id: int) -> list[int]:
    return [row["id"] for row in store.items[CONTACT] if company_id in COMPANIES.ids(row)]


def settle(entity_type_id: int, new: Row) -> list[int] | None:
    """
    Make what is about to be written agree with itself.

    Returns the contacts to bind to a company, whose own row does not keep them; ``None``: they stay as they are.
    """
    if entity_type_id != COMPANY:
        binding_of(entity_type_id).settle(new)
        return None
    by_old_name: list[int] | None = new.pop(_COMPANY_CONTACTS_OLD, None)
    by_new_name: list[int] | None = new.pop("contactIds", None)
    return by_new_name if by_new_name is not None else by_old_name


def bind_contacts(store: Store, company_id: int, contact_ids: list[int]) -> None:
    """These contacts and no others belong to the company."""
    for row in store.items[CONTACT]:
        ids = COMPANIES.ids(row)
        if (company_id in ids) == (row["id"] in contact_ids):
            continue
        ids = [number for number in ids if number != company_id] if company_id in ids else [*ids, company_id]
        COMPANIES.set(row, {number: 10 * (1 + place) for place, number in enumerate(ids)}, row.get("companyId"))
