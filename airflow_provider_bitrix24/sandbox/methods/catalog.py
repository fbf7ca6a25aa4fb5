"""``catalog.product.list``: the goods of the portal's catalogue. Source: the page of the method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_PRODUCTS = Records("catalog_product", "new", "id")


def _products(portal: PortalState) -> Iterator[Row]:
    yes = dict.fromkeys(("active", "available", "quantityTrace", "subscribe", "vatIncluded"), "Y")
    no = dict.fromkeys(("bundle", "canBuyZero", "barcodeMulti", "withoutOrder"), "N")
    texts = {**dict.fromkeys(("detailTextType", "previewTextType"), "text"), "recurSchemeType": "D"}
    for row in portal.store.products:
        yield {**yes, **no, **texts, "type": 1, "sort": 100, "measure": 5, "createdBy": 1, "modifiedBy": 1, **row}


@method("catalog.product.list", scope="catalog")
def products(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("200040300010", "Access denied")
    select = {str(name) for name in array_or_nothing(params.get("select"), "select").values()}
    if not {"id", "iblockId"} <= select:
        raise Refusal("0", "Fields id, iblockId are not specified in the selection fields")
    filter_ = array_or_nothing(params.get("filter"), "filter")
    if "iblockId" not in {key.lstrip("=@") for key in filter_}:
        raise Refusal("0", "Field iblockId is not specified in the filter")
    # Own properties of goods are not among them: an unknown name of `select` is passed over.
    page = _PRODUCTS.page(
        _products(portal),
        filter=filter_,
        order=params.get("order"),
        select=sorted(select),
        start=params.get("start"),
        refuse=invalid_list,
    )
    return Page({"products": page.result}, page.total, page.next)
