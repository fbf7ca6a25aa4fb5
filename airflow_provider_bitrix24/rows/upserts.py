"""CRM items updated where they are already, and added where not, 50 rows to two requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields
from airflow_provider_bitrix24.crm.items import ADD, LIST, UPDATE, added_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.encoding import plain
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rows import cleared_fields
from airflow_provider_bitrix24.rows.cells import CellRules
from airflow_provider_bitrix24.rows.keys import ItemKey, Key, folded, number_as_text, other_spelling
from airflow_provider_bitrix24.rows.outcomes import UNCHANGED, Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.row_names import RowName
from airflow_provider_bitrix24.rows.template import RowTemplate
from airflow_provider_bitrix24.rows.values import item_values

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

#: Rows looked up by one request and written by the next.
STEP = 50
#: So long after it was sent a request does nothing more: the cloud ends it after 60 s (REST docs, "Limits"). Where the
#: connection's ``timeout`` is longer, since a portal takes longer, that counts.
OVER_SECONDS = 75.0


@dataclass(frozen=True)
class UpsertValues:
    """
    What an upsert sends.

    :param key: see :class:`ItemKey`.
    """

    key: Key
    values: FieldValues


class UpsertWriter:
    """
    Upserts of one kind of item by one key.

    :param key: names of the fields that tell items apart.
    :param template: gives the item's fields.
    :param rules: what the author says of cells.
    :param remembers: False where an earlier try may have sent adds and nothing remembers which.
    :param quiet_seconds: so long before this try, at least, an earlier one has ended.
    :raises ConfigurationError: the key is not a field, or one that cannot tell items apart.
    """

    method = ADD
    words: tuple[str, ...] = ("created", "updated", UNCHANGED)
    #: An item that was added by an earlier try is found.
    repeats = True
    rows_per_command = 1

    def __init__(
        self,
        client: Client,
        fields: ItemFields,
        key: Sequence[str],
        template: RowTemplate | None = None,
        rules: CellRules | None = None,
        *,
        remembers: bool = True,
        quiet_seconds: float = 0.0,
    ) -> None:
        self._client, self._fields = client, fields
        self._template = template or RowTemplate(None)
        self.whole_lists = self._template.lists
        self._rules = rules or CellRules()
        self._key = ItemKey(fields, key)
        self._check_key_differs()
        self._remembers = remembers
        self._began, self._quiet_seconds = time.monotonic(), quiet_seconds

    def _check_key_differs(self) -> None:
        """:raises ConfigurationError: the mapping gives every row the same key, so that all would be one item."""
        mapped: dict[str, str] = {}
        for name in self._template.mapping or {}:
            # Phones and the like have names of their own, and a wrong name is refused with the first row.
            with suppress(ConfigurationError):
                mapped[self._fields.find(name, "mapping").name] = name
        parts = [mapped.get(name) for name in self._key.names]
        if all(name is not None and self._template.is_same_in_every_row(name) for name in parts):
            text = preview((self._template.mapping or {})[str(parts[0])])
            raise ConfigurationError(
                f"mapping gives the key {', '.join(self._key.names)} the same value in every row ({text}), so that "
                "all rows would be one item",
                next_step="name a column there, e.g. $id or K-$id",
            )

    def prepare(self, row: Mapping[str, Any]) -> RowContent:
        self._template.check_whole(row, self._key.has, "without it, several rows could have one key")
        key_values = self._key_values(row)
        self._key.check_digits(key_values)
        filled = {**self._template.fill(row, whole=self._rules.blank == "fail"), **key_values}
        values = item_values(filled, self._rules, self._fields, adds=False)
        return self.content(self._fields.prepare(values.values, "upsert", place="the row"), values.cleared)

    def single(self, given: Mapping[str, Any]) -> FieldValues:
        """
        The fields of one item by itself.

        :param given: see :meth:`ItemFields.prepare`.
        """
        self._key.check_digits(given)
        return self._fields.prepare(self._key.with_numbers_as_text(given), "upsert")

    def _key_values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the key is filled with: of a row's numbers, each spelling in one form, also inside of a text."""
        numbers = {name: number_as_text(value) for name, value in row.items()}
        return self._template.fill_some(numbers, self._key.has)

    def content(self, values: FieldValues, cleared: int = 0) -> RowContent:
        """
        What is sent for an item.

        :param cleared: how many values it clears where the item is there.
        :raises ConfigurationError: it has no key, or a value has no form.
        """
        fields, entries = plain(values.fields, method=UPDATE), plain(values.entries, method=UPDATE)
        key = self._key.of_row(fields)
        ready = FieldValues(self._key.stored(fields, key), entries)
        example = {"entityTypeId": self._fields.entity_type_id, "fields": ready.params("upsert")}
        return RowContent(UpsertValues(key, ready), example, cleared=cleared, key=self._key.by_field(key))

    def check_columns(self, columns: Sequence[str]) -> None:
        names, place = self._template.names_of(columns), self._template.place
        self._fields.check_names(names, place)
        self._key.check_is_among(names, place)

    def name(self, row: Mapping[str, Any]) -> RowName:
        return RowName(key=self._key.given_in(self._key_values(row)))

    def may_repeat(self, row: PreparedRow) -> bool:
        return True

    def step_size(self) -> int:
        return STEP

    def keeps_order(self, row: PreparedRow) -> bool:
        """It may be an add."""
        return True

    def object_of(self, row: PreparedRow) -> Hashable | None:
        """Its key: the later of two rows must find what the earlier one has added."""
        return row.values.key if row.values else None

    def kept_apart(self, row: PreparedRow) -> Hashable | None:
        """A key that is nearly the same is found, and noted."""
        return folded(row.values.key) if row.values else None

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        outcomes = {row.number: outcome for row, outcome in zip(rows, self.upserted(rows), strict=True)}
        updated = [row for row in rows if outcomes[row.number].outcome == "updated"]
        sent = {row.number: self.for_update(row.values.values).fields for row in updated}
        return cleared_fields.checked(self._client, self._fields, outcomes, sent).values()

    def upserted(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        """The same as :meth:`send`, without a look at what was cleared."""
        found = self._found(rows)
        kind = {"entityTypeId": self._fields.entity_type_id}
        outcomes: dict[int, Outcome] = {}
        updates: dict[int, tuple[str, dict[str, Any]]] = {}
        adds: dict[int, tuple[str, dict[str, Any]]] = {}
        for row in rows:
            items = found.get(row.values.key, [])
            if len(items) > 1:
                outcomes[row.number] = Outcome.of(row.number, self._ambiguous(row.values, items))
            elif not items:
                adds[row.number] = (ADD, {**kind, "fields": self.for_add(row.values.values).params("add")})
            elif fields := self.for_update(row.values.values).for_item(items[0]).params("update"):
                updates[row.number] = (UPDATE, {**kind, "id": items[0]["id"], "fields": fields})
            else:
                outcomes[row.number] = Outcome(row.number, UNCHANGED, items[0]["id"])
        commands, cleared = updates | adds, {row.number: row.cleared for row in rows}
        keys = {row.number: row.values.key for row in rows}
        similar: dict[Key, Mapping[str, Any]] = {folded(key): items[0] for key, items in found.items()}
        done = self._client.batch(commands)
        lost: dict[int, Bitrix24Error] = {}
        for number, (method, params) in commands.items():
            error = done.errors.get(number)
            if method == ADD:
                if error is None:
                    try:
                        outcomes[number] = self._created(number, keys[number], done.replies[number].result, similar)
                    except Bitrix24Error as no_id:
                        error = no_id
                if error is not None and error.ran == "unknown":
                    lost[number] = error
                elif error is not None:
                    outcomes[number] = Outcome.of(number, error)
            elif error is None:
                outcomes[number] = Outcome(number, "updated", params["id"], cleared=cleared[number])
            else:
                outcomes[number] = Outcome.of(number, error, params["id"])
        if lost:
            outcomes |= self._looked_after(lost, {row.number: row.values for row in rows})
        return [outcomes[row.number] for row in rows]

    def _created(self, number: int, key: Key, result: Any, similar: dict[Key, Mapping[str, Any]]) -> Outcome:
        """
        :param similar: items that were found before, by what their keys have in common with others.
        :raises Bitrix24Error: the answer has no id.
        """
        item_id = added_id(result)
        item = result["item"]
        if all(name in item for name in self._key.names) and (stored := self._key.of_item(item)) != key:
            error = Bitrix24Error(
                f"item {item_id} was added, but the portal has stored its key {self._key.as_text(key)} as "
                f"{self._key.as_text(stored)}, and the next upsert would not find it",
                method=ADD,
                ran="yes",
                next_step="use a key that the field holds as it is, and delete the item",
            )
            return Outcome(number, "created", item_id, error)
        note = self._note(similar.get(folded(key)))
        # The next row of the step may have a key that is nearly the same.
        similar.setdefault(folded(key), {"id": item_id, **dict(zip(self._key.names, key, strict=True))})
        return Outcome(number, "created", item_id, note=note)

    def _note(self, other: Mapping[str, Any] | None) -> str:
        if other is None:
            return ""
        key = self._key.as_text(self._key.of_item(other))
        return (
            f"item {other['id']} has the key {key}, which differs only in case, blanks, the form of letters or zeros "
            "behind a point"
        )

    def for_add(self, values: FieldValues) -> FieldValues:
        """A new item has nothing to clear."""
        return _only(values, lambda name, value: value not in ("", []))

    def for_update(self, values: FieldValues) -> FieldValues:
        """Without the key, which is as it is, and what can only be set when an item is added."""
        fixed = {name for name, field in self._fields.fields.items() if field.is_immutable} | set(self._key.names)
        return _only(values, lambda name, value: name not in fixed)

    def _found(self, rows: Sequence[PreparedRow]) -> dict[Key, list[dict[str, Any]]]:
        """
        The items with the keys of some rows.

        An item that an earlier try may have added, and that is not there, may still come: it counts as missing only
        when it is not there after the request has ended.
        """
        found = self._look_up([row.values for row in rows])
        missing = [row for row in rows if not found.get(row.values.key)]
        if doubtful := [row for row in missing if row.may_have_run or not self._remembers]:
            # What this try remembers may have been sent a moment ago: a try that waits for a limit begins again.
            quiet_seconds = 0.0 if any(row.may_have_run for row in doubtful) else self._quiet_seconds
            over_seconds = max(OVER_SECONDS, self._client.portal.timeout_seconds)
            left = self._began - quiet_seconds + over_seconds - time.monotonic()
            if left > 0:
                log.info("%d items may still be on their way: looking for them again in %.0f s.", len(doubtful), left)
                self._client.sleep(left)
                found |= self._look_up([row.values for row in doubtful])
        return found

    def _look_up(self, rows: Sequence[UpsertValues]) -> dict[Key, list[dict[str, Any]]]:
        """The items with the keys of some rows, by key."""
        keys = {row.key for row in rows}
        wanted = {
            f"@{name}": sorted({text for key in keys for text in (key[place], other_spelling(key[place]))})
            for place, name in enumerate(self._key.names)
        }
        select = ["*"] if any(row.values.adds_entries for row in rows) else ["id", *self._key.names]
        params = {"entityTypeId": self._fields.entity_type_id, "select": select, "filter": wanted}
        found: dict[Key, list[dict[str, Any]]] = {}
        # As the list of one parent: where it fits into a page, that is one request, and a list of its own is two.
        for _, item in self._client.children(LIST, [0], lambda _: params):
            # By the whole key as it is: the portal compares without case, and each part by itself.
            found.setdefault(self._key.of_item(item), []).append(item)
        return found

    def _ambiguous(self, row: UpsertValues, items: Sequence[Mapping[str, Any]]) -> Bitrix24Error:
        ids = ", ".join(str(item["id"]) for item in items[:5])
        return Bitrix24Error(
            f"{len(items)} items have the key {self._key.as_text(row.key)}: {ids}{', …' if len(items) > 5 else ''}",
            method=LIST,
            next_step="merge them in the portal, or name a key that is unique",
        )

    def _looked_after(self, lost: Mapping[int, Bitrix24Error], rows: Mapping[int, UpsertValues]) -> dict[int, Outcome]:
        """Adds whose answer was lost: the item with the key tells whether they were done."""
        try:
            found = self._look_up([rows[number] for number in lost])
        except Bitrix24Error as unread:
            unread_too = f"({unread.reason}); {_NEXT_TRY}"
            return {
                number: Outcome.of(number, error.but(retryable=True, advice=unread_too))
                for number, error in lost.items()
            }
        outcomes = {}
        for number, error in lost.items():
            items = found.get(rows[number].key, [])
            if len(items) == 1:
                outcomes[number] = Outcome(number, "created", items[0]["id"])
            else:
                # The portal may still be at it. Which of several is the new one, no retry tells.
                unclear = error.but(retryable=not items, advice=f"({len(items)} items have its key now)")
                outcomes[number] = Outcome.of(number, unclear if items else unclear.but(advice=_NEXT_TRY))
        return outcomes


#: What becomes of an add whose answer was lost, and of which nothing is to be seen yet.
_NEXT_TRY = "the next try looks again, and adds it if it is still missing when the lost request has surely ended"


def _only(values: FieldValues, wanted: Callable[[str, Any], bool]) -> FieldValues:
    return FieldValues({name: value for name, value in values.fields.items() if wanted(name, value)}, values.entries)
