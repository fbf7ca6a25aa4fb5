"""Named portals do what their names say, in Python, in a marker and on the command line."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.__main__ import main
from airflow_provider_bitrix24.sandbox.face.scenarios import SCENARIOS

GET, LIST = "crm.deal.get", "crm.deal.list"


def answers(ask, portal, method, calls):
    """What a client sees of this many calls: the code of an error, else the status, or "lost"."""
    result = []
    for _ in range(calls):
        try:
            answer = ask(portal, method, {"id": 1})
        except requests.ConnectionError:
            result.append("lost")
        else:
            is_json = answer.headers["content-type"].startswith("application/json")
            result.append(answer.json().get("error", 200) if is_json else answer.status_code)
    return result


@pytest.mark.parametrize(
    ("name", "method", "calls", "seen"),
    [
        ("limits", GET, 60, {200, "QUERY_LIMIT_EXCEEDED"}),
        ("limits", LIST, 212, {200, "OPERATION_TIME_LIMIT"}),
        ("bad-network", GET, 120, {200, 502, "lost"}),
        ("no-crm-scope", GET, 1, {"insufficient_scope"}),
        ("no-crm-scope", "profile", 1, {200}),
        ("no-plan", "profile", 1, {"ACCESS_DENIED"}),
    ],
)
def test_a_scenario_does_what_its_name_says(name, method, calls, seen, ask):
    with Sandbox(deals=3, scenario=name) as portal:
        assert set(answers(ask, portal, method, calls)) == seen


def test_a_bad_network_loses_one_call_in_ten_and_the_same_ones_each_time(ask):
    seen = []
    for _ in range(2):
        with Sandbox(deals=3, scenario="bad-network") as portal:
            seen.append(answers(ask, portal, GET, 200))
    assert seen[0] == seen[1]
    assert 8 <= len([result for result in seen[0] if result != 200]) <= 32


def test_a_slow_portal_is_slow(ask):
    with Sandbox(deals=3, scenario="slow") as portal:
        assert 0.5 <= ask(portal, "profile").elapsed.total_seconds() < 5


def test_an_old_server_answers_false_where_new_ones_refuse(ask):
    with Sandbox(deals=3, scenario="old-server") as portal:
        assert ask(portal, "crm.item.payment.delete", {"id": 999_999}).json()["result"] is False


def test_a_russian_portal_speaks_russian_unless_set_otherwise(ask):
    described = []
    for language in (None, "en"):
        with Sandbox(deals=3, scenario="russian", language=language) as portal:
            refused = ask(portal, "crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {}}, portal.clerk)
            described.append(refused.json()["error_description"])
    assert [description.isascii() for description in described] == [False, True]


def test_access_tokens_of_an_application_expire_within_seconds_and_are_renewed(http):
    with Sandbox(deals=3, scenario="expired-tokens") as portal:
        http.verify = portal.ca_file
        extra = portal.oauth_connection()["extra"]

        def result(access_token):
            answer = http.post(f"{portal.url}/rest/profile", json={"auth": access_token}, timeout=10).json()
            return answer.get("error", "no error")

        assert result(extra["access_token"]) == "no error"
        portal.clock.advance(5)
        assert result(extra["access_token"]) == "expired_token"
        asked = {name: extra[name] for name in ("client_id", "client_secret", "refresh_token")}
        pair = http.get(extra["oauth_url"], params={"grant_type": "refresh_token", **asked}, timeout=10).json()
        assert pair["expires_in"] == 5
        assert result(pair["access_token"]) == "no error"
        assert portal.application(access_seconds=60).grant()["expires_in"] == 60


def test_an_unknown_scenario_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no scenario 'storm': choose one of limits, bad-network"):
        Sandbox(scenario="storm")


@pytest.mark.bitrix24(scenario="no-plan")
def test_a_marker_chooses_a_scenario(bitrix24_portal, ask):
    assert ask(bitrix24_portal, "profile").json()["error"] == "ACCESS_DENIED"


def test_the_command_line_plays_a_scenario_and_its_help_tells_of_all(sandbox_command, capsys):
    with sandbox_command("--scenario", "no-plan") as result:
        url, ca_file = result["BITRIX24_SANDBOX_WEBHOOK"], result["BITRIX24_SANDBOX_CA_FILE"]
        assert requests.post(url + "profile", verify=ca_file, timeout=10).json()["error"] == "ACCESS_DENIED"
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = "".join(capsys.readouterr().out.split())
    assert all("".join(f"{name}: {scenario.about}".split()) in printed for name, scenario in SCENARIOS.items())
