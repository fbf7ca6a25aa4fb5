"""What is stored in Airflow's database, and what becomes of a connection that was there."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace

import pytest

from airflow_provider_bitrix24._compat import BaseOperator
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.authorize.person import Terminal, run, signed_in
from tests.authorize.test_authorize import ADDRESS, untold

pytestmark = pytest.mark.usefixtures("airflow_db")
CONN_ID = "authorized"


@pytest.fixture
def database():
    """The connections and variables in Airflow's database; empty afterwards."""
    from airflow.models.connection import Connection
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def add(**parts):
        with create_session() as session:
            session.add(Connection(conn_id=CONN_ID, **parts))

    def encrypt_with_another_key():
        with create_session() as session:
            session.execute(text("UPDATE connection SET extra = 'gAAAAABkother', is_extra_encrypted = 1"))

    def row():
        with create_session() as session:
            found = session.query(Connection).filter(Connection.conn_id == CONN_ID).one_or_none()
            return found and {
                **{name: getattr(found, name) for name in ("conn_type", "host", "login", "password", "port", "schema")},
                "description": found.description,
                "extra": json.loads(found.extra or "{}"),
                "at rest": str(found._extra),
            }

    yield SimpleNamespace(add=add, row=row, encrypt_with_another_key=encrypt_with_another_key)
    with create_session() as session:
        session.query(Connection).delete()
        session.query(Variable).delete()


@pytest.fixture
def stored(options):
    """``stored("an answer", …)`` runs the command for the connection."""
    return lambda *answers, more=(): run("--conn-id", CONN_ID, *options, *more, answers=answers)


class Profile(BaseOperator):
    """Says whose token it is."""

    def execute(self, context):
        return Bitrix24Hook(CONN_ID).call("profile")["ID"]


def dag_of_one_call():
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    with DAG("calls_as_authorized", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        Profile(task_id="calls")
    return dag


def test_the_connection_is_stored_encrypted_and_nothing_is_printed(portal, app, secret, database, stored):
    ended = stored(app.authorize_code())
    assert (ended.exit_code, ended.printed) == (0, ""), ended.said
    assert f"Stored as connection {CONN_ID}" in ended.said
    assert "not encrypted" not in ended.said
    row = database.row()
    assert (row["conn_type"], f"https://{row['host']}") == ("bitrix24", portal.url)
    assert app.valid_refresh_token(row["extra"])
    assert untold(app, ended.said)
    assert untold(app, row["at rest"])


def test_tasks_renew_what_was_stored_and_when_it_is_dead_three_times_enter_and_a_new_code_fix_it(
    portal, app, secret, database, stored, run_dag, monkeypatch
):
    assert stored(app.authorize_code()).exit_code == 0
    app.expire_access_tokens()
    assert run_dag(dag_of_one_call()).state == "success"
    assert portal.renewals == 1
    for token in app.refresh_tokens.values():
        token.expires_at = 0.0
    app.expire_access_tokens()
    monkeypatch.setattr("airflow_provider_bitrix24.rest.oauth.token_renewal.OTHERS_PATIENCE_SECONDS", 0.1)
    assert run_dag(dag_of_one_call()).state == "failed"
    monkeypatch.delenv("BITRIX24_CLIENT_SECRET")
    with Terminal("--conn-id", CONN_ID, "--replace") as person:
        person.until(rf"Portal \[{portal.url}\]: ")
        person.type("")
        person.until(rf"client_id \[{app.client_id}\]: ")
        person.type("")
        person.until("Enter keeps the present one.*: ")
        person.type("")
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        person.type(address)
        ended = person.ended()
    assert ended.exit_code == 0, ended.said
    assert untold(app, ended.said)
    assert run_dag(dag_of_one_call()).state == "success"


def test_a_connection_that_is_there_stays_without_a_yes(portal, app, secret, database, stored):
    database.add(**{**portal.connection(), "extra": None})
    before = database.row()
    for answers, reason in ((["no"], "was left as it is"), ([], "add --replace")):
        ended = stored(*answers)
        assert ended.exit_code == 2
        assert reason in ended.said
    assert database.row() == before
    assert portal.requests == 0


def test_a_connection_that_is_replaced_keeps_its_settings_and_not_its_webhook(portal, app, secret, database, stored):
    settings = {"timeout": 12, "allowed_domains": ["new.bitrix24.com"], "webhook_url": portal.webhook(), "proxy": None}
    webhook = portal.connection()
    database.add(**{**webhook, "extra": json.dumps(settings), "description": "The sales portal"})
    ended = stored("y", app.authorize_code())
    assert ended.exit_code == 0, ended.said
    row = database.row()
    assert [row[name] for name in ("login", "password", "schema")] == [None] * 3
    # Airflow's Test button needs it.
    assert f":{row['port']}" == portal.url.removeprefix("https://127.0.0.1")
    assert row["description"] == "The sales portal"
    assert (row["extra"]["timeout"], row["extra"]["allowed_domains"]) == (12, ["new.bitrix24.com"])
    assert "webhook_url" not in row["extra"]
    assert webhook["password"] not in ended.said


def test_a_connection_that_somebody_makes_meanwhile_is_not_overwritten(portal, options, secret, database):
    with Terminal("--conn-id", CONN_ID, *options) as person:
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        database.add(conn_type="bitrix24", host="my.bitrix24.com")
        person.type(address)
        ended = person.ended()
    assert ended.exit_code == 2
    assert f"connection '{CONN_ID}' was created in the meantime: run this again with --replace" in ended.said
    assert database.row()["host"] == "my.bitrix24.com"


def test_a_connection_of_another_type_is_never_replaced(portal, secret, database, stored):
    database.add(conn_type="postgres", host="db.example.com")
    ended = stored(more=["--replace"])
    assert ended.exit_code == 2
    assert f"connection {CONN_ID} exists, and its type is postgres: use another --conn-id" in ended.said
    assert database.row()["conn_type"] == "postgres"
    assert portal.requests == 0


def test_a_connection_that_cannot_be_read_is_replaced_anyway(app, secret, database, stored):
    database.add(conn_type="bitrix24", host="https://[", extra="{}")
    database.encrypt_with_another_key()
    ended = stored("y", app.authorize_code())
    assert ended.exit_code == 0, ended.said
    assert app.valid_refresh_token(database.row()["extra"])


def test_a_database_that_cannot_be_used_is_reported_before_any_question(portal, app, options, secret):
    ended = run(
        *("--conn-id", CONN_ID, *options),
        answers=[app.authorize_code()],
        environment={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/pmx1ua0password/airflow.db"},
    )
    assert ended.exit_code == 1
    assert "Airflow's database cannot be used (OperationalError): check that `airflow connections list` works here" in (
        ended.said
    )
    assert "pmx1ua0password" not in ended.said
    assert "Traceback" not in ended.said
    assert portal.requests == 0


def test_a_missing_key_and_a_variable_that_hides_the_connection_are_reported(app, options, secret, database):
    ended = run(
        *("--conn-id", CONN_ID, *options),
        answers=[app.authorize_code()],
        environment={"AIRFLOW__CORE__FERNET_KEY": "", "AIRFLOW_CONN_AUTHORIZED": "bitrix24://"},
    )
    assert ended.exit_code == 0, ended.said
    assert "Its secrets are not encrypted in the database: Airflow has no fernet_key" in ended.said
    assert "AIRFLOW_CONN_AUTHORIZED is set here, and Airflow uses it" in ended.said
