"""How a token pair is renewed, by whom, and what happens when that fails: at a real authorization server."""

from __future__ import annotations

import json
import tempfile

import pytest

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    Blocked,
    ConfigurationError,
    Forbidden,
    NotSent,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory
from airflow_provider_bitrix24.rest.oauth import token_renewal
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair, fingerprint
from tests.rest.applications import RENEWED_AGAIN, MemoryStore, application_client, errors_of
from tests.secrecy import assert_untold

pytestmark = pytest.mark.usefixtures("lock_directory")


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
        ("wrong_client", 200, Unauthorized, "check client_id and client_secret"),
        ("WRONG_CLIENT", 400, Unauthorized, "check client_id and client_secret"),
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


def test_a_client_id_that_nobody_has_is_answered_with_a_hint(portal, connected):
    with pytest.raises(Unauthorized, match=r"wrong_client \(HTTP 200\).*check client_id and client_secret") as caught:
        connected(access_token=None, client_id="local.nobody").call("profile")
    assert caught.value.affects_every_row
    assert errors_of(portal, "oauth/token") == ["wrong_client"]


# invalid_grant


def test_a_dead_pair_asks_for_authorization_after_looking_for_a_newer_one(portal, app, connected, naps):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN) as caught:
        connected(connection).call("profile")
    assert (caught.value.code, caught.value.retryable) == ("invalid_grant", False)
    assert token_renewal.OTHERS_PATIENCE_SECONDS <= naps.total < token_renewal.OTHERS_PATIENCE_SECONDS + 1
    assert naps.taken[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0]
    # Asked once: a dead token stays dead.
    assert portal.refused_renewals == 1


def test_a_dead_pair_is_waited_for_by_one_worker_and_not_by_those_after_it(portal, app, connected, naps):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()
    for waited_seconds in (token_renewal.OTHERS_PATIENCE_SECONDS, 0.0, 0.0):
        naps.taken.clear()
        with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
            connected(connection).call("profile")
        assert waited_seconds <= sum(naps.taken) < waited_seconds + 1
    assert portal.refused_renewals == 3


def test_a_dead_pair_is_forgotten_with_a_new_seed(portal, app, connected, naps):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()
    with pytest.raises(Unauthorized):
        connected(connection).call("profile")
    assert connected(portal.oauth_connection(app, access_token=None)).call("profile")["ID"] == "1"
    assert connected(portal.oauth_connection(app, access_token=None)).call("profile")["ID"] == "1"


def test_a_newer_pair_that_is_stored_late_is_used_in_place_of_the_dead_one(portal, app, store, connected, naps):
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()
    winner_store = MemoryStore()
    connected(connection, winner_store).call("profile")
    with pytest.raises(Unauthorized):
        connected(connection).call("profile")
    store.texts |= winner_store.texts
    assert connected(connection).call("profile")["ID"] == "1"


def test_a_pair_that_dies_after_another_is_waited_for_once_more(portal, app, store, connected, naps):
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()
    winner_store = MemoryStore()
    connected(connection, winner_store).call("profile")
    with pytest.raises(Unauthorized):
        connected(connection).call("profile")
    store.texts |= winner_store.texts
    app.renew(json.loads(winner_store.pairs[0])["refresh_token"])
    app.expire_access_tokens()
    naps.taken.clear()
    with pytest.raises(Unauthorized):
        connected(connection).call("profile")
    assert sum(naps.taken) >= token_renewal.OTHERS_PATIENCE_SECONDS


def test_a_store_that_cannot_note_a_dead_pair_is_not_a_reason_for_another_error(portal, app, store, connected):
    connection = portal.oauth_connection(app)
    app.renew(connection["extra"]["refresh_token"])
    app.expire_access_tokens()

    def refuse(key):
        if "__dead_" in key:
            raise OSError("read-only")

    store.before_write = refuse
    with pytest.raises(Unauthorized, match=RENEWED_AGAIN):
        connected(connection).call("profile")


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


def test_each_secret_is_masked_before_it_is_used(portal, app, store, naps):
    result, known_at_write = [], []
    store.before_write = lambda key: known_at_write.append(set(result))
    connection = portal.oauth_connection(app)
    with application_client(connection, store, naps, on_secret=result.append) as client:
        app.expire_access_tokens()
        client.call("profile")
    new = json.loads(store.pairs[0])
    assert {new["access_token"], new["refresh_token"]} <= known_at_write[1]
    assert connection["extra"]["access_token"] in result


def test_a_token_that_is_missing_is_given_to_no_masker(portal, app, store, naps):
    result = []
    connection = portal.oauth_connection(app, access_token=None)
    with application_client(connection, store, naps, on_secret=result.append) as client:
        client.call("profile")
    assert "" not in result
