"""
``crm.requisite.link.*``: which requisites and bank details of the client and of the own company an object shows.

Source: pages of the methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    DEAL,
    INVOICE,
    NAMES,
    QUOTE,
    SMART_PROCESS,
    Row,
)
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm import changes, relations
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.requisites import LINKED, link_of
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User

_LINKS = Records("requisite_link", "old", "")
_KINDS = (DEAL, QUOTE, INVOICE, SMART_PROCESS)


@method("crm.requisite.link.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: description(spec, "old") for name, spec in _LINKS.specs.items()}


@method("crm.requisite.link.list", scope="crm", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("0", "Access denied.")
    asked = {name.lower(): array_or_none(params, name) for name in ("FILTER", "ORDER", "SELECT")}
    return _LINKS.page(portal.store.requisite_links, **asked, start=params.get("start"))


def _key(params: Params, names: tuple[str, str], read: Callable[[str], Any]) -> tuple[int, int]:
    """Kind and id of the object. :raises Refusal: one of them cannot be."""
    entity_type_id, entity_id = (as_integer(read(name)) or 0 for name in names)
    if entity_type_id not in _KINDS:
        raise Refusal("", f"{names[0]} is not defined or invalid.")
    if entity_id <= 0:
        raise Refusal("", f"{names[1]} is not defined or invalid.")
    return entity_type_id, entity_id


def _asked_key(params: Params) -> tuple[int, int]:
    return _key(params, ("entityTypeId", "entityId"), lambda name: params.get(name.upper()))


def _check_right(portal: PortalState, user: User, key: tuple[int, int], right: str) -> None:
    item = portal.store.items[key[0]].get(key[1])
    if not user.may(right) or (item is not None and not changes.sees(user, item)):
        raise denied()


@method("crm.requisite.link.get", scope="crm", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    key = _asked_key(params)
    _check_right(portal, user, key, "read")
    link = link_of(portal.store, key)
    if link is None:
        raise Refusal("", "Not found")
    # Unlike in the list, the object's own ids are numbers (example of the page).
    return {**_LINKS.answer(link), "ENTITY_TYPE_ID": key[0], "ENTITY_ID": key[1]}


@method("crm.requisite.link.register", scope="crm", upper=True)
def register(portal: PortalState, user: User, params: Params) -> Any:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    given = as_map(params["FIELDS"])
    key = _key(params, ("ENTITY_TYPE_ID", "ENTITY_ID"), given.get)
    numbers = {}
    for name in LINKED:
        number = as_integer(given.get(name))
        if number is None or number < 0:
            raise Refusal("", f"{name} is not defined or invalid.")
        numbers[name] = number
    item = portal.store.items[key[0]].get(key[1])
    if item is None:
        raise Refusal("", "Entity is not found")
    _check_right(portal, user, key, "change")
    _check_client(portal.store, key[0], item, numbers["REQUISITE_ID"], numbers["BANK_DETAIL_ID"])
    _check_own_company(portal.store, item, numbers["MC_REQUISITE_ID"], numbers["MC_BANK_DETAIL_ID"])
    link = link_of(portal.store, key)
    if link is None:
        portal.store.requisite_links.add({"ENTITY_TYPE_ID": key[0], "ENTITY_ID": key[1], **numbers})
    else:
        link.update(numbers)
    return True


def _check_client(store: Store, entity_type_id: int, item: Row, requisite_id: int, bank_detail_id: int) -> None:
    if requisite_id:
        requisite = store.requisites.get(requisite_id)
        if requisite is None:
            raise Refusal("", f"The Requisite with ID '{requisite_id}' is not found")
        company_id, contact_id = item.get("companyId"), relations.binding_of(entity_type_id).primary_id(item)
        if not company_id and not contact_id:
            raise not_modelled("The page does not say what becomes of requisites of an object that has no client")
        client = (COMPANY, company_id) if company_id else (CONTACT, contact_id)
        if (requisite["ENTITY_TYPE_ID"], requisite["ENTITY_ID"]) != client:
            whose = f"{NAMES[client[0]].title} with ID '{client[1]}'"
            raise Refusal("", f"The Requisite with ID '{requisite_id}' is not assigned to {whose}")
    _check_bank_detail(store, requisite_id, bank_detail_id, "")


def _check_own_company(store: Store, item: Row, requisite_id: int, bank_detail_id: int) -> None:
    if requisite_id:
        requisite = store.requisites.get(requisite_id)
        company_id = requisite["ENTITY_ID"] if requisite and requisite["ENTITY_TYPE_ID"] == COMPANY else 0
        company = store.items[COMPANY].get(company_id)
        if company is None or company.get("isMyCompany") != "Y":
            raise Refusal("", f"The Requisite of your company with ID '{requisite_id}' is not found")
        own_id = item.get("mycompanyId") or company_id
        if own_id != company_id:
            raise Refusal(
                "", f"The Requisite with ID '{requisite_id}' is not assigned to your company with ID '{own_id}'"
            )
    _check_bank_detail(store, requisite_id, bank_detail_id, " of your company")


def _check_bank_detail(store: Store, requisite_id: int, bank_detail_id: int, whose: str) -> None:
    if not bank_detail_id:
        return
    bank_detail = store.bank_details.get(bank_detail_id)
    if bank_detail is None:
        raise Refusal("", f"The BankDetail{whose} with ID '{bank_detail_id}' is not found")
    if bank_detail["ENTITY_ID"] != requisite_id:
        what, owner = f"The BankDetail{whose} with ID '{bank_detail_id}'", f"Requisite{whose} with ID '{requisite_id}'"
        raise Refusal("", f"{what} is not assigned to {owner}")


@method("crm.requisite.link.unregister", scope="crm", upper=True)
def unregister(portal: PortalState, user: User, params: Params) -> Any:
    key = _asked_key(params)
    _check_right(portal, user, key, "change")
    link = link_of(portal.store, key)
    if link is not None:
        portal.store.requisite_links.remove(link["id"])
    return True
