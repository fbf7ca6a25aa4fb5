"""The hook of an application: every form of its connection, its test, and tokens in Airflow's variables."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from airflow_provider_bitrix24._compat import BaseOperator
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.portal import OAuthApp
from tests.hooks.test_bitrix24_hook import redact


@pytest.fixture(autouse=True)
def lock_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def app(portal):
    return portal.application()


@pytest.fixture
def connect_app(portal, app, monkeypatch):
    """``connect_app(**extras)`` sets the default connection to a new pair of the application; returns its extras."""

    def connect(conn_id="bitrix24_default", user=None, **extra):
        connection = portal.oauth_connection(app, user, **extra)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return connection["extra"]

    return connect


@pytest.fixture
def variables(airflow_db):
    """Airflow's database, where it keeps variables."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    def rows():
        with create_session() as session:
            return {row.key: (row._val, row.is_encrypted) for row in session.query(Variable)}

    def forget():
        with create_session() as session:
            session.query(Variable).delete()

    # DAGs of other tests have stored tokens, too.
    forget()
    yield rows
    forget()


# Forms of the connection

FLAT = ("client_id", "client_secret", "refresh_token", "access_token", "member_id", "oauth_url", "verify")


def as_json(connection):
    return json.dumps(connection)


def as_json_with_extra_as_text(connection):
    return json.dumps({**connection, "extra": json.dumps(connection["extra"])})


def as_uri(connection):
    return f"bitrix24://{connection['host'].removeprefix('https://')}/?{urlencode(connection['extra'])}"


def as_airflow_writes_it(connection):
    from airflow.models.connection import Connection

    return Connection(
        conn_id="x", conn_type="bitrix24", host=connection["host"], extra=json.dumps(connection["extra"])
    ).get_uri()


def as_the_form_saves_it(connection):
    empty = dict.fromkeys(("webhook_url", "timeout", "proxy", "allowed_domains", "allow_http", "token_store"))
    fields = {"login": "", "password": "", "schema": "", "port": 0, "description": ""}
    return json.dumps({**connection, **fields, "extra": {**empty, **connection["extra"], "auth": None}})


@pytest.mark.parametrize(
    "form", [as_json, as_json_with_extra_as_text, as_uri, as_airflow_writes_it, as_the_form_saves_it]
)
def test_an_application_is_understood_in_every_form_of_a_connection(portal, app, monkeypatch, form):
    connection = portal.oauth_connection(app)
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", form(connection))
    hook = Bitrix24Hook()
    credentials = hook.get_portal().credentials
    assert isinstance(credentials, OAuthApp)
    assert [getattr(credentials, name) for name in FLAT[:-1]] == [connection["extra"][name] for name in FLAT[:-1]]
    assert hook.test_connection()[0]
    assert portal.calls[-1].client_id == app.client_id


def test_an_application_is_understood_out_of_a_secrets_backend(portal, app, monkeypatch, tmp_path):
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"from_backend": portal.oauth_connection(app)}))
    program = (
        "from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook\n"
        "print(Bitrix24Hook('from_backend').test_connection())"
    )
    backend = {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **backend}, check=True
    )
    assert "(True, '127.0.0.1: application (status local) of Anna Admin" in done.stdout
    assert not [secret for secret in app.secrets() if secret in done.stdout + done.stderr]


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "refresh_token"])
def test_what_is_missing_is_named_with_the_way_to_get_it(portal, connect_app, missing):
    connect_app(**{missing: None})
    works, message = Bitrix24Hook().test_connection()
    assert not works
    assert f"the extra `{missing}` is missing: run `python -m airflow_provider_bitrix24.authorize`" in message
    assert portal.requests == 0


@pytest.mark.parametrize("hint", ["member_id", "oauth_url", "token_store"])
def test_a_setting_of_applications_alone_asks_for_the_rest_of_an_application(portal, monkeypatch, hint):
    extra = {hint: portal.oauth_connection(portal.application())["extra"].get(hint) or "file:/tmp/tokens.json"}
    connection = {"conn_type": "bitrix24", "host": "my.bitrix24.com", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(connection))
    with pytest.raises(ConfigurationError, match=r"the extra `client_id` is missing: run `python -m"):
        Bitrix24Hook().get_portal()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**portal.connection(**extra)}))
    assert Bitrix24Hook().test_connection()[1].startswith("127.0.0.1: webhook of")


def test_a_connection_that_holds_a_webhook_as_well_must_say_which_is_meant(portal, app, monkeypatch):
    both = {**portal.connection(), "extra": portal.oauth_connection(app)["extra"]}
    for auth, kind in (("oauth", "application"), ("webhook", "webhook")):
        monkeypatch.setenv(
            "AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**both, "extra": {**both["extra"], "auth": auth}})
        )
        assert f"127.0.0.1: {kind}" in Bitrix24Hook().test_connection()[1]
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**both, "extra": {**both["extra"], "auth": None}}))
    with pytest.raises(ConfigurationError, match="holds both a webhook and an application"):
        Bitrix24Hook().get_portal()


