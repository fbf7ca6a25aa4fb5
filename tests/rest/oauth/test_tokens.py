"""When a token pair is renewed, by whom, and what happens when that fails: at a real authorization server."""

from __future__ import annotations

import json
import logging
import tempfile

import pytest

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    Blocked,
    ConfigurationError,
    ExpiredToken,
    Forbidden,
    NotSent,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory
from airflow_provider_bitrix24.rest.oauth import tokens
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair, fingerprint
from airflow_provider_bitrix24.sandbox import unused_port
from tests.rest.applications import MemoryStore, application_client
from tests.rest.clients import Naps
from tests.secrecy import assert_untold

RENEWED_AGAIN = "python -m airflow_provider_bitrix24.authorize"


@pytest.fixture(autouse=True)
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


def errors_of(portal, method):
    return [call.error for call in portal.calls if call.method == method]


# When


def test_a_token_that_is_good_is_not_renewed(portal, connected):
    client = connected()
    for _ in range(6):
        assert client.call("profile")["ID"] == "1"
        portal.clock.advance(590)
    assert errors_of(portal, "oauth/token") == []


def test_a_pair_at_hand_is_not_looked_up_again(portal, store, connected):
    client = connected()
    client.call("profile")
    store.reads = 0
    for _ in range(3):
        client.call("profile")
    assert store.reads == 0


@pytest.mark.parametrize("code", ["expired_token", "invalid_token"])
def test_a_refused_token_is_renewed_once_and_the_call_repeated(portal, connected, code):
    client = connected()
    portal.fault("error", "crm.item.add", code=code, status=401)
    added = client.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "once"}})
    assert added["item"]["title"] == "once"
    assert [call.method for call in portal.calls] == ["crm.item.add", "oauth/token", "crm.item.add"]
    first, _, second = portal.calls
    assert first.params.pop("auth") != second.params.pop("auth")
    assert first.params == second.params
    assert portal.executed("crm.item.add") == 1


def test_a_token_that_is_known_to_be_too_old_is_renewed_before_the_call(portal, app, connected, naps):
    client = connected()
    app.expire_access_tokens()
    client.call("profile")
    portal.reset_calls()
    naps.advance(3600)
    client.call("profile")
    assert [(call.method, call.error) for call in portal.calls] == [("oauth/token", None), ("profile", None)]


@pytest.mark.parametrize(
    ("access_token", "expires_at", "is_expired"),
    [("a", 10.5, False), ("a", 10.0, True), ("a", 9.5, True), ("a", None, False), ("", None, True), ("", 10.5, True)],
)
def test_a_token_is_too_old_from_the_moment_at_which_it_ends(access_token, expires_at, is_expired):
    assert TokenPair(access_token, "r", expires_at).is_expired(10.0) == is_expired


def test_a_connection_without_an_access_token_gets_one_before_the_first_call(portal, connected):
    connected(access_token=None).call("profile")
    assert [(call.method, call.error) for call in portal.calls] == [("oauth/token", None), ("profile", None)]


def test_a_renewed_token_that_is_refused_too_is_not_renewed_again(portal, connected):
    portal.fault("error", "profile", code="expired_token", status=401, times=None)
    with pytest.raises(ExpiredToken, match="renewed token is refused too") as caught:
        connected().call("profile")
    assert not caught.value.retryable
    assert portal.renewals == 1


def test_a_call_tries_three_pairs_of_other_workers_and_gives_up_when_each_is_refused_too(portal, app, connected):
    class BusyStore(MemoryStore):
        """Other workers store a new pair again and again."""

        def read(self, key):
            if "__seed_" in key:
                pair = app.grant()
                new = TokenPair(pair["access_token"], pair["refresh_token"], None, portal.member_id, "1")
                self.texts[key] = new.to_text()
            return super().read(key)

    portal.fault("error", "profile", code="expired_token", status=401, times=None)
    with pytest.raises(ExpiredToken, match="renewed token is refused too"):
        connected(store=BusyStore()).call("profile")
    assert errors_of(portal, "profile") == ["expired_token"] * 4
    assert errors_of(portal, "oauth/token") == []


