"""``crm.orderentity.list``: which CRM object an order belongs to. Source: the page of the method."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = {"orderId": Field("id", "integer"), **{name: Field(name, "integer") for name in ("ownerId", "ownerTypeId")}}


@method("crm.orderentity.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("200040300010", "Access Denied")
    table = Table()
    for (owner_type_id, owner_id), order_id in portal.store.orders.items():
        table.rows[order_id] = {"id": order_id, "ownerId": owner_id, "ownerTypeId": owner_type_id}
    table.ids = sorted(table.rows)
    matcher = Matcher(_FIELDS, refuse=invalid_list).read(params.get("filter"))
    order = read_order(params.get("order") or {"ownerId": "asc"}, _FIELDS, invalid_list)
    page = page_of(table, matcher, order, params.get("start"), old=False)
    select = [str(name) for name in array_or_nothing(params.get("select"), "select").values()]
    names = [name for name in _FIELDS if not select or "*" in select or name in select]
    rows = [{name: row[_FIELDS[name].key] for name in names} for row in page.result]
    return Page({"orderEntity": rows}, page.total, page.next)
