"""An application at a sandbox, with clients that keep their token pair in a store."""

from __future__ import annotations

import tempfile

import pytest

from tests.rest.applications import MemoryStore, application_client
from tests.rest.clients import Naps


@pytest.fixture
def lock_directory(tmp_path, monkeypatch):
    """Where the lock files of renewals are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def app(portal):
    return portal.application()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def naps(portal):
    return Naps(portal)


@pytest.fixture
def connected(portal, app, store, naps):
    """``connected(**extras)``: a client of a connection with a new pair, or of the ``connection`` that is given."""
    clients = []

    def make(connection=None, store=store, naps=naps, **extra):
        connection = connection or portal.oauth_connection(app)
        connection = {**connection, "extra": {**connection["extra"], **extra}}
        clients.append(application_client(connection, store, naps))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