def test_a_token_renewed_because_it_was_too_old_is_not_renewed_again_in_the_same_call(portal, connected):
    portal.fault("error", "profile", code="expired_token", status=401, times=None)
    with pytest.raises(ExpiredToken):
        connected(access_token=None).call("profile")
    assert portal.renewals == 1


@pytest.mark.parametrize("code", ["expired_token", "invalid_token"])
def test_a_token_that_ends_in_the_middle_of_a_batch_is_renewed_for_the_commands_after_it(portal, connected, code):
    client = connected()
    # All three of the batch, and the first that is sent alone.
    portal.fault("error", "crm.item.add", code=code, status=401, times=4)
    commands = {n: ("crm.item.add", {"entityTypeId": 2, "fields": {"title": f"deal {n}"}}) for n in range(3)}
    assert list(client.batch({"before": ("profile", None), **commands}).all_results()) == ["before", 0, 1, 2]
    assert portal.executed("crm.item.add") == 3
    assert portal.renewals == 1


def test_a_batch_is_renewed_and_repeated_as_one_call(portal, app, connected):
    client = connected()
    app.expire_access_tokens()
    results = client.batch({"a": ("profile", None), "b": ("scope", None)}).results
    assert sorted(results) == ["a", "b"]
    assert [call.method for call in portal.calls] == ["batch", "oauth/token", "batch"]


def test_rest_3_which_has_one_code_for_all_asks_version_2_whether_the_token_is_too_old(portal, app, connected):
    client = connected()
    app.expire_access_tokens()
    assert client.call("tasks.task.list", version=3)["items"]
    assert [call.method for call in portal.calls] == ["tasks.task.list", "app.info", "oauth/token", "tasks.task.list"]


def test_rest_3_that_refuses_a_good_token_is_not_answered_with_a_renewal(portal, connected):
    code = "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION"
    portal.fault("error", "tasks.task.list", code=code, status=401, times=None)
    with pytest.raises(Unauthorized):
        connected().call("tasks.task.list", version=3)
    assert portal.renewals == 0


def test_the_parameter_auth_belongs_to_the_connection(portal, connected):
    with pytest.raises(ConfigurationError, match="the parameter auth is set by the connection"):
        connected().call("profile", {"auth": "mine"})
    with pytest.raises(ConfigurationError, match="the parameter auth is set by the connection"):
        connected().batch({"a": ("profile", None), "b": ("profile", {"auth": "mine"})})
    assert portal.requests == 0


# How


def test_secrets_travel_to_the_authorization_server_in_the_body_of_a_post(portal, app, connected):
    connected(access_token=None).call("profile")
    renewal = portal.calls[0]
    assert (renewal.verb, renewal.path, renewal.query) == ("POST", "/oauth/token/", "")
    assert renewal.headers["content-type"] == "application/x-www-form-urlencoded"
    assert renewal.params["client_secret"] == app.client_secret
    assert [call.query for call in portal.calls] == ["", ""]


def test_the_portal_never_sees_the_client_secret_or_a_refresh_token(portal, app, connected):
    connected(access_token=None).call("profile")
    called = portal.calls[1]
    everything = f"{called.params} {called.headers} {called.path}"
    assert not [secret for secret in {app.client_secret, *app.refresh_tokens} if secret in everything]


def test_a_new_pair_is_stored_before_it_is_used(portal, store, connected):
    calls_at_write = []
    store.before_write = lambda key: calls_at_write.append([call.method for call in portal.calls])
    connected(access_token=None).call("profile")
    used, pair, seeds = calls_at_write
    # The store is tried before the refresh token is used up.
    assert used == []
    assert pair == seeds == ["oauth/token"]


def test_the_stored_pair_is_the_one_that_the_server_would_renew(portal, app, store, connected):
    connected(access_token=None).call("profile")
    (text,) = store.pairs
    assert app.valid_refresh_token(json.loads(text))
    assert app.valid_access_token(json.loads(text))


