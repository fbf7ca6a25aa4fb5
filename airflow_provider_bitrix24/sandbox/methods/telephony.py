"""``voximplant.statistic.get``: the calls of the portal's telephony. Source: the page of the method."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_CALLS = Records("call", "old", "ID")
#: Digits behind the point of a sum, where other old methods have two.
_COST = "{:.4f}"


@method("voximplant.statistic.get", scope="telephony", upper=True)
def calls(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("ACCESS_DENIED", "Access denied!", 403)
    order = {str(params["SORT"]): params.get("ORDER", "ASC")} if params.get("SORT") else None
    if order is not None and "CALL_TYPE" in order:
        # The page: sorted by any field but this one.
        order = None
    # "?" is a search inside the text, which is what "%" does.
    filter_ = {
        f"%{key[1:]}" if key.startswith("?") else key: value
        for key, value in array_or_nothing(params.get("FILTER"), "FILTER").items()
    }
    page = _CALLS.page(portal.store.calls, filter=filter_, order=order, start=params.get("start"), ranges=True)
    for row in page.result:
        row["COST"] = _COST.format(float(row["COST"]))
    return page
