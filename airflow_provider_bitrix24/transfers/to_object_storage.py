"""From a list of Bitrix24 to files in object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.execution.arguments import one_of
from airflow_provider_bitrix24.execution.lineage import Transfer, stored_dataset
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.execution.storage import check_folder
from airflow_provider_bitrix24.transfers.base_load import Bitrix24BaseLoadOperator

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

_FORMATS = ("parquet", "jsonl", "csv")


class Bitrix24ToObjectStorageOperator(Bitrix24BaseLoadOperator):
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
    :param children: with ``entity_type_id``, ``"product_rows"`` or ``"payments"``: load what belongs to these items and
        not the items. Each row says in ``owner_id`` and ``owner_type`` whose it is.
    :param select: names of the fields that become columns, in any spelling; all of them by default. Templated.
    :param file_format: ``"parquet"``, ``"jsonl"`` or ``"csv"``; all of them need the extra ``[parquet]``.
    :param window: ``"watermark"``: rows changed since the load before, by the portal's clock, whatever starts the run;
        ``"interval"``: those changed in the run's data interval, as for backfills; two moments with a slash between
        them: those changed from the first one on and before the second one; ``"all"``: every row. Templated.
    :param overlap_seconds: how long before the watermark a load begins, since rows become visible late. Rows of this
        time come again: the newest of an id counts.
    :param max_bad_share: the load fails before it is published if more than this share of a column's values does not
        fit.
    :param labels: True for a column of text beside each stage, funnel, status, enumeration, user and department,
        ``stage_id_label``; or names of the fields that get one. What has no text at the portal is null, and counted
        under ``unlabelled``.
    :param dry_run: load nothing, and return how many rows it would be and how many requests: ``{"rows": 50000,
        "requests": 21, "window": {…}}``.
    :raises AirflowFailException: the arguments, a right, a list that cannot be proven whole, values that do not fit.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Retrieve Large Volumes of Data", "Data types".
    """

    template_fields: Sequence[str] = ("destination", *Bitrix24BaseLoadOperator.template_fields)
    literal_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseLoadOperator.literal_checks,
        "destination": check_folder,
    }
    needs_arrow = "files"

    def __init__(self, *, destination: str, file_format: str = "parquet", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = self.given(destination, "destination")
        self.file_format = self.fixed(one_of, file_format, "file_format", _FORMATS)
        self.check_literals()

    def load(self, client: Client, context: Any) -> dict[str, Any]:
        # Only the run needs them: pyarrow takes a second.
        from airflow_provider_bitrix24.exports.casts import arrow_type
        from airflow_provider_bitrix24.exports.folder_loads import load_into, load_name
        from airflow_provider_bitrix24.exports.formats import TypedFiles
        from airflow_provider_bitrix24.exports.load import Load
        from airflow_provider_bitrix24.exports.load_folder import LoadFolder
        from airflow_provider_bitrix24.exports.typed_batches import TypedBatches
        from airflow_provider_bitrix24.exports.watermarks import Watermarks

        root = self.folder_to_write("destination")
        source = self.source(client)
        marks = Watermarks(root, source.key)
        plan = self.plan(client, context, source, marks.get())
        labels = self.labels_of(client, source)
        batches = TypedBatches(source.table.fields, takes_unknown=not source.selects, labels=labels)
        files = TypedFiles(self.file_format, batches)
        if self.is_dry_run:
            return self.estimate(client, context, Load(source, plan["window"], files))
        folder = LoadFolder(root / f"load={load_name(context, source, self.file_format, *labels.bases)}")
        plan = folder.begin(plan)
        load = Load(source, plan["window"], files)
        loaded = load_into(folder, load, client, plan, self.count, self.max_bad_share, labels.report)
        if plan["watermark"] is not None:
            marks.move(plan["watermark"], folder.path.name)
        manifest = folder.manifest()
        of_labels = ("labels", "unlabelled") if labels.labels else ()
        names = ("window", "watermark", "bad", "rounded", *of_labels)
        report = {**loaded, **{name: manifest[name] for name in names}}
        types = {column.name: str(arrow_type(column)) for column in batches.columns}
        columns = {**types, **manifest["columns"]}

        def transfer() -> Transfer:
            return Transfer(source.dataset(client), stored_dataset(root, columns), report["rows"], report["bytes"])

        return self.reported(context, report, transfer)