def test_a_new_worker_goes_on_with_the_stored_pair(portal, app, connected):
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()
    connected(connection).call("profile")
    portal.reset_calls()
    assert connected(connection).call("profile")["ID"] == "1"
    assert [call.method for call in portal.calls] == ["profile"]


def test_a_worker_whose_token_is_too_old_takes_what_another_has_stored(portal, app, connected):
    connection = portal.oauth_connection(app)
    first, second = connected(connection), connected(connection)
    assert [client.call("profile")["ID"] for client in (first, second)] == ["1", "1"]
    app.expire_access_tokens()
    assert [client.call("profile")["ID"] for client in (first, second)] == ["1", "1"]
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


def test_a_stored_pair_that_turns_out_to_be_too_old_as_well_is_renewed(portal, app, connected):
    connection = portal.oauth_connection(app)
    slept, working = connected(connection), connected(connection)
    slept.call("profile")
    for _ in range(2):
        app.expire_access_tokens()
        working.call("profile")
    app.expire_access_tokens()
    assert slept.call("profile")["ID"] == "1"
    assert (portal.renewals, portal.refused_renewals) == (3, 0)


# The answer of the authorization server


def test_a_token_for_another_portal_is_refused_but_not_lost(portal, app, store, connected):
    connection = portal.oauth_connection(app)
    connection["extra"]["member_id"] = "f" * 32
    app.expire_access_tokens()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=f"member_id {portal.member_id}.*connection is for {'f' * 32}"):
            connected(connection).call("profile")
    assert portal.executed("profile") == 0
    assert portal.renewals == 1
    assert app.valid_refresh_token(json.loads(store.pairs[0]))
    # Corrected, the connection works without a human at the portal.
    assert connected(connection, member_id=portal.member_id).call("profile")["ID"] == "1"
    assert portal.renewals == 1


def test_a_renewal_that_suddenly_speaks_for_another_portal_is_refused(portal, app, store, connected):
    client = connected(access_token=None, member_id=None)
    client.call("profile")
    (before,) = store.pairs
    app.answer_changes = {"member_id": "another"}
    app.expire_access_tokens()
    with pytest.raises(ConfigurationError, match=f"another portal .member_id another.*{RENEWED_AGAIN}"):
        client.call("profile")
    assert store.pairs == [before]


def test_a_portal_at_another_address_is_refused_each_time_though_the_pair_is_stored(portal, app, store, connected):
    connection = portal.oauth_connection(app)
    app.answer_changes = {"client_endpoint": "https://renamed.example.com/rest/"}
    app.expire_access_tokens()
    first = connected(connection)
    for client in (first, first, connected(connection)):
        with pytest.raises(ConfigurationError, match=r"renamed\.example\.com.*allowed_domains"):
            client.call("profile")
    assert portal.executed("profile") == 0
    assert portal.renewals == 1
    assert app.valid_refresh_token(json.loads(store.pairs[0]))


def test_a_portal_at_an_allowed_address_is_called_there(portal, app, connected):
    app.answer_changes = {"client_endpoint": f"https://localhost:{portal.port}/rest/"}
    client = connected(access_token=None, allowed_domains=["localhost"])
    assert client.call("profile")["ID"] == "1"
    assert portal.calls[-1].headers["host"] == f"localhost:{portal.port}"


def test_a_portal_without_https_is_refused_even_at_an_allowed_address(portal, app, connected):
    app.answer_changes = {"client_endpoint": f"http://localhost:{portal.port}/rest/"}
    with pytest.raises(ConfigurationError, match="http://localhost"):
        connected(access_token=None, allowed_domains=["localhost"]).call("profile")
    assert portal.executed("profile") == 0


def test_fields_that_the_server_leaves_out_stay_as_they_were(portal, app, store, connected):
    client = connected(access_token=None, member_id=None)
    client.call("profile")
    first = json.loads(store.pairs[0])
    app.answer_changes = dict.fromkeys(["member_id", "user_id", "client_endpoint", "server_endpoint", "expires"])
    app.expire_access_tokens()
    client.call("profile")
    second = json.loads(store.pairs[0])
    kept = ["member_id", "user_id", "client_endpoint", "server_endpoint"]
    assert [first[name] for name in kept] == [second[name] for name in kept]
    assert None not in [first[name] for name in kept]
    assert first["access_token"] != second["access_token"]


