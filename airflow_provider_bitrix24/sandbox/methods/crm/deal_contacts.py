"""``crm.deal.contact.*``: which contacts a deal has, in which order, and which is the primary one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied, found_old
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DEAL, Row
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = {
    "CONTACT_ID": {"type": "integer", "isRequired": True, "title": "Contact"},
    "SORT": {"type": "integer", "isRequired": False, "title": "Sorting"},
    "IS_PRIMARY": {"type": "char", "isRequired": False, "title": "Primary"},
}
_FLAGS = dict.fromkeys(("isReadOnly", "isImmutable", "isMultiple", "isDynamic"), False)


@dataclass(slots=True)
class _Binding:
    contact_id: int
    sort: int


def _bindings(deal: Row) -> list[_Binding]:
    """
    The contacts by their sort, as the deal's row keeps them under ``contactId`` (the primary one) and ``contactIds``.

    Contacts that came by a field of the deal have no sort of their own: they are numbered, the primary one first.
    """
    first = deal.get("contactId")
    ids = [first, *(number for number in deal.get("contactIds", []) if number != first)] if first else []
    sorts = deal.get("contactSorts", {})
    bindings = [_Binding(number, sorts.get(number, 100 * (1 + place))) for place, number in enumerate(ids)]
    return sorted(bindings, key=lambda binding: binding.sort)


def _store(deal: Row, bindings: list[_Binding], primary_id: int | None) -> None:
    ids = [binding.contact_id for binding in bindings]
    deal["contactIds"] = ids
    deal["contactSorts"] = {binding.contact_id: binding.sort for binding in bindings}
    deal["contactId"] = primary_id if primary_id in ids else ids[0] if ids else 0


def _deal(portal: PortalState, user: User, params: Params, *, to_change: bool, name: str = "ownerEntityID") -> Row:
    """The deal, if the user may read it; ``name`` is how an error speaks of the parameter ``id``."""
    if (as_integer(params.get("ID")) or 0) < 1:
        raise Refusal("", f"The parameter {name} is invalid or not defined.")
    if portal.store.items[DEAL].get(as_integer(params["ID"]) or 0) is None:
        raise Refusal("", "Not found.")
    deal = found_old(portal, user, DEAL, params)
    if to_change and not user.may("change"):
        raise denied()
    return deal


def _contact_id(params: Params, name: str) -> int:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", f"The parameter '{name}' must be array.")
    contact_id = as_integer(as_map(params["FIELDS"]).get("CONTACT_ID")) or 0
    if contact_id <= 0:
        raise Refusal("", "The parameter 'fields' is not valid.")
    return contact_id


@method("crm.deal.contact.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: {**_FLAGS, **field} for name, field in _FIELDS.items()}


@method("crm.deal.contact.items.get", scope="crm", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params, to_change=False)
    return [
        {
            "CONTACT_ID": binding.contact_id,
            "SORT": binding.sort,
            "ROLE_ID": 0,
            "IS_PRIMARY": "Y" if binding.contact_id == deal["contactId"] else "N",
        }
        for binding in _bindings(deal)
    ]


@method("crm.deal.contact.items.set", scope="crm", upper=True)
def set_(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params, to_change=True)
    if not isinstance(params.get("ITEMS"), (dict, list)):
        raise Refusal("", "The parameter items must be array.")
    bindings: dict[int, _Binding] = {}
    primary_id = None
    for place, item in enumerate(as_map(params["ITEMS"]).values()):
        entry = as_map(item)
        contact_id = as_integer(entry.get("CONTACT_ID")) or 0
        if contact_id <= 0:
            continue
        bindings[contact_id] = _Binding(contact_id, as_integer(entry.get("SORT")) or 10 * (1 + place))
        if entry.get("IS_PRIMARY") == "Y":
            primary_id = primary_id or contact_id
    # Without a primary one it is the first of the items, whatever its sort.
    _store(deal, list(bindings.values()), primary_id)
    return True


@method("crm.deal.contact.items.delete", scope="crm", upper=True)
def delete_all(portal: PortalState, user: User, params: Params) -> Any:
    _store(_deal(portal, user, params, to_change=True), [], None)
    return True


@method("crm.deal.contact.add", scope="crm", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params, to_change=True, name="'ownerEntityID'")
    contact_id = _contact_id(params, "fields")
    entry = as_map(params["FIELDS"])
    others = [binding for binding in _bindings(deal) if binding.contact_id != contact_id]
    last = max((binding.sort for binding in others), default=0)
    bindings = [*others, _Binding(contact_id, as_integer(entry.get("SORT")) or last + 10)]
    is_primary = entry.get("IS_PRIMARY") == "Y"
    _store(deal, bindings, contact_id if is_primary else deal.get("contactId"))
    return True


@method("crm.deal.contact.delete", scope="crm", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params, to_change=True, name="'ownerEntityID'")
    contact_id = _contact_id(params, "item")
    left = [binding for binding in _bindings(deal) if binding.contact_id != contact_id]
    _store(deal, left, deal.get("contactId"))
    return True
