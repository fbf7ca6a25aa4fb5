"""From a list of Bitrix24 to a table of a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, number_within, one_of, required
from airflow_provider_bitrix24.execution.checkpoint import digest_of
from airflow_provider_bitrix24.execution.lineage import Transfer
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.execution.rendered import check_parts
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.transfers.base_load import Bitrix24BaseLoadOperator

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.labels import Labels
    from airflow_provider_bitrix24.exports.load import Load
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.exports.sql.database import Database
    from airflow_provider_bitrix24.exports.sql.load_table import LoadTable
    from airflow_provider_bitrix24.rest.client import Client

_WRITES = ("upsert", "replace", "append")
_DELETED = ("mark", "remove", "keep")


def _check_table(value: Any, name: str) -> None:
    # Only a DAG with such a task needs it.
    from airflow_provider_bitrix24.exports.sql.table_names import table_name

    table_name(value, name)


def _task_of(context: Any) -> str:
    """A task of a run, as messages and the ledger name it."""
    ti = context["ti"]
    return f"{ti.dag_id}.{ti.task_id}[{ti.map_index}] in {ti.run_id}"


def _check_write(value: Any, name: str) -> None:
    one_of(value, name, _WRITES)


def _window_beside(window: str | NotGiven, name: str, write: Any) -> str:
    if not isinstance(window, NotGiven):
        return window
    if not is_literal(write):
        raise ConfigurationError(
            f"{name} is a template, and window is not given", next_step='give window too: write="replace" needs "all"'
        )
    return "all" if write == "replace" else "watermark"


class Bitrix24ToSqlOperator(Bitrix24BaseLoadOperator):
    """
    Load the rows of a list into a table of Postgres, MySQL or MariaDB, SQLite, DuckDB or ClickHouse.

    Rows go into a staging table beside it, part by part, and from there into the table in one transaction at the end: a
    reader sees the table before or after a load, and nothing in between. A retry goes on behind the last part under the
    first try's window, and so does the task after a wait for a limit (``wait_for_limits``); a cleared task begins from
    the start. Memory does not grow with the rows.

    The table is made with the first load: columns have the original names of the fields in lower case
    (``uf_crm_1700000001``), whichever method the rows come from, and their types; ``id`` is its key. Nothing is ever
    dropped from it. A value that does not fit is null, stands in the column ``_bad`` and is counted. What is known of
    loads and watermarks is kept beside it, in ``_bitrix24_loads``.

    Returns ``{"table": "crm_deals", "rows": 512, "parts": 1, "window": {">=updatedTime": "2026-01-31T02:50:00+03:00"},
    "watermark": "2026-02-01T03:00:00+03:00", "bad": {}, "rounded": {}, "new_columns": [], "changed_columns": {}}``.

    :param sql_conn_id: the Airflow connection of the database; templated. Its provider comes with the extra
        ``[postgres]``, ``[mysql]``, ``[sqlite]``, ``[duckdb]`` or ``[clickhouse]``.
    :param table: ``crm_deals`` or ``schema.crm_deals``; templated.
    :param write: ``"upsert"``: rows take the place of those with the same id, unless those were changed later;
        ``"replace"``: of all rows that are there; ``"append"``: they are added, with the load's name in ``_load``;
        templated.
    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated. Or give ``method``.
    :param item_filter: with ``entity_type_id``, as for :class:`Bitrix24ListItemsOperator`; templated.
    :param method: any list method, e.g. ``"tasks.task.list"``; templated.
    :param method_params: with ``method``, its own, without select, order and start; templated.
    :param children: with ``entity_type_id``, ``"product_rows"`` or ``"payments"``: load what belongs to these items and
        not the items. Each row says in ``owner_id`` and ``owner_type`` whose it is.
    :param select: names of the fields that become columns, in any spelling; all of them by default. Templated.
    :param window: ``"watermark"``: rows changed since the load before, by the portal's clock, whatever starts the run;
        ``"interval"``: those changed in the run's data interval, as for backfills; two moments with a slash between
        them: those changed from the first one on and before the second one; ``"all"``: every row. With
        ``write="replace"`` only ``"all"``, which is the default there. Templated.
    :param overlap_seconds: how long before the watermark a load begins, since rows become visible late.
    :param max_bad_share: the load fails before it is published if more than this share of a column's values does not
        fit.
    :param on_new_field: a field that the table has no column for: ``"add"`` makes one, ``"ignore"`` leaves it out,
        ``"fail"`` fails the task before it reads a row.
    :param on_type_change: a field of another type than its column: ``"new_column"`` puts its values into a column
        beside it, ``amount__text``; ``"text"`` into ``amount__text`` whatever the type becomes; ``"fail"`` fails the
        task.
    :param deleted: rows that were deleted at the portal: ``"mark"`` sets ``_deleted_at``, ``"remove"`` deletes them,
        ``"keep"`` does not look. By default ``"mark"`` where the list is one of all CRM items of a kind, with
        ``write="upsert"`` and the window ``"watermark"`` or ``"all"``, and ``"keep"`` elsewhere. Rows that the user of
        the connection must not see are never marked. With ``children``, ``"remove"`` in place of ``"mark"``: rows go
        with their owner.
    :param max_deleted_share: if more than this share of the rows is missing, and more than 10, the task fails after its
        load, and none is marked.
    :param labels: True for a column of text beside each stage, funnel, status, enumeration, user and department,
        ``stage_id_label``; or names of the fields that get one. What has no text at the portal is null, and counted
        under ``unlabelled``.
    :param dry_run: load nothing, and return how many rows it would be and how many requests: ``{"rows": 50000,
        "requests": 21, "window": {…}}``.
    :raises AirflowFailException: the arguments, a right, a list that cannot be proven whole, values that do not fit, a
        table that does not fit.
    :raises Bitrix24Error: a limit, the network, a fault of the portal, the database, another load of the same rows that
        is under way: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Retrieve Large Volumes of Data", "Data types".
    """

    template_fields: Sequence[str] = ("sql_conn_id", "table", "write", *Bitrix24BaseLoadOperator.template_fields)
    literal_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseLoadOperator.literal_checks,
        "table": _check_table,
        "write": _check_write,
    }
    needs_arrow = "loads into tables"

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        write: str = "upsert",
        on_new_field: str = "add",
        on_type_change: str = "new_column",
        window: str | NotGiven = NOT_GIVEN,
        deleted: str | NotGiven = NOT_GIVEN,
        max_deleted_share: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(window=self.fixed(_window_beside, window, "write", write), **kwargs)
        self.sql_conn_id = self.given(sql_conn_id, "sql_conn_id")
        self.table = self.given(table, "table")
        self.write = write
        self.on_new_field = self.fixed(one_of, on_new_field, "on_new_field", ("add", "ignore", "fail"))
        self.on_type_change = self.fixed(one_of, on_type_change, "on_type_change", ("new_column", "text", "fail"))
        self.deleted = None if isinstance(deleted, NotGiven) else self.fixed(one_of, deleted, "deleted", _DELETED)
        self.max_deleted_share = self.fixed(number_within, max_deleted_share, "max_deleted_share", 0, 1)
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        if is_literal(self.window) and is_literal(self.write):
            with airflow_outcome():
                self.check_how()

    def check_how(self) -> None:
        """:raises ConfigurationError: ``write``, ``window`` and ``deleted`` do not go together, or one is unknown."""
        super().check_how()
        _check_write(self.write, "write")
        if self.write == "replace":
            # Rows outside of a window would be gone.
            one_of(self.window, 'window, with write="replace",', ("all",))
        if self.deleted is None:
            return
        if self.write != "upsert":
            one_of(self.deleted, f'deleted, with write="{self.write}",', ("keep",))
        elif self.is_of_a_time:
            # It sees a part of the rows only.
            one_of(self.deleted, f'deleted, with window="{self.window}",', ("keep",))

    def load(self, client: Client, context: Any) -> dict[str, Any]:
        # Only the run needs it: pyarrow takes a second.
        from airflow_provider_bitrix24.exports.sql.database import Database

        check_parts(self.as_written("table"), self.table, "table")
        source = self._with_time_of_change(client)
        database = Database.open(str(required(self.sql_conn_id, "sql_conn_id")))
        try:
            return self._load(client, context, source, database)
        finally:
            database.close()

    def let_go(self, context: Any) -> None:
        if self.is_dry_run:
            return
        with self._without_failure("Whether this task still holds its table for an hour"):
            # Only the run needs them.
            from airflow_provider_bitrix24.exports.sql.database import Database
            from airflow_provider_bitrix24.exports.sql.load_table import release
            from airflow_provider_bitrix24.exports.sql.table_names import table_name

            # A connection of its own: the one of the load may be what has failed.
            database = Database.open(self.sql_conn_id)
            try:
                release(database, table_name(self.table, "table"), _task_of(context), context["ti"].try_number)
            finally:
                database.close()

    def _load(self, client: Client, context: Any, source: Source, database: Database) -> dict[str, Any]:
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.formats import TypedFiles
        from airflow_provider_bitrix24.exports.load import Load
        from airflow_provider_bitrix24.exports.sql.kept_labels import columns_without_labels
        from airflow_provider_bitrix24.exports.sql.kinds import check_schema
        from airflow_provider_bitrix24.exports.sql.lineage_names import dataset_of
        from airflow_provider_bitrix24.exports.sql.table_names import table_name
        from airflow_provider_bitrix24.exports.typed_batches import TypedBatches

        target = table_name(self.table, "table")
        check_schema(target, database.kind)
        labels = self.labels_of(client, source, columns_without_labels(database, target) if self.labels else ())
        what_of_deleted = self._what_of_deleted(source)
        table = self._load_table(context, source, database, labels, marks_deleted=what_of_deleted == "mark")
        plan = self.plan(client, context, source, table.watermark(source.key))
        batches = TypedBatches(
            source.table.fields,
            takes_unknown=not source.selects,
            takes_nul=database.kind.takes_nul,
            labels=labels,
        )
        files = TypedFiles("arrow", batches)
        if self.is_dry_run:
            return self.estimate(client, context, Load(source, plan["window"], files))
        plan = table.begin(plan)
        report = table.report()
        if report is not None:
            self.log.info("An earlier try has published the load into %s", self.table)
        else:
            report = self._fill(client, Load(source, plan["window"], files), table, plan, labels)
        if what_of_deleted != "keep" and "deleted" not in report:
            found = self._deleted_rows(client, source, database, removes=what_of_deleted == "remove")
            report = table.add_to_report(report, found)

        def transfer() -> Transfer:
            written = dataset_of(database, str(self.sql_conn_id), target)
            return Transfer(source.dataset(client), written, report["rows"])

        return self.reported(context, report, transfer)

    def _what_of_deleted(self, source: Source) -> str:
        """:raises ConfigurationError: deleted rows are to be found in a list that does not tell them from others."""
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.deletions import can_tell_deleted

        if source.owner_column is not None and self.deleted == "mark":
            raise ConfigurationError(
                "rows of one owner replace each other, and are removed with their owner",
                method=source.method.name,
                next_step='set deleted="remove" or "keep"',
            )
        can_tell = can_tell_deleted(source.narrowed)
        if self.deleted in ("mark", "remove") and not can_tell:
            raise ConfigurationError(
                "only whole lists of CRM items show which rows are deleted and not hidden",
                method=source.method.name,
                next_step='leave out the filter, or set deleted="keep" and load window="all" with write="replace"',
            )
        if self.is_of_a_time or self.write != "upsert" or not can_tell:
            return "keep"
        return self.deleted or ("mark" if source.owner_column is None else "remove")

    def _deleted_rows(self, client: Client, source: Source, database: Database, *, removes: bool) -> dict[str, Any]:
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.sql.deleted_rows import DeletedRows
        from airflow_provider_bitrix24.exports.sql.table_names import table_name

        table = table_name(self.table, "table")
        rows = DeletedRows(database, table, removes, self.max_deleted_share)
        if source.owner_column is not None:
            return rows.remove_without_owner(client, source.narrowed, source.owner_column)
        found = rows.bring_up_to_date(client, source)
        if found["deleted"] is None:
            self.log.warning("%s does not count its rows: deleted ones are not found", source.method.name)
        elif found["deleted"] or found["hidden"]:
            self.log.info("Deleted at the portal: %(deleted)d; there, but not in the list: %(hidden)d", found)
        return found

    def _fill(
        self, client: Client, load: Load, table: LoadTable, plan: dict[str, Any], labels: Labels
    ) -> dict[str, Any]:
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.load import check_misfits, misfits_of

        parts = load.run(client, table, self.count)
        check_misfits(parts, self.max_bad_share, str(table.stage))
        misfits = misfits_of(parts)
        report = {
            "table": self.table,
            **load.source.counted(parts),
            "parts": len(parts),
            "window": plan["window"],
            "watermark": plan["watermark"],
            "bad": dict(misfits.bad),
            "rounded": dict(misfits.rounded),
            **labels.report(misfits),
        }
        done = table.publish(report, load.source.key)
        for name, values in (("New columns", done["new_columns"]), ("Changed types", done["changed_columns"])):
            if values:
                self.log.warning("%s of %s: %s", name, self.table, values)
        return done

    def _with_time_of_change(self, client: Client) -> Source:
        """The list; with the time of change, by which an older row never takes the place of a newer one."""
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.windows import known_modified_field

        source = self.source(client)
        field = known_modified_field(source.method) if self.write == "upsert" and source.selects else None
        return self.source(client, always=[field]) if field is not None else source

    def _load_table(
        self, context: Any, source: Source, database: Database, labels: Labels, *, marks_deleted: bool
    ) -> LoadTable:
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.casts import arrow_type
        from airflow_provider_bitrix24.exports.drift import DriftRules
        from airflow_provider_bitrix24.exports.load import series_of
        from airflow_provider_bitrix24.exports.misfits import BAD
        from airflow_provider_bitrix24.exports.sql.attached_load import AttachedLoadTable
        from airflow_provider_bitrix24.exports.sql.load_table import Aim, LoadTable
        from airflow_provider_bitrix24.exports.sql.table_names import table_name
        from airflow_provider_bitrix24.exports.tables import column_of
        from airflow_provider_bitrix24.exports.windows import known_modified_field

        field = known_modified_field(source.method)
        columns = {column.name: str(arrow_type(column)) for column in (*source.table.columns, *labels.columns)}
        aim = Aim(
            table_name(self.table, "table"),
            self.write,
            {**columns, BAD: "string"},
            None if field is None else column_of(source.table, field),
            DriftRules(self.on_new_field, self.on_type_change, labels=labels.bases),
            marks_deleted=marks_deleted,
            owner=source.owner_column,
        )
        task = _task_of(context)
        name = digest_of(
            task, series_of(context, source), source.key, source.params, self.write, self.table, *labels.bases
        )
        made = LoadTable if database.kind.begin is not None else AttachedLoadTable
        return made(database, aim, name, task, context["ti"].try_number)