def test_a_portal_that_the_server_does_not_name_is_the_one_of_the_connection(portal, app, store, connected):
    app.answer_changes = {"member_id": None}
    connected(access_token=None).call("profile")
    assert json.loads(store.pairs[0])["member_id"] == portal.member_id


@pytest.mark.parametrize(
    ("code", "status", "kind", "next_step"),
    [
        ("PAYMENT_REQUIRED", 402, Blocked, "paid period is over"),
        ("invalid_client", 401, Unauthorized, "check client_id and client_secret"),
        ("insufficient_scope", 403, Forbidden, "tick the scopes in the application's card"),
        ("invalid_scope", 400, Forbidden, "tick the scopes in the application's card"),
        ("invalid_request", 400, Exception, "check the extras `client_id`"),
        (
            "ERROR_METHOD_NOT_FOUND",
            404,
            Exception,
            "what answered is not an authorization server; check the extra `oauth_url`",
        ),
        ("NO_AUTH_FOUND", 401, Exception, "what answered is not an authorization server; check the extra `oauth_url`"),
    ],
)
def test_a_refusal_of_the_authorization_server_is_not_repeated(portal, app, connected, code, status, kind, next_step):
    connection = portal.oauth_connection(app)
    portal.fault("error", "oauth/token", code=code, status=status, times=None)
    with pytest.raises(kind, match=next_step) as caught:
        connected(connection, access_token=None).call("profile")
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert errors_of(portal, "oauth/token") == [code]
    assert portal.requests == 1
    assert app.valid_refresh_token(connection["extra"])


# invalid_grant


def test_a_dead_pair_asks_for_authorization_after_looking_for_a_newer_one(portal, app, connected, naps):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN) as caught:
        connected(connection).call("profile")
    assert (caught.value.code, caught.value.retryable) == ("invalid_grant", False)
    assert tokens.OTHERS_PATIENCE_SECONDS <= naps.total < tokens.OTHERS_PATIENCE_SECONDS + 1
    assert naps.taken[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0]
    # Asked once: a dead token stays dead.
    assert portal.refused_renewals == 1


@pytest.mark.parametrize("pause", [1, 4, 9])
def test_who_is_refused_takes_the_pair_that_the_winner_stores_a_little_later(
    portal, app, store, connected, naps, pause
):
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()
    winner_store = MemoryStore()
    connected(connection, winner_store).call("profile")
    client = connected(connection)

    def sleep(seconds):
        naps.taken.append(seconds)
        if len(naps.taken) == pause:
            store.texts |= winner_store.texts

    client.tokens._sleep = sleep
    assert client.call("profile")["ID"] == "1"
    assert (portal.renewals, portal.refused_renewals) == (1, 1)
    assert len(naps.taken) == pause


def test_a_winner_whose_pair_is_dead_as_well_does_not_make_it_ask_for_ever(portal, app, store, connected, naps):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()
    client = connected(connection)

    def sleep(seconds):
        # Somebody stores one dead pair after another.
        pair = app.grant()
        app.renew(pair["refresh_token"])
        key = f"bitrix24_token__seed_{fingerprint(app.client_id + ' ' + connection['extra']['refresh_token'])}"
        store.texts[key] = TokenPair(pair["access_token"], pair["refresh_token"], 0.0, portal.member_id, "1").to_text()

    client.tokens._sleep = sleep
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
        client.call("profile")
    assert portal.refused_renewals == 3


def test_a_pair_found_dead_before_a_later_attempt_is_not_asked_about_once_more(portal, app, connected, naps):
    """REST 3.0 has one code for all refusals of a token, so version 2 is asked: but only if a token was refused."""
    connection = portal.oauth_connection(app, access_token=None)
    client = connected(connection)
    client.call("profile")
    for token in app.refresh_tokens.values():
        token.expires_at = 0.0
    portal.fault("error", "tasks.task.list", code="QUERY_LIMIT_EXCEEDED", status=503)
    sleep = naps.advance
    naps.advance = lambda seconds: sleep(3600)
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
        client.call("tasks.task.list", version=3)
    assert portal.refused_renewals == 1


