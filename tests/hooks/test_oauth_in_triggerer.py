"""A client for triggers: it blocks in a thread, and reaches Airflow through the triggerer's event loop."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from datetime import datetime

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.async_client import aget_client
from tests.hooks.token_tasks import DeferredProfile, ProfileTrigger


@pytest.fixture(autouse=True)
def lock_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def app(portal, monkeypatch):
    """An application whose connection is the default one, with a token that is too old."""
    app = portal.application()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.oauth_connection_json(app))
    app.expire_access_tokens()
    return app


def deferring(dag_id, **arguments):
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        DeferredProfile(task_id="calls", **arguments)
    return dag


@pytest.mark.parametrize("calls", [1, 4])
def test_a_trigger_renews_a_token_once_and_stores_it_in_a_variable(
    portal, app, airflow_db, run_dag, xcom, all_output, calls
):
    run = run_dag(deferring("oauth_deferring", calls=calls))
    assert run.state == "success"
    assert xcom(run, "calls") == ["1"] * calls
    assert (portal.renewals, portal.refused_renewals) == (1, 0)
    # A second run finds the pair in the variable.
    assert run_dag(deferring("oauth_deferring")).state == "success"
    assert portal.renewals == 1
    assert {place for secret in app.secrets() for place in all_output.places_of(secret)} == set()


def test_the_trigger_carries_the_name_of_the_connection_and_nothing_else():
    _, arguments = ProfileTrigger("bitrix24_default").serialize()
    assert json.dumps(arguments) == '{"conn_id": "bitrix24_default", "calls": 1}'


class Witness:
    """A store that records from which threads it is asked, and never answers if it is set so."""

    threads: list[threading.Thread]
    texts: dict[str, str]

    def read(self, key):
        self.threads.append(threading.current_thread())
        return self.texts.get(key), self.texts.get(key, "")

    def write(self, key, text, version):
        self.threads.append(threading.current_thread())
        self.texts[key] = text
        return True


@pytest.fixture
def witness(app, portal, monkeypatch):
    Witness.threads, Witness.texts = [], {}
    connection = portal.oauth_connection_json(app, token_store=f"{__name__}.Witness")
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", connection)
    app.expire_access_tokens()
    return Witness


def test_a_store_of_the_users_own_is_asked_where_airflow_may_be_asked_and_not_in_the_calling_thread(portal, witness):
    calling = []

    async def trigger():
        client = await aget_client("bitrix24_default")

        def call():
            calling.append(threading.current_thread())
            return client.call("profile")["ID"]

        return await asyncio.to_thread(call)

    assert asyncio.run(trigger()) == "1"
    assert portal.renewals == 1
    # asgiref has one thread for all that is sensitive; HTTP must not block it.
    assert len(set(witness.threads)) == 1
    assert set(witness.threads).isdisjoint(calling)


def test_a_client_that_is_called_on_the_event_loop_itself_says_so_instead_of_waiting_for_ever(portal, witness):
    async def trigger():
        client = await aget_client("bitrix24_default")
        client.call("profile")

    with pytest.raises(ConfigurationError, match=r"await asyncio\.to_thread"):
        asyncio.run(trigger())


def test_the_event_loop_goes_on_while_a_call_waits(app, portal, connect):
    connect()
    portal.fault("slow", "profile", seconds=0.3)

    async def trigger():
        client = await aget_client("bitrix24_default")
        call, beats = asyncio.create_task(asyncio.to_thread(client.call, "profile")), 0
        while not call.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    assert asyncio.run(trigger()) > 5


def test_a_connection_that_is_wrong_is_refused_before_anything_is_sent(portal, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({"conn_type": "bitrix24", "login": "1"}))
    with pytest.raises(ConfigurationError, match=r"Portal \(host\) is missing"):
        asyncio.run(aget_client("bitrix24_default"))


def test_an_unknown_connection_is_named():
    with pytest.raises(Exception, match="no_such_connection"):
        asyncio.run(aget_client("no_such_connection"))
