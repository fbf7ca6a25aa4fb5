"""What operators share that write many rows: where the rows come from, how they are put into params, when to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import number_from_zero
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator


@dataclass(frozen=True)
class Given:
    """
    The arguments, checked.

    :param rows: the rows one by one, each a dict by column.
    :param most: so many rows may fail; None for any number.
    :param report: the path of the report; None without one.
    """

    rows: Iterator[dict[str, Any]]
    most: int | None
    report: Any


class Bitrix24BaseRowsOperator(Bitrix24BaseOperator):
    """Base of the operators that write rows of a list, a file or a database."""

    template_fields: Sequence[str] = (
        "entity_type_id",
        "rows",
        "sql",
        "sql_conn_id",
        "mapping",
        "report",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "mapping": "json"}
    flags: ClassVar[Mapping[str, str]] = {"dry_run": "only_check"}

    def __init__(
        self,
        *,
        entity_type_id: int | str | None = None,
        rows: Any = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        mapping: Mapping[str, Any] | str | None = None,
        max_failures: int | None = 0,
        dry_run: bool = False,
        report: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.rows = rows
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.mapping = mapping
        self.max_failures = max_failures
        # BaseOperator has a method of the name dry_run.
        self.only_check = dry_run
        self.report = report

    def given(self) -> Given:
        """:raises ConfigurationError: an argument is wrong; single rows are looked at when they are taken."""
        from airflow_provider_bitrix24.execution.storage import storage_path, writable_path
        from airflow_provider_bitrix24.rows.sources import file_named_by, rows_of

        most = None if self.max_failures is None else number_from_zero(self.max_failures, "max_failures")
        report = None if self.report is None else writable_path(self.report, "report")
        source = file_named_by(self.rows)
        if report is not None and source is not None and storage_path(source, "rows").path == report.path:
            raise ConfigurationError(
                "report names the file of the rows, which it would overwrite", next_step="give it another name"
            )
        return Given(rows_of(self.rows, self.sql, self.sql_conn_id), most, report)
