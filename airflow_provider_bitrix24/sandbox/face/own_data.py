"""Objects of the user's own, out of a JSON file or an object of the same form, instead of generated ones."""

from __future__ import annotations

import difflib
import random
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.face.json_files import Data, check_json, read_object
from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    DEAL,
    INVOICE,
    LEAD,
    MULTI_FIELD_TYPES,
    QUOTE,
    SMART_PROCESS,
    Row,
)
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.values import IMPORTED, written_item
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.php import BadValue, as_server_time
from airflow_provider_bitrix24.sandbox.state.known_words import RIGHTS
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, PAYABLE, new_task, set_paid
from airflow_provider_bitrix24.sandbox.state.users import User, new_code

_KINDS = {
    "companies": COMPANY,
    "contacts": CONTACT,
    "leads": LEAD,
    "deals": DEAL,
    "quotes": QUOTE,
    "invoices": INVOICE,
    "items": SMART_PROCESS,
}
_USER_FIELDS = {"name": str, "lastName": str, "email": str, "active": bool, "admin": bool, "rights": list,
                "seesOnlyOwn": bool}  # fmt: skip
_PAYMENT_FIELDS = {"sum": (int, float), "paid": bool, "paySystemId": int, "currency": str}
_MULTI_FIELDS = {"typeId": str, "valueType": str, "value": str}
_TASK_FIELDS = {"title": str, "description": str, "status": int, "priority": int, "responsibleId": int,
                "createdBy": int, "groupId": int, "createdDate": str, "changedDate": str, "deadline": str}  # fmt: skip
_TASK_TIMES = ("createdDate", "changedDate", "deadline")


def read(data: Data) -> Mapping[str, Any]:
    """
    Read the file, if it is one.

    :raises ValueError: the file cannot be read, is not an object of JSON, or holds something else than the kinds
        there are.
    """
    content = read_object(data, "The data", '{"deals": [{"id": 13, "title": "Oak door"}]}')
    check_json(content, "The data")
    if "payments" in content:
        raise ValueError('Payments stand in their deal or invoice: write {"deals": [{"payments": [{"sum": 90.5}]}]}.')
    check_names(content, (*_KINDS, "tasks", "users"), "The data")
    return content


def users(data: Mapping[str, Any], codes: random.Random | None) -> list[User]:
    """
    The users in the data, each with a webhook.

    :param codes: makes the codes of their webhooks; ``None``: new ones every time.
    :raises ValueError: names what is wrong, and where it stands.
    """
    people = []
    for place, given in _objects(data, "users"):
        _check_values(given, _USER_FIELDS, place)
        if given.get("id") in (None, 1, 7):
            raise ValueError(f"{place} needs an id other than 1 (Anna, the administrator) and 7 (Karl, the clerk).")
        names = (given.get("name", ""), given.get("lastName", ""), given.get("email", ""))
        rights = given.get("rights", ["read"])
        if any(right not in RIGHTS for right in rights):
            raise ValueError(f"{place}.rights is {rights!r}: write a list of some of {', '.join(RIGHTS)}.")
        user = User(given["id"], *names, code=new_code(codes), rights=set(rights))
        user.is_admin, user.active = given.get("admin", False), given.get("active", True)
        user.sees_only_own = given.get("seesOnlyOwn", False)
        people.append(user)
    return people


def put(portal: PortalState, data: Mapping[str, Any], creator: User) -> None:
    """
    Put CRM objects with their payments, and tasks, into an empty portal. Ids that are given are kept.

    :param creator: who made what does not say it.
    :raises ValueError: names what is wrong, and where it stands.
    """
    payments: list[tuple[str, Row]] = []
    for word, entity_type_id in _KINDS.items():
        for place, given in _objects(data, word):
            item = _add_item(portal, entity_type_id, given, place, creator)
            for payment_place, payment in _objects(given, "payments", place):
                payments.append((payment_place, {**payment, "owner": (entity_type_id, item["id"])}))
    for place, given in _in_order(payments):
        _add_payment(portal, given, place, creator)
    for place, given in _objects(data, "tasks"):
        _add_task(portal, given, place, creator)


