"""Operators for CRM items (``crm.item.*``): deals, leads, contacts, companies, quotes, invoices, smart processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import (
    ADD,
    DELETE,
    FIND_ITEM_ID,
    GET,
    LIST,
    UPDATE,
    added_id,
    check_kind,
    check_taken,
    fields_of,
    item_in,
    item_params,
)
from airflow_provider_bitrix24.exceptions import ConfigurationError, NotFound, RestError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    conditions,
    flag,
    flag_or_names,
    names,
    positive_id,
    some_fields,
)
from airflow_provider_bitrix24.execution.at_most_once import after, once
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER, Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.lineage import TransferOperator
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.execution.rendered import without_lost_values
from airflow_provider_bitrix24.execution.storage import check_file_or_folder, write_json_lines
from airflow_provider_bitrix24.execution.xcom import small_list
from airflow_provider_bitrix24.links.bitrix24 import leave
from airflow_provider_bitrix24.links.pages import page_of_item

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client


class Bitrix24GetItemOperator(Bitrix24BaseOperator):
    """
    Read one CRM item.

    Returns the item as the portal sends it, ``{"id": 7, "title": "Oak door", "opportunity": 999.9, "begindate":
    "2026-01-31T03:00:00+03:00", "ufCrm_1700000001": "Y", "fm": […], …}``. CRM writes a day as midnight UTC in its
    server's offset; with ``typed`` it comes out as the day that was meant.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param item_id: the item's id; templated.
    :param missing_ok: return None instead of failing when there is no such item.
    :param typed: each value in the JSON type of its field: ids and whole numbers int, amounts float, booleans true and
        false, days ``"2026-01-31"``, money of user fields ``{"amount": "300", "currency": "EUR"}``.
    :param labels: True for a text beside each stage, funnel, status, enumeration and user, ``"stage_id_label": "New"``,
        a list where the field is multiple, and None for what has no text; or names of the fields that get one.
    :raises AirflowFailException: no right, no such item or smart process.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.get``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "item_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        item_id: int | str,
        missing_ok: bool = False,
        typed: bool = False,
        labels: bool | Sequence[str] = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.item_id = item_id
        self.missing_ok = self.fixed(flag, missing_ok, "missing_ok")
        self.typed = self.fixed(flag, typed, "typed")
        self.labels = self.fixed(flag_or_names, labels, "labels")
        self.check_literals(item_id=FIND_ITEM_ID)

    def run(self, client: Client, context: Any) -> dict[str, Any] | None:
        params = item_params(self.entity_type_id, positive_id(self.item_id, "item_id", FIND_ITEM_ID))
        try:
            item = item_in(client.call(GET, params), GET)
        except NotFound as error:
            failure = error
        else:
            return self._shaped(client, params["entityTypeId"], item) if self.typed or self.labels else item
        check_kind(client, params["entityTypeId"])
        if not self.missing_ok:
            raise failure.but(advice=FIND_ITEM_ID)
        self.log.info("%s; this is accepted, since missing_ok is set.", failure)
        return None

    def _shaped(self, client: Client, type_id: int, item: dict[str, Any]) -> dict[str, Any]:
        # Only this run needs it.
        from airflow_provider_bitrix24.exports.items import ItemShape

        shape = ItemShape(client, fields_of(client, type_id), typed=self.typed, labels=self.labels)
        return shape.of([item])[0]