def test_an_answer_that_was_lost_after_the_token_was_used_up_ends_with_the_message_to_authorize(portal, connected):
    client = connected(access_token=None)
    portal.fault("reset_after", "oauth/token")
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
        client.call("profile")
    assert (portal.renewals, portal.refused_renewals) == (1, 1)


# Faults on the way that a renewal does not fix


def test_a_portal_unable_to_authorize_is_asked_twice_more_and_nothing_is_renewed(portal, connected):
    portal.fault("error", "profile", code="authorization_error", status=401, times=None)
    with pytest.raises(Unauthorized) as caught:
        connected().call("profile")
    assert not caught.value.retryable
    assert errors_of(portal, "profile") == ["authorization_error"] * 3
    assert portal.renewals == 0


def test_a_portal_unable_to_authorize_for_a_moment_is_asked_again(portal, connected):
    portal.fault("error", "crm.item.add", code="authorization_error", status=401, times=2)
    connected().call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "once"}})
    assert portal.executed("crm.item.add") == 1


def test_a_portal_that_cannot_reach_the_authorization_server_is_asked_again_and_nothing_is_renewed(portal, connected):
    portal.fault("error", "crm.item.add", code="CONNECTION_ERROR", status=401, times=3)
    client = connected()
    client.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "once"}})
    assert portal.executed("crm.item.add") == 1
    portal.fault("error", "profile", code="CONNECTION_ERROR", status=401, times=None)
    with pytest.raises(ServerFault) as caught:
        client.call("profile")
    assert caught.value.retryable
    assert portal.renewals == 0


def test_an_application_that_is_gone_is_not_renewed(portal, connected):
    portal.fault("error", "profile", code="APPLICATION_NOT_FOUND", status=401, times=None)
    with pytest.raises(Blocked, match="not installed") as caught:
        connected().call("profile")
    assert not caught.value.retryable
    assert portal.renewals == 0


def test_an_authorization_server_that_is_away_is_tried_again_and_the_method_did_not_run(portal, connected):
    client = connected(access_token=None, oauth_url=f"https://127.0.0.1:{unused_port()}/oauth/token/")
    with pytest.raises(NotSent, match=r"no token: no connection to 127\.0\.0\.1") as caught:
        client.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "never"}})
    assert "check the extra `oauth_url`" in caught.value.next_step
    assert (caught.value.retryable, caught.value.ran) == (True, "no")
    assert portal.requests == 0


def test_an_authorization_server_that_speaks_html_is_asked_again(portal, app, connected):
    portal.fault("status_before", "oauth/token", status=502, times=2)
    assert connected(access_token=None).call("profile")["ID"] == "1"
    assert portal.renewals == 1


def test_an_authorization_server_with_a_certificate_that_is_not_trusted_is_sent_nothing(portal, connected):
    client = connected(access_token=None, verify=True)
    with pytest.raises(NotSent, match="certificate") as caught:
        client.call("profile")
    assert not caught.value.retryable
    assert portal.requests == 0


# The store


@pytest.mark.parametrize(
    ("error", "kind", "cause"),
    [
        (PermissionError(13, "Permission denied: redis://:s3cret@host"), ConfigurationError, "permission denied"),
        (ConfigurationError("not from here"), ConfigurationError, "not from here"),
        (RuntimeError("s3cret"), NotSent, "RuntimeError"),
        (OSError(28, "s3cret"), NotSent, "no space left on device"),
    ],
)
def test_a_store_that_cannot_be_written_is_found_before_the_refresh_token_is_used_up(
    portal, app, connected, error, kind, cause
):
    class ReadOnly(MemoryStore):
        def write(self, key, text, version):
            raise error

    connection = portal.oauth_connection(app)
    with pytest.raises(kind, match=f"cannot be written .{cause}.*nothing is lost") as caught:
        connected(connection, ReadOnly(), access_token=None).call("profile")
    # What may not be written will not be, and what could not be may be the next time.
    assert caught.value.retryable == (kind is NotSent)
    assert "s3cret" not in str(caught.value)
    assert portal.renewals == 0
    assert app.valid_refresh_token(connection["extra"])


