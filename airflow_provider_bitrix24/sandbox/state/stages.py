"""Stages as the portal has them now: where objects begin, and what the stages mean."""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.state.directories import own_stages, stages_of
from airflow_provider_bitrix24.sandbox.state.store import Store


def _found(store: Store, entity_type_id: int, code: str) -> Row | None:
    for row in store.statuses:
        if row["STATUS_ID"] == code and store.directories[row["ENTITY_ID"]].kind == entity_type_id:
            return row
    return None


def is_stage(store: Store, entity_type_id: int, code: str) -> bool:
    """Whether any funnel of the kind has it."""
    return _found(store, entity_type_id, code) is not None


def meaning_of(store: Store, entity_type_id: int, code: str) -> str:
    """``S``, ``F`` or ``P``, the latter for any text that is not a stage."""
    row = _found(store, entity_type_id, code)
    return (row and row["SEMANTICS"]) or "P"


def first_stage(store: Store, entity_type_id: int, category_id: int) -> str:
    """Where a new object of a funnel begins; in a funnel that is not there, as in the default one."""
    entity_id = stages_of(entity_type_id, category_id)
    if entity_id not in store.directories:
        entity_id = stages_of(entity_type_id, default_funnel(store, entity_type_id))
    rows = [row for row in store.statuses if row["ENTITY_ID"] == entity_id]
    return str(min(rows, key=lambda row: row["SORT"])["STATUS_ID"]) if rows else ""


def default_funnel(store: Store, entity_type_id: int) -> int:
    """Where new objects go; 0 for kinds without funnels."""
    own = (row for row in store.categories if row["entityTypeId"] == entity_type_id and row["isDefault"] == "Y")
    return int(next((row["id"] for row in own), 0))


def add_funnel(store: Store, funnel: Row) -> None:
    """A new funnel has the stages of the first one of its kind, under codes of its own."""
    store.categories.append(funnel)
    entity_id, directory, rows = own_stages(funnel["entityTypeId"], funnel["id"], funnel["name"])
    store.directories[entity_id] = directory
    for row in rows:
        store.statuses.add(row)


def remove_funnel(store: Store, funnel: Row) -> None:
    """The funnel goes, and its stages with it."""
    store.categories.remove(funnel)
    entity_id = stages_of(funnel["entityTypeId"], funnel["id"])
    for status_id in [row["id"] for row in store.statuses if row["ENTITY_ID"] == entity_id]:
        store.statuses.remove(status_id)
    store.directories.pop(entity_id, None)
