"""Operators that add CRM items, or update them where they are already, told by a key that the author names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import ADD, LIST, UPDATE, added_id, check_taken, fields_of
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import names, some_fields
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.rest.nothing import NOTHING
from airflow_provider_bitrix24.rows.item_rows import Bitrix24BaseItemRowsOperator, Made, Outcome, Tally

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields, Purpose
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client

#: Rows looked up by one request and written by the next.
STEP = 50
#: Types of fields that can tell one item from another.
_KEY_TYPES = frozenset({"string", "text", "url", "integer", "double"})


class Bitrix24UpsertItemOperator(Bitrix24BaseOperator):
    """
    Update the CRM item that has a key, or add it where there is none.

    Returns ``{"id": 17, "created": true}``.

    The item is looked for first, so that a retry adds nothing twice; after a lost answer of the add it is looked for
    again. Between looking and adding nobody holds a lock, since the portal has none: two tasks that upsert one key at
    the same moment may both add it, and the next upsert fails and names both. Give such tasks a pool of one slot. An
    item that the connection's user may not see is not found, and is added anew.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param key: the field that tells items apart, in any spelling: ``"originId"``, ``"xmlId"``, ``"UF_CRM_1700000001"``;
        or several, ``["originatorId", "originId"]``. Its text is compared exactly, although the portal takes ``a1`` and
        ``A1`` for the same. Templated.
    :param fields: see :class:`Bitrix24AddItemOperator`, the key among them; templated. An update leaves out what can
        only be set when an item is added, and phones and e-mails that are there already.
    :param read_back: read the item afterwards, and fail without retry, naming them, if fields were not taken.
    :raises AirflowFailException: no right, fields that the portal would refuse or drop, more than one item with this
        key, or a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.list``, ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "key", "fields", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"fields": "json"}
    flags: ClassVar[Mapping[str, str]] = {"read_back": "read_back"}

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        key: str | Sequence[str],
        fields: Mapping[str, Any] | str,
        read_back: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.key = key
        self.fields = fields
        self.read_back = read_back

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        type_id, key, given = entity_type_id(self.entity_type_id), names(self.key, "key"), some_fields(self.fields)
        known = fields_of(client, type_id)
        upserts = Upserts(client, known, key)
        sent = known.prepare(given, "upsert")
        upserts.key_of(sent)
        (outcome,) = upserts.write([(0, sent)])
        if outcome.error is not None:
            raise outcome.error
        item_id, created = outcome.id or 0, outcome.outcome == "created"
        self.log.info("%s %d %s", known.kind, item_id, outcome.outcome)
        if self.read_back:
            check_taken(client, known, item_id, upserts.for_add(sent) if created else upserts.for_update(sent))
        return {"id": item_id, "created": created}