# The connection test


def test_the_test_says_who_and_what_the_application_may(portal, connect_app):
    connect_app()
    works, message = Bitrix24Hook().test_connection()
    assert works
    assert message.startswith("127.0.0.1: application (status local) of Anna Admin (user 1, administrator); scopes: ")
    assert [call.method for call in portal.calls] == ["profile", "scope", "app.info"]


def test_the_test_of_an_expired_token_says_so_and_what_will_happen_and_renews_nothing(
    portal, app, connect_app, variables
):
    extra = connect_app()
    app.expire_access_tokens()
    works, message = Bitrix24Hook().test_connection()
    assert not works
    assert "the access token has expired: the next task that uses this connection gets a new one" in message
    assert portal.renewals == 0
    assert app.valid_refresh_token(extra)
    assert variables() == {}


def test_the_test_without_any_access_token_says_so_and_asks_nobody(portal, app, connect_app):
    extra = connect_app(access_token=None)
    works, message = Bitrix24Hook().test_connection()
    assert not works
    assert "there is no access token yet: the next task" in message
    assert portal.requests == 0
    assert app.valid_refresh_token(extra)


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("file:/on/workers/only/tokens.json", "no such file or directory"),
        ("redis://:s3cret@127.0.0.1:1/0", "ConnectionError"),
    ],
)
def test_the_test_does_without_a_store_that_is_not_there_and_says_so(portal, app, connect_app, store, why):
    connect_app(token_store=store)
    works, message = Bitrix24Hook().test_connection()
    assert works, message
    assert message.endswith(f"This is the connection's own token: the token store cannot be read ({why}).")

    portal.reset_calls()
    connect_app(token_store=store, access_token=None)
    works, message = Bitrix24Hook().test_connection()
    assert not works
    assert "there is no access token yet: the next task" in message
    assert message.endswith(f"It read the connection alone: the token store cannot be read ({why})")
    assert portal.requests == 0


def test_the_test_uses_the_stored_token_under_the_random_id_that_airflow_gives_it(
    portal, app, connect_app, variables, run_dag, monkeypatch
):
    connect_app()
    app.expire_access_tokens()
    run_dag(dag_of(Profile, "oauth_profile"))
    before = variables()
    # As Airflow 3 marks its API server, which may read variables and not write them.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AIRFLOW_CONN_DT06Z2MH", os.environ["AIRFLOW_CONN_BITRIX24_DEFAULT"])
    works, message = Bitrix24Hook("DT06Z2Mh").test_connection()
    assert works, message
    assert portal.renewals == 1
    assert variables() == before


def test_airflow_connections_test_says_the_same(portal, app, connect_app):
    connect_app()
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "connections", "test", "bitrix24_default"],
        capture_output=True,
        text=True,
        env={**os.environ, "AIRFLOW__CORE__TEST_CONNECTION": "Enabled"},
        check=False,
    )
    assert "Connection success!" in done.stdout
    assert [call.method for call in portal.calls] == ["profile", "scope", "app.info"]
    assert not [secret for secret in app.secrets() if secret in done.stdout + done.stderr]


# Variables


def test_the_pair_is_kept_in_variables_that_are_encrypted_and_hidden(app, connect_app, variables, run_dag):
    connect_app()
    app.expire_access_tokens()
    run_dag(dag_of(Profile, "oauth_profile"))
    rows = variables()
    assert sorted(key.split("_")[3] for key in rows) == ["app", "seed", "used"]
    assert all(is_encrypted for _, is_encrypted in rows.values())
    # A name with this word is one whose value Airflow shows as ***.
    assert all("token" in key for key in rows)
    assert not [secret for secret in app.secrets() if any(secret in str(row) for row in rows.items())]


def test_connections_under_several_ids_share_one_pair(portal, app, connect_app, variables, run_dag):
    extra = connect_app()
    connect_app("other", access_token=extra["access_token"], refresh_token=extra["refresh_token"])
    app.expire_access_tokens()
    for conn_id in ("bitrix24_default", "other"):
        assert run_dag(dag_of(Profile, "oauth_profile", conn_id=conn_id)).state == "success"
    assert portal.renewals == 1
    assert len(variables()) == 3


def test_new_tokens_are_known_to_airflows_masker(app, connect_app, tmp_path):
    extra = connect_app(token_store=f"file:{tmp_path}/tokens.json")
    app.expire_access_tokens()
    Bitrix24Hook().call("profile")
    secrets = {extra["client_secret"], *app.access_tokens, *app.refresh_tokens}
    assert len(secrets) == 5
    assert [redact(f"a {secret} b") for secret in secrets] == ["a *** b"] * 5


