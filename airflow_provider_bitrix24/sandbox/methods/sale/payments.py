"""
``crm.item.payment.*``: payments of deals (2) and new invoices (31), in the answers of three server generations.

``current`` tells a missing payment from a forbidden one; ``middle`` says "Insufficient permissions" for both; ``old``
answers ``{"result": false}`` with status 200 to every change it does not make, and writes field names in upper case.

Source: pages under ``crm/universal/payment``; generations from public copies of the server.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array, integer
from airflow_provider_bitrix24.sandbox.methods.crm.changes import announce_payment
from airflow_provider_bitrix24.sandbox.methods.registry import NoEffect, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.event_names import PAYMENT_DELETED, PAYMENT_SAVED
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, PAYABLE, set_paid
from airflow_provider_bitrix24.sandbox.state.users import User

FIELDS = ("id", "accountNumber", "paid", "datePaid", "empPaidId", "paySystemId", "sum", "currency", "paySystemName")

_KINDS = {"id": "integer", "datePaid": "datetime", "empPaidId": "integer", "paySystemId": "integer", "sum": "double"}
_FIELDS = {name: Field(name, _KINDS.get(name, "string")) for name in FIELDS}


class _Silence(Exception):
    """An old server refuses a change without saying why: its answer is ``false``."""


def payment_fields(payment: Row) -> Row:
    """The nine fields that current and middle servers return."""
    named = {**payment, "paySystemName": PAY_SYSTEMS[payment["paySystemId"]]}
    return {name: named[name] for name in FIELDS}


def _answer_row(portal: PortalState, payment: Row) -> Row:
    row = payment_fields(payment)
    if portal.settings.generation != "old":
        return row
    return {_upper_name(name): value if value is None else str(value) for name, value in row.items()}


def _upper_name(name: str) -> str:
    """``accountNumber`` -> ``ACCOUNT_NUMBER``."""
    return re.sub("([A-Z])", r"_\1", name).upper()


def access_denied(portal: PortalState) -> Refusal:
    match portal.settings.generation:
        case "current":
            return Refusal("ACCESS_DENIED", "Access denied", 403, marks_batch=True)
        case "middle":
            return Refusal("0", portal.text("insufficient_permissions"))
    return Refusal("0", portal.text("insufficient_permissions_old"))


def existing_payment(portal: PortalState, user: User, params: Params, right: str) -> Row:
    """The payment named by ``id``, if this user has ``right`` to it."""
    payment = portal.store.payments.get(integer(params, "id"))
    if payment is None:
        if portal.settings.generation == "current":
            raise Refusal("0", "Payment has not been found")
        raise access_denied(portal)
    if not user.may(right):
        raise access_denied(portal)
    return payment


def _found_to_change(portal: PortalState, user: User, params: Params) -> Row:
    try:
        return existing_payment(portal, user, params, "change_orders")
    except Refusal as refusal:
        if portal.settings.generation == "old" and refusal.code == "0":
            raise _Silence from None
        raise


@method("crm.item.payment.get", scope="crm")
def get(portal: PortalState, user: User, params: Params) -> Any:
    # The page asks for the right to change the order; the server asks for the right to read it.
    return _answer_row(portal, existing_payment(portal, user, params, "read"))


@method("crm.item.payment.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    entity_id, entity_type_id = integer(params, "entityId"), integer(params, "entityTypeId")
    if not user.may("read"):
        raise access_denied(portal)
    rows = [payment_fields(row) for row in portal.store.payments_of(entity_type_id, entity_id)]
    matcher = Matcher(_FIELDS, refuse=refused_filter).read(params.get("filter"))
    rows = [row for row in rows if matcher.accepts(row)]
    rows = sort_rows(rows, read_order(params.get("order"), _FIELDS, refused_filter))
    return [_answer_row(portal, portal.store.payments.rows[row["id"]]) for row in rows]


def refused_filter(problem: str, name: str, value: object) -> Refusal:
    # Keys go unchecked to the database layer, whose message arrives with a numeric code.
    return Refusal("100", f"Unknown field definition `{_upper_name(name)}` for Payment Entity.")


@method("crm.item.payment.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    entity_id, entity_type_id = integer(params, "entityId"), integer(params, "entityTypeId")
    # Every refusal of `add` passes the access-denied helper, which sets 403 on current servers.
    status = 403 if portal.settings.generation == "current" else 400
    table = portal.store.items.get(entity_type_id)
    if table is None:
        raise Refusal("0", portal.text("entity_unknown_type", type=entity_type_id), status)
    if entity_type_id not in PAYABLE:
        raise Refusal("0", portal.text("entity_without_payments"), status)
    if table.get(entity_id) is None:
        raise Refusal("0", portal.text("entity_missing", id=entity_id), status)
    if not user.may("change"):
        raise access_denied(portal)
    fields = params.get("fields")
    pay_system_id = as_integer(fields.get("paySystemId")) if isinstance(fields, dict) else None
    payment = portal.store.add_payment(
        entity_type_id, entity_id, pay_system_id=pay_system_id if pay_system_id in PAY_SYSTEMS else 6
    )
    announce_payment(portal, PAYMENT_SAVED, payment["id"])
    return payment["id"]


@method("crm.item.payment.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    if portal.settings.generation == "old":
        # Old servers upper-cased the values instead of the names, so camelCase names were lost.
        fields = {{"PAID": "paid", "PAY_SYSTEM_ID": "paySystemId"}.get(name, ""): fields[name] for name in fields}
    return _change(portal, user, params, {name: fields[name] for name in ("paid", "paySystemId") if name in fields})


@method("crm.item.payment.pay", scope="crm")
def pay(portal: PortalState, user: User, params: Params) -> Any:
    return _change(portal, user, params, {"paid": "Y"})


@method("crm.item.payment.unpay", scope="crm")
def unpay(portal: PortalState, user: User, params: Params) -> Any:
    return _change(portal, user, params, {"paid": "N"})


def _change(portal: PortalState, user: User, params: Params, fields: Row) -> Any:
    try:
        payment = _found_to_change(portal, user, params)
        pay_system_id = as_integer(fields.get("paySystemId"))
        if not fields:
            raise _refused_change(portal, "Empty fields")
        if "paySystemId" in fields and pay_system_id not in PAY_SYSTEMS:
            raise _refused_change(portal, "Payment system has not been found")
    except _Silence:
        return NoEffect(False)
    if "paySystemId" in fields:
        payment["paySystemId"] = pay_system_id
    if "paid" in fields:
        set_paid(payment, fields["paid"] == "Y", at=portal.clock.iso(), user_id=user.id)
    announce_payment(portal, PAYMENT_SAVED, payment["id"])
    return True


def _refused_change(portal: PortalState, description: str) -> Exception:
    return _Silence() if portal.settings.generation == "old" else Refusal("0", description)


@method("crm.item.payment.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    try:
        payment = _found_to_change(portal, user, params)
    except _Silence:
        return NoEffect(False)
    if payment["paid"] == "Y":
        if portal.settings.generation == "old":
            return NoEffect(False)
        raise Refusal("SALE_PAYMENT_DELETE_EXIST_PAID", portal.text("payment_is_paid"))
    portal.store.payments.remove(payment["id"])
    announce_payment(portal, PAYMENT_DELETED, payment["id"])
    return True
