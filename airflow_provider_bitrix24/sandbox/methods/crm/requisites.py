"""
Requisites of companies and contacts, and their bank details.

Source: pages of ``crm.requisite.*`` and ``crm.requisite.bankdetail.*``.
"""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row
from airflow_provider_bitrix24.sandbox.methods.crm.old_kinds import OldKind, offer
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.requisites import remove_bank_detail, remove_requisite
from airflow_provider_bitrix24.sandbox.state.users import User


def _prepare_requisite(portal: PortalState, user: User, row: Row) -> None:
    for name in ("ENTITY_TYPE_ID", "ENTITY_ID", "PRESET_ID"):
        if not row.get(name) or (name == "PRESET_ID" and portal.store.presets.get(row[name]) is None):
            raise Refusal("", f"{name} is not defined or invalid.")
    table = portal.store.items.get(row["ENTITY_TYPE_ID"])
    if table is None or table.get(row["ENTITY_ID"]) is None:
        raise Refusal("", "The entity for which the requisite is being created was not found.")


def _prepare_bank_detail(portal: PortalState, user: User, row: Row) -> None:
    requisite = portal.store.requisites.get(row.get("ENTITY_ID") or 0)
    if requisite is None:
        raise Refusal("", "ENTITY_ID is not defined or invalid.")
    row["ENTITY_TYPE_ID"] = REQUISITE
    preset = portal.store.presets.get(requisite["PRESET_ID"])
    if not row.get("COUNTRY_ID") and preset is not None:
        row["COUNTRY_ID"] = preset["COUNTRY_ID"]


offer(
    OldKind(
        "requisite",
        "requisite",
        lambda store: store.requisites,
        _prepare_requisite,
        created=("DATE_CREATE", "CREATED_BY_ID"),
        changed=("DATE_MODIFY", "MODIFY_BY_ID"),
        missing="The Requisite with ID '{id}' is not found",
        event="REQUISITE",
        list_denied="0",
        defaults={"ACTIVE": "Y", "ADDRESS_ONLY": "N", "SORT": 500},
        remove=remove_requisite,
        own_fields=REQUISITE,
    )
)
offer(
    OldKind(
        "requisite.bankdetail",
        "bank_detail",
        lambda store: store.bank_details,
        _prepare_bank_detail,
        created=("DATE_CREATE", "CREATED_BY_ID"),
        changed=("DATE_MODIFY", "MODIFY_BY_ID"),
        missing="The RequisiteBankDetail with ID '{id}' is not found",
        event="BANKDETAIL",
        defaults={"ACTIVE": "Y", "SORT": 500},
        remove=remove_bank_detail,
        without=frozenset({"ENTITY_TYPE_ID"}),
    )
)