class Bitrix24ListItemsOperator(TransferOperator):
    """
    List the CRM items of one kind: all that the connection's user may see, once, in order of id, or the task fails.

    Without ``destination`` it returns the items, up to 48 KiB. With it, they stream to a file of JSON lines, and it
    returns ``{"path": "s3://…", "rows": 50000, "bytes": 9000000, "sha256": "…", "report": {…}}``; or, if it ends in
    ``/``, to part files that a retry goes on with, see :class:`Bitrix24ListOperator`.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param item_filter: as ``crm.item.list`` has it, with names in any spelling, e.g. ``{">=UPDATED_TIME": "{{ ts }}",
        "@STAGE_ID": ["WON", "LOSE"], "UF_CRM_1700000001": True}``. A name that is not a field fails. A time needs its
        zone. Templated.
    :param select: names of the fields to return, in any spelling; all of them by default, and with ``["*"]``. Phones
        and e-mails (``fm``) come only with all. Templated.
    :param limit: the most items to read; templated.
    :param destination: an ``ObjectStoragePath``, ``s3://conn_id@bucket/{{ ds }}.jsonl``; overwritten. Or a folder,
        ``s3://conn_id@bucket/deals/``, in which each run has one of its own. Templated.
    :param typed: each value in the JSON type of its field, see :class:`Bitrix24GetItemOperator`.
    :param labels: texts beside codes and ids, see :class:`Bitrix24GetItemOperator`.
    :raises AirflowFailException: the arguments, a right, a list that cannot be proven whole, or too large for XCom.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.list``.
    """

    after_wait = LIST_STARTS_OVER
    template_fields: Sequence[str] = (
        "entity_type_id",
        "item_filter",
        "select",
        "limit",
        "destination",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"item_filter": "json", "select": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {
        "entity_type_id": entity_type_id,
        "destination": check_file_or_folder,
    }

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        item_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        select: Sequence[str] | str | NotGiven = NOT_GIVEN,
        limit: int | str | NotGiven = NOT_GIVEN,
        destination: str | NotGiven = NOT_GIVEN,
        typed: bool = False,
        labels: bool | Sequence[str] = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.item_filter = self.given(item_filter, "item_filter")
        self.select = self.given(select, "select")
        self.limit = self.given(limit, "limit")
        self.destination = self.given(destination, "destination")
        self.typed = self.fixed(flag, typed, "typed")
        self.labels = self.fixed(flag_or_names, labels, "labels")
        self.check_literals()

    def run(self, client: Client, context: Any) -> Any:
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.items import ItemShape
        from airflow_provider_bitrix24.exports.sources import raw_source_of

        type_id = entity_type_id(self.entity_type_id)
        item_filter = conditions(self.item_filter, "item_filter")
        select = [] if self.select is None else names(self.select, "select")
        limit = None if self.limit is None else positive_id(self.limit, "limit")
        folder = self.folder_to_write("destination") if self.names_folder("destination") else None
        path = self.file_to_write(context, "destination") if folder is None else None
        fields = fields_of(client, type_id)
        params: dict[str, Any] = {"entityTypeId": type_id, "select": fields.select(select) or ["*"]}
        shape = ItemShape(client, fields, typed=self.typed, labels=self.labels, select=params["select"])
        if item_filter:
            params["filter"] = fields.filter(item_filter)
        if folder is not None:
            # Only this run needs them.
            from airflow_provider_bitrix24.exports.folder_loads import load_rows
            from airflow_provider_bitrix24.exports.raw_lines import RawLines

            self.after_wait = ""
            source, files = raw_source_of(client.method(LIST), params), RawLines(shape.of if shape.changes else None)
            made_of = (self.typed, self.labels)
            done = load_rows(client, context, folder, source, files, limit, self.count, *made_of)
            return self.reported(context, done, lambda: source.brought_to(folder, client, done))
        rows = client.list(LIST, params, limit=limit)
        items = shape.each(rows) if shape.changes else rows
        if path is None:
            kept = small_list(items, LIST)
            self.log.info("%s", rows.report)
            return kept
        written = {**write_json_lines(path, items), "report": asdict(rows.report)}
        self.log.info("%s", rows.report)
        source = raw_source_of(client.method(LIST), params)
        return self.reported(context, written, lambda: source.brought_to(path, client, written))


class Bitrix24AddItemOperator(Bitrix24BaseOperator):
    """
    Add a CRM item, and return its id, a number.

    An add is never repeated: when its answer is lost, the task fails without retry, since the item may be there. So
    does the next try of a task that was killed while it added; but before Airflow 3.3 nothing remembers that, and the
    next try adds again: set ``retries=0`` there. Where items have a key of their own,
    :class:`Bitrix24UpsertItemOperator` looks first.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param fields: values by field, an object or its JSON text; templated. Names in any spelling (``assignedById``,
        ``ASSIGNED_BY_ID``, ``UF_CRM_1700000001``) are checked against ``crm.item.fields``. Values: booleans as such or
        Y and N; dates and datetimes, these with a zone; money of user fields ``"300|EUR"``; enumerations by id or
        text; ``PHONE``, ``EMAIL``, ``WEB`` and ``IM`` of leads, contacts and companies as text, as a list, or as
        entries of ``fm``; None for nothing.
    :param read_back: read the item afterwards, and fail without retry if the portal silently dropped fields; the
        message names them.
    :raises AirflowFailException: no right, fields that the portal would refuse or drop, or a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.add``, ``crm.item.fields``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "fields", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"fields": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        fields: Mapping[str, Any] | str,
        read_back: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.fields = self.given(fields, "fields")
        self.read_back = self.fixed(flag, read_back, "read_back")
        self.check_literals()

    def run(self, client: Client, context: Any) -> int:
        type_id = entity_type_id(self.entity_type_id)
        given = without_lost_values(self.as_written("fields"), some_fields(self.fields))
        if not given:
            raise ConfigurationError(
                "fields has no value", next_step="check the template, or what the upstream task returned"
            )
        fields = fields_of(client, type_id)
        sent = fields.prepare(given, "add")
        params = {"entityTypeId": type_id, "fields": sent.params("add")}
        item_id = once(context, ADD, params, lambda: added_id(client.call(ADD, params)))
        self.log.info("%s: %s %d added", ADD, fields.kind, item_id)
        leave(context["ti"], client.portal, page_of_item, type_id, item_id)
        if self.read_back:
            with after(context, f"{fields.kind} {item_id} was added", "look at it before another try adds another"):
                check_taken(client, fields, item_id, sent)
        return item_id


class Bitrix24UpdateItemOperator(Bitrix24BaseOperator):
    """
    Change fields of a CRM item, and return ``True``. Only the fields that are given are changed.

    Phones and e-mails that the item has already are left out, so that a retry adds none twice. To change or remove one,
    give its id: ``{"fm": {"101": {"value": ""}}}``.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param item_id: the item's id; templated.
    :param fields: see :class:`Bitrix24AddItemOperator`; None, ``""`` and ``[]`` clear a field; templated. A portal
        keeps some fields, such as who is responsible: where one is to be cleared, the item is read back, and the task
        fails if it still has a value.
    :param read_back: see :class:`Bitrix24AddItemOperator`.
    :raises AirflowFailException: no right, no such item, or fields that the portal would refuse or drop.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.update``, ``crm.item.fields``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "item_id", "fields", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"fields": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        item_id: int | str,
        fields: Mapping[str, Any] | str,
        read_back: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.item_id = item_id
        self.fields = self.given(fields, "fields")
        self.read_back = self.fixed(flag, read_back, "read_back")
        self.check_literals(item_id=FIND_ITEM_ID)

    def run(self, client: Client, context: Any) -> bool:
        params = item_params(self.entity_type_id, positive_id(self.item_id, "item_id", FIND_ITEM_ID))
        given = without_lost_values(self.as_written("fields"), some_fields(self.fields))
        fields = fields_of(client, params["entityTypeId"])
        sent = fields.prepare(given, "update")
        try:
            remaining = sent.for_item(item_in(client.call(GET, params), GET)) if sent.adds_entries else sent
            if changes := remaining.params("update"):
                client.call(UPDATE, {**params, "fields": changes})
        except NotFound as error:
            raise error.but(advice=FIND_ITEM_ID) from None
        self.log.info("%s: %s %d changed", UPDATE, fields.kind, params["id"])
        if self.read_back or sent.cleared.fields:
            check_taken(client, fields, params["id"], sent if self.read_back else sent.cleared)
        return True


class Bitrix24DeleteItemOperator(Bitrix24BaseOperator):
    """
    Delete a CRM item, and return ``True``. It goes to the portal's recycle bin where that is on.

    A delete is harmless to repeat: when its answer was lost, the item is looked up, and gone means done.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param item_id: the item's id; templated.
    :param missing_ok: return ``False`` instead of failing when there is no such item.
    :raises AirflowFailException: no right, no such item or smart process.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.delete``.
    """

    template_fields: Sequence[str] = ("entity_type_id", "item_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self, *, entity_type_id: int | str, item_id: int | str, missing_ok: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.item_id = item_id
        self.missing_ok = self.fixed(flag, missing_ok, "missing_ok")
        self.check_literals(item_id=FIND_ITEM_ID)

    def run(self, client: Client, context: Any) -> bool:
        params = item_params(self.entity_type_id, positive_id(self.item_id, "item_id", FIND_ITEM_ID))
        try:
            reply = client.ask(DELETE, params)
        except RestError as error:
            failure = error
        else:
            self.log.info("%s: item %d deleted (request %s)", DELETE, params["id"], reply.request_id)
            return True
        missing = isinstance(failure, NotFound)
        if missing:
            check_kind(client, params["entityTypeId"])
            if self.missing_ok:
                self.log.info("%s; this is accepted, since missing_ok is set.", failure)
                return False
            failure = failure.but(advice=FIND_ITEM_ID)
        if context["ti"].try_number > 1 and (missing or not failure.cause_known):
            failure = failure.but(advice="an earlier try of this task may have deleted it")
        raise failure
