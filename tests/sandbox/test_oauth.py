"""The sandbox's authorization server refuses what Bitrix24's refuses, and rotates as strictly."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.fixture
def app(portal):
    return portal.application()


@pytest.fixture
def token(portal, http):
    """``token(app, verb="POST", grant_type="refresh_token", …)`` -> the answer of the token endpoint."""

    def ask(app, verb="POST", **fields):
        keys = {"client_id": app.client_id, "client_secret": app.client_secret, **fields}
        place = {"params": keys} if verb == "GET" else {"data": keys}
        return http.request(verb, f"{portal.url}/oauth/token/", verify=portal.ca_file, timeout=10, **place)

    return ask


@pytest.fixture
def call(portal, http):
    """``call("profile", auth=…)`` -> the answer of a method that an application calls."""

    def post(method, params=None, **options):
        options = options or {"json": params or {}}
        return http.post(f"{portal.url}/rest/{method}", verify=portal.ca_file, timeout=10, **options)

    return post


def renewed(token, app, pair, verb="POST"):
    return token(app, verb, grant_type="refresh_token", refresh_token=pair["refresh_token"])


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_refresh_token_is_exchanged_for_a_new_pair(portal, app, token, verb):
    pair = app.grant()
    answer = renewed(token, app, pair, verb)
    new = answer.json()
    assert answer.status_code == 200
    assert sorted(new) == [
        "access_token",
        "client_endpoint",
        "domain",
        "expires",
        "expires_in",
        "member_id",
        "refresh_token",
        "scope",
        "server_endpoint",
        "status",
        "user_id",
    ]
    assert (new["expires_in"], new["user_id"], new["status"]) == (3600, 1, "L")
    assert new["client_endpoint"] == new["server_endpoint"] == f"{portal.url}/rest/"
    assert new["member_id"] == portal.member_id == app.member_id
    assert app.valid_refresh_token(new)
    assert app.valid_access_token(new)
    assert not app.valid_refresh_token(pair)


def test_a_refresh_token_is_granted_once_and_each_further_try_is_counted(portal, app, token):
    pair = app.grant()
    assert renewed(token, app, pair).status_code == 200
    for _ in range(2):
        answer = renewed(token, app, pair)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    used = app.refresh_tokens[pair["refresh_token"]]
    assert (used.granted, used.refused) == (1, 2)
    assert (portal.renewals, portal.refused_renewals) == (app.renewals, app.refused_renewals) == (1, 2)


def test_a_refresh_token_is_too_old_after_180_days(portal, app, token):
    first, second = app.grant(), app.grant()
    portal.clock.advance(180 * 24 * 3600 - 60)
    assert renewed(token, app, first).status_code == 200
    portal.clock.advance(60)
    assert renewed(token, app, second).json()["error"] == "invalid_grant"


def test_lifetimes_may_be_others(portal, token, call):
    app = portal.application(access_seconds=10, refresh_seconds=20)
    pair = app.grant()
    assert pair["expires_in"] == 10
    portal.clock.advance(10)
    assert call("profile", {"auth": pair["access_token"]}).json()["error"] == "expired_token"
    portal.clock.advance(10)
    assert renewed(token, app, pair).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "local.unknown"}, 200, "wrong_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"refresh_token": "unknown"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "invalid_request"),
    ],
)
def test_wrong_fields_are_refused_and_use_nothing_up(app, token, wrong, status, code):
    pair = app.grant()
    answer = token(app, **{"grant_type": "refresh_token", "refresh_token": pair["refresh_token"], **wrong})
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert app.valid_refresh_token(pair)


def test_an_uninstalled_application_is_unknown_and_its_tokens_are_dead(app, token, call):
    pair = app.grant()
    app.uninstall()
    assert renewed(token, app, pair).json()["error"] == "invalid_client"
    assert call("profile", {"auth": pair["access_token"]}).json()["error"] == "invalid_token"


def test_signing_in_leads_back_to_the_registered_address_with_a_code(portal, http, token):
    app = portal.application(redirect_to="https://app.example.com/back?x=1", scopes=["crm", "task"])
    page = http.get(
        f"{portal.url}/oauth/authorize/",
        params={"client_id": app.client_id, "state": "my state"},
        verify=portal.ca_file,
        allow_redirects=False,
    )
    location = urlsplit(page.headers["location"])
    back = dict(parse_qsl(location.query))
    assert page.status_code == 302
    assert location.netloc + location.path == "app.example.com/back"
    assert (back["x"], back["state"], back["scope"]) == ("1", "my state", "crm,task")
    assert (back["domain"], back["server_domain"], back["member_id"]) == ("127.0.0.1", "127.0.0.1", portal.member_id)

    answer = token(app, "GET", grant_type="authorization_code", code=back["code"])
    assert answer.status_code == 200
    assert not {"user_id", "expires"} & set(answer.json())
    assert app.valid_refresh_token(answer.json())
    # A code is good once.
    assert token(app, grant_type="authorization_code", code=back["code"]).json()["error"] == "invalid_grant"


def test_signing_in_without_a_registered_address_shows_the_code(portal, app, http, token):
    page = http.get(f"{portal.url}/oauth/authorize/?client_id={app.client_id}", verify=portal.ca_file).text
    code = page.partition("<code>")[2].partition("</code>")[0]
    assert token(app, grant_type="authorization_code", code=code).status_code == 200


def test_signing_in_to_an_unknown_application_shows_a_page_and_leads_nowhere(portal, http):
    page = http.get(f"{portal.url}/oauth/authorize/?client_id=local.no", verify=portal.ca_file, allow_redirects=False)
    assert (page.status_code, page.headers.get("location")) == (404, None)


def test_a_code_lives_30_seconds(portal, app, token):
    early, late = app.authorize_code(), app.authorize_code()
    portal.clock.advance(29)
    assert token(app, grant_type="authorization_code", code=early).status_code == 200
    portal.clock.advance(1)
    assert token(app, grant_type="authorization_code", code=late).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "signed",
    [
        lambda token: {"json": {"auth": token}},
        lambda token: {"json": {"access_token": token}},
        lambda token: {"data": {"auth": token}},
        lambda token: {"params": {"auth": token}},
        lambda token: {"headers": {"Authorization": f"Bearer {token}"}},
    ],
    ids=["JSON auth", "JSON access_token", "form", "query", "Bearer"],
)
def test_an_access_token_is_taken_wherever_it_may_be(portal, call, signed):
    app = portal.application(portal.clerk)
    answer = call("profile", **signed(app.grant()["access_token"]))
    assert answer.json()["result"]["ID"] == "7"
    assert (portal.calls[-1].user_id, portal.calls[-1].client_id) == (7, app.client_id)


def test_an_access_token_is_too_old_after_an_hour_and_an_unknown_one_is_said_to_be_unknown(portal, app, call):
    old = app.grant()
    portal.clock.advance(3600)
    answer = call("profile", {"auth": old["access_token"]})
    assert (answer.status_code, answer.json()["error"]) == (401, "expired_token")
    answer = call("profile", {"auth": "unknown"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    new = app.grant()
    app.expire_access_tokens()
    assert call("profile", {"auth": new["access_token"]}).json()["error"] == "expired_token"
    assert app.valid_refresh_token(new)


def test_a_token_of_somebody_who_may_not_log_in_is_refused(portal, app, call):
    pair = app.grant()
    portal.admin.active = False
    assert call("profile", {"auth": pair["access_token"]}).json()["error"] == "authorization_error"


def test_an_application_has_scopes_of_its_own(portal, call):
    app = portal.application(scopes=["user"])
    auth = app.grant()["access_token"]
    assert call("scope", {"auth": auth}).json()["result"] == ["user"]
    refused = call("crm.item.list", {"auth": auth, "entityTypeId": 2})
    assert refused.json()["error"] == "insufficient_scope"
    commands = {"auth": auth, "cmd": {"a": "crm.item.list?entityTypeId=2", "b": "profile"}}
    result = call("batch", commands).json()["result"]
    assert (list(result["result"]), result["result_error"]["a"]["error"]) == (["b"], "insufficient_scope")
    assert portal.scopes != {"user"}


def test_app_info_tells_an_application_its_status(app, call):
    result = call("app.info", {"auth": app.grant()["access_token"]}).json()["result"]
    assert (result["CODE"], result["STATUS"], result["INSTALLED"]) == (app.client_id, "L", True)


def test_rest_3_takes_a_token_and_has_one_code_for_all_that_is_wrong_with_it(app, call):
    auth = app.grant()["access_token"]
    assert "items" in call("api/tasks.task.list", {"auth": auth}).json()["result"]
    app.expire_access_tokens()
    answer = call("api/tasks.task.list", {"auth": auth})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION"


def test_operating_time_of_an_application_is_its_own(app, call, http):
    with Sandbox(operating_limit=1.0, method_seconds={"crm.item.list": 5.0}) as portal:
        first, second = portal.application().grant(), portal.application().grant()

        def listed(pair):
            params = {"auth": pair["access_token"], "entityTypeId": 2}
            return http.post(f"{portal.url}/rest/crm.item.list", json=params, verify=portal.ca_file).status_code

        assert [listed(first), listed(first), listed(second)] == [200, 429, 200]


@pytest.mark.parametrize(
    ("code", "status"),
    [("PAYMENT_REQUIRED", 402), ("invalid_client", 401), ("insufficient_scope", 403), ("invalid_scope", 400)],
)
def test_the_token_endpoint_gives_any_error_on_request_and_uses_nothing_up(portal, app, token, code, status):
    pair = app.grant()
    portal.fault("error", method="oauth/token", code=code, status=status)
    answer = renewed(token, app, pair)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert app.valid_refresh_token(pair)


def test_an_answer_of_the_token_endpoint_can_be_lost_after_the_token_is_used_up(portal, app, token):
    pair = app.grant()
    portal.fault("status_after", method="oauth/token", status=502)
    assert renewed(token, app, pair).status_code == 502
    assert not app.valid_refresh_token(pair)
    assert portal.renewals == 1


def test_token_answers_can_be_made_wrong(app, token):
    app.answer_changes = {"member_id": "another", "server_endpoint": None}
    answer = renewed(token, app, app.grant()).json()
    assert answer["member_id"] == "another"
    assert "server_endpoint" not in answer


def test_what_the_authorization_server_received_is_among_the_calls(portal, app, token):
    pair = app.grant()
    renewed(token, app, pair)
    renewed(token, app, pair, "GET")
    first, second = portal.calls
    assert (first.method, first.verb, first.query, first.status, first.executed) == (
        "oauth/token",
        "POST",
        "",
        200,
        True,
    )
    assert (second.verb, second.status, second.error) == ("GET", 400, "invalid_grant")
    assert pair["refresh_token"] in second.query
    assert pair["refresh_token"] not in repr(second).partition("params")[0]


def test_the_installation_callback_is_a_form_with_a_pair_that_works(portal, app, token):
    form = {name: values[0] for name, values in parse_qs(app.install_callback()).items()}
    assert form["event"] == "ONAPPINSTALL"
    assert (form["auth[member_id]"], form["auth[status]"]) == (portal.member_id, "L")
    assert form["auth[application_token]"] == app.application_token
    assert token(app, grant_type="refresh_token", refresh_token=form["auth[refresh_token]"]).status_code == 200


def test_a_connection_of_an_application_holds_all_that_a_client_needs(portal, call):
    app = portal.application()
    connection = portal.oauth_connection(app, token_store="variable")
    extra = connection["extra"]
    assert (connection["conn_type"], connection["host"]) == ("bitrix24", portal.url)
    assert (extra["auth"], extra["token_store"], extra["oauth_url"]) == (
        "oauth",
        "variable",
        f"{portal.url}/oauth/token/",
    )
    assert app.valid_refresh_token(extra)
    assert call("profile", {"auth": extra["access_token"]}).json()["result"]["ID"] == "1"


def test_secrets_of_an_application_stay_out_of_its_repr(app):
    app.grant()
    assert not [secret for secret in app.secrets() if secret in repr(app)]
