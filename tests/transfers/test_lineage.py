"""What OpenLineage and the events of assets are given of a load: names, columns and counts; nothing that is secret."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import Asset, ObjectStoragePath
from airflow_provider_bitrix24.execution.lineage import Transfer, stored_dataset
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from tests.operators.context import context
from tests.sleepless import sleepless
from tests.transfers.databases import CONN_ID

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def portal(monkeypatch):
    with Sandbox(deals=12, tasks=5) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(rate=100_000, burst=100_000))
        yield portal


@pytest.fixture
def openlineage(monkeypatch):
    """The lineage that Airflow's provider gets out of an operator. It must be there where everything is checked."""
    if find_spec("openlineage") is None:
        missing = "Airflow's provider of OpenLineage is missing: make environments"
        (pytest.fail if os.environ.get("BITRIX24_MARIADB") else pytest.skip)(missing)
    from airflow.providers.openlineage.extractors.manager import ExtractorManager
    from airflow.utils.state import TaskInstanceState
    from openlineage.client.serde import Serde

    def lineage_of(operator: Any) -> dict[str, Any]:
        run = SimpleNamespace(run_id="r")
        found = ExtractorManager().extract_metadata(run, operator, TaskInstanceState.SUCCESS, SimpleNamespace())
        return {
            "inputs": [json.loads(Serde.to_json(each)) for each in found.inputs],
            "outputs": [json.loads(Serde.to_json(each)) for each in found.outputs],
        }

    return lineage_of


def done(operator: type, **arguments: Any) -> Any:
    """An operator after its run."""
    task = sleepless(operator)(task_id="t", **arguments)
    task.execute(context())
    return task


def files(tmp_path: Any, **arguments: Any) -> Any:
    what = {} if "method" in arguments else {"entity_type_id": "deal"}
    destination = {"destination": f"file://{tmp_path}/deals", "window": "all"}
    return done(Bitrix24ToObjectStorageOperator, **{**destination, **what, **arguments})


def portal_of(sandbox: Sandbox) -> str:
    return sandbox.url.replace("https://", "bitrix24://")


# Names and counts


@pytest.mark.parametrize(
    ("arguments", "name", "columns"),
    [
        ({}, "crm.deal", {"stageId": "crm_status", "ufCrm_1700000005": "enumeration"}),
        ({"method": "crm.deal.list", "select": ["TITLE"]}, "crm.deal", {"id": "integer", "title": "string"}),
        ({"entity_type_id": 128}, "crm.item.128", {"title": "string"}),
        ({"method": "tasks.task.list"}, "tasks.task", {"responsibleId": "integer"}),
        ({"method": "user.get", "file_format": "csv"}, "user", {"EMAIL": "string"}),
    ],
    ids=str,
)
def test_a_load_into_files_names_list_and_folder(arguments, name, columns, portal, tmp_path):
    task = files(tmp_path, **arguments)
    source, target = task.transfer.source, task.transfer.target
    assert (source.namespace, source.name) == (portal_of(portal), name)
    assert columns.items() <= source.columns.items()
    assert (target.namespace, target.name) == ("file", f"{tmp_path}/deals")
    assert target.columns["_bad"] == "string"
    assert task.transfer.rows == len(portal.items(2) if name == "crm.deal" else portal.items(128)) or name in (
        "tasks.task", "user"
    )  # fmt: skip
    assert task.transfer.bytes > 0


def test_a_load_without_rows_has_its_columns_too(portal, tmp_path):
    task = files(tmp_path, item_filter={"title": "none of them"}, labels=True)
    assert (task.transfer.rows, task.transfer.bytes) == (0, 0)
    assert {
        "stage_id": "string",
        "stage_id_label": "string",
        "id": "int64",
    }.items() <= task.transfer.target.columns.items()