def _add_item(portal: PortalState, entity_type_id: int, given: Row, place: str, creator: User) -> Row:
    kind = portal.store.kind(entity_type_id)
    fields = kind.listed
    beside = {"id"} | ({"payments"} if entity_type_id in PAYABLE else set())
    beside |= {"fm"} if kind.multi_fields else set()
    own = {name: value for name, value in given.items() if name not in beside}
    writable = {name for name, field in fields.items() if name in IMPORTED or not field.read_only}
    check_names(given, (*beside, *writable), place)
    try:
        written = written_item(portal, entity_type_id, own, False)
        imported = written_item(portal, entity_type_id, own, False, only=IMPORTED)
    except Refusal as refusal:
        raise ValueError(f"{place}: {refusal.description}") from None
    for name in own.keys() - written.keys() - imported.keys():
        raise ValueError(f"{place}.{name} is {own[name]!r}, which its type {fields[name].kind} cannot hold.")
    multi_fields = {}
    for number, (entry_place, entry) in enumerate(_objects(given, "fm", place)):
        _check_values(entry, _MULTI_FIELDS, entry_place)
        if entry.get("typeId") not in MULTI_FIELD_TYPES:
            wanted = ", ".join(MULTI_FIELD_TYPES)
            raise ValueError(f"{entry_place}.typeId is {entry.get('typeId')!r}: choose one of {wanted}.")
        multi_fields[f"n{number}"] = entry
    row = changes.add(portal, creator, entity_type_id, {**_id_of(given), **written}, multi_fields)
    row.update(imported)
    return row


def _add_payment(portal: PortalState, given: Row, place: str, creator: User) -> None:
    entity_type_id, entity_id = given.pop("owner")
    _check_values(given, _PAYMENT_FIELDS, place)
    pay_system_id = given.get("paySystemId", 6)
    if pay_system_id not in PAY_SYSTEMS:
        raise ValueError(f"{place}.paySystemId is {pay_system_id}: choose one of {', '.join(map(str, PAY_SYSTEMS))}.")
    payment = portal.store.add_payment(
        entity_type_id,
        entity_id,
        pay_system_id=pay_system_id,
        currency=given.get("currency", "USD"),
        payment_id=given.get("id"),
    )
    payment["sum"] = given.get("sum", 0)
    set_paid(payment, given.get("paid", False), at=portal.clock.iso(), user_id=creator.id)


def _add_task(portal: PortalState, given: Row, place: str, creator: User) -> None:
    _check_values(given, _TASK_FIELDS, place)
    now = portal.clock.iso()
    task = new_task(given.get("title", "Task"), at=now, responsible_id=creator.id, created_by=creator.id)
    times: Row = {}
    for name in _TASK_TIMES:
        try:
            times |= {name: as_server_time(given[name])} if name in given else {}
        except BadValue:
            raise ValueError(
                f"{place}.{name} is {given[name]!r}, which is not a time such as 2026-01-31T18:00:00."
            ) from None
    portal.store.tasks.add({**task, **given, **times})


# Reading


def _objects(holder: Mapping[str, Any], word: str, place: str = "") -> list[tuple[str, Row]]:
    """The objects of a list with where they stand, ``deals[0]``, those with ids first."""
    label = f"{place}.{word}" if place else word
    given = holder.get(word, [])
    if not isinstance(given, list):
        raise ValueError(f"{label} is not a list.")
    objects = []
    for number, content in enumerate(given):
        if not isinstance(content, Mapping):
            raise ValueError(f"{label}[{number}] is not an object.")
        objects.append((f"{label}[{number}]", dict(content)))
    return _in_order(objects)


def _in_order(objects: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Ids ascending, as a portal gives them; objects without one come last."""
    places: dict[int, str] = {}
    for place, given in objects:
        if "id" not in given:
            continue
        row_id = given["id"]
        if isinstance(row_id, bool) or not isinstance(row_id, int) or row_id < 1:
            raise ValueError(f"{place}.id is {row_id!r}: write a whole number above 0, or leave it out.")
        if row_id in places:
            raise ValueError(f"{place} and {places[row_id]} have the same id {row_id}.")
        places[row_id] = place
    return sorted(objects, key=lambda placed: placed[1].get("id", float("inf")))


def _id_of(given: Row) -> Row:
    return {"id": given["id"]} if "id" in given else {}


def _check_values(given: Row, types: Mapping[str, Any], place: str) -> None:
    check_names(given, ("id", *types), place)
    for name, value in given.items():
        wanted = types.get(name, int)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            word = {str: "a text", bool: "true or false", list: "a list"}.get(wanted, "a number")
            raise ValueError(f"{place}.{name} is {value!r}: write {word}.")


def check_names(given: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """:raises ValueError: names the first that is not known, where it stands, and what may be meant."""
    # Bitrix24 writes STAGE_ID where crm.item has stageId.
    names = sorted(known)
    plain = {name.lower(): name for name in names}
    for name in given:
        if name not in names:
            alike = difflib.get_close_matches(str(name).lower().replace("_", ""), plain, n=3, cutoff=0.7)
            near = [plain[name] for name in alike]
            raise ValueError(
                f"{place} has an unknown {name!r}: write {' or '.join(near) or 'one of ' + ', '.join(names)}."
            )
