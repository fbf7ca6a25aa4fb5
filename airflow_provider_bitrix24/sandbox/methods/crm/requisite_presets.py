"""``crm.requisite.preset.*``: templates of requisites. Source: pages of the methods."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row
from airflow_provider_bitrix24.sandbox.methods.crm.old_kinds import OldKind, offer
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.presets import COUNTRIES
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User


def _prepare(portal: PortalState, user: User, row: Row) -> None:
    fits = {
        "ENTITY_TYPE_ID": row.get("ENTITY_TYPE_ID") == REQUISITE,
        "COUNTRY_ID": row.get("COUNTRY_ID") in COUNTRIES,
        "NAME": bool(row.get("NAME")),
    }
    for name, is_right in fits.items():
        if not is_right:
            raise Refusal("", f"{name} is not defined or invalid")
    row |= {"fields": [], "lastFieldId": 0}


def _remove(store: Store, preset: Row) -> None:
    if any(requisite["PRESET_ID"] == preset["id"] for requisite in store.requisites):
        raise Refusal("", "You cannot delete the template because requisites have already been created for it")
    store.presets.remove(preset["id"])


offer(
    OldKind(
        "requisite.preset",
        "requisite_preset",
        lambda store: store.presets,
        _prepare,
        created=("DATE_CREATE", "CREATED_BY_ID"),
        changed=("DATE_MODIFY", "MODIFY_BY_ID"),
        missing="The Preset with ID '{id}' is not found",
        list_denied="0",
        defaults={"ACTIVE": "Y", "SORT": 500},
        remove=_remove,
    )
)


@method("crm.requisite.preset.countries", scope="crm")
def countries(portal: PortalState, user: User, params: Params) -> Any:
    return [{"ID": number, "CODE": code, "TITLE": title} for number, (code, title) in COUNTRIES.items()]