class Bitrix24UpsertItemsOperator(Bitrix24BaseItemRowsOperator):
    """
    Update the CRM items that have the keys of many rows, and add those that are missing, 50 rows to two requests.

    Returns ``{"rows": 500, "created": 20, "updated": 480, "failed": 0, "unknown": 0, "outcomes": [{"row": 0, "outcome":
    "created", "id": 17}, …], "report": None}``; outcomes only as long as they fit into XCom and no report is written.

    Running it again does no harm: what the try before has added is found. What :class:`Bitrix24UpsertItemOperator` says
    of races and of items that cannot be seen holds here too. Of two rows with one key the later wins.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param key: see :class:`Bitrix24UpsertItemOperator`; templated.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the item's fields, in which ``"$column"`` stands for a row's value and ``"$$"`` for a dollar sign,
        e.g. ``{"originId": "$id", "title": "$name", "PHONE": "$phone"}``; the whole row by default; templated.
    :param max_failures: so many rows may fail by themselves before the task stops and fails, its summary in XCom under
        the key ``bitrix24_rows``; None for any number. What befalls all rows, such as a limit, stops it in any case.
    :param dry_run: write nothing; return ``{"rows": 500, "failed": 0, "examples": [fields of the first three], …}``.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, as JSON lines; templated.
    :raises AirflowFailException: the arguments, a right, or more rows failed than may.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.list``, ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = (*Bitrix24BaseItemRowsOperator.template_fields, "key")
    done = ("created", "updated")
    purpose: ClassVar[Purpose] = "upsert"

    def __init__(self, *, key: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key

    def steps(
        self, client: Client, known: ItemFields, made: Iterator[Made], tally: Tally, memory: Checkpoint
    ) -> Iterator[list[Outcome]]:
        upserts = Upserts(client, known, names(self.key, "key"))
        for some in upserts.packs(made):
            bad = [Outcome.of(number, one) for number, one in some if isinstance(one, ConfigurationError)]
            if tally.is_over(len(bad)):
                yield bad
                return
            good = [(number, one) for number, one in some if not isinstance(one, ConfigurationError)]
            yield sorted([*bad, *upserts.write(good)], key=lambda outcome: outcome.row)


class Upserts:
    """
    Upserts of one kind of item by one key.

    :raises ConfigurationError: the key is no field, or one that cannot tell items apart.
    """

    def __init__(self, client: Client, known: ItemFields, key: Sequence[str]) -> None:
        self.client, self.known = client, known
        self.key = list(dict.fromkeys(known.find(name, "key").name for name in key))
        for name in self.key:
            field = known.fields[name]
            if field.type not in _KEY_TYPES or field.is_multiple or name == "id":
                raise ConfigurationError(
                    f"key names {name}, which cannot be a key here",
                    next_step="name a field of text or numbers, such as originId, xmlId or a UF_… field; by id, update",
                )
        if not self.key:
            raise ConfigurationError("key is empty", next_step="name a field, such as originId")

    def key_of(self, sent: FieldValues) -> tuple[str, ...]:
        """
        A row's key as text.

        :raises ConfigurationError: it is empty, or a text such as ``None`` that a template or a data frame makes of
            nothing: every item without a key would be meant.
        """
        key = self._key_in({name: sent.fields.get(name, "") for name in self.key})
        for name, value in zip(self.key, key, strict=True):
            if value in NOTHING:
                raise ConfigurationError(
                    f"the fields have no value for the key {name}{f', but the text {value!r}' if value else ''}",
                    next_step="give each item its own",
                )
        return key

    def _key_in(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """A key as text. ``77.50`` and ``77.5`` are one number, and so one key where the field has numbers."""
        from airflow_provider_bitrix24.crm.values import decimal_of

        texts = []
        for name in self.key:
            text = str(fields.get(name)).strip()
            if self.known.fields[name].type == "double" and (number := decimal_of(text)) is not None:
                text = f"{number.normalize():f}"
            texts.append(text)
        return tuple(texts)

    def packs(self, made: Iterator[Made]) -> Iterator[list[Made]]:
        """Up to 50 rows, no key among them twice: the later of two must find what the earlier has added."""
        some: list[Made] = []
        keys: set[tuple[str, ...]] = set()
        for number, one in made:
            row: FieldValues | ConfigurationError = one
            if not isinstance(row, ConfigurationError):
                try:
                    key = self.key_of(row)
                except ConfigurationError as error:
                    row = error
                else:
                    if key in keys:
                        yield some
                        some, keys = [], set()
                    keys.add(key)
            some.append((number, row))
            if len(some) == STEP:
                yield some
                some, keys = [], set()
        if some:
            yield some

    def write(self, rows: Sequence[tuple[int, FieldValues]]) -> list[Outcome]:
        """
        Look rows up and write them, each key once.

        :return: an outcome for each, in their order.
        """
        there = self._look_up([row for _, row in rows])
        outcomes: dict[int, Outcome] = {}
        adds: dict[int, FieldValues] = {}
        updates: dict[int, tuple[int, FieldValues]] = {}
        for number, row in rows:
            items = there.get(self.key_of(row), [])
            if len(items) > 1:
                outcomes[number] = Outcome.of(number, self._ambiguous(row, items))
            elif items:
                updates[number] = (items[0]["id"], self.for_update(row).for_item(items[0]))
            else:
                adds[number] = self.for_add(row)
        commands: dict[int, tuple[str, dict[str, Any]]] = {}
        kind = {"entityTypeId": self.known.entity_type_id}
        for number, (item_id, row) in updates.items():
            if fields := row.params("update"):
                commands[number] = (UPDATE, {**kind, "id": item_id, "fields": fields})
            else:
                outcomes[number] = Outcome(number, "updated", item_id)
        commands |= {number: (ADD, {**kind, "fields": row.params("add")}) for number, row in adds.items()}
        done = self.client.batch(commands)
        lost: dict[int, Bitrix24Error] = {}
        for number, error in done.errors.items():
            if number in adds and error.ran == "unknown":
                lost[number] = error
            else:
                outcomes[number] = Outcome.of(number, error)
        for number, reply in done.replies.items():
            if number in updates:
                outcomes[number] = Outcome(number, "updated", updates[number][0])
                continue
            try:
                outcomes[number] = Outcome(number, "created", added_id(reply.result))
            except Bitrix24Error as error:
                lost[number] = error
        if lost:
            outcomes |= self._looked_after(lost, adds)
        return [outcomes[number] for number, _ in rows]

    def for_add(self, row: FieldValues) -> FieldValues:
        """A new item has nothing to clear."""
        return self._only(row, lambda name, value: value != [])

    def for_update(self, row: FieldValues) -> FieldValues:
        """Without the key, which is as it is, and what can only be set when an item is added."""
        fixed = {name for name, field in self.known.fields.items() if field.is_immutable} | set(self.key)
        return self._only(row, lambda name, value: name not in fixed)

    @staticmethod
    def _only(row: FieldValues, wanted: Any) -> FieldValues:
        from airflow_provider_bitrix24.crm.fields import FieldValues

        return FieldValues({name: value for name, value in row.fields.items() if wanted(name, value)}, row.entries)

    def _look_up(self, rows: Sequence[FieldValues]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        """The items with the keys of some rows, by key."""
        if not rows:
            return {}
        keys = {self.key_of(row) for row in rows}
        wanted = {f"@{name}": sorted({key[place] for key in keys}) for place, name in enumerate(self.key)}
        select = ["*"] if any(row.adds_entries for row in rows) else ["id", *self.key]
        params = {"entityTypeId": self.known.entity_type_id, "select": select, "filter": wanted}
        found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        # As the list of one parent: where it fits into a page, that is one request, and a list of its own is two.
        for _, item in self.client.children(LIST, [0], lambda _: params):
            # By the whole key as it is: the portal compares without case, and each part by itself.
            found.setdefault(self._key_in(item), []).append(item)
        return found

    def _ambiguous(self, row: FieldValues, items: Sequence[Mapping[str, Any]]) -> Bitrix24Error:
        ids = ", ".join(str(item["id"]) for item in items[:5])
        key = ", ".join(f"{name} {value!r}" for name, value in zip(self.key, self.key_of(row), strict=True))
        return Bitrix24Error(
            f"{len(items)} items have the key {key}: {ids}{', …' if len(items) > 5 else ''}",
            method=LIST,
            next_step="merge them in the portal, or name a key that is unique",
        )

    def _looked_after(self, lost: Mapping[int, Bitrix24Error], adds: Mapping[int, FieldValues]) -> dict[int, Outcome]:
        """Adds whose answer was lost: the item with the key tells whether they were done."""
        try:
            there = self._look_up([adds[number] for number in lost])
        except Bitrix24Error as error:
            return {number: Outcome.of(number, one.advise(f"({error.reason})")) for number, one in lost.items()}
        outcomes = {}
        for number, one in lost.items():
            items = there.get(self.key_of(adds[number]), [])
            if len(items) == 1:
                outcomes[number] = Outcome(number, "created", items[0]["id"])
            else:
                # Not retried although a retry looks first: the portal may still be at it.
                one.retryable = False
                outcomes[number] = Outcome.of(number, one.advise(f"({len(items)} items have its key now)"))
        return outcomes
