"""Payments over a client: how a call names their deal, which of them are meant, and what the answers hold."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm import dates
from airflow_provider_bitrix24.crm.entity_types import WITH_PAYMENTS, entity_type_id
from airflow_provider_bitrix24.crm.items import LIST as LIST_ITEMS
from airflow_provider_bitrix24.crm.items import fields_of, not_listed
from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import native

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

FIND_PAYMENT_ID = (
    "the id is not the number that the portal shows (3653/1): "
    "crm.item.payment.list with entityTypeId and entityId of the deal gives id and accountNumber of its payments"
)

_WHOLE = {"id", "empPaidId", "paySystemId", "paymentId", "rowId", "deliveryId"}
_NUMBER = {"sum", "quantity"}
_NAMES = {
    name.lower(): name for name in (*_WHOLE, *_NUMBER, "accountNumber", "paid", "datePaid", "currency", "paySystemName")
}


def payment_owner(type_id: Any, entity_id: int) -> dict[str, Any]:
    """
    The parameters that name a payment's deal or invoice, ``{"entityTypeId": 2, "entityId": 13}``.

    :param type_id: a word or a number, see :func:`entity_type_id`.
    :raises ConfigurationError: objects of this kind have no payments.
    """
    return {"entityTypeId": kind_with_payments(type_id, "entity_type_id"), "entityId": entity_id}


def kind_with_payments(value: Any, name: str) -> int:
    """
    The number of a kind of object that may have payments.

    :param name: the argument, for the message.
    :raises ConfigurationError: objects of this kind have none.
    """
    return entity_type_id(value, name, only=WITH_PAYMENTS)


def payment_conditions(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """
    A filter of payments in which True and False are Y and N, as payments have them: ``false`` would find none.

    :raises ConfigurationError: a condition has no value, or a group no condition: it might choose every payment; a
        condition on ``paid`` that is neither a boolean nor Y or N; a time without its zone.
    """
    # Only the run needs it.
    from airflow_provider_bitrix24.rest.conditions import check_conditions

    check_conditions(conditions, "payment_filter", drops_empty_lists=True)
    return _with_flags(conditions)


def _with_flags(conditions: Mapping[Any, Any]) -> dict[str, Any]:
    """Conditions, in groups to any depth, whose booleans are Y and N."""
    # Only the run needs it.
    from airflow_provider_bitrix24.rest.conditions import OPERATORS

    ready: dict[str, Any] = {}
    for name, value in ((str(name), native(value)) for name, value in conditions.items()):
        if name.isdecimal():
            groups = value if isinstance(value, (list, tuple)) else [value]
            inner = [_with_flags(group) if isinstance(group, Mapping) else group for group in groups]
            ready[name] = inner if groups is value else inner[0]
            continue
        field = OPERATORS.sub("", name, count=1)
        ready_value = _flag if field == "paid" else _moment if field == "datePaid" else _plain_flag
        if isinstance(value, (list, tuple)):
            ready[name] = [ready_value(member, name) for member in value]
        else:
            ready[name] = ready_value(value, name)
    return ready


def _plain_flag(value: Any, _: str = "") -> Any:
    return ("Y" if value else "N") if isinstance(value, bool) else value


def _moment(value: Any, name: str) -> str:
    """``datePaid``: it is empty, or a moment."""
    return "" if value == "" else dates.moment(value, f"{name!r} in payment_filter")


def _flag(value: Any, name: str) -> str:
    value = _plain_flag(native(value))
    word = value.strip().upper() if isinstance(value, str) else None
    if word not in ("Y", "N"):
        raise ConfigurationError(
            f"{name!r} in payment_filter is {preview(value)}, and would find no payment",
            next_step="write Y or N, true or false",
        )
    return word


def owners_where(client: Client, type_id: Any, conditions: Mapping[str, Any]) -> list[int]:
    """
    Ids of the deals or invoices that match a filter, in ascending order.

    :param type_id: a word or a number, see :func:`entity_type_id`.
    :param conditions: as ``crm.item.list`` has them, with names in any spelling.
    :raises ConfigurationError: a name that is not a field, or a value that does not fit or means nothing.
    """
    kind = kind_with_payments(type_id, "entity_type_id")
    filter_ = fields_of(client, kind).filter(conditions, place="entity_filter")
    rows = client.list(LIST_ITEMS, {"entityTypeId": kind, "select": ["id"], "filter": filter_})
    return [int(row["id"]) for row in rows]


def payments_of_each(
    client: Client, type_id: Any, entity_ids: Iterable[int], wanted: Mapping[str, Any]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    The payments of many deals or invoices, each with the id of its deal or invoice; 50 of these to a request.

    :param wanted: a filter of payments, see :func:`payment_conditions`; empty for all of them.
    """
    more = {"filter": dict(wanted)} if wanted else {}
    params = {owner: {**payment_owner(type_id, owner), **more} for owner in entity_ids}
    for owner, row in client.children("crm.item.payment.list", list(params), params.__getitem__):
        yield owner, payment_row(row)


