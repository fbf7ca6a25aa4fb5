"""Operators that add CRM items, or update them where they are already, identified by a key that the author names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import check_taken, fields_of
from airflow_provider_bitrix24.execution.arguments import flag, names, some_fields
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.checkpoint import is_repeated, quiet_seconds
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.execution.rendered import without_lost_values
from airflow_provider_bitrix24.links.bitrix24 import leave
from airflow_provider_bitrix24.links.pages import page_of_item
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseRowsOperator, RowArguments

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rows.row_writer import RowWriter


class Bitrix24UpsertItemOperator(Bitrix24BaseOperator):
    """
    Update the CRM item that has a key, or add it where there is none.

    Returns ``{"id": 17, "created": true}``.

    The item is looked for first, so that a retry adds nothing twice; after a lost answer of the add it is looked for
    again, by the next try too, which adds it only when the lost request has surely ended. Between looking and adding
    nobody holds a lock, since the portal has none: two tasks that upsert one key at the same moment may both add it,
    and the next upsert fails and names both. Give such tasks a pool of one slot. An item that the connection's user may
    not see is not found, and is added again.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param key: the field that tells items apart, in any spelling: ``"originId"``, ``"xmlId"``, ``"UF_CRM_1700000001"``;
        or several, ``["originatorId", "originId"]``. Its text is compared exactly, although the portal takes ``a1`` and
        ``A1`` for the same. Templated.
    :param fields: see :class:`Bitrix24AddItemOperator`, the key among them; templated. An update leaves out what can
        only be set when an item is added, and phones and e-mails that are there already. Where an update is to clear
        a field, the item is read back, as by :class:`Bitrix24UpdateItemOperator`.
    :param read_back: read the item afterwards, and fail without retry, naming them, if fields were not taken.
    :raises AirflowFailException: no right, fields that the portal would refuse or drop, more than one item with this
        key.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.list``, ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "key", "fields", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"fields": "json"}

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

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
        self.fields = self.given(fields, "fields")
        self.read_back = self.fixed(flag, read_back, "read_back")
        self.check_literals()

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        # Only the run needs them.
        from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow
        from airflow_provider_bitrix24.rows.upserts import UpsertWriter

        type_id, key = entity_type_id(self.entity_type_id), names(self.key, "key")
        given = without_lost_values(self.as_written("fields"), some_fields(self.fields))
        fields = fields_of(client, type_id)
        remembers, quiet = not is_repeated(context), quiet_seconds(self)
        writer = UpsertWriter(client, fields, key, remembers=remembers, quiet_seconds=quiet)
        values = writer.single(given)
        (outcome,) = writer.upserted([PreparedRow(0, "", writer.content(values))])
        if outcome.error is not None:
            raise outcome.error
        item_id, created = int(outcome.id or 0), outcome.outcome == "created"
        self.log.info("%s %d %s", fields.kind, item_id, outcome.outcome)
        leave(context["ti"], client.portal, page_of_item, type_id, item_id)
        sent = writer.for_add(values) if created else writer.for_update(values)
        if self.read_back or (not created and sent.cleared.fields):
            check_taken(client, fields, item_id, sent if self.read_back else sent.cleared)
        return {"id": item_id, "created": created}


class Bitrix24UpsertItemsOperator(Bitrix24BaseRowsOperator):
    """
    Update the CRM items that have the keys of many rows, and add those that are missing, 50 rows to two requests.

    Returns ``{"rows": 500, "created": 20, "updated": 480, "unchanged": 0, "skipped": 0, "cleared": 0, "failed": 0,
    "unknown": 0, "not_done": 0, "outcomes": [{"row": 0, "outcome": "created", "id": 17}, …], "report": None}``;
    outcomes only as long as they fit into XCom and no report is written.

    Running it again does no harm: what the try before has added is found. What :class:`Bitrix24UpsertItemOperator` says
    of races and of items that cannot be seen holds here too. Of two rows with one key the later wins.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param key: see :class:`Bitrix24UpsertItemOperator`; templated.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead, or the name of its file, ``"firms.sql"``; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the item's fields, in which ``"$column"`` stands for a row's value, also inside of a text, and
        ``"$$"`` for a dollar sign, e.g. ``{"originId": "$id", "title": "$name", "PHONE":
        "$phone"}``; the whole row by default; templated.
    :param blank: what becomes of cells without a value: ``"keep"`` leaves the portal's value as it is, ``"clear"``
        clears it, ``"fail"`` fails the row. An add leaves them out.
    :param csv: how a CSV file is written where that is not with commas in UTF-8: ``{"delimiter": ";", "decimal": ",",
        "encoding": "cp1251"}``.
    :param timezone: the zone of times that have none, ``"Europe/Berlin"``; they are refused without it.
    :param max_failures: so many rows may fail by themselves before the task stops and fails, its summary in XCom under
        the key ``bitrix24_rows``; None for any number. What stops every row, such as a limit, stops the task in any
        case.
    :param on_empty: what a source without a row that has a value does: ``"warn"`` logs a warning, ``"fail"`` fails the
        task.
    :param ordered: False sends several steps of rows at once, so that ids of new items do not grow with the rows; rows
        of one key keep their order.
    :param dry_run: send nothing, but check every row: the same summary, with ``ready`` rows and three ``examples``.
        Fails where the run would.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, as JSON lines; templated.
    :raises AirflowFailException: the arguments, a right, or more failures than ``max_failures``.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.list``, ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = (*Bitrix24BaseRowsOperator.template_fields, "key")

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(self, *, entity_type_id: int | str, key: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(entity_type_id=entity_type_id, **kwargs)
        self.key = key
        self.check_literals()

    def row_arguments(self) -> RowArguments:
        entity_type_id(self.entity_type_id)
        names(self.key, "key")
        self.item_template()
        return super().row_arguments()

    def writer(self, client: Client, *, remembers: bool) -> RowWriter:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.upserts import UpsertWriter

        fields = fields_of(client, entity_type_id(self.entity_type_id))
        key, template, rules = names(self.key, "key"), self.item_template(), self.cell_rules()
        quiet = quiet_seconds(self)
        return UpsertWriter(client, fields, key, template, rules, remembers=remembers, quiet_seconds=quiet)
