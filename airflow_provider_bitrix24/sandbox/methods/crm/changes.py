"""What every change of a CRM object brings with it, whichever family of methods makes it; and who sees what."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.crm.fields import WITH_CONTACTS, by_item_name
from airflow_provider_bitrix24.sandbox.methods.crm.values import written_multi_fields
from airflow_provider_bitrix24.sandbox.methods.selection import Matcher
from airflow_provider_bitrix24.sandbox.state.event_names import DEAL_MOVED_TO_CATEGORY, PAYMENT_DELETED, of_item
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import COMPANY, DEAL, INVOICE, LEAD, QUOTE, Row, stage_fields
from airflow_provider_bitrix24.sandbox.state.users import User

_CREATED, _MOVED, _FINISHED = 1, 2, 3
_NAMES = {LEAD: "Lead", DEAL: "Deal", COMPANY: "Company", QUOTE: "Quote", INVOICE: "Invoice"}


def sees(user: User, row: Row) -> bool:
    return user.may("read") and (not user.sees_only_own or row.get("assignedById", 1) == user.id)


def hide_others(user: User, matcher: Matcher) -> None:
    """Rows that the user may not read are not in a selection, and nothing tells."""
    if user.sees_only_own or not user.may("read"):
        matcher.checks.append(lambda row: sees(user, row))


def add(portal: PortalState, user: User, entity_type_id: int, row: Row, multi_fields: dict[str, Any]) -> Row:
    now = portal.clock.iso()
    row.update(createdTime=now, updatedTime=now, createdBy=user.id, updatedBy=user.id)
    row.setdefault("assignedById", user.id)
    portal.store.items[entity_type_id].add(row)
    if "title" in by_item_name(entity_type_id) and not row.get("title"):
        row["title"] = _default_title(entity_type_id, row["id"])
    if multi_fields and entity_type_id in WITH_CONTACTS:
        portal.store.next_multi_field_id = written_multi_fields(row, multi_fields, portal.store.next_multi_field_id)
    if "stageId" in by_item_name(entity_type_id):
        row.update(stage_fields(row.get("stageId") or "NEW"))
        _remember_stage(portal, entity_type_id, row, _CREATED)
    _announce(portal, entity_type_id, row, "ADD")
    return row


def _default_title(entity_type_id: int, item_id: int | str) -> str:
    return f"{_NAMES.get(entity_type_id, 'Item')} #{item_id}"


def is_default_title(entity_type_id: int, title: str) -> bool:
    """Whether the portal has made it up."""
    number = title.rpartition("#")[2]
    return number.isdigit() and title == _default_title(entity_type_id, number)


def update(
    portal: PortalState, user: User, entity_type_id: int, row: Row, new: Row, multi_fields: dict[str, Any]
) -> None:
    now = portal.clock.iso()
    old_category_id = row.get("categoryId", 0)
    moved = "stageId" in new and new["stageId"] != row.get("stageId", "NEW")
    row.update(new)
    row.update(updatedTime=now, updatedBy=user.id, lastActivityTime=now, lastActivityBy=user.id)
    if multi_fields and entity_type_id in WITH_CONTACTS:
        portal.store.next_multi_field_id = written_multi_fields(row, multi_fields, portal.store.next_multi_field_id)
    if moved:
        row.update(stageSemanticId="P", closed="N", movedTime=now, movedBy=user.id)
        row.update(stage_fields(row["stageId"] or "NEW"))
        final = row["stageSemanticId"] != "P"
        _remember_stage(portal, entity_type_id, row, _FINISHED if final else _MOVED)
    if entity_type_id == DEAL and row.get("categoryId", 0) != old_category_id:
        # A change of the funnel is announced by this event alone.
        moved_to = {"CATEGORY_ID": row["categoryId"], "STAGE_ID": row.get("stageId", "NEW")}
        portal.events.announce(DEAL_MOVED_TO_CATEGORY, {"FIELDS": {"ID": row["id"], **moved_to}})
    else:
        _announce(portal, entity_type_id, row, "UPDATE")


def remove(portal: PortalState, entity_type_id: int, row: Row) -> None:
    """The object goes, and with it its history, its rows of goods and its payments."""
    store = portal.store
    store.items[entity_type_id].remove(row["id"])
    for table in (store.stage_history, store.product_rows, store.payments, store.comments):
        owned = [other["id"] for other in table if other.get("owner") == (entity_type_id, row["id"])]
        for other_id in owned:
            table.remove(other_id)
            if table is store.payments:
                announce_payment(portal, PAYMENT_DELETED, other_id)
    store.orders.pop((entity_type_id, row["id"]), None)
    _announce(portal, entity_type_id, row, "DELETE")


def _announce(portal: PortalState, entity_type_id: int, row: Row, change: str) -> None:
    fields = {"ID": row["id"]}
    for event in of_item(entity_type_id, change):
        if event.startswith("ONCRMDYNAMICITEM"):
            fields["ENTITY_TYPE_ID"] = entity_type_id
        portal.events.announce(event, {"FIELDS": fields})


def announce_payment(portal: PortalState, event: str, payment_id: int) -> None:
    portal.events.announce(event, {"FIELDS": {"ID": payment_id}})


def _remember_stage(portal: PortalState, entity_type_id: int, row: Row, kind: int) -> None:
    prefix = "STATUS" if entity_type_id == LEAD else "STAGE"
    portal.store.stage_history.add(
        {
            "owner": (entity_type_id, row["id"]),
            "entityTypeId": entity_type_id,
            "TYPE_ID": kind,
            "OWNER_ID": row["id"],
            "CREATED_TIME": row["updatedTime"],
            "CATEGORY_ID": row.get("categoryId", 0),
            f"{prefix}_SEMANTIC_ID": row.get("stageSemanticId", "P"),
            f"{prefix}_ID": row["stageId"],
        }
    )
