"""Payments in the shape that current portals answer, whatever the portal's age."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.lists.exactness import number

_WHOLE = {"id", "empPaidId", "paySystemId", "paymentId", "rowId", "deliveryId"}
_NUMBER = {"sum", "quantity"}
_NAMES = {
    name.lower(): name for name in (*_WHOLE, *_NUMBER, "accountNumber", "paid", "datePaid", "currency", "paySystemName")
}


def payment_row(row: Any) -> dict[str, Any]:
    """
    ``{"id": 1036, "accountNumber": "3653/1", "paid": "N", "datePaid": None, "sum": 0, …}``.

    Old portals write the same fields in upper case, and numbers as text («payments: payment fields»). A field that is
    not known is left as it is.

    :raises Bitrix24Error: it is no payment.
    """
    if not isinstance(row, Mapping):
        raise Bitrix24Error("the answer is not a payment", method="crm.item.payment.get", ran="yes")
    return dict(_field(str(name), value) for name, value in row.items())


def id_in(row: Any) -> int:
    """
    The id of a payment.

    :raises IncompleteList: it has none.
    """
    return number(payment_row(row).get("id"))


def _field(name: str, value: Any) -> tuple[str, Any]:
    known = _NAMES.get(name.replace("_", "").lower(), name)
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