def not_found(client: Client, type_id: Any, entity_ids: Iterable[int]) -> list[int]:
    """
    Ids of the deals or invoices that are not there, or that the connection's user may not see.

    Source: ``crm.item.payment.list`` answers an empty list for them, as for one without payments.
    """
    return not_listed(client, kind_with_payments(type_id, "entity_type_id"), entity_ids)


def added_id(client: Client, method: str, params: Mapping[str, Any]) -> int:
    """
    Call a method that adds, and return the id that it answers, a whole number above 0.

    :raises Bitrix24Error: the answer is not an id; whether something was added is unknown.

    Source: "payments: success or failure".
    """
    answer = client.call(method, params)
    if isinstance(answer, bool) or not isinstance(answer, int) or answer < 1:
        raise Bitrix24Error(
            f"the answer is {preview(answer, client.scrub)} and not an id",
            method=method,
            ran="unknown",
            next_step=f"look with {method.rpartition('.')[0]}.list before you run this again",
        )
    return answer


def payment_ids(client: Client, owner: Mapping[str, Any]) -> set[int]:
    """Ids of the payments that a deal or invoice has now."""
    return {id_in(row) for row in client.list("crm.item.payment.list", owner)}


def appeared_payment(client: Client, owner: Mapping[str, Any], before: list[int], lost: Bitrix24Error) -> int:
    """
    The one payment that is there now and was not before.

    :param before: ids of the payments before the add.
    :param lost: what was raised for the add, whose answer was lost.
    :raises Bitrix24Error: ``lost``, where no payment or several have appeared.
    """
    new = payment_ids(client, owner).difference(before)
    if len(new) != 1:
        appeared = "no payment has" if not new else f"{len(new)} payments have"
        raise lost.but(advice=f"({appeared} appeared meanwhile)")
    payment_id = new.pop()
    log.info("%s, and payment %d has appeared.", lost.reason.capitalize(), payment_id)
    return payment_id


def payment_row(row: Any) -> dict[str, Any]:
    """
    ``{"id": 1036, "accountNumber": "3653/1", "paid": "N", "datePaid": None, "sum": 0, …}``.

    Old portals write the same fields in upper case, and numbers as text ("payments: payment fields"). A field that is
    not known stays as it is.

    :raises Bitrix24Error: it is not a payment.
    """
    if not isinstance(row, Mapping):
        raise Bitrix24Error("the answer is not a payment", method="crm.item.payment.get", ran="yes")
    return dict(_field(str(name), value) for name, value in row.items())


def id_in(row: Any) -> int:
    """
    The id of a payment.

    :raises IncompleteList: it has none.
    """
    # Only the run needs it.
    from airflow_provider_bitrix24.rest.lists.exactness import number

    return number(payment_row(row).get("id"))


def _field(name: str, value: Any) -> tuple[str, Any]:
    known = _NAMES.get(plain_name(name), name)
    if known in _WHOLE | _NUMBER and isinstance(value, str):
        return known, _number(value, whole=known in _WHOLE)
    return known, None if known == "datePaid" and value == "" else value


def _number(text: str, *, whole: bool) -> Any:
    if not text.strip():
        return None
    try:
        number = float(text)
        return int(text) if whole else int(number) if number.is_integer() else number
    except (ValueError, OverflowError):
        return text
