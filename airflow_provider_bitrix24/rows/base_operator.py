"""What operators share that write many rows: one run, one summary, and where the rows come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    flag,
    number_from_zero,
    one_of,
    parameters,
)
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.checkpoint import Checkpoint, checkpoint, claim_report, digest_of, is_repeated
from airflow_provider_bitrix24.execution.literals import is_json_text, is_literal
from airflow_provider_bitrix24.execution.rendered import check_mapping, value_of_one_try, with_lost_as_blank
from airflow_provider_bitrix24.execution.rendered_texts import check_query, text_of_file
from airflow_provider_bitrix24.execution.storage import is_same_file, storage_path, write_json_lines
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rows.cells import BLANKS, Blank, CellRules
from airflow_provider_bitrix24.rows.outcomes import (
    CLEARED,
    FAILED,
    NOT_DONE,
    NOTED,
    READY,
    SKIPPED,
    TAKEN_OUT,
    UNKNOWN,
    XCOM_KEY,
    SmallReport,
    Tally,
)
from airflow_provider_bitrix24.rows.template import RowTemplate

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rows.engine import RowEngine
    from airflow_provider_bitrix24.rows.row_writer import RowWriter
    from airflow_provider_bitrix24.rows.sources import RowSource


@dataclass(frozen=True)
class RowArguments:
    """
    The arguments, checked.

    :param source: the rows one by one, in the form that the writer takes; None where the portal is to be asked.
    :param most: so many rows may fail; None for any number.
    :param limit: names that number in a message; empty where none was given.
    """

    source: Iterable[Any] | None
    most: int | None
    limit: str = ""


class Bitrix24BaseWriteOperator(Bitrix24BaseOperator):
    """Base of the operators that write many rows, each with an outcome."""

    template_fields: Sequence[str] = ("report", "bitrix24_conn_id")
    #: See :class:`RowEngine`.
    ordered: bool | None = None

    def __init__(self, *, dry_run: bool = False, report: str | NotGiven = NOT_GIVEN, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # BaseOperator has a method of the name dry_run.
        self.is_dry_run = self.fixed(flag, dry_run, "dry_run")
        self.report = self.given(report, "report")

    @abstractmethod
    def row_arguments(self) -> RowArguments:
        """:raises ConfigurationError: an argument is wrong; single rows are looked at when they are taken."""

    @abstractmethod
    def writer(self, client: Client, *, remembers: bool) -> RowWriter:
        """
        :param remembers: False where an earlier try may have sent rows, and nothing remembers which.
        """

    def names_its_source(self) -> bool:
        """Whether the arguments name where the rows are, and not the rows: those may be others in each try."""
        return False

    def source(self, client: Client, memory: Checkpoint) -> Iterable[Any]:
        """The rows, where the portal has them."""
        raise TypeError(f"{type(self).__name__} has no source()")

    def repeats(self, client: Client) -> bool:
        """Whether rows may be sent again when it is not known whether they were done."""
        return True

    def too_many(self, rows: int) -> ConfigurationError | None:
        """What a dry run fails with where a run would not begin."""
        return None

    def without_rows(self, tally: Tally, source: Any, writer: RowWriter) -> ConfigurationError | None:
        """What it fails with where there were no rows."""
        return None

    def more_counts(self, tally: Tally) -> dict[str, int]:
        """Counts that the summary of an operator always has."""
        return {}

    def more_of_summary(self, *, remembers: bool) -> dict[str, Any]:
        """What an operator adds to the summary."""
        return {}

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.engine import RowEngine

        arguments, report = self.row_arguments(), self._report_path(context)
        memory = Checkpoint() if self.is_dry_run else checkpoint(context, report)
        if memory.is_beside_report and (value := value_of_one_try(self.as_written("report"))):
            raise ConfigurationError(
                f"report has {value} in its name, which is another one in each try, so that a retry would forget what "
                "was done before",
                next_step="leave it out of the name; Airflow 3.3 remembers apart from the report",
            )
        digest = self.arguments_digest()
        done = memory.get("done")
        if done is not None and done["arguments"] == digest and not self.names_its_source():
            self.log.info("An earlier try of this task has done it all.")
            return dict(done["summary"])
        remembers = self.is_dry_run or memory.lasting or not is_repeated(context)
        if not remembers and not self.repeats(client):
            raise ConfigurationError(
                "an earlier try may have written rows, and nothing remembers which",
                next_step="check in the portal which of them are there; with report, a retry goes on safely",
            )
        writer = self.writer(client, remembers=remembers)
        source = self.source(client, memory) if arguments.source is None else arguments.source
        tally = Tally(arguments.most, arguments.limit)
        engine = RowEngine(client, writer, source, memory, tally, ordered=self.ordered, dry_run=self.is_dry_run)
        kept, written, is_read = SmallReport(), None, False
        try:
            written = _reported(engine, report, kept)
            is_read = True
        finally:
            # The report may be what fails.
            engine.close()
            summary = self._summary(engine, writer, kept, written) | self.more_of_summary(remembers=remembers)
            failure = engine.failure() or self.too_many(summary["rows"])
            if failure is None and is_read:
                failure = self.without_rows(tally, source, writer)
            self.done = tally.counts.total() - tally.counts[NOT_DONE]
            waits = isinstance(failure, Bitrix24Error) and self.waits_for(failure)
            if not waits and (failure is not None or (report is not None and written is None)):
                context["ti"].xcom_push(key=XCOM_KEY, value=summary)
        if failure is not None:
            raise failure
        self._warn_of_failures(tally, arguments)
        memory.put("done", {"arguments": digest, "summary": summary})
        return summary

    def _warn_of_failures(self, tally: Tally, arguments: RowArguments) -> None:
        """A task that succeeds although rows have failed says so."""
        if tally.failed:
            rows, verb = (
                tally.counts.total() - tally.counts[TAKEN_OUT],
                "would fail" if self.is_dry_run else "have failed",
            )
            why = "max_failures allows it" if arguments.limit else 'on_error is "continue"'
            where = f"report, {preview(self.report)}" if self.report is not None else "outcomes, in XCom"
            self.log.warning(
                "%d of %d rows %s; the task succeeds, since %s. See %s", tally.failed, rows, verb, why, where
            )

    def _report_path(self, context: Any) -> Any:
        path = self.file_to_write(context, "report")
        if path is not None:
            claim_report(context, path)
        return path

    def arguments_digest(self) -> str:
        """Stands for the arguments after rendering, as far as they are more than an iterator."""
        values = {name: getattr(self, name) for name in self.template_fields}
        return digest_of(values, other=lambda value: type(value).__name__)

    def _summary(self, engine: RowEngine, writer: RowWriter, kept: SmallReport, written: Any) -> dict[str, Any]:
        counts = engine.tally.counts
        words = (READY,) if self.is_dry_run else writer.words
        summary = {
            "rows": counts.total() - counts[TAKEN_OUT],
            **{word: counts[word] for word in words},
            **self.more_counts(engine.tally),
            **{word: counts[word] for word in (FAILED, UNKNOWN, NOT_DONE)},
            **{word: count for word, count in counts.items() if count},
            "outcomes": kept.lines if self.report is None else None,
            "report": written,
        }
        return summary | ({"examples": engine.rows.examples, "dry_run": True} if self.is_dry_run else {})


def _reported(engine: RowEngine, report: Any, kept: SmallReport) -> dict[str, Any] | None:
    """Write the rows, and their outcomes to the report, or keep them while they are few."""
    lines = (outcome.as_json() for outcome in engine.outcomes())
    if report is not None:
        return write_json_lines(report, lines)
    for line in lines:
        kept.add(line)
    return None


class Bitrix24BaseRowsOperator(Bitrix24BaseWriteOperator):
    """Base of the operators that write rows of a list, a file or a database."""

    template_fields: Sequence[str] = (
        "entity_type_id",
        "rows",
        "sql",
        "sql_conn_id",
        "mapping",
        *Bitrix24BaseWriteOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "mapping": "json"}

    def __init__(
        self,
        *,
        entity_type_id: int | str | NotGiven = NOT_GIVEN,
        rows: Any = NOT_GIVEN,
        sql: str | NotGiven = NOT_GIVEN,
        sql_conn_id: str | NotGiven = NOT_GIVEN,
        mapping: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        blank: Blank = "keep",
        csv: Mapping[str, str] | None = None,
        timezone: str | None = None,
        max_failures: int | None = 0,
        on_empty: Literal["warn", "fail"] = "warn",
        ordered: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = self.given(entity_type_id, "entity_type_id")
        self.rows = self.given(rows, "rows")
        self.sql = self.given(sql, "sql")
        self.sql_conn_id = self.given(sql_conn_id, "sql_conn_id")
        self.mapping = self.given(mapping, "mapping")
        self.blank = self.fixed(one_of, blank, "blank", BLANKS)
        self.csv = csv
        self.timezone = timezone
        self.max_failures = None if max_failures is None else self.fixed(number_from_zero, max_failures, "max_failures")
        self.on_empty = self.fixed(one_of, on_empty, "on_empty", ("warn", "fail"))
        self.ordered = None if ordered is None else self.fixed(flag, ordered, "ordered")

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_source()
            if self.csv is not None or self.timezone is not None:
                self.cell_rules()
            if self.csv is not None and (not self.is_given("rows") or _is_written_out(self.rows)):
                raise ConfigurationError("csv is given, but rows is not a file", next_step="leave it out")
            if self.is_given("mapping") and is_literal(self.mapping):
                self.row_template()
            if isinstance(self.report, str) and is_literal(self.report) and self.report == self.rows:
                raise _report_is_source()

    def _check_source(self) -> None:
        """:raises ConfigurationError: the arguments that name the rows do not go together."""
        if self.is_given("rows") == self.is_given("sql"):
            raise ConfigurationError(
                "give either rows or sql", next_step="name the source of the rows by one of the two"
            )
        if self.is_given("sql") != self.is_given("sql_conn_id"):
            missing, given = ("sql_conn_id", "sql") if self.is_given("sql") else ("sql", "sql_conn_id")
            raise ConfigurationError(f"{given} is given, and {missing} is missing", next_step="give both or none")

    def row_arguments(self) -> RowArguments:
        self._check_source()
        self.cell_rules()
        most = None if self.max_failures is None else number_from_zero(self.max_failures, "max_failures")
        return RowArguments(self._rows(), most, f"max_failures, {most}")

    def cell_rules(self) -> CellRules:
        """
        :raises ConfigurationError: an argument about cells is wrong.
        """
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.files import CsvFormat

        zone = None
        if self.timezone is not None:
            try:
                zone = ZoneInfo(self.timezone)
            except (ValueError, TypeError, OSError, LookupError):
                raise ConfigurationError(
                    f"timezone is {preview(self.timezone)}, which is not the name of one",
                    next_step="write e.g. Europe/Berlin",
                ) from None
        return CellRules(one_of(self.blank, "blank", BLANKS), CsvFormat.of(self.csv).decimal, zone)

    def names_its_source(self) -> bool:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.sources import file_named_by

        return self.sql is not None or file_named_by(self.rows) is not None

    def template(self) -> RowTemplate:
        """What a row is put into."""
        if self.mapping is None:
            return RowTemplate(None)
        mapping = parameters(self.mapping, "mapping")
        if not mapping:
            raise ConfigurationError("mapping is empty", next_step="leave it out to write whole rows")
        check_mapping(mapping, self.as_written("mapping"))
        return RowTemplate(mapping)

    def row_template(self) -> RowTemplate:
        """The one of :meth:`template` and :meth:`item_template` that the rows are put into."""
        return self.item_template()

    def item_template(self) -> RowTemplate:
        """
        The same where the mapping has fields of an item.

        :raises ConfigurationError: it has a field without a value, which would clear it unless that is said.
        """
        template = self.template()
        if (names := template.literals_of_nothing()) and self.blank != "clear":
            raise ConfigurationError(
                f"mapping has no value for {names[0]}", next_step='leave it out, or write blank="clear" to clear it'
            )
        return template

    def without_rows(self, tally: Tally, source: RowSource, writer: RowWriter) -> ConfigurationError | None:
        counts = tally.counts
        if counts.total() - counts[TAKEN_OUT] > counts[SKIPPED]:
            return None
        if source.columns:
            # No row has said that its columns are not the ones that are meant.
            try:
                writer.check_columns(source.columns)
            except ConfigurationError as error:
                return error.but(advice="(the source has no row with a value)")
        if self.on_empty == "fail":
            return ConfigurationError(
                "the source has no row with a value, and nothing was written",
                next_step='look at the source; where that may be so, give on_empty="warn"',
                # The source may be late.
                retryable=True,
            )
        self.log.warning("The source has no row with a value, and nothing was written.")
        return None

    def more_counts(self, tally: Tally) -> dict[str, int]:
        counts = {SKIPPED: tally.counts[SKIPPED], CLEARED: tally.cleared}
        return counts | ({NOTED: tally.noted} if tally.noted else {})

    def _rows(self) -> RowSource:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.sources import file_named_by, rows_of

        file = None if self.report is None else file_named_by(self.rows)
        if file is not None and is_same_file(storage_path(file, "rows"), storage_path(self.report, "report")):
            raise _report_is_source()
        check_query(text_of_file(self, self.as_written("sql")), self.sql)
        rows = with_lost_as_blank(self.as_written("rows"), self.rows)
        return rows_of(rows, self.sql, self.sql_conn_id, self.csv)


def _report_is_source() -> ConfigurationError:
    return ConfigurationError(
        "report names the file of the rows, which it would overwrite", next_step="give it another name"
    )


def _is_written_out(rows: Any) -> bool:
    """Whether the DAG file has the rows themselves, and not the address of a file, a template or a task's result."""
    return is_literal(rows) and (not isinstance(rows, str) or is_json_text(rows))
