"""Many rows written, 50 to a request, none of them twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import fields_of
from airflow_provider_bitrix24.exceptions import ConfigurationError, Forbidden, Invalid, NotFound
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, flag, one_of, required
from airflow_provider_bitrix24.execution.commands import check_is_read
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseRowsOperator, RowArguments

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rows.row_writer import RowWriter
    from airflow_provider_bitrix24.rows.template import RowTemplate


class Bitrix24BulkWriteOperator(Bitrix24BaseRowsOperator):
    """
    Write many rows: one call of a method for each, 50 to a request.

    Returns ``{"rows": 500, "written": 498, "skipped": 0, "cleared": 0, "failed": 2, "unknown": 0, "not_done": 0,
    "outcomes": [{"row": 0, "outcome": "written", "id": 17}, …], "report": None}``; outcomes only as long as
    they fit into XCom and no report is written. A task that fails has the same in XCom under the key ``bitrix24_rows``.

    What was sent and answered is remembered before the next step, in the task state store of Airflow 3.3 or else beside
    ``report``: a retry goes on where the task was killed. A row whose answer was lost is written again only if that
    does no harm by the method's nature (an absolute update); a row that may have been added already is ``unknown``,
    and the task fails without retry.

    :param method: what to call for each row, e.g. ``"crm.contact.add"``; templated. Either this or ``entity_type_id``.
        Of methods that add and update, names of fields that the portal would silently drop fail the row; values are
        sent as they are.
    :param entity_type_id: kind of CRM item, ``"company"`` or ``4``; templated. Names and values of its fields are taken
        and checked as by :class:`Bitrix24AddItemOperator`: what the portal would silently drop fails the row.
    :param operation: ``"add"`` or ``"update"`` for CRM items; an update takes the item's id from the column ``id``.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead, ordered by something unique, or the name of its file, ``"firms.sql"``; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the method's params, or the item's fields, in which ``"$column"`` stands for a row's value, also
        inside of a text, and ``"$$"`` for a dollar sign, e.g. ``{"title": "$name",
        "opened": "Y"}``; the whole row by default; templated.
    :param check_fields: False takes names of fields in ``method`` as they are, see :class:`Bitrix24Operator`.
    :param blank: what becomes of cells without a value: ``"keep"`` leaves the portal's value as it is, ``"clear"``
        clears it, ``"fail"`` fails the row. An add leaves them out.
    :param csv: how a CSV file is written where that is not with commas in UTF-8: ``{"delimiter": ";", "decimal": ",",
        "encoding": "cp1251"}``.
    :param timezone: the zone of times that have none, ``"Europe/Berlin"``; they are refused without it.
    :param max_failures: so many rows may fail by themselves before the task stops and fails; None for any number. What
        stops every row, such as a limit, stops the task in any case.
    :param on_empty: what a source without a row that has a value does: ``"warn"`` logs a warning, ``"fail"`` fails the
        task.
    :param ordered: None sends several steps at once of updates, deletes and replacements that name their object by an
        id, and keeps the order of rows of everything else. False lets go of that order too, but for rows about one
        object; True keeps it for all.
    :param dry_run: send nothing, but check every row: the same summary, with ``ready`` rows and three ``examples``.
        Fails where the run would.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, as JSON lines; templated.
    :raises AirflowFailException: the arguments, a right, or more failures than ``max_failures``.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Execute a Batch Request", ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = ("method", *Bitrix24BaseRowsOperator.template_fields)

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self,
        *,
        method: str | NotGiven = NOT_GIVEN,
        operation: str | NotGiven = NOT_GIVEN,
        check_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = self.given(method, "method")
        self.check_fields = self.fixed(flag, check_fields, "check_fields")
        chosen = "add" if operation is NOT_GIVEN else operation
        self.operation = self.fixed(one_of, chosen, "operation", ("add", "update"))
        self._has_operation = operation is not NOT_GIVEN
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_what()
            if is_literal(self.method) and self.method is not None:
                check_is_read(self.method)

    def _check_what(self) -> None:
        """:raises ConfigurationError: the arguments that say what to write do not go together."""
        if self.is_given("method") == self.is_given("entity_type_id"):
            raise ConfigurationError(
                "give either method or entity_type_id", next_step="say what to write by one of the two"
            )
        if self.is_given("method") and self._has_operation:
            raise ConfigurationError(
                "operation is for entity_type_id, and method says itself what it does",
                next_step="give entity_type_id instead of method, or leave operation out",
            )
        if self.is_given("method") and self.csv is not None and self.cell_rules().decimal != ".":
            raise ConfigurationError(
                "csv has a decimal, and which params of a method are numbers is not known",
                next_step="give entity_type_id, or write numbers with a point",
            )

    def row_template(self) -> RowTemplate:
        return self.template() if self.is_given("method") else self.item_template()

    def item_template(self) -> RowTemplate:
        template = super().item_template()
        for name in (template.mapping or {}) if self.operation == "update" else ():
            if name.strip().lower() == "id":
                raise ConfigurationError(
                    f"mapping has {name!r}, and an update takes the id of its item from the row's own column 'id'",
                    next_step="leave it out, and name the column 'id' in the source",
                )
        return template

    def row_arguments(self) -> RowArguments:
        self._check_what()
        if self.method is not None:
            check_is_read(required(self.method, "method"))
            self.template()
        else:
            entity_type_id(self.entity_type_id)
            self.item_template()
        return super().row_arguments()

    def repeats(self, client: Client) -> bool:
        method = f"crm.item.{self.operation}" if self.method is None else self.method
        return client.method(method).repeat != "never"

    def _check_may_be_called(self, client: Client, method: str) -> None:
        """
        One request of a dry run, which sends no row: in a run, the first row would say the same.

        :raises ConfigurationError: the portal has no such method, or the connection must not call it.
        """
        try:
            found = client.call("method.get", {"name": method.lower()})
        except (Forbidden, Invalid, NotFound) as error:
            self.log.warning("Whether the portal has the method is not checked: %s", error)
            return
        if found.get("isExisting") is False:
            raise ConfigurationError(
                "the portal has no such method",
                method=method,
                next_step="check the method's name; a self-hosted portal may lack the module",
            )
        if found.get("isAvailable") is False:
            raise ConfigurationError(
                "the connection must not call this method",
                method=method,
                next_step="give its webhook or application the scope of the method, see the method's page",
            )

    def writer(self, client: Client, *, remembers: bool) -> RowWriter:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.method_calls import CallWriter, ItemWriter

        if self.method is not None:
            if client.method(self.method).repeat == "read":
                raise ConfigurationError(
                    "it only reads, and a bulk write keeps no results",
                    method=self.method,
                    next_step="use Bitrix24ListOperator, or Bitrix24BatchOperator for its results",
                )
            if self.is_dry_run:
                self._check_may_be_called(client, client.method(self.method).name)
            return CallWriter(
                client,
                self.method,
                self.template(),
                self.cell_rules(),
                check_fields=self.check_fields,
                remembers=remembers,
            )
        operation = self.operation
        fields = fields_of(client, entity_type_id(self.entity_type_id))
        return ItemWriter(client, fields, operation, self.item_template(), self.cell_rules())
