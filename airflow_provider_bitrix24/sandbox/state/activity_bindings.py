"""The CRM objects that an activity is about: its owner, and others that it was bound to."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.state.store import Store


def bindings_of(activity: Row) -> list[tuple[int, int]]:
    """(``entityTypeId``, id) of each object."""
    bound = [(entry["OWNER_TYPE_ID"], entry["OWNER_ID"]) for entry in activity.get("BINDINGS", ())]
    return bound or [(activity["OWNER_TYPE_ID"], activity["OWNER_ID"])]


def bind(activity: Row, keys: Sequence[tuple[int, int]]) -> None:
    """The activity is about these objects and no others; the first of them owns it where the owner has gone."""
    activity["BINDINGS"] = [{"OWNER_TYPE_ID": kind, "OWNER_ID": object_id} for kind, object_id in keys]
    if (activity["OWNER_TYPE_ID"], activity["OWNER_ID"]) not in keys:
        activity["OWNER_TYPE_ID"], activity["OWNER_ID"] = keys[0]


def unbind_all(store: Store, key: tuple[int, int]) -> None:
    """An object goes: what was about it alone goes with it."""
    for activity in list(store.activities):
        keys = bindings_of(activity)
        if key not in keys:
            continue
        others = [other for other in keys if other != key]
        if others:
            bind(activity, others)
        else:
            store.activities.remove(activity["id"])


def rebind_all(store: Store, key: tuple[int, int], new: tuple[int, int]) -> None:
    """What was about one object is about another one."""
    for activity in store.activities:
        keys = bindings_of(activity)
        if key in keys:
            bind(activity, list(dict.fromkeys(new if other == key else other for other in keys)))
