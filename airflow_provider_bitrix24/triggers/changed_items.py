"""
CRM items that changed, as a source of changes for connections that have no offline queue.

A list filtered by the time of modification, in the portal's clock. It is read again from before where it ended, because
a change may become visible later than its time says; what was seen there is known by id and time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import pendulum

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.hooks.async_client import aget_client
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.conditions import beside
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.triggers.change_loop import PATIENCE_SECONDS, WINDOW, Change
from airflow_provider_bitrix24.triggers.progress import Progress, State
from airflow_provider_bitrix24.triggers.queue_calls import UTC

log = logging.getLogger(__name__)

#: How far behind its end the list is read again: how late a change may become visible.
OVERLAP_SECONDS = 120
#: The portal's times have whole seconds: a second change within one shows only if its second is over when it is read.
SETTLE_SECONDS = 2
TIME_FIELD = "updatedTime"


class Receipt(NamedTuple):
    """Unix seconds of the modification first, for their order."""

    at: int
    item_id: int


class ChangedItems:
    """
    :param item_filter: narrows the list; what leaves it by its change is not seen.
    """

    def __init__(self, conn_id: str, entity_type_id: int, item_filter: dict[str, Any], progress: Progress) -> None:
        self._conn_id = conn_id
        self._entity_type_id = entity_type_id
        self._filter = item_filter
        self._progress = progress
        self._client: Client | None = None
        #: Everything up to this second (Unix, of the portal's clock) has been stored; None: not begun.
        self._since: int | None = None
        #: The second at which it began for the first time. What changed before is not its business.
        self._began = 0
        #: Stored changes that the next reading will find again.
        self._known: set[Receipt] = set()
        #: Where a reading ended that has not been stored completely.
        self._until = 0
        self._pending: list[Change] = []
        self._resuming = False
        self._handed_over: dict[Receipt, Change] = {}

    async def take(self) -> list[Change]:
        if self._client is None:
            self._client = await aget_client(self._conn_id, patience_seconds=PATIENCE_SECONDS)
        client = self._client
        if self._since is None:
            await self._resume(client)
        if not self._pending:
            await self._read(client)
        taken, self._pending = self._pending[:WINDOW], self._pending[WINDOW:]
        self._handed_over = {change.receipt: change for change in taken}
        if not taken:
            # In a quiet time nothing is written: a restart reads it again, and finds nothing.
            self._since = self._until
        return taken

    async def acknowledge(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._known.add(change.receipt)
            self._handed_over.pop(change.receipt, None)
        if not changes:
            return
        if not self._handed_over and self._since is not None:
            # Handed over in order of their time: nothing older is missing.
            self._since = max(self._since, min(max(change.receipt.at for change in changes), self._until))
        if not self._handed_over and not self._pending:
            self._since = self._until
        await self._save()

    def put_back(self, changes: Sequence[Change]) -> None:
        self._pending = [*(change.again() for change in changes), *self._pending]

    async def forget_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _resume(self, client: Client) -> None:
        """Begin where the asset is that is furthest behind; at the portal's present, where there is none."""
        states = [state for state in await self._progress.load() if isinstance(state.get("since"), int)]
        if not states:
            self._began = self._since = self._until = await asyncio.to_thread(_now, client)
            await self._progress.save(self._state())
            return
        self._resuming = True
        known = [_receipts(state.get("known")) for state in states]
        self._known = set.intersection(*known)
        self._since = self._until = min(state["since"] for state in states)
        # States of older versions do not have it.
        self._began = min(began if isinstance(began := state.get("began"), int) else 0 for state in states)

    async def _read(self, client: Client) -> None:
        now = await asyncio.to_thread(_now, client)
        since = self._since if self._since is not None else now
        rows = await asyncio.to_thread(self._list, client, since - OVERLAP_SECONDS)
        # Before the present second is over, an item of it may change again and look the same.
        settled = (row for row in rows if not now - SETTLE_SECONDS <= row.at <= now + SETTLE_SECONDS)
        fresh = sorted({row for row in settled if row.at >= self._began} - self._known)
        changes = [Change(self._payload(receipt), receipt) for receipt in fresh]
        # What was handed over just before a restart may not have been remembered.
        self._pending = [change.again() for change in changes] if self._resuming else changes
        self._resuming = False
        self._until = max(since, now - SETTLE_SECONDS)

    async def _save(self) -> None:
        try:
            await self._progress.save(self._state())
        except Exception as error:
            # The next one holds it too. Until then a restart would hand these over again.
            log.warning("Acknowledged changes of items are remembered later: %s", error)

    def _list(self, client: Client, since: int) -> list[Receipt]:
        filter_ = beside(self._filter, {f">={TIME_FIELD}": pendulum.from_timestamp(since).isoformat()})
        params = {"entityTypeId": self._entity_type_id, "select": ["id", TIME_FIELD], "filter": filter_}
        return [_receipt(row) for row in client.list("crm.item.list", params)]

    def _payload(self, receipt: Receipt) -> dict[str, Any]:
        time = pendulum.from_timestamp(receipt.at).format(UTC)
        return {
            "id": f"{self._entity_type_id}:{receipt.item_id}@{time}",
            "event": "CHANGED",
            "object_id": receipt.item_id,
            "entity_type_id": self._entity_type_id,
            "time": time,
            "redelivered": False,
        }

    def _state(self) -> State:
        """Ids under their second, because a bulk update changes many in one."""
        since = self._since or 0
        self._known = {receipt for receipt in self._known if receipt.at >= since - OVERLAP_SECONDS}
        known: dict[str, list[int]] = {}
        for receipt in sorted(self._known):
            known.setdefault(str(receipt.at), []).append(receipt.item_id)
        return {"since": since, "began": self._began, "known": known}


def _receipts(known: Any) -> set[Receipt]:
    seconds = known.items() if isinstance(known, dict) else ()
    return {Receipt(int(at), number) for at, numbers in seconds for number in numbers}


def _receipt(row: Any) -> Receipt:
    moment = parse(str(row.get(TIME_FIELD) or ""))
    if not isinstance(moment, pendulum.DateTime) or moment.timezone is None or not str(row.get("id")).isdigit():
        raise Bitrix24Error(f"a row has no id or {TIME_FIELD}: {preview(row)}", method="crm.item.list", retryable=True)
    return Receipt(int(moment.timestamp()), int(row["id"]))


def _now(client: Client) -> int:
    answer = client.call("server.time")
    moment = parse(answer) if isinstance(answer, str) else None
    if not isinstance(moment, pendulum.DateTime) or moment.timezone is None:
        raise Bitrix24Error(f"the portal answered {preview(answer)}", method="server.time", retryable=True)
    return int(moment.timestamp())
