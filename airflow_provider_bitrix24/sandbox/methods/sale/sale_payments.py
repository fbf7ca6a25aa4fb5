"""``sale.payment.*``: the same payments as the sale module shows them. Source: pages under ``sale/payment``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array, array_or_nothing, integer, required
from airflow_provider_bitrix24.sandbox.methods.crm.changes import announce_payment
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.sale.payments import FIELDS, payment_fields
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_number, as_server_time
from airflow_provider_bitrix24.sandbox.state.event_names import PAYMENT_DELETED, PAYMENT_SAVED
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.seed import FIRST_MOMENT
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, set_paid
from airflow_provider_bitrix24.sandbox.state.users import User

#: What nothing here ever sets.
_UNSET = {
    **dict.fromkeys(("dateMarked", "datePayBefore", "empMarkedId", "empReturnId", "payReturnDate", "payVoucherDate")),
    **dict.fromkeys(("psInvoiceId", "psResponseDate", "psSum")),
    **dict.fromkeys(("id1c", "payReturnComment", "payReturnNum", "payVoucherNum", "reasonMarked", "version1c"), ""),
    **dict.fromkeys(("psCurrency", "psStatus", "psStatusCode", "psStatusDescription", "psStatusMessage"), ""),
    **dict.fromkeys(("externalPayment", "updated1c"), "N"),
}
_BILLED_AT = FIRST_MOMENT.isoformat()


def _answer_row(payment: Row) -> Row:
    return {
        **_UNSET,
        **payment_fields(payment),
        "orderId": payment["orderId"],
        "comments": payment.get("comments", ""),
        "xmlId": payment.get("xmlId", ""),
        "companyId": None,
        "isReturn": "N",
        "marked": "N",
        "paySystemIsCash": "Y" if payment["paySystemId"] == 6 else "N",
        "paySystemXmlId": "",
        # Money as text, with as many zeros as the database has.
        "priceCod": "0.000000",
        "responsibleId": 1,
        "dateResponsibleId": _BILLED_AT,
        "empResponsibleId": 1,
        "dateBill": _BILLED_AT,
        **payment.get("sale", {}),
    }


def _check_right(user: User, right: str) -> None:
    if not user.may(right) or not user.may("change_orders"):
        raise Refusal("200040300010" if right == "read" else "200040300020", "Access Denied")


def _found(portal: PortalState, user: User, params: Params, right: str) -> Row:
    payment_id = integer(params, "id")
    _check_right(user, right)
    payment = portal.store.payments.get(payment_id)
    if payment is None:
        # The page prints "payment does not exist"; the server says it like this.
        raise Refusal("200640400001", "payment is not exists")
    return payment


#: Fields of an answer: their types, where they are not text; which are read only; which an ``add`` needs.
_INTEGERS = (
    *("id", "orderId", "paySystemId", "empPaidId"),
    *("companyId", "empMarkedId", "empResponsibleId", "empReturnId", "responsibleId"),
)
_FLAGS = ("externalPayment", "isReturn", "marked", "paid", "paySystemIsCash", "psStatus", "updated1c")
_DATES = ("dateBill", "dateMarked", "datePaid", "datePayBefore", "dateResponsibleId", "payReturnDate", "payVoucherDate")
_TYPES = {
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(_FLAGS, "char"),
    **dict.fromkeys((*_DATES, "psResponseDate"), "datetime"),
    **dict.fromkeys(("sum", "priceCod", "psSum"), "double"),
}
_NEEDED: Row = {"paySystemId": 6, "orderId": 0}
_NAMES = sorted(_answer_row({**dict.fromkeys(FIELDS), **_NEEDED}))


def _list_field(name: str) -> Field:
    return Field(name, _TYPES.get(name, "string"), derive=lambda payment: _answer_row(payment)[name])


_FIELDS = {name: _list_field(name) for name in _NAMES}


@method("sale.payment.list", scope="sale")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    _check_right(user, "read")
    matcher = Matcher(_FIELDS, refuse=invalid_list).read(params.get("filter"))
    order = read_order(params.get("order"), _FIELDS, invalid_list)
    page = page_of(portal.store.payments, matcher, order, params.get("start"), old=False)
    select = [str(name) for name in array_or_nothing(params.get("select"), "select").values()]
    rows = [_answer_row(row) for row in page.result]
    if select and "*" not in select:
        rows = [{name: row[name] for name in select if name in row} for row in rows]
    return Page({"payments": rows}, page.total, page.next)


@method("sale.payment.get", scope="sale")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return {"payment": _answer_row(_found(portal, user, params, "read"))}


_READ_ONLY = frozenset(
    (
        "accountNumber",
        "currency",
        "dateMarked",
        "dateResponsibleId",
        "id",
        "paySystemIsCash",
        "paySystemName",
        "paySystemXmlId",
    )
)


#: Written and shown, and of no consequence.
_KEPT = (
    _UNSET.keys() | {"companyId", "isReturn", "marked", "priceCod", "responsibleId", "empResponsibleId", "dateBill"}
) - (_READ_ONLY)


@method("sale.payment.getFields", scope="sale")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    _check_right(user, "read")
    return {
        "payment": {
            name: {
                "isImmutable": name == "orderId",
                "isReadOnly": name in _READ_ONLY,
                "isRequired": name in _NEEDED,
                "type": _TYPES.get(name, "string"),
            }
            for name in _NAMES
        }
    }


@method("sale.payment.add", scope="sale")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    _check_right(user, "change_orders")
    order_id, pay_system_id = as_integer(fields.get("orderId")), as_integer(fields.get("paySystemId"))
    owner = next((owner for owner, number in portal.store.orders.items() if number == order_id), None)
    if owner is None or pay_system_id not in PAY_SYSTEMS:
        raise Refusal("0", "Required fields: orderId, paySystemId")
    payment = portal.store.add_payment(*owner, pay_system_id=pay_system_id)
    _write(portal, user, payment, fields)
    return {"payment": _answer_row(payment)}


@method("sale.payment.update", scope="sale")
def update(portal: PortalState, user: User, params: Params) -> Any:
    payment = _found(portal, user, params, "change_orders")
    fields = array(params, "fields")
    if as_integer(required(fields, "paySystemId")) not in PAY_SYSTEMS:
        raise Refusal("0", "Required fields: paySystemId")
    _write(portal, user, payment, fields)
    return {"payment": _answer_row(payment)}


def _write(portal: PortalState, user: User, payment: Row, fields: dict[str, Any]) -> None:
    if "sum" in fields:
        amount = as_number(fields["sum"])
        if amount is None:
            raise Refusal("100", "Invalid value to match with parameter {sum}. Should be value of type float.")
        payment["sum"] = amount
    payment["paySystemId"] = as_integer(fields["paySystemId"])
    for name in ("comments", "xmlId"):
        if name in fields:
            payment[name] = str(fields[name])
    payment.setdefault("sale", {}).update({name: _kept(name, fields[name]) for name in _KEPT if name in fields})
    if "paid" in fields:
        set_paid(payment, fields["paid"] == "Y", at=portal.clock.iso(), user_id=user.id)
    payment.update({name: _kept(name, fields[name]) for name in ("datePaid", "empPaidId") if name in fields})
    announce_payment(portal, PAYMENT_SAVED, payment["id"])


def _kept(name: str, value: Any) -> Any:
    if name == "priceCod":
        return str(value)
    match _TYPES.get(name):
        case "integer":
            return as_integer(value)
        case "double":
            return as_number(value)
        case "datetime":
            try:
                return as_server_time(value)
            except BadValue:
                return None
    # Answered as it was sent (example of an invoice's number).
    return value


@method("sale.payment.delete", scope="sale")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    payment = _found(portal, user, params, "change_orders")
    if payment["paid"] == "Y":
        raise Refusal("SALE_PAYMENT_DELETE_EXIST_PAID", portal.text("payment_is_paid"))
    portal.store.payments.remove(payment["id"])
    announce_payment(portal, PAYMENT_DELETED, payment["id"])
    return True
