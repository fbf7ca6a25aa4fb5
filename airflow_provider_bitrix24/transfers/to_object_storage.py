"""From a list of Bitrix24 to files in object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import LIST, fields_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    conditions,
    flag,
    names,
    number_within,
    one_of,
    required,
)
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER, Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.commands import check_is_read, parameters_of
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.execution.rendered import check_filter, check_lost_values
from airflow_provider_bitrix24.execution.storage import check_folder
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.rest.client import Client

#: Rows become visible some time after the moment that is their time of change.
_OVERLAP_SECONDS = 600.0
_WINDOWS = ("watermark", "interval", "all")
_FORMATS = ("parquet", "jsonl", "csv")


class Bitrix24ToObjectStorageOperator(Bitrix24BaseOperator):
    """
    Load the rows of a list into typed files: Parquet, JSON lines or CSV.

    Each load is a folder of its own, ``<destination>/load=<run>/``, with part files of up to 50,000 rows and, once all
    rows are there, ``_manifest.json`` and ``_SUCCESS``: a reader that waits for ``_SUCCESS`` never sees half a load. A
    retry goes on behind the last part under the first try's window, and so does the task after a wait for a limit
    (``wait_for_limits``), which keeps all that was read before; a cleared task begins a load of its own. Memory
    does not grow with the rows.

    Columns have the original names of the fields in lower case (``uf_crm_1700000001``), whichever method the rows come
    from, and their types: whole numbers, decimals, booleans, days, moments in UTC, text. Several values are JSON text,
    files are ids, money of user fields is an amount and ``…_currency``. A value that does not fit is null, stands in
    the column ``_bad`` and is counted.

    Returns ``{"path": "s3://…/load=…", "rows": 50000, "bytes": 9000000, "parts": 1, "window": {">=updatedTime":
    "2026-01-31T02:50:00+03:00"}, "watermark": "2026-02-01T03:00:00+03:00", "bad": {}, "rounded": {}}``.

    :param destination: the folder of the loads, an ``ObjectStoragePath``, ``s3://conn_id@bucket/crm/deals``; templated.
    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated. Or give ``method``.
    :param item_filter: with ``entity_type_id``, as for :class:`Bitrix24ListItemsOperator`; templated.
    :param method: any list method, e.g. ``"tasks.task.list"``; templated.
    :param method_params: with ``method``, its own, without select, order and start; templated.
    :param select: names of the fields that become columns, in any spelling; all of them by default. Templated.
    :param file_format: ``"parquet"``, ``"jsonl"`` or ``"csv"``; all of them need the extra ``[parquet]``.
    :param window: ``"watermark"``: rows changed since the load before, by the portal's clock, whatever starts the run;
        ``"interval"``: those changed in the run's data interval, as for backfills; ``"all"``: every row.
    :param overlap_seconds: how long before the watermark a load begins, since rows become visible late. Rows of this
        time come again: the newest of an id counts.
    :param max_bad_share: the load fails before it is published if more than this share of a column's values does not
        fit.
    :param dry_run: load nothing, and return how many rows it would be and how many requests: ``{"rows": 50000,
        "requests": 21, "window": {…}}``.
    :raises AirflowFailException: the arguments, a right, a list that cannot be proven whole, values that do not fit.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Retrieve Large Volumes of Data", "Data types".
    """

    template_fields: Sequence[str] = (
        "destination",
        "entity_type_id",
        "item_filter",
        "method",
        "method_params",
        "select",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "item_filter": "json",
        "method_params": "json",
        "select": "json",
    }

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id, "destination": check_folder}

    def __init__(
        self,
        *,
        destination: str,
        entity_type_id: int | str | NotGiven = NOT_GIVEN,
        item_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        method: str | NotGiven = NOT_GIVEN,
        method_params: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        select: Sequence[str] | str | NotGiven = NOT_GIVEN,
        file_format: str = "parquet",
        window: str = "watermark",
        overlap_seconds: float = _OVERLAP_SECONDS,
        max_bad_share: float = 0.01,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = self.given(destination, "destination")
        self.entity_type_id = self.given(entity_type_id, "entity_type_id")
        self.item_filter = self.given(item_filter, "item_filter")
        self.method = self.given(method, "method")
        self.method_params = self.given(method_params, "method_params")
        self.select = self.given(select, "select")
        self.file_format = self.fixed(one_of, file_format, "file_format", _FORMATS)
        self.window = self.fixed(one_of, window, "window", _WINDOWS)
        self.overlap_seconds = self.fixed(number_within, overlap_seconds, "overlap_seconds", 0, 86_400)
        self.max_bad_share = self.fixed(number_within, max_bad_share, "max_bad_share", 0, 1)
        # BaseOperator has a method of the name dry_run.
        self.is_dry_run = self.fixed(flag, dry_run, "dry_run")
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_what()
            if is_literal(self.method) and self.method is not None:
                check_is_read(self.method)

    def _check_what(self) -> None:
        """:raises ConfigurationError: the arguments that name the list do not go together."""
        if self.is_given("entity_type_id") == self.is_given("method"):
            raise ConfigurationError(
                "give either entity_type_id or method", next_step="say what to load by one of the two"
            )
        if self.is_given("entity_type_id") and self.is_given("method_params"):
            raise ConfigurationError("method_params belongs to method", next_step="give item_filter instead")
        if self.is_given("method") and self.is_given("item_filter"):
            raise ConfigurationError("item_filter belongs to entity_type_id", next_step="give method_params instead")

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        if find_spec("pyarrow") is None:
            raise ConfigurationError(
                "files need the package pyarrow", next_step="pip install 'airflow-provider-bitrix24[parquet]'"
            )
        # Only the run needs them: pyarrow takes a second.
        from airflow_provider_bitrix24.exports.formats import TypedFiles
        from airflow_provider_bitrix24.exports.load import Load, load_name
        from airflow_provider_bitrix24.exports.load_folder import LoadFolder
        from airflow_provider_bitrix24.exports.typed_batches import TypedBatches
        from airflow_provider_bitrix24.exports.watermarks import Watermarks

        root = self.folder_to_write("destination")
        source = self._source(client)
        marks = Watermarks(root, source.key)
        plan = self._plan(client, context, source, marks.get())
        files = TypedFiles(self.file_format, TypedBatches(source.table.fields, takes_unknown=not source.selects))
        if self.is_dry_run:
            return {**Load(source, plan["window"], files).estimate(client), "window": plan["window"]}
        if not source.is_resumable:
            self.after_wait = LIST_STARTS_OVER
        folder = LoadFolder(root / f"load={load_name(context, source, self.file_format)}")
        plan = folder.begin(plan)
        loaded = Load(source, plan["window"], files).complete(client, folder, plan, self.count, self.max_bad_share)
        if plan["watermark"] is not None:
            marks.move(plan["watermark"], folder.path.name)
        manifest = folder.manifest()
        return {**loaded, **{name: manifest[name] for name in ("window", "watermark", "bad", "rounded")}}

    def _source(self, client: Client) -> Source:
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.sources import source_of

        select = None if self.select is None else names(self.select, "select")
        self._check_what()
        if self.method is None:
            type_id = entity_type_id(self.entity_type_id)
            item_filter = conditions(self.item_filter, "item_filter")
            params: dict[str, Any] = {"entityTypeId": type_id}
            if item_filter:
                params["filter"] = fields_of(client, type_id).filter(item_filter)
            return source_of(client, client.method(LIST), params, select)
        check_is_read(required(self.method, "method"))
        method = client.method(self.method)
        params = parameters_of(method.name, self.method_params, "method_params")
        check_filter(params, self.as_written("method_params"), "method_params", method)
        check_lost_values(params, self.as_written("method_params"), "method_params", method)
        return source_of(client, method, params, select)

    def _plan(self, client: Client, context: Any, source: Source, watermark: str | None) -> dict[str, Any]:
        """The conditions of the window, and the watermark that the load leaves."""
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.windows import bounded, interval_of, modified_field, portal_time, since

        if self.window == "all":
            return {"window": {}, "watermark": None}
        field = modified_field(source.method)
        if self.window == "interval":
            start, end = interval_of(context.get("data_interval_start"), context.get("data_interval_end"))
            return {"window": bounded(source.filter, field, {">=": start, "<": end}), "watermark": None}
        bounds = {} if watermark is None else {">=": since(watermark, self.overlap_seconds)}
        return {"window": bounded(source.filter, field, bounds), "watermark": portal_time(client)}
