"""Targets of loads, one after the other, each empty; and portals that are too large to be made for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.sandbox import Sandbox
from bench.postgres import PostgresServer
from tests.transfers.clickhouse import ClickHouseServer
from tests.transfers.databases import (
    TARGETS,
    VARIABLE,
    Target,
    clickhouse_target,
    duckdb_target,
    mysql_target,
    postgres_target,
    sqlite_target,
)
from tests.transfers.lists import DEALS, MORE_DEALS, WIDE_OPEN
from tests.transfers.mariadb import MISSING, MariaServer, is_installed


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def maria_server() -> Iterator[MariaServer]:
    """Where everything is checked (``.ci/run``), it must be there."""
    if not is_installed():
        (pytest.fail if os.environ.get("BITRIX24_MARIADB") else pytest.skip)(MISSING)
    with MariaServer() as server:
        yield server


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    with ClickHouseServer() as server:
        yield server


@pytest.fixture(params=TARGETS)
def target(request, tmp_path, monkeypatch) -> Iterator[Target]:
    """A database without tables, behind the Airflow connection ``target``."""
    with ExitStack() as stack:
        if request.param == "postgres":
            made = postgres_target(request.getfixturevalue("postgres_server"))
        elif request.param == "mysql":
            made = mysql_target(request.getfixturevalue("maria_server"))
        elif request.param == "clickhouse":
            made = clickhouse_target(request.getfixturevalue("clickhouse_server"))
        else:
            open_target = sqlite_target if request.param == "sqlite" else duckdb_target
            made = stack.enter_context(open_target(tmp_path))
        monkeypatch.setenv(VARIABLE, made.connection_json)
        yield made


@pytest.fixture
def postgres(postgres_server, monkeypatch) -> Target:
    made = postgres_target(postgres_server)
    monkeypatch.setenv(VARIABLE, made.connection_json)
    return made


@pytest.fixture
def sqlite_alone(tmp_path, monkeypatch) -> Iterator[Target]:
    """For tests that are not about databases."""
    with sqlite_target(tmp_path) as made:
        monkeypatch.setenv(VARIABLE, made.connection_json)
        yield made


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """Nobody changes it."""
    with Sandbox(deals=DEALS, tasks=60) as portal:
        yield portal


@pytest.fixture
def to_large(large, monkeypatch) -> Sandbox:
    # All tests of this portal would share the bucket.
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", large.connection_json(**WIDE_OPEN))
    large.clear_faults()
    large.reset_calls()
    return large


@pytest.fixture(scope="module")
def kept_larger() -> Iterator[Sandbox]:
    with Sandbox(deals=MORE_DEALS) as portal:
        yield portal


@pytest.fixture
def larger(kept_larger) -> Sandbox:
    """Nobody changes it but for its clock."""
    kept_larger.clear_faults()
    kept_larger.reset_calls()
    return kept_larger


@pytest.fixture
def small_parts(monkeypatch) -> None:
    monkeypatch.setattr(part_files, "ROWS_OF_A_PART", 500)