def test_a_load_into_a_table_names_server_database_schema_and_table(portal, target):
    schema = {"postgres": "other", "duckdb": "other"}.get(target.kind)
    if schema:
        target.execute(f"CREATE SCHEMA {schema}")
    for table in ("deals", f"{schema}.deals") if schema else ("deals",):
        arguments = {"entity_type_id": "deal", "sql_conn_id": CONN_ID, "table": table, "select": ["title", "opened"]}
        transfer = done(Bitrix24ToSqlOperator, **arguments).transfer
        connection = json.loads(target.connection_json)
        place = {"postgres": "postgres", "mysql": "loads", "clickhouse": "loads"}.get(target.kind, connection["host"])
        own = {"postgres": "public", "duckdb": "main"}.get(target.kind)
        names = [place, *([schema if "." in table else own] if own else []), "deals"]
        assert transfer.target.name == ".".join(names)
        assert transfer.target.namespace.partition(":")[0] == target.kind
        assert transfer.rows == 12
        assert list(transfer.target.columns)[:3] == ["id", "title", "opened"]
    if schema:
        target.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.parametrize("place", ["deals.jsonl", "deals/"])
@pytest.mark.parametrize("operator", [Bitrix24ListOperator, Bitrix24ListItemsOperator])
def test_a_list_with_a_destination_names_it(operator, place, portal, tmp_path):
    what = {"method": "crm.deal.list"} if operator is Bitrix24ListOperator else {"entity_type_id": "deal"}
    transfer = done(operator, destination=f"file://{tmp_path}/{place}", **what).transfer
    assert (transfer.source.name, transfer.rows) == ("crm.deal", 12)
    assert transfer.target.name == f"{tmp_path}/{place.rstrip('/')}"


def test_a_list_without_one_and_a_dry_run_name_nothing(portal, tmp_path, openlineage):
    dry = files(tmp_path, dry_run=True)
    assert dry.transfer is None
    assert openlineage(dry) == {"inputs": [], "outputs": []}
    assert done(Bitrix24ListOperator, method="crm.deal.list", method_params={"select": ["ID"]}).transfer is None


class _Store:
    """A path of object storage, as Airflow 3 and Airflow 2 have it."""

    def __init__(self, protocol: str, bucket: str, key: str, account: str | None = None) -> None:
        self.protocol, self.bucket, self.key = protocol, bucket, key
        self.fs = SimpleNamespace(account_name=account) if account else object()


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        (_Store("s3", "bucket", "crm/deals"), "s3://bucket", "crm/deals"),
        (_Store("s3", "aws_default@bucket", "crm/deals/"), "s3://bucket", "crm/deals"),
        (_Store("gcs", "bucket", "deals"), "gs://bucket", "deals"),
        (_Store("abfs", "crm", "deals", "acme"), "abfss://crm@acme.dfs.core.windows.net", "deals"),
    ],
)
def test_stores_are_named_as_openlineage_names_them(path, namespace, name):
    found = stored_dataset(path)
    assert (found.namespace, found.name) == (namespace, name)


def test_a_path_of_this_computer_is_named_by_its_path():
    assert stored_dataset(ObjectStoragePath("file:///data/crm/deals")).name == "/data/crm/deals"


# OpenLineage


def test_airflows_provider_gets_datasets_with_schema_and_counts(portal, tmp_path, openlineage):
    task = files(tmp_path, select=["title", "opportunity"], labels=True)
    found = openlineage(task)
    (source,), (target,) = found["inputs"], found["outputs"]
    assert (source["namespace"], source["name"]) == (portal_of(portal), "crm.deal")
    fields = [(field["name"], field["type"]) for field in source["facets"]["schema"]["fields"]]
    assert fields == [("id", "integer"), ("title", "string"), ("opportunity", "double")]
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 12
    assert (target["namespace"], target["name"]) == ("file", f"{tmp_path}/deals")
    fields = {field["name"]: field["type"] for field in target["facets"]["schema"]["fields"]}
    assert fields == {"id": "int64", "title": "string", "opportunity": "decimal128(24, 4)", "_bad": "string"}
    counts = target["outputFacets"]["outputStatistics"]
    assert (counts["rowCount"], counts["size"]) == (12, task.transfer.bytes)
    assert portal.admin.code not in json.dumps(found)