def test_a_store_is_tried_once_by_a_worker_and_not_at_each_of_its_renewals(app, store, connected):
    client = connected()
    for _ in range(3):
        app.expire_access_tokens()
        client.call("profile")
    assert [key for key in store.written if "__used_" in key] == store.written[:1]


def test_a_store_that_cannot_be_read_after_the_answer_still_gets_the_pair(portal, app, connected):
    class Away(MemoryStore):
        def read(self, key):
            if portal.renewals:
                raise ConnectionError
            return super().read(key)

    store = Away()
    assert connected(None, store, access_token=None).call("profile")["ID"] == "1"
    assert app.valid_refresh_token(json.loads(store.pairs[0]))


class Failing(MemoryStore):
    """Refuses to write a pair this many times."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def write(self, key, text, version):
        if "__seed_" in key and self.times:
            self.times -= 1
            raise ConnectionError
        return super().write(key, text, version)


def test_a_pair_that_could_not_be_stored_is_tried_again_since_there_is_no_other_copy(portal, app, connected, naps):
    store = Failing(times=4)
    assert connected(None, store, access_token=None).call("profile")["ID"] == "1"
    assert app.valid_refresh_token(json.loads(store.pairs[0]))
    assert 5 < naps.total < 10


def test_a_pair_that_cannot_be_stored_fails_loudly_and_tells_that_the_stored_one_is_dead(portal, connected):
    with pytest.raises(
        ConfigurationError, match=f"ConnectionError.*stored pair is no longer valid.*{RENEWED_AGAIN}"
    ) as caught:
        connected(None, Failing(times=99), access_token=None).call("profile")
    assert not caught.value.retryable
    assert portal.executed("profile") == 0


def test_a_store_in_which_somebody_else_writes_all_the_time_is_told(portal, connected):
    class Busy(MemoryStore):
        def write(self, key, text, version):
            return "__seed_" not in key and super().write(key, text, version)

    with pytest.raises(ConfigurationError, match=r"could not be stored .others keep writing.*no longer valid"):
        connected(None, Busy(), access_token=None).call("profile")
    assert portal.executed("profile") == 0


def test_a_store_says_itself_why_it_cannot_be_read(portal, connected):
    class Sealed(MemoryStore):
        def read(self, key):
            raise ConfigurationError("the vault is sealed", next_step="unseal it")

    with pytest.raises(ConfigurationError, match=r"the vault is sealed.*unseal it"):
        connected(None, Sealed()).call("profile")
    assert portal.requests == 0


def test_a_store_that_cannot_be_read_is_no_reason_to_use_the_seed_up(portal, app, connected):
    class Away(MemoryStore):
        def read(self, key):
            raise ConnectionError("redis://:s3cret@host is away")

    with pytest.raises(NotSent, match=r"the token store cannot be read \(ConnectionError\)") as caught:
        connected(None, Away(), access_token=None).call("profile")
    assert caught.value.retryable
    assert "s3cret" not in str(caught.value)
    assert portal.requests == 0


_SPOILED = [
    "",
    "{",
    "{}",
    "null",
    '{"access_token": 1}',
    '{"access_token": "a", "refresh_token": "b", "expires_at": "soon"}',
    '[{"a": 1}]',
    "[" * 100_000,
]


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind in ("__seed_", "__app_") for text in _SPOILED] + [("__seed_", "[]")]
)
def test_a_record_that_was_spoiled_is_named_and_nothing_is_renewed(portal, store, connected, kind, text):
    connection = portal.oauth_connection()
    connected(connection, access_token=None).call("profile")
    (key,) = (key for key in store.texts if kind in key)
    store.texts[key] = text
    portal.reset_calls()
    with pytest.raises(ConfigurationError, match=f"delete {key} from it, and authorize"):
        connected(connection).call("profile")
    assert portal.requests == 0


def test_a_record_with_fields_of_a_newer_version_is_read(portal, store, connected):
    connection = portal.oauth_connection()
    connected(connection, access_token=None).call("profile")
    (key,) = (key for key in store.texts if "__seed_" in key)
    store.texts[key] = json.dumps({**json.loads(store.texts[key]), "added_later": 1})
    connected(connection).call("profile")
    assert portal.renewals == 1


def test_names_of_records_hold_the_word_by_which_airflow_hides_them_and_no_secret(portal, app, store, connected):
    connected(access_token=None).call("profile")
    assert len(store.texts) == 3
    assert all("token" in key for key in store.texts)
    assert not [secret for secret in app.secrets() if any(secret in key for key in store.texts)]


# Seeds


def test_a_new_seed_in_the_connection_wins_at_once_and_the_old_one_never_again(portal, app, connected):
    old = portal.oauth_connection(app)
    connected(old, access_token=None).call("profile")
    new = portal.oauth_connection(app)
    connected(new, access_token=None).call("profile")
    assert portal.renewals == 2

    portal.reset_calls()
    connected(old).call("profile")
    newest = portal.calls[-1].params["auth"]
    connected(new).call("profile")
    assert portal.calls[-1].params["auth"] == newest
    assert portal.renewals == 2


@pytest.mark.parametrize("more", [{}, {"access_token": None}], ids=["with a fresh access token", "alone"])
def test_a_new_seed_heals_a_dead_pair_for_all_connections_of_the_application(portal, app, connected, naps, more):
    first = portal.oauth_connection(app)
    connected(first, access_token=None).call("profile")
    for token in app.refresh_tokens.values():
        token.expires_at = 0.0
    app.expire_access_tokens()
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
        connected(first).call("profile")

    connected(portal.oauth_connection(app), **more).call("profile")
    assert connected(first).call("profile")["ID"] == "1"


def test_a_test_of_a_new_seed_uses_the_access_token_beside_it_and_renews_nothing(portal, app, store, connected):
    connected(access_token=None).call("profile")
    portal.reset_calls()
    with application_client(portal.oauth_connection(app), store, renews=False) as client:
        assert client.call("profile")["ID"] == "1"
    assert [call.method for call in portal.calls] == ["profile"]


def test_renewals_of_two_connections_of_one_application_go_on_from_each_other(portal, app, store, connected):
    first, second = portal.oauth_connection(app), portal.oauth_connection(app)
    connected(first, access_token=None).call("profile")
    connected(second, access_token=None).call("profile")
    for connection in (first, second, first):
        app.expire_access_tokens()
        assert connected(connection).call("profile")["ID"] == "1"
    assert (portal.renewals, portal.refused_renewals) == (5, 0)


def test_two_users_of_one_application_have_each_a_pair_of_their_own(portal, app, connected):
    admin, clerk = portal.oauth_connection(app), portal.oauth_connection(app, portal.clerk)
    for connection, user_id in ((admin, "1"), (clerk, "7"), (admin, "1"), (clerk, "7")):
        app.expire_access_tokens()
        assert connected(connection).call("profile")["ID"] == user_id
    assert portal.refused_renewals == 0


def test_a_seed_whose_worker_died_before_it_told_the_others_is_told_at_the_next_renewal(portal, app, store, connected):
    old, new = portal.oauth_connection(app), portal.oauth_connection(app)
    connected(old, access_token=None).call("profile")
    (seeds,) = (key for key in store.texts if "__app_" in key)
    before = store.texts[seeds]
    connected(new, access_token=None).call("profile")
    store.texts[seeds] = before

    connected(new).call("profile")
    own = portal.calls[-1].params["auth"]
    assert portal.renewals == 2
    app.expire_access_tokens()
    connected(new).call("profile")
    assert portal.calls[-1].params["auth"] != own
    connected(old).call("profile")
    assert (portal.renewals, portal.refused_renewals) == (3, 0)


def test_an_old_seed_goes_on_with_its_own_pair_where_somebody_removed_the_newer_one(portal, app, store, connected):
    old, new = portal.oauth_connection(app), portal.oauth_connection(app)
    connected(old, access_token=None).call("profile")
    (own,) = (key for key in store.texts if "__seed_" in key)
    connected(new, access_token=None).call("profile")
    (newer,) = (key for key in store.texts if "__seed_" in key and key != own)
    del store.texts[newer]
    connected(old).call("profile")
    assert portal.calls[-1].params["auth"] == json.loads(store.texts[own])["access_token"]
    assert portal.renewals == 2


def test_the_seeds_that_cannot_be_told_are_no_reason_to_fail(portal, connected, caplog):
    class OnlyPairs(MemoryStore):
        def write(self, key, text, version):
            if "__app_" in key:
                raise ConnectionError
            return super().write(key, text, version)

    with caplog.at_level(logging.WARNING):
        assert connected(None, OnlyPairs(), access_token=None).call("profile")["ID"] == "1"
    assert "do not see its new token pair yet (ConnectionError)" in caplog.text


# The lock


def test_who_waits_too_long_for_another_process_that_renews_may_be_tried_again(portal, app, connected, lock_directory):
    client = connected(access_token=None)
    name = f"token-{fingerprint(app.client_id)}.lock"
    with (
        locked_file(name, shared_directory(), private=True),
        pytest.raises(NotSent, match="another process has been renewing") as caught,
    ):
        client.call("profile")
    assert caught.value.retryable
    assert portal.renewals == 0
    assert client.call("profile")["ID"] == "1"


def test_without_a_directory_for_the_lock_renewals_go_on(portal, connected, lock_directory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(lock_directory / "missing"))
    assert connected(access_token=None).call("profile")["ID"] == "1"
    assert portal.renewals == 1


# Secrets


def test_no_repr_shows_a_secret(portal, app, connected):
    client = connected(access_token=None)
    client.call("profile")
    shown = [repr(part) for part in (client.tokens.current(), client.portal, client.tokens, client.portal.credentials)]
    assert not [secret for secret in app.secrets() if any(secret in text for text in shown)]


_FAULTS = {
    "reset_before": {},
    "reset_after": {},
    "close_before": {},
    "close_after": {},
    "truncated": {},
    "status_before": {"status": 503},
    "status_after": {"status": 500},
    "redirect": {"location": "https://oauth.evil.example/"},
    "body": {"body": b"<html><title>x</title>"},
    "wrong_charset": {},
    "error": {"code": "invalid_client", "status": 401},
    "overload": {},
}


@pytest.mark.parametrize("method", ["oauth/token", "profile"])
@pytest.mark.parametrize("fault", _FAULTS)
def test_no_fault_tells_a_secret_in_an_error_its_causes_or_the_log(portal, app, connected, all_output, fault, method):
    client = connected(access_token=None)
    portal.fault(fault, method, times=None, **_FAULTS[fault])
    error = None
    try:
        client.call("profile")
    except Bitrix24Error as caught:
        error = caught
    # Only an answer in another charset is still understood.
    assert (error is None) == (fault == "wrong_charset")
    for secret in app.secrets():
        assert_untold(secret, all_output, error)


def test_each_secret_is_told_before_it_is_used(portal, app, store, naps):
    result, told_at_write = [], []
    store.before_write = lambda key: told_at_write.append(set(result))
    connection = portal.oauth_connection(app)
    with application_client(connection, store, naps, on_secret=result.append) as client:
        app.expire_access_tokens()
        client.call("profile")
    new = json.loads(store.pairs[0])
    assert {new["access_token"], new["refresh_token"]} <= told_at_write[1]
    assert connection["extra"]["access_token"] in result


def test_a_token_that_is_missing_is_told_to_no_masker(portal, app, store, naps):
    result = []
    connection = portal.oauth_connection(app, access_token=None)
    with application_client(connection, store, naps, on_secret=result.append) as client:
        client.call("profile")
    assert "" not in result
