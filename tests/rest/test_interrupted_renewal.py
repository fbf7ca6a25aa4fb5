"""A task that Airflow ends while a renewed pair is on its way into the store."""

from __future__ import annotations

import tempfile

import pytest

from tests.rest.applications import MemoryStore, application_client


class TimedOut(BaseException):
    """As Airflow raises it from a signal handler, past every ``except Exception``."""


@pytest.mark.parametrize("write", [1, 2, 3], ids=["used", "pair", "seeds"])
def test_a_task_that_is_ended_at_any_write_leaves_a_pair_that_can_be_renewed(portal, tmp_path, monkeypatch, write):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app, store, writes = portal.application(), MemoryStore(), []
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()

    def end_the_task(key):
        writes.append(key)
        if len(writes) == write:
            raise TimedOut

    store.before_write = end_the_task
    with application_client(connection, store) as client, pytest.raises(TimedOut):
        client.call("profile")
    app.expire_access_tokens()
    with application_client(connection, store) as client:
        assert client.call("profile")["ID"] == "1"
    assert portal.refused_renewals == 0
