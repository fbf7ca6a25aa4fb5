"""What every change of a CRM object brings with it, whichever family of methods makes it; and who sees what."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import DEAL, LEAD, REFERENCES, Row
from airflow_provider_bitrix24.sandbox.methods.crm import relations, sums
from airflow_provider_bitrix24.sandbox.methods.crm.values import written_multi_fields
from airflow_provider_bitrix24.sandbox.methods.selection import Matcher
from airflow_provider_bitrix24.sandbox.state.activity_bindings import unbind_all
from airflow_provider_bitrix24.sandbox.state.event_names import DEAL_MOVED_TO_CATEGORY, PAYMENT_DELETED, of_item
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.requisites import remove_all_of
from airflow_provider_bitrix24.sandbox.state.stages import default_funnel, first_stage, meaning_of
from airflow_provider_bitrix24.sandbox.state.store import Store, stage_fields
from airflow_provider_bitrix24.sandbox.state.users import User

_CREATED, _MOVED, _FINISHED, _FUNNEL_CHANGED = 1, 2, 3, 5


def sees(user: User, row: Row) -> bool:
    return user.may("read") and (not user.sees_only_own or row.get("assignedById", 1) == user.id)


def hide_others(user: User, matcher: Matcher) -> None:
    """Rows that the user may not read are not in a selection, and nothing says so."""
    if user.sees_only_own or not user.may("read"):
        matcher.checks.append(lambda row: sees(user, row))


def add(portal: PortalState, user: User, entity_type_id: int, row: Row, multi_fields: dict[str, Any]) -> Row:
    now, kind = portal.clock.iso(), portal.store.kind(entity_type_id)
    row.update(createdTime=now, updatedTime=now, createdBy=user.id, updatedBy=user.id)
    row.setdefault("assignedById", user.id)
    contact_ids = relations.settle(entity_type_id, row)
    portal.store.items[entity_type_id].add(row)
    if contact_ids is not None:
        relations.bind_contacts(portal.store, row["id"], contact_ids)
    if "title" in kind.by_key and not row.get("title"):
        row["title"] = _default_title(kind.name.title, row["id"])
    if "quoteNumber" in kind.by_key or "accountNumber" in kind.by_key:
        row["quoteNumber" if "quoteNumber" in kind.by_key else "accountNumber"] = str(row["id"])
    if multi_fields and kind.multi_fields:
        portal.store.next_multi_field_id = written_multi_fields(row, multi_fields, portal.store.next_multi_field_id)
    if "stageId" in kind.by_key:
        funnel = default_funnel(portal.store, entity_type_id)
        if "categoryId" not in row and funnel != _category_id(portal, kind, row):
            row["categoryId"] = funnel
        stage_id = row.get("stageId") or first_stage(portal.store, entity_type_id, _category_id(portal, kind, row))
        row.update(stage_fields(stage_id, meaning_of(portal.store, entity_type_id, stage_id)))
        _remember_stage(portal, entity_type_id, row, _CREATED)
    _announce(portal, entity_type_id, row, "ADD")
    return row


def _category_id(portal: PortalState, kind: Any, row: Row) -> int:
    return int(row.get("categoryId", kind.empty_new.get("categoryId") or 0))


def _default_title(word: str, item_id: int | str) -> str:
    return f"{word} #{item_id}"


def is_default_title(store: Store, entity_type_id: int, title: str) -> bool:
    """Whether the portal has made it up."""
    number = title.rpartition("#")[2]
    return number.isdigit() and title == _default_title(store.kind(entity_type_id).name.title, number)


def update(
    portal: PortalState, user: User, entity_type_id: int, row: Row, new: Row, multi_fields: dict[str, Any]
) -> None:
    now, kind = portal.clock.iso(), portal.store.kind(entity_type_id)
    old_category_id, old_stage = _category_id(portal, kind, row), _stage_of(portal, entity_type_id, row)
    contact_ids = relations.settle(entity_type_id, new)
    row.update(new)
    if contact_ids is not None:
        relations.bind_contacts(portal.store, row["id"], contact_ids)
    row.update(updatedTime=now, updatedBy=user.id, lastActivityTime=now, lastActivityBy=user.id)
    if multi_fields and kind.multi_fields:
        portal.store.next_multi_field_id = written_multi_fields(row, multi_fields, portal.store.next_multi_field_id)
    changed_funnel = "categoryId" in kind.by_key and _category_id(portal, kind, row) != old_category_id
    if (changed_funnel and "stageId" not in new) or ("stageId" in new and not new["stageId"]):
        row["stageId"] = first_stage(portal.store, entity_type_id, _category_id(portal, kind, row))
    if "stageId" in kind.by_key and (changed_funnel or _stage_of(portal, entity_type_id, row) != old_stage):
        _move(portal, user, entity_type_id, row, old_stage, changed_funnel=changed_funnel)
    sums.settle(portal.store, entity_type_id, row)
    if entity_type_id == DEAL and changed_funnel:
        # A change of the funnel is announced by this event alone.
        moved_to = {"CATEGORY_ID": row["categoryId"], "STAGE_ID": row["stageId"]}
        portal.events.announce(DEAL_MOVED_TO_CATEGORY, {"FIELDS": {"ID": row["id"], **moved_to}})
    else:
        _announce(portal, entity_type_id, row, "UPDATE")


def _stage_of(portal: PortalState, entity_type_id: int, row: Row) -> Any:
    return row.get("stageId") or portal.store.kind(entity_type_id).empty_new.get("stageId")


def _move(
    portal: PortalState, user: User, entity_type_id: int, row: Row, old_stage: str, *, changed_funnel: bool
) -> None:
    row.update(stageSemanticId="P", closed="N", movedTime=row["updatedTime"], movedBy=user.id)
    stage_id = _stage_of(portal, entity_type_id, row)
    row.update(stage_fields(stage_id, meaning_of(portal.store, entity_type_id, stage_id)))
    if "previousStageId" in portal.store.kind(entity_type_id).by_key:
        row["previousStageId"] = old_stage
    final = row["stageSemanticId"] != "P"
    if entity_type_id == LEAD:
        row["dateClosed"] = row["updatedTime"] if final else None
    _remember_stage(portal, entity_type_id, row, _FUNNEL_CHANGED if changed_funnel else _FINISHED if final else _MOVED)


def remove(portal: PortalState, entity_type_id: int, row: Row) -> None:
    """The object goes, and with it its history, rows of goods, payments and activities, and its place in relations."""
    store = portal.store
    replace_references(store, entity_type_id, row["id"], None)
    store.items[entity_type_id].remove(row["id"])
    for table in (store.stage_history, store.product_rows, store.payments, store.comments):
        owned = [other["id"] for other in table if other.get("owner") == (entity_type_id, row["id"])]
        for other_id in owned:
            table.remove(other_id)
            if table is store.payments:
                announce_payment(portal, PAYMENT_DELETED, other_id)
    store.orders.pop((entity_type_id, row["id"]), None)
    key = (entity_type_id, row["id"])
    unbind_all(store, key)
    remove_all_of(store, key)
    _announce(portal, entity_type_id, row, "DELETE")


def replace_references(store: Store, entity_type_id: int, from_id: int, to_id: int | None) -> None:
    """Everything that named one object of a kind names another one, or none."""
    keys = [key for key, referred in REFERENCES.items() if referred == entity_type_id]
    for kind, table in store.items.items():
        binding = relations.binding_of(kind)
        known = [key for key in keys if key in store.kind(kind).by_key]
        is_bound = binding.primary in known
        for row in table if known else ():
            if is_bound and from_id in (row.get(binding.primary), *row.get(binding.all, ())):
                ids = [to_id if number == from_id else number for number in binding.ids(row)]
                sorts = {number: 10 * (1 + place) for place, number in enumerate(dict.fromkeys(filter(None, ids)))}
                primary = binding.primary_id(row)
                binding.set(row, sorts, to_id if primary == from_id else primary)
            for key in known:
                if row.get(key) == from_id:
                    row[key] = to_id or store.kind(kind).by_key[key].empty_in("new")


def _announce(portal: PortalState, entity_type_id: int, row: Row, change: str) -> None:
    fields = {"ID": row["id"]}
    for event in of_item(entity_type_id, change):
        if event.startswith("ONCRMDYNAMICITEM"):
            fields["ENTITY_TYPE_ID"] = entity_type_id
        portal.events.announce(event, {"FIELDS": fields})


def announce_payment(portal: PortalState, event: str, payment_id: int) -> None:
    portal.events.announce(event, {"FIELDS": {"ID": payment_id}})


def _remember_stage(portal: PortalState, entity_type_id: int, row: Row, type_id: int) -> None:
    kind = portal.store.kind(entity_type_id)
    portal.store.remember_stage(
        entity_type_id,
        row["id"],
        type_id=type_id,
        at=row["updatedTime"],
        category_id=_category_id(portal, kind, row),
        stage_id=row["stageId"],
        meaning=row.get("stageSemanticId", "P"),
    )
