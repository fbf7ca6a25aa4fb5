"""Lists of Bitrix24 as a source of dlt: for those who run its pipelines, and for databases without an operator here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import conditions, names, number_within, one_of, parameters, required
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.rest.client import Client

_KEY = "id"
_WRITES, _WINDOWS = ("merge", "replace"), ("watermark", "all")
_OF_A_TABLE = ("entity_type_id", "item_filter", "method", "method_params", "select", "write", "window")
#: Strategies of dlt that only replace rows of the same key. Others keep old rows beside new ones, or take rows that a
#: load does not bring for deleted.
_MERGES = ("delete-insert", "upsert")
#: Strategies that empty a table in the transaction that fills it.
_REPLACES = ("insert-from-staging", "staging-optimized")
#: Types of dlt by those of Arrow columns; decimals have two numbers.
_TYPES = {
    "bigint": "int64", "bool": "bool", "date": "date32[day]", "timestamp": "timestamp[us, tz=UTC]", "text": "string",
}  # fmt: skip


def bitrix24_source(
    conn_id: str = "bitrix24_default",
    *,
    tables: Mapping[str, Mapping[str, Any]],
    overlap_seconds: float = 600.0,
    max_bad_share: float = 0.01,
) -> Any:
    """
    Lists as a source of dlt, ``pipeline.run(bitrix24_source("bitrix24_default", tables={"deals": {"entity_type_id":
    "deal"}}))``.

    Rows are those of :class:`Bitrix24ToSqlOperator`, complete or an error, in Arrow batches with the same columns and
    types; ``id`` is the primary key. A value that does not fit its column is null, and stands in the column
    ``_bad``. Which rows come is remembered in dlt's state: the portal's clock at the start of the load before, which
    moves only with its rows. A field that has got another type has its values in a column beside the old one,
    ``amount__text``, since dlt would fail in each later run.

    Nothing is read before the pipeline runs. What would hold rows twice, or show an empty table to a reader, is refused
    then: a destination that cannot replace rows by their key (Parquet files without a table format), a
    ``write_disposition`` or a strategy of the pipeline that says something else, and a table that is truncated before
    it is filled.

    :param conn_id: of the Airflow connection of Bitrix24.
    :param tables: by name of the table, which list it holds: ``{"entity_type_id": "deal"}`` with ``item_filter``, or
        ``{"method": "tasks.task.list"}`` with ``method_params``, and ``select``, as for :class:`Bitrix24ToSqlOperator`.
        ``write``: ``"merge"`` (by default), a row takes the place of the one with its id; or ``"replace"``, all rows
        are replaced. ``window``: ``"watermark"`` (by default), rows changed since the load before; or ``"all"``, every
        row, as always with ``"replace"``.
    :param overlap_seconds: how long before the watermark a load begins, since rows become visible late.
    :param max_bad_share: the run fails before anything is loaded if more than this share of a column's values does not
        fit.
    :return: a ``DltSource``, with a resource for each table.
    :raises ConfigurationError: the arguments, or dlt is not installed.

    Source: documentation of dlt, "Sources", "Merge loading", "Full loading"; Bitrix24 REST docs, "How to Retrieve Large
    Volumes of Data".
    """
    if find_spec("dlt") is None or find_spec("pyarrow") is None:
        raise ConfigurationError(
            "bitrix24_source needs the package dlt", next_step="pip install 'airflow-provider-bitrix24[dlt]'"
        )
    # Only who calls this needs it.
    import dlt

    overlap_seconds = number_within(overlap_seconds, "overlap_seconds", 0, 86_400)
    max_bad_share = number_within(max_bad_share, "max_bad_share", 0, 1)
    if not isinstance(tables, Mapping) or not tables:
        raise ConfigurationError(
            f"tables is {preview(tables)}", next_step='give e.g. {"deals": {"entity_type_id": "deal"}}'
        )
    made = [_table(name, given, str(conn_id), overlap_seconds, max_bad_share) for name, given in tables.items()]

    def resources() -> list[Any]:
        return [table.resource() for table in made]

    return dlt.source(resources, name="bitrix24")()


@dataclass(frozen=True)
class _Table:
    """One list, and what is done with its rows."""

    name: str
    list: Mapping[str, Any]
    write: str
    window: str
    conn_id: str
    overlap_seconds: float
    max_bad_share: float

    def resource(self) -> Any:
        # Only who calls this needs it.
        import dlt

        hints = {"primary_key": _KEY, "columns": {_KEY: {"nullable": False}}} if self.write == "merge" else {}

        def rows() -> Iterator[Any]:
            # dlt keeps something beside a function, which it cannot beside a method.
            yield from self.batches()

        return dlt.resource(rows, name=self.name, write_disposition=self.write, **hints)

    def batches(self) -> Iterator[Any]:
        # Only the run needs them: pyarrow takes a second.
        import dlt

        from airflow_provider_bitrix24.exports.misfits import Misfits, check_share
        from airflow_provider_bitrix24.exports.part_files import in_batches
        from airflow_provider_bitrix24.exports.typed_batches import TypedBatches
        from airflow_provider_bitrix24.exports.windows import bounded, modified_field, portal_time, since
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        self._check_pipeline()
        marks = dlt.current.resource_state().setdefault("watermarks", {})
        with Bitrix24Hook(self.conn_id).get_conn() as client:
            source = self._source(client)
            window: dict[str, str] = {}
            mark = None
            if self.window == "watermark":
                field, mark = modified_field(source.method), portal_time(client)
                if (before := marks.get(source.key)) is not None:
                    bound, mark = since(before, mark, self.overlap_seconds)
                    window = bounded(source.filter, field, {">=": bound})
            method, params = source.method, source.params_with(window)
            rows = client.list(method.name, params, version=method.version)
            # Destinations differ in whether a text may hold U+0000.
            batches = TypedBatches(source.table.fields, takes_unknown=not source.selects, takes_nul=False)
            misfits, read = Misfits(), 0
            for several, batch in in_batches(rows, batches.batch):
                misfits.add(batch.misfits)
                read += len(several)
                yield self._placed(batch)
            if not rows.report.complete or read != rows.report.rows:
                raise Bitrix24Error(f"{read} rows were read, and the list had {rows.report.rows}", method=method.name)
            if not read:
                # The table is made without rows too.
                yield self._placed(batches.batch([]))
            check_share(misfits, self.max_bad_share, f"the rows of {self.name}")
        if mark is not None:
            marks[source.key] = mark

    def _source(self, client: Client) -> Source:
        # Only the run needs them.
        from airflow_provider_bitrix24.crm.items import LIST, fields_of
        from airflow_provider_bitrix24.execution.commands import check_is_read, parameters_of
        from airflow_provider_bitrix24.exports.sources import source_of
        from airflow_provider_bitrix24.exports.windows import known_modified_field

        given = self.list
        select = None if given.get("select") is None else names(given["select"], "select")
        if "method" in given:
            method = client.method(str(given["method"]))
            check_is_read(method.name)
            params = parameters_of(method.name, given.get("method_params"), "method_params")
        else:
            type_id, method = entity_type_id(given["entity_type_id"]), client.method(LIST)
            params = {"entityTypeId": type_id}
            if filter_ := conditions(given.get("item_filter"), "item_filter"):
                params["filter"] = fields_of(client, type_id).filter(filter_)
        if select is not None and self.window == "watermark" and (field := known_modified_field(method)) is not None:
            select = [*select, field]
        source = source_of(client, method, params, select)
        if self.write == "merge" and _KEY not in {column.name for column in source.table.columns}:
            raise ConfigurationError(
                f"the rows of {self.name} have no column {_KEY}, by which they would replace each other",
                method=method.name,
                next_step='set write="replace"',
            )
        return source

    def _check_pipeline(self) -> None:
        """:raises ConfigurationError: the pipeline would hold rows twice, or show an empty table to a reader."""
        # Only the run needs them.
        import dlt
        from dlt.common.destination.utils import resolve_merge_strategy, resolve_replace_strategy

        pipeline = dlt.current.pipeline()
        table = dlt.current.source().resources[self.name].compute_table_schema()
        disposition = table["write_disposition"]
        if disposition != self.write:
            raise ConfigurationError(
                f"the pipeline loads {self.name} with write_disposition={disposition!r}, and its rows come for "
                f"{self.write!r}",
                next_step=f"leave write_disposition out, or set write of {self.name}",
            )
        capabilities = pipeline.destination.capabilities()
        if self.write == "merge":
            key = [name for name, column in table["columns"].items() if column.get("primary_key")]
            strategy = resolve_merge_strategy({table["name"]: table}, table, capabilities)
            if key != [_KEY] or strategy not in _MERGES:
                raise ConfigurationError(
                    f"{pipeline.destination.destination_name} does not replace rows of {self.name} by their {_KEY} "
                    f"(strategy {strategy}, key {', '.join(key) or 'none'}), and each load would add them again",
                    next_step='take a database, a table format such as "delta", or Bitrix24ToObjectStorageOperator',
                )
            return
        strategy = resolve_replace_strategy(table, pipeline.destination_client().config.replace_strategy, capabilities)
        if strategy not in _REPLACES:
            raise ConfigurationError(
                f"{pipeline.destination.destination_name} empties {self.name} before it is filled (strategy "
                f"{strategy}), and readers would see an empty table",
                next_step="set replace_strategy of dlt's destination to insert-from-staging "
                "(DESTINATION__REPLACE_STRATEGY)",
            )

    def _placed(self, batch: Any) -> Any:
        """A batch, with columns beside those of the table whose types its fields do not have any more."""
        # Only the run needs them.
        import dlt
        import pyarrow as pa

        from airflow_provider_bitrix24.exports.drift import DriftRules

        schema = dlt.current.source_schema()
        known = schema.tables.get(schema.naming.normalize_table_identifier(self.name), {}).get("columns", {})
        present = {name: _arrow_of(column) for name, column in known.items() if "data_type" in column}
        placed = DriftRules().place(batch.types, present, str.__eq__, self.name)
        arrays = [batch.batch.column(name) for name in placed.targets]
        return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in placed.targets.values()])


def _arrow_of(column: Mapping[str, Any]) -> str:
    """The Arrow type, as text, of a column that dlt knows."""
    if column["data_type"] == "decimal":
        return f"decimal128({column.get('precision')}, {column.get('scale')})"
    return _TYPES.get(column["data_type"], str(column["data_type"]))


def _table(name: str, given: Any, conn_id: str, overlap_seconds: float, max_bad_share: float) -> _Table:
    """:raises ConfigurationError: the arguments of a table do not go together."""
    what = dict(parameters(given, f"tables[{name!r}]"))
    for key in what:
        if key not in _OF_A_TABLE:
            raise ConfigurationError(
                f"tables[{name!r}] has {key!r}", next_step=did_you_mean(key, _OF_A_TABLE) or f"give {_OF_A_TABLE}"
            )
    if ("entity_type_id" in what) == ("method" in what):
        raise ConfigurationError(
            f"tables[{name!r}] names not one list", next_step="give either entity_type_id or method"
        )
    required(what.get("method", what.get("entity_type_id")), f"method or entity_type_id of tables[{name!r}]")
    for beside, of in (("method_params", "method"), ("item_filter", "entity_type_id")):
        if beside in what and of not in what:
            raise ConfigurationError(f"tables[{name!r}] has {beside}, which belongs to {of}", next_step="leave it out")
    write = one_of(what.pop("write", "merge"), f"write of tables[{name!r}]", _WRITES)
    whole = write == "replace"
    window = one_of(
        what.pop("window", "all" if whole else "watermark"),
        f"window of tables[{name!r}]{', with write replace,' if whole else ''}",
        # Rows outside of a window would be gone.
        ("all",) if whole else _WINDOWS,
    )
    return _Table(name, what, write, window, conn_id, overlap_seconds, max_bad_share)
