"""A trigger for asset watchers: CRM items that changed, for any connection."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from airflow_provider_bitrix24.crm.entity_types import entity_type_id as kind_of_item
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.conditions import check_conditions
from airflow_provider_bitrix24.triggers.change_loop import Source
from airflow_provider_bitrix24.triggers.progress import Progress
from airflow_provider_bitrix24.triggers.watcher import Audience, WatcherTrigger


class Bitrix24ChangesTrigger(WatcherTrigger):
    """
    Fire for each CRM item that was added or changed, found by its time of modification. A webhook is enough.

    ``AssetWatcher(name="deals", trigger=Bitrix24ChangesTrigger(entity_type_id=2))``. It begins at the present, and goes
    on where it was after that. Deleted items are not seen, nor those that leave ``item_filter`` by their change.

    Each Airflow event has the payload ``{"id": "2:662@2026-01-31T09:00:00Z", "event": "CHANGED", "object_id": 662,
    "entity_type_id": 2, "time": "2026-01-31T09:00:00Z", "redelivered": False, "bitrix24_conn_id":
    "bitrix24_default"}``; ``id`` is the same however often it is delivered.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process. Not a template.
    :param item_filter: a filter of ``crm.item.list``, e.g. ``{"categoryId": 3}``. Not a template.
    :param bitrix24_conn_id: the connection; its user sees these items.
    :param poll_interval: seconds between two readings; each is two requests or more.
    """

    def __init__(
        self,
        entity_type_id: int | str,
        item_filter: dict[str, Any] | None = None,
        bitrix24_conn_id: str = "bitrix24_default",
        poll_interval: float = 60.0,
    ) -> None:
        super().__init__(bitrix24_conn_id, poll_interval)
        if item_filter is not None and not isinstance(item_filter, dict):
            raise ConfigurationError(
                f"item_filter must be a dict, not {item_filter!r}", next_step='write e.g. {"categoryId": 3}'
            )
        self.entity_type_id = kind_of_item(entity_type_id)
        self.item_filter = item_filter or {}
        check_conditions(self.item_filter, "item_filter", drops_empty_lists=True)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made of again: names, and no secret."""
        arguments = {
            "entity_type_id": self.entity_type_id,
            "item_filter": self.item_filter,
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "poll_interval": self.poll_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def stream(self) -> tuple[str, ...]:
        parts = (self.bitrix24_conn_id, str(self.entity_type_id))
        if not self.item_filter:
            return parts
        # A name of a variable takes no filter as it is.
        text = json.dumps(self.item_filter, sort_keys=True, default=str).encode()
        return (*parts, hashlib.sha256(text).hexdigest()[:12])

    def wants(self, payload: dict[str, Any]) -> bool:
        return True

    def source(self, audience: Audience) -> Source:
        # It imports requests, which a DAG file has no use for.
        from airflow_provider_bitrix24.triggers.changed_items import ChangedItems

        progress = Progress("__".join(["bitrix24_changes", *self.stream()]), audience.stores)
        return ChangedItems(self.bitrix24_conn_id, self.entity_type_id, self.item_filter, progress)
