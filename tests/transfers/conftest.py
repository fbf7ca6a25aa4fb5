"""Targets of loads: one after the other, each empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.postgres import PostgresServer
from tests.transfers.databases import TARGETS, VARIABLE, Target, postgres_target, sqlite_target


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=TARGETS)
def target(request, tmp_path, monkeypatch) -> Iterator[Target]:
    """A database without tables, behind the Airflow connection ``target``."""
    if request.param == "sqlite":
        with sqlite_target(tmp_path) as made:
            monkeypatch.setenv(VARIABLE, made.connection_json)
            yield made
        return
    made = postgres_target(request.getfixturevalue("postgres_server"))
    monkeypatch.setenv(VARIABLE, made.connection_json)
    yield made


@pytest.fixture
def postgres(postgres_server, monkeypatch) -> Target:
    made = postgres_target(postgres_server)
    monkeypatch.setenv(VARIABLE, made.connection_json)
    return made
