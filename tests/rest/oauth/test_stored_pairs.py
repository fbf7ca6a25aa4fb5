"""What becomes of a token pair in a store, and which of many pairs a connection uses."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_bitrix24.exceptions import (
    ConfigurationError,
    NotSent,
    Unauthorized,
)
from tests.rest.applications import RENEWED_AGAIN, MemoryStore, application_client

pytestmark = pytest.mark.usefixtures("lock_directory")


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


def test_a_store_in_which_somebody_else_writes_all_the_time_is_reported(portal, connected):
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


def test_a_store_that_cannot_be_read_is_not_a_reason_to_use_the_seed_up(portal, app, connected):
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
def test_a_new_seed_replaces_a_dead_pair_for_all_connections_of_the_application(portal, app, connected, naps, more):
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


def test_a_seed_whose_worker_died_before_it_informed_the_others_is_reported_at_the_next_renewal(
    portal, app, store, connected
):
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


def test_the_seeds_that_cannot_be_reported_are_not_a_reason_to_fail(portal, connected, caplog):
    class OnlyPairs(MemoryStore):
        def write(self, key, text, version):
            if "__app_" in key:
                raise ConnectionError
            return super().write(key, text, version)

    with caplog.at_level(logging.WARNING):
        assert connected(None, OnlyPairs(), access_token=None).call("profile")["ID"] == "1"
    assert "do not see its new token pair yet (ConnectionError)" in caplog.text
