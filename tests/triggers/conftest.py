"""A portal with an application whose queue is watched, and somebody who changes deals there."""

from __future__ import annotations

import contextlib

import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.triggers.triggerers import Naps, Triggerer


@pytest.fixture
def variables(airflow_db):
    """Before Airflow 3.3 a watcher remembers in variables: each test begins without."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).delete()


@pytest.fixture
def app(portal, monkeypatch):
    app = portal.application()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.oauth_connection_json(app, rate=100_000, burst=100_000))
    return app


@pytest.fixture
def change(portal, connect):
    """``change([1, 2])`` updates deals through a webhook, as somebody else does."""
    connect(conn_id="somebody", rate=100_000, burst=100_000)
    client = Bitrix24Hook("somebody").get_conn()

    def update(deals, **fields):
        values = fields or {"title": "changed"}
        commands = {deal: ("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": values}) for deal in deals}
        assert client.batch(commands, ordered=False).errors == {}

    yield update
    client.close()


@pytest.fixture
def naps(portal):
    return Naps(portal)


@pytest.fixture
def running(naps, variables):
    """``async with running([(trigger, [asset])]) as triggerer`` runs watchers until the end of the block."""

    @contextlib.asynccontextmanager
    async def run(*watched):
        triggerer = Triggerer(list(watched), naps)
        triggerer.start()
        try:
            yield triggerer
        finally:
            await triggerer.kill()

    return run
