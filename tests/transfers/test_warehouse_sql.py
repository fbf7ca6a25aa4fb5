"""SQL for warehouses, from the columns of a load: tried with DuckDB, and spelt for others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.transfers.warehouse_sql import create_sql, merge_sql
from tests.transfers.test_to_object_storage import folder_of, load

RECIPES = Path(__file__).parents[2] / "docs/recipes.md"


def brought(connection: Any, done: dict[str, Any]) -> None:
    """A load into the table, as a warehouse does it."""
    connection.execute(create_sql(done["path"], table="deals"))
    connection.execute("DROP TABLE IF EXISTS deals_load")
    connection.execute(create_sql(done["path"], table="deals_load"))
    files = f"read_parquet('{folder_of(done)}/part-*.parquet', hive_partitioning = false)"
    connection.execute(f"INSERT INTO deals_load SELECT * FROM {files}")
    connection.execute(merge_sql(done["path"], target="deals", staged="deals_load"))


def test_loads_are_merged_once_and_an_older_row_never_replaces_a_newer_one(portal, connection, tmp_path):
    with duckdb.connect() as warehouse:
        first = load(tmp_path / "first", select=["title", "updatedTime", "opportunity"])
        brought(warehouse, first)
        portal.clock.advance(3600)
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
        portal.add_deals(1)
        second = load(tmp_path / "second", select=["title", "updatedTime", "opportunity"])
        for done in (second, second, first):
            brought(warehouse, done)
        titles = dict(warehouse.execute("SELECT id, title FROM deals").fetchall())
        (count,) = warehouse.execute("SELECT count(*) FROM deals").fetchone()
    assert titles == {deal["id"]: deal["title"] for deal in portal.items(2)}
    assert (count, titles[7]) == (31, "Changed")


def test_names_and_types_are_spelt_as_each_warehouse_has_them(portal, connection, tmp_path):
    path = load(tmp_path, select=["title", "updatedTime", "opportunity", "opened", "begindate"])["path"]
    kinds = {
        "bigquery": ("`id` INT64", "`opportunity` BIGNUMERIC(24, 4)", "`updated_time` TIMESTAMP", "`title` STRING"),
        "snowflake": (
            '"ID" BIGINT', '"OPPORTUNITY" DECIMAL(24, 4)', '"UPDATED_TIME" TIMESTAMP_TZ', '"TITLE" VARCHAR',
        ),
        "redshift": (
            '"id" BIGINT', '"opportunity" DECIMAL(24, 4)', '"updated_time" TIMESTAMPTZ', '"title" VARCHAR(65535)',
        ),
    }  # fmt: skip
    for dialect, columns in kinds.items():
        table = create_sql(path, table="crm.deals", dialect=dialect)
        assert table.startswith("CREATE TABLE IF NOT EXISTS crm.deals (")
        assert set(columns) <= set(re.split(r", (?=[`\"])", table.partition("(")[2].removesuffix(")")))
        merge = merge_sql(path, target="crm.deals", staged="crm.load", dialect=dialect)
        key = columns[0].split()[0]
        assert merge.startswith(
            f"MERGE INTO crm.deals AS t USING crm.load AS s ON t.{key} = s.{key} WHEN MATCHED AND ("
        )
        assert f" {key} = s.{key}," not in merge.partition("UPDATE SET")[2]
    with pytest.raises(ConfigurationError, match="dialect is 'oracle'"):
        create_sql(path, table="x", dialect="oracle")


def test_a_load_that_is_not_whole_or_has_no_rows_tells_no_columns(portal, connection, tmp_path):
    done = load(tmp_path, item_filter={"title": "none of them"})
    with pytest.raises(ConfigurationError, match="has no rows, which alone tell its columns"):
        create_sql(done["path"], table="x")
    whole = load(tmp_path / "other")
    (folder_of(whole) / "_SUCCESS").unlink()
    with pytest.raises(ConfigurationError, match="has no load that is whole"):
        merge_sql(whole["path"], target="x", staged="y")


def test_rows_without_an_id_are_not_merged(portal, connection, tmp_path):
    portal.answers["crm.currency.list"] = [[{"CURRENCY": "RUB", "AMOUNT": "1"}]]
    done = load(tmp_path, method="crm.currency.list")
    assert json.loads((folder_of(done) / "_manifest.json").read_text())["modified"] is None
    with pytest.raises(ConfigurationError, match="have no column id"):
        merge_sql(done["path"], target="x", staged="y")


def test_the_dags_of_the_recipes_are_python():
    dags = re.findall(r"```text\n(from datetime .*?)```", RECIPES.read_text(encoding="utf-8"), re.DOTALL)
    assert len(dags) == 3
    for text in dags:
        compile(text, "recipe", "exec")