def test_the_password_of_a_redis_store_is_known_to_airflows_masker_in_both_spellings(connect_app):
    connect_app(token_store="redis://:s3cr3t%2Fpass@127.0.0.1:1/0")
    Bitrix24Hook().get_portal()
    assert redact("a s3cr3t/pass b, s3cr3t%2Fpass c") == "a *** b, *** c"


@pytest.mark.parametrize("address", ["redis://:s3cret@[", "redis://:s3cret/pass@host", "no.such.Store"])
def test_a_store_that_makes_no_sense_is_reported_without_what_it_says(portal, connect_app, address):
    connect_app(token_store=address)
    works, message = Bitrix24Hook().test_connection()
    assert not works
    assert message.startswith("the extra `token_store`")
    assert "s3cret" not in message
    assert portal.requests == 0


def test_where_airflow_cannot_write_a_variable_nothing_is_renewed(portal, app, connect_app, variables):
    """Airflow 3 writes variables for tasks and triggers only; a script of one's own is neither."""
    extra = connect_app()
    app.expire_access_tokens()
    try:
        import airflow.sdk  # noqa: F401
    except ImportError:
        assert Bitrix24Hook().call("profile")["ID"] == "1"
        return
    with pytest.raises(ConfigurationError, match=r"lets only tasks and triggers write variables.*nothing is lost"):
        Bitrix24Hook().call("profile")
    assert portal.renewals == 0
    assert app.valid_refresh_token(extra)


class Profile(BaseOperator):
    """Says whose token it is."""

    def __init__(self, conn_id="bitrix24_default", **kwargs):
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def execute(self, context):
        return Bitrix24Hook(self.conn_id).call("profile")["ID"]


def dag_of(operator, dag_id, **arguments):
    from datetime import datetime

    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        operator(task_id="calls", **arguments)
    return dag


def test_tasks_of_two_runs_use_one_renewal_and_tell_no_secret(
    portal, app, connect_app, variables, run_dag, xcom, all_output
):
    connect_app()
    app.expire_access_tokens()
    dag = dag_of(Profile, "oauth_profile")
    for _ in range(2):
        run = run_dag(dag)
        assert run.state == "success"
        assert xcom(run, "calls") == "1"
    assert (portal.renewals, portal.refused_renewals) == (1, 0)
    assert "has been renewed" in all_output.records
    assert {place for secret in app.secrets() for place in all_output.places_of(secret)} == set()


def airflow_task_timeout():
    try:
        from airflow.sdk.exceptions import AirflowTaskTimeout
    except ImportError:
        from airflow.exceptions import AirflowTaskTimeout
    return AirflowTaskTimeout


def test_a_task_that_times_out_while_its_token_is_renewed_loses_no_pair(portal, app, connect_app, variables, run_dag):
    connect_app()
    app.expire_access_tokens()
    portal.fault("slow", "oauth/token", seconds=3.0)
    # In Airflow 2 the timeout ends `dag.test()` as well.
    with contextlib.suppress(airflow_task_timeout()):
        assert run_dag(dag_of(Profile, "oauth_late", execution_timeout=timedelta(seconds=1.5))).state == "failed"
    assert (portal.renewals, portal.executed("profile")) == (1, 0)
    assert run_dag(dag_of(Profile, "oauth_later")).state == "success"
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("error", {"code": "invalid_client", "status": 401}),
        ("error", {"code": "PAYMENT_REQUIRED", "status": 402}),
        ("error", {"code": "insufficient_scope", "status": 403}),
        ("reset_before", {}),
        ("reset_after", {}),
        ("truncated", {}),
        ("status_before", {"status": 502}),
        ("redirect", {"location": "https://oauth.evil.example/"}),
        ("body", {"body": b"<html><title>x</title>"}),
    ],
)
def test_no_fault_of_the_authorization_server_makes_a_task_tell_a_secret(
    portal, app, connect_app, run_dag, all_output, tmp_path, monkeypatch, kind, options
):
    monkeypatch.setattr("airflow_provider_bitrix24.rest.oauth.token_renewal.OTHERS_PATIENCE_SECONDS", 0.1)
    connect_app(token_store=f"file:{tmp_path}/tokens.json")
    app.expire_access_tokens()
    portal.fault(kind, "oauth/token", times=None, **options)
    run = run_dag(dag_of(Profile, "oauth_failure"))
    assert run.state == "failed"
    assert "oauth/token" in all_output.records + all_output.printed
    assert {place for secret in app.secrets() for place in all_output.places_of(secret)} == set()