def test_a_table_is_named_as_the_hook_of_its_database_names_it(portal, postgres, openlineage):
    from airflow.providers.openlineage.sqlparser import SQLParser
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    arguments = {"entity_type_id": "deal", "sql_conn_id": CONN_ID, "table": "deals", "select": ["title"]}
    (target,) = openlineage(done(Bitrix24ToSqlOperator, **arguments))["outputs"]
    hook = PostgresHook(CONN_ID)
    info = hook.get_openlineage_database_info(hook.get_connection(CONN_ID))
    assert target["namespace"] == SQLParser.create_namespace(info)
    assert target["name"] == f"{info.database}.{hook.get_openlineage_default_schema()}.deals"
    assert {"name": "title", "type": "text"}.items() <= target["facets"]["schema"]["fields"][1].items()


def test_a_name_that_cannot_be_found_out_fails_no_task(portal, tmp_path, monkeypatch, all_output):
    def broken(*_: Any) -> Transfer:
        raise RuntimeError(portal.admin.code)

    monkeypatch.setattr("airflow_provider_bitrix24.transfers.to_object_storage.stored_dataset", broken)
    assert files(tmp_path).transfer is None
    assert all_output.places_of("The lineage of this run is not known: RuntimeError")
    assert all_output.places_of(portal.admin.code) == []


# Assets


def dag_of(name: str, asset: Any, operator: type, **arguments: Any) -> Any:
    with DAG(name, start_date=START, schedule=None) as dag:
        sleepless(operator)(task_id="load", outlets=[asset], **arguments)
    if hasattr(dag, "bulk_write_to_db"):
        # Airflow 2 keeps no event of a dataset that no DAG file has brought to its database.
        dag.bulk_write_to_db([dag])
    return dag


@pytest.fixture
def events(airflow_db):
    """``events(uri)``: what the events of an asset say, in their order."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def read(uri: str) -> list[dict[str, Any]]:
        with create_session() as session:
            new = "asset_event" in {name for (name,) in session.execute(text("SELECT name FROM sqlite_master"))}
            event, of = ("asset_event", "asset") if new else ("dataset_event", "dataset")
            sql = f"SELECT e.extra FROM {event} e JOIN {of} a ON a.id = e.{of}_id WHERE a.uri = :uri ORDER BY e.id"
            rows = session.execute(text(sql), {"uri": uri})
            return [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in rows]

    return read


def test_the_event_of_an_asset_says_how_many_rows_have_come(portal, run_dag, events, tmp_path):
    uri = f"file://{tmp_path}/deals"
    arguments = {"entity_type_id": "deal", "destination": uri}
    assert run_dag(dag_of("files", Asset(uri), Bitrix24ToObjectStorageOperator, **arguments)).state == "success"
    (extra,) = events(uri)
    assert (extra["rows"], extra["parts"], extra["window"]) == (12, 1, {})
    assert extra["path"].startswith(f"{uri}/load=")
    assert extra["watermark"]
    dry = Bitrix24ToObjectStorageOperator
    assert run_dag(dag_of("dry", Asset(uri), dry, dry_run=True, **arguments)).state == "success"
    assert events(uri)[1]["dry_run"] is True


@pytest.mark.parametrize("operator", [Bitrix24ToSqlOperator, Bitrix24ListItemsOperator, Bitrix24ListOperator])
def test_tables_and_lists_do_so_too(operator, portal, run_dag, events, postgres, tmp_path):
    uri = f"bitrix24-test://{operator.__name__.lower()}/x"
    what = {"method": "crm.deal.list"} if operator is Bitrix24ListOperator else {"entity_type_id": "deal"}
    table = {"sql_conn_id": CONN_ID, "table": "deals", "select": ["title"]}
    where = table if operator is Bitrix24ToSqlOperator else {"destination": f"file://{tmp_path}/deals.jsonl"}
    assert run_dag(dag_of(operator.__name__, Asset(uri), operator, **what, **where)).state == "success"
    (extra,) = events(uri)
    assert extra["rows"] == 12
    assert (
        extra.get("table") == table["table"] if operator is Bitrix24ToSqlOperator else extra["path"].endswith(".jsonl")
    )
    assert extra.get("deleted", 0) == 0
