"""``python -m airflow_provider_bitrix24.events``: what is bound, and the end of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from airflow_provider_bitrix24.events.__main__ import main
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

EVENTS = ("ONCRMDEALUPDATE", "ONCRMDEALADD")


@pytest.fixture
def app(portal, airflow_db, monkeypatch):
    app = portal.application()
    monkeypatch.setenv("AIRFLOW_CONN_APP", portal.oauth_connection_json(app))
    for event in EVENTS:
        Bitrix24Hook("app").call("event.bind", {"event": event, "event_type": "offline"})
    return app


def bound(portal):
    return sorted(binding.event for binding in portal._state.events.bindings)


def test_it_lists_what_is_bound_and_how_much_waits(portal, app, connect, capsys):
    connect()
    for deal in (1, 2):
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"title": "x"}})
    assert main(["list", "app"]) == 0
    assert capsys.readouterr().out.splitlines() == ["ONCRMDEALADD", "ONCRMDEALUPDATE", "2 changes are queued"]
    assert bound(portal) == sorted(EVENTS)


def test_it_unbinds_one_event_and_says_what_was_not_bound(portal, app, capsys):
    assert main(["unbind", "app", "onCrmDealUpdate", "ONCRMLEADADD"]) == 0
    assert capsys.readouterr().out.splitlines() == ["ONCRMDEALUPDATE: unbound", "ONCRMLEADADD: was not bound"]
    assert bound(portal) == ["ONCRMDEALADD"]


def test_it_unbinds_all(portal, app, capsys):
    assert main(["unbind", "app", "--all"]) == 0
    assert bound(portal) == []
    assert main(["unbind", "app", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no events are bound"


def test_queues_of_connectors_are_apart(portal, app, capsys):
    Bitrix24Hook("app").call(
        "event.bind", {"event": "ONCRMDEALADD", "event_type": "offline", "auth_connector": "airflow"}
    )
    assert main(["unbind", "app", "--all", "--connector", "airflow"]) == 0
    assert bound(portal) == sorted(EVENTS)


@pytest.mark.parametrize("arguments", [["unbind", "app"], ["unbind", "app", "ONCRMDEALADD", "--all"], [], ["bind"]])
def test_a_command_that_says_too_little_or_too_much_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_connection_that_is_not_there_is_named(airflow_db, capsys):
    assert main(["list", "no_such_connection"]) == 2
    assert "connection 'no_such_connection' is not defined" in capsys.readouterr().err


def test_a_webhook_is_explained(portal, airflow_db, connect, capsys):
    connect()
    assert main(["list", "bitrix24_default"]) == 1
    assert "this connection is a webhook" in capsys.readouterr().err


def test_a_connection_and_a_token_in_the_database_are_used_and_renewed_there(portal, airflow_db, tmp_path):
    """As an administrator calls it: a process of its own, in which no task runs."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    app = portal.application()
    fields = portal.oauth_connection(app)
    with create_session() as session:
        session.add(Connection(conn_id="stored", **{**fields, "extra": json.dumps(fields["extra"])}))
    try:
        for _ in range(2):
            app.expire_access_tokens()
            ended = subprocess.run(
                [sys.executable, "-m", "airflow_provider_bitrix24.events", "list", "stored"],
                env={**os.environ, "PYTHONPATH": os.getcwd()},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr
            assert ended.stdout.splitlines()[-2:] == ["no events are bound", "0 changes are queued"]
    finally:
        with create_session() as session:
            session.query(Connection).filter_by(conn_id="stored").delete()
    # The second one found what the first one had stored.
    assert (portal.renewals, portal.refused_renewals) == (2, 0)
    assert not any(secret in ended.stdout + ended.stderr for secret in app.secrets())
