"""The source of dlt: exact typed rows into DuckDB, and no pipeline that holds rows twice or shows an empty table."""

from __future__ import annotations

import importlib.util
import os
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.dlt import bitrix24_source
from tests.rest.clients import client_of

DOCUMENT = Path(__file__).parents[2] / "docs/rows-out.md"
LIST = "crm.item.list"
DEALS = {"deals": {"entity_type_id": "deal"}}


@pytest.fixture
def dlt(monkeypatch, tmp_path):
    """Where everything is checked (``.ci/run``), it must be there."""
    if importlib.util.find_spec("dlt") is None:
        (pytest.fail if os.environ.get("BITRIX24_DLT") else pytest.skip)("dlt is missing: make environments")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    # It would look for each of its settings in Airflow's database.
    monkeypatch.setenv("PROVIDERS__ENABLE_AIRFLOW_SECRETS", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.chdir(tmp_path)
    import dlt

    return dlt


class Pipeline:
    """A pipeline into a file of DuckDB; each run begins with an empty working folder, as on another worker."""

    def __init__(self, dlt: Any, folder: Any, **more: Any) -> None:
        self._dlt, self._folder, self._runs = dlt, folder, 0
        self._destination = more.get("destination") or dlt.destinations.duckdb(str(folder / "warehouse.duckdb"))

    def run(self, tables: Any = None, *, source: dict[str, Any] | None = None, **more: Any) -> Any:
        self._runs += 1
        pipeline = self._dlt.pipeline(
            "bitrix24", pipelines_dir=str(self._folder / f"run-{self._runs}"), destination=self._destination,
            dataset_name="crm",
        )  # fmt: skip
        done = pipeline.run(bitrix24_source(tables=tables or DEALS, **(source or {})), **more)
        assert not done.has_failed_jobs
        return pipeline

    def rows(self, table: str, columns: str, order: str = "1") -> list[tuple]:
        import duckdb

        with duckdb.connect(str(self._folder / "warehouse.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.execute(f"SELECT {columns} FROM crm.{table} ORDER BY {order}").to_arrow_table()
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


@pytest.fixture
def pipeline(dlt, tmp_path) -> Pipeline:
    return Pipeline(dlt, tmp_path)


def reason(caught: Any) -> str:
    """What lies under the errors that dlt wraps around ours."""
    error = caught.value
    while not isinstance(error, ConfigurationError):
        assert error is not None, caught.value
        error = error.__cause__ or error.__context__
    return str(error)


def refused(pipeline: Pipeline, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - dlt's own
        pipeline.run(*args, **kwargs)
    return reason(caught)


def lists(portal: Sandbox) -> int:
    return sum(command.method == LIST for call in portal.calls for command in (call.commands or [call]))


def test_rows_are_typed_and_each_is_there_once_after_two_runs(portal, connection, pipeline, monkeypatch):
    monkeypatch.setattr(part_files, "_ROWS_OF_THE_FIRST", 7)
    pipeline.run()
    first = pipeline.rows("deals", "id, title, opportunity, opened, created_time, _bad")
    meant = portal.item(2, 1)
    assert [row[0] for row in first] == list(range(1, 31))
    assert first[0][1:4] == (meant["title"], Decimal(str(meant["opportunity"])), meant["opened"] in ("Y", True))
    assert first[0][4] == datetime.fromisoformat(meant["createdTime"]).astimezone(timezone.utc)
    assert {row[5] for row in first} == {None}
    types = dict(pipeline.rows("deals", "DISTINCT typeof(opportunity), typeof(created_time)"))
    assert types == {"DECIMAL(24,4)": "TIMESTAMP WITH TIME ZONE"}
    # Only what was changed since is read, whatever worker runs.
    portal.clock.advance(3600)
    Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
    portal.reset_calls()
    pipeline.run()
    (window,) = {
        command.params["filter"].get(">=updatedTime")
        for call in portal.calls
        for command in (call.commands or [call])
        if command.method == LIST
    }
    assert window is not None
    titles = dict(pipeline.rows("deals", "id, title"))
    assert (len(titles), titles[7]) == (30, "Changed")


def test_the_dag_of_the_documents_loads_two_tables(portal, connection, dlt, tmp_path):
    text = DOCUMENT.read_text(encoding="utf-8").partition("## dlt")[2].partition("```text\n")[2].partition("```")[0]
    if not importlib.util.find_spec("airflow.sdk"):
        text = text.replace(
            "from airflow.sdk import DAG, task", "from airflow import DAG\nfrom airflow.decorators import task"
        )
    made: dict[str, Any] = {}
    exec(text.replace('"mssql"', '"duckdb"'), made)
    made["load"].function()
    import duckdb

    with duckdb.connect(str(tmp_path / "bitrix24.duckdb")) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM crm.{table}").fetchone() for table in ("deals", "tasks")]
    tasks = sum(1 for _ in client_of(portal).list("tasks.task.list"))
    assert tasks > 0
    assert counts == [(30,), (tasks,)]


def test_a_run_that_fails_loads_nothing_and_moves_no_watermark(portal, connect, pipeline):
    connect(parallel=1)
    portal.add_deals(4000)
    portal.fault("error", LIST, after=30, times=None, code="ACCESS_DENIED", status=403)
    with pytest.raises(Exception, match="ACCESS_DENIED"):
        pipeline.run()
    portal.clear_faults()
    pipeline.run()
    assert len(pipeline.rows("deals", "id")) == 4030


def test_values_that_do_not_fit_fail_the_run_before_anything_is_loaded(portal, connection, pipeline):
    portal.answers["crm.status.list"] = lambda params: [{"ID": "1", "SORT": "first"}, {"ID": "2", "SORT": "20"}]
    tables = {"statuses": {"method": "crm.status.list", "window": "all"}}
    assert "1 of 2 values of sort do not fit" in refused(pipeline, tables)
    pipeline.run(tables, source={"max_bad_share": 0.5})
    assert pipeline.rows("statuses", "id, sort, _bad") == [(1, None, '{"sort": "first"}'), (2, 20, None)]


def test_a_changed_type_gets_a_column_beside_the_old_one(portal, connection, pipeline):
    def described(value: Any, type_: str) -> None:
        fields = {"id": "integer", "sum": type_}
        portal.answers["crm.item.fields"] = {
            "fields": {name: {"type": of, "upperName": name.upper(), "title": name} for name, of in fields.items()}
        }
        portal.answers[LIST] = lambda params: {
            "items": [{"id": 1, "sum": value}] if int(params["filter"].get(">id", 0)) < 1 else []
        }

    tables = {"deals": {"entity_type_id": "deal", "window": "all"}}
    described("2.5", "double")
    pipeline.run(tables)
    described("two", "string")
    pipeline.run(tables)
    assert pipeline.rows("deals", "sum__text") == [("two",)]
    described("2026-01-31", "date")
    pipeline.run(tables)
    assert [str(value) for (value,) in pipeline.rows("deals", "sum__date")] == ["2026-01-31"]


def test_a_list_without_rows_makes_its_table(portal, connection, pipeline):
    pipeline.run({"deals": {"entity_type_id": "deal", "item_filter": {"title": "none of them"}}})
    assert pipeline.rows("deals", "id, opportunity") == []


def test_replacing_takes_all_rows_and_no_reader_sees_an_empty_table(portal, connection, dlt, pipeline, monkeypatch):
    tables = {"deals": {"entity_type_id": "deal", "write": "replace"}}
    assert "empties deals before it is filled" in refused(pipeline, tables)
    assert lists(portal) == 0
    monkeypatch.setenv("DESTINATION__REPLACE_STRATEGY", "insert-from-staging")
    pipeline.run(tables)
    Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": 3})
    pipeline.run(tables)
    assert [row[0] for row in pipeline.rows("deals", "id")] == [number for number in range(1, 31) if number != 3]


def test_files_that_cannot_replace_rows_by_their_key_are_refused(portal, connection, dlt, tmp_path):
    destination = dlt.destinations.filesystem(f"file://{tmp_path}/out")
    message = refused(Pipeline(dlt, tmp_path, destination=destination), loader_file_format="parquet")
    assert "filesystem does not replace rows of deals by their id (strategy None" in message
    assert lists(portal) == 0


@pytest.mark.parametrize("disposition", ["append", "replace", {"disposition": "merge", "strategy": "scd2"}])
def test_a_run_that_says_something_else_is_refused(disposition, portal, connection, pipeline):
    message = refused(pipeline, write_disposition=disposition)
    assert "write_disposition" in message or "strategy scd2" in message
    assert lists(portal) == 0


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "tables is {}"),
        ({"deals": {}}, r"tables\['deals'\] names not one list"),
        ({"deals": {"entity_type_id": "deal", "method": "crm.deal.list"}}, "names not one list"),
        ({"deals": {"entity_type_id": None}}, "method or entity_type_id"),
        ({"deals": {"entity_type_id": "deal", "selects": ["id"]}}, "has 'selects': did you mean select"),
        ({"deals": {"entity_type_id": "deal", "method_params": {}}}, "has method_params, which belongs to method"),
        ({"deals": {"entity_type_id": "deal", "write": "append"}}, "write of .* is 'append'"),
        ({"deals": {"entity_type_id": "deal", "write": "replace", "window": "watermark"}}, "with write replace, is"),
    ],
)
def test_wrong_arguments_are_named_before_the_pipeline_runs(tables, message, dlt):
    with pytest.raises(ConfigurationError, match=message):
        bitrix24_source(tables=tables)


def test_rows_without_an_id_are_replaced_or_refused(portal, connection, pipeline, monkeypatch):
    monkeypatch.setenv("DESTINATION__REPLACE_STRATEGY", "insert-from-staging")
    portal.answers["crm.currency.list"] = [[{"CURRENCY": "RUB", "AMOUNT": "1"}, {"CURRENCY": "USD", "AMOUNT": "80"}]]
    table = {"method": "crm.currency.list", "window": "all"}
    assert "have no column id" in refused(pipeline, {"currencies": table})
    for _ in (1, 2):
        pipeline.run({"currencies": {**table, "write": "replace"}})
    assert pipeline.rows("currencies", "currency") == [("RUB",), ("USD",)]
