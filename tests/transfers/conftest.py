"""Targets of loads: one after the other, each empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.postgres import PostgresServer
from tests.transfers.databases import (
    TARGETS,
    VARIABLE,
    Target,
    duckdb_target,
    mysql_target,
    postgres_target,
    sqlite_target,
)
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


@pytest.fixture(params=TARGETS)
def target(request, tmp_path, monkeypatch) -> Iterator[Target]:
    """A database without tables, behind the Airflow connection ``target``."""
    with ExitStack() as stack:
        if request.param == "postgres":
            made = postgres_target(request.getfixturevalue("postgres_server"))
        elif request.param == "mysql":
            made = mysql_target(request.getfixturevalue("maria_server"))
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
