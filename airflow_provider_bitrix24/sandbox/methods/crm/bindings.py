"""
``crm.deal.contact.*`` and its sisters: which contacts an object has, in which order, and which is the primary one.

A contact has companies in the same way (``crm.contact.company.*``). Source: the pages of the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, DEAL, LEAD, NAMES, QUOTE, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm import relations
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied, existing_old
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User

_FLAGS = dict.fromkeys(("isReadOnly", "isImmutable", "isMultiple", "isDynamic"), False)


@dataclass(frozen=True)
class _Family:
    """Methods between an owner and what is bound to it."""

    owner: int
    bound: int

    @property
    def id_name(self) -> str:
        return f"{NAMES[self.bound].code}_ID"

    @property
    def word(self) -> str:
        return f"crm.{NAMES[self.owner].catalogue}.{NAMES[self.bound].catalogue}"

    def entries(self, store: Store, owner: Row) -> list[tuple[int, int, bool]]:
        """(id, sort, whether it is the primary one)."""
        if self.owner == COMPANY:
            # A company's contacts keep the binding, and the company keeps their order.
            sorts, primary_id = owner.get("contactBinding", ({}, None))
            ids = relations.contacts_of_company(store, owner["id"])
            ordered = sorted(ids, key=lambda number: sorts.get(number, 0))
            first = primary_id if primary_id in ids else next(iter(ordered), None)
            return [
                (number, sorts.get(number, 10 * (1 + place)), number == first) for place, number in enumerate(ordered)
            ]
        binding = relations.binding_of(self.owner)
        primary = binding.primary_id(owner)
        return [(number, sort, number == primary) for number, sort in binding.sorted_ids(owner)]

    def set(self, store: Store, owner: Row, sorts: dict[int, int], primary_id: int | None) -> None:
        if self.owner == COMPANY:
            relations.bind_contacts(store, owner["id"], list(sorts))
            owner["contactBinding"] = (sorts, primary_id)
        else:
            relations.binding_of(self.owner).set(owner, sorts, primary_id)


def _existing(
    family: _Family, portal: PortalState, user: User, params: Params, *, to_change: bool, name: str = "ownerEntityID"
) -> Row:
    """The owner, if the user may read it; ``name`` is how an error speaks of the parameter ``id``."""
    owner_id = as_integer(params.get("ID")) or 0
    if owner_id < 1:
        raise Refusal("", f"The parameter {name} is invalid or not defined.")
    if portal.store.items[family.owner].get(owner_id) is None:
        raise Refusal("NOT_FOUND" if family.owner == LEAD else "", "Not found.")
    owner = existing_old(portal, user, family.owner, params)
    if to_change and not user.may("change"):
        raise denied()
    return owner


def _bound_id(family: _Family, params: Params, name: str) -> int:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", f"The parameter '{name}' must be array.")
    bound_id = as_integer(as_map(params["FIELDS"]).get(family.id_name)) or 0
    if bound_id <= 0:
        raise Refusal("", "The parameter 'fields' is not valid.")
    return bound_id


def _fields(family: _Family) -> Handler:
    described = {
        family.id_name: {**_FLAGS, "type": "integer", "isRequired": True, "title": NAMES[family.bound].title},
        "SORT": {**_FLAGS, "type": "integer", "isRequired": False, "title": "Sorting"},
        "IS_PRIMARY": {**_FLAGS, "type": "char", "isRequired": False, "title": "Primary"},
    }
    return lambda portal, user, params: described


def _get(family: _Family) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        owner = _existing(family, portal, user, params, to_change=False)
        return [
            {family.id_name: number, "SORT": sort, "ROLE_ID": 0, "IS_PRIMARY": "Y" if is_primary else "N"}
            for number, sort, is_primary in family.entries(portal.store, owner)
        ]

    return get


def _set(family: _Family) -> Handler:
    def set_(portal: PortalState, user: User, params: Params) -> Any:
        owner = _existing(family, portal, user, params, to_change=True)
        if not isinstance(params.get("ITEMS"), (dict, list)):
            raise Refusal("", "The parameter items must be array.")
        sorts: dict[int, int] = {}
        primary_id = None
        for place, item in enumerate(as_map(params["ITEMS"]).values()):
            entry = as_map(item)
            bound_id = as_integer(entry.get(family.id_name)) or 0
            if bound_id <= 0:
                continue
            sorts[bound_id] = as_integer(entry.get("SORT")) or 10 * (1 + place)
            if entry.get("IS_PRIMARY") == "Y":
                primary_id = primary_id or bound_id
        # Without a primary one it is the first of the items, whatever its sort.
        family.set(portal.store, owner, sorts, primary_id)
        return True

    return set_


def _delete_all(family: _Family) -> Handler:
    def delete_all(portal: PortalState, user: User, params: Params) -> Any:
        family.set(portal.store, _existing(family, portal, user, params, to_change=True), {}, None)
        return True

    return delete_all


def _add(family: _Family) -> Handler:
    def add(portal: PortalState, user: User, params: Params) -> Any:
        owner = _existing(family, portal, user, params, to_change=True, name="'ownerEntityID'")
        bound_id = _bound_id(family, params, "fields")
        entry = as_map(params["FIELDS"])
        entries = family.entries(portal.store, owner)
        sorts = {number: sort for number, sort, _ in entries if number != bound_id}
        last = max(sorts.values(), default=0)
        primary = next((number for number, _, is_primary in entries if is_primary), None)
        sorts[bound_id] = as_integer(entry.get("SORT")) or last + 10
        family.set(portal.store, owner, sorts, bound_id if entry.get("IS_PRIMARY") == "Y" else primary)
        return True

    return add


def _delete(family: _Family) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        owner = _existing(family, portal, user, params, to_change=True, name="'ownerEntityID'")
        bound_id = _bound_id(family, params, "item")
        entries = family.entries(portal.store, owner)
        primary = next((number for number, _, is_primary in entries if is_primary), None)
        family.set(portal.store, owner, {number: sort for number, sort, _ in entries if number != bound_id}, primary)
        return True

    return delete


_METHODS: Mapping[str, Callable[[_Family], Handler]] = {
    "fields": _fields,
    "items.get": _get,
    "items.set": _set,
    "items.delete": _delete_all,
    "add": _add,
    "delete": _delete,
}
for _family in (*(_Family(kind, CONTACT) for kind in (DEAL, LEAD, COMPANY, QUOTE)), _Family(CONTACT, COMPANY)):
    for _action, _make in _METHODS.items():
        method(f"{_family.word}.{_action}", scope="crm", upper=True)(_make(_family))
