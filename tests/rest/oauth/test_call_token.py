"""When a call renews its token, and when it gives up: at a real authorization server."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.exceptions import (
    Blocked,
    ConfigurationError,
    ExpiredToken,
    NotSent,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair
from airflow_provider_bitrix24.sandbox import unused_port
from tests.rest.applications import MemoryStore, errors_of

pytestmark = pytest.mark.usefixtures("lock_directory")


def test_a_token_that_is_good_is_not_renewed(portal, connected):
    client = connected()
    for _ in range(6):
        assert client.call("profile")["ID"] == "1"
        portal.clock.advance(590)
    assert errors_of(portal, "oauth/token") == []


def test_a_pair_in_memory_is_not_looked_up_again(portal, store, connected):
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
