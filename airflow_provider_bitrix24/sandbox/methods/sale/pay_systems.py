"""``sale.paysystem.list`` and ``sale.paysystem.pay.payment``: ways to pay. Source: pages under ``pay-system``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.crm.changes import announce_payment
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.event_names import PAYMENT_SAVED
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, set_paid
from airflow_provider_bitrix24.sandbox.state.users import User

_UNSET: Row = {
    **dict.fromkeys(("RESULT_FILE", "PS_MODE", "ENCODING", "TARIFF")),
    **dict.fromkeys(("HAVE_PAYMENT", "HAVE_ACTION", "HAVE_RESULT", "HAVE_PREPAY", "HAVE_PRICE"), "N"),
    **dict.fromkeys(("NEW_WINDOW", "AUTO_CHANGE_1C", "CAN_PRINT_CHECK"), "N"),
    **dict.fromkeys(("ACTIVE", "ALLOW_EDIT_PAYMENT", "HAVE_RESULT_RECEIVE"), "Y"),
}


def _row(pay_system_id: int, name: str) -> Row:
    return {
        "id": pay_system_id,
        "ID": pay_system_id,
        "PERSON_TYPE_ID": 3,
        "NAME": name,
        "PSA_NAME": name,
        "SORT": 100,
        "DESCRIPTION": "",
        "ACTION_FILE": "cash",
        "IS_CASH": "Y" if name == "Cash" else "N",
        "ENTITY_REGISTRY_TYPE": "ORDER",
        "XML_ID": f"pay_system_{pay_system_id}",
        **_UNSET,
    }


_ROWS = [_row(*pay_system) for pay_system in PAY_SYSTEMS.items()]
_FIELDS = {
    name: Field("id" if name == "ID" else name, "integer" if isinstance(value, int) else "string")
    for name, value in _ROWS[0].items()
    if name != "id"
}


def _refused(problem: str, name: str, value: object) -> Refusal:
    return Refusal("ERROR_CHECK_FAILURE", f"Field '{name}' is not allowed in {problem}")


@method("sale.paysystem.list", scope="pay_system", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    if not user.is_admin:
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    matcher = Matcher(_FIELDS, refuse=_refused).read(params.get("FILTER"))
    rows = sort_rows([row for row in _ROWS if matcher.accepts(row)], read_order(params.get("ORDER"), _FIELDS, _refused))
    # The page selects the tariff under one name and shows it under another.
    select = [
        str(name).replace("TARIF", "TARIFF")
        for name in array_or_nothing(params.get("SELECT"), "SELECT").values()
        if name != "TARIFF"
    ]
    return [{name: row[name] for name in _FIELDS if not select or name in select} for row in rows]


@method("sale.paysystem.pay.payment", scope="pay_system", upper=True)
def pay(portal: PortalState, user: User, params: Params) -> Any:
    payment_id, pay_system_id = (as_integer(params.get(name)) or 0 for name in ("PAYMENT_ID", "PAY_SYSTEM_ID"))
    for name, value in (("PAYMENT_ID", payment_id), ("PAY_SYSTEM_ID", pay_system_id)):
        if value <= 0:
            raise Refusal("ERROR_CHECK_FAILURE", f"Parameter {name} is not defined")
    if not user.may("change_orders"):
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    payment = portal.store.payments.get(payment_id)
    if payment is None or pay_system_id not in PAY_SYSTEMS:
        missing = "Payment" if payment is None else "Pay system"
        raise Refusal("ERROR_CHECK_FAILURE", f"{missing} not found")
    payment["paySystemId"] = pay_system_id
    set_paid(payment, True, at=portal.clock.iso(), user_id=user.id)
    announce_payment(portal, PAYMENT_SAVED, payment_id)
    return True
