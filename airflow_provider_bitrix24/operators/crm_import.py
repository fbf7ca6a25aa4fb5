"""Operator that imports many CRM items, 20 to a command and many commands to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import fields_of
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseRowsOperator, RowArguments

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rows.row_writer import RowWriter


class Bitrix24ImportItemsOperator(Bitrix24BaseRowsOperator):
    """
    Import many CRM items: new ones only, 20 to a command, as many commands to a request as the portal does in time.

    Returns ``{"rows": 500, "imported": 498, "skipped": 0, "cleared": 0, "failed": 2, "unknown": 0, "not_done": 0,
    "outcomes": [{"row": 0, "outcome": "imported", "id": 17}, …], "report": None}``; outcomes
    only as long as they fit into XCom and no report is written.

    An import is not an add: it starts no automation and no workflow, and the connection's user needs the right to
    import. Administrators may set ``createdTime``, ``updatedTime``, ``movedTime``, ``createdBy``, ``updatedBy`` and
    ``movedBy``. It looks for no duplicates: that is what :class:`Bitrix24UpsertItemsOperator` does.

    What was sent and answered is remembered, in the task state store of Airflow 3.3 or else beside ``report``: a retry
    goes on where the task was killed. A row that may have been imported already is ``unknown``, and the task fails
    without retry. Where nothing remembers, a retry imports nothing and fails.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead, ordered by something unique, or the name of its file; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the item's fields, in which ``"$column"`` stands for a row's value, also inside of a text, and
        ``"$$"`` for a dollar sign, e.g. ``{"title": "$name", "PHONE": "$phone"}``; the whole row by default; templated.
        See :class:`Bitrix24AddItemOperator` for names and values.
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
    :param ordered: False sends several steps of rows at once, so that ids do not grow with the rows.
    :param dry_run: send nothing, but check every row: the same summary, with ``ready`` rows and three ``examples``.
        Fails where the run would.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, as JSON lines; templated.
    :raises AirflowFailException: the arguments, a right, or more failures than ``max_failures``.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.batchImport``, ``crm.item.import``.
    """

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(self, *, entity_type_id: int | str, **kwargs: Any) -> None:
        super().__init__(entity_type_id=entity_type_id, **kwargs)
        self.check_literals()

    def row_arguments(self) -> RowArguments:
        entity_type_id(self.entity_type_id)
        self.item_template()
        return super().row_arguments()

    def repeats(self, client: Client) -> bool:
        return False

    def writer(self, client: Client, *, remembers: bool) -> RowWriter:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.imports import ImportWriter

        fields = fields_of(client, entity_type_id(self.entity_type_id))
        return ImportWriter(client, fields, self.item_template(), self.cell_rules())
