from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


def statuses(ask, portal, count, method="profile", params=None):
    return [ask(portal, method, params).status_code for _ in range(count)]


def test_the_bucket_overflows_and_drains_once_a_second(ask):
    with Sandbox(rate=2, burst=5) as portal:
        assert statuses(ask, portal, 6) == [200] * 5 + [503]
        portal.clock.advance(2)
        assert statuses(ask, portal, 5) == [200] * 4 + [503]
        assert portal.calls[-1].error == "QUERY_LIMIT_EXCEEDED"
        assert portal.executed("profile") == 9


def test_a_batch_is_one_request(ask):
    with Sandbox(burst=2) as portal:
        for _ in range(2):
            ask(portal, "batch", {"cmd": {f"c{number}": "profile" for number in range(50)}})
        assert portal.executed("profile") == 100
        assert statuses(ask, portal, 1) == [503]


def test_operating_time_blocks_one_method_until_its_oldest_minute_drops_out(ask):
    with Sandbox(operating_limit=2.5, method_seconds={"profile": 1}) as portal:
        portal.clock.advance(60 - portal.clock.now() % 60)
        times = [ask(portal, "profile").json()["time"] for _ in range(3)]
        assert [round(time["operating"]) for time in times] == [1, 2, 3]
        assert times[0]["duration"] == pytest.approx(1, abs=0.1)
        assert times[0]["operating_reset_at"] % 60 == 0
        blocked = ask(portal, "profile")
        assert (blocked.status_code, blocked.json()["error"]) == (429, "OPERATION_TIME_LIMIT")
        assert "time" not in blocked.json()
        assert ask(portal, "scope").json()["time"]["operating"] == 0
        portal.clock.advance(times[0]["operating_reset_at"] - portal.clock.now() - 1)
        assert statuses(ask, portal, 1) == [429]
        portal.clock.advance(1)
        assert statuses(ask, portal, 1) == [200]


@pytest.mark.parametrize("shared", [True, False])
def test_webhooks_share_operating_time_or_not(ask, shared):
    with Sandbox(operating_limit=0.5, method_seconds={"profile": 1}, operating_shared=shared) as portal:
        ask(portal, "profile")
        assert ask(portal, "profile", user=portal.clerk).status_code == (429 if shared else 200)


def test_calls_of_a_tenth_of_a_second_are_not_counted_unless_one_request_has_many(ask):
    with Sandbox(operating_limit=10, method_seconds={"profile": 0.09}) as portal:
        assert ask(portal, "profile").json()["time"]["operating"] == 0
        result = ask(portal, "batch", {"cmd": {"a": "profile", "b": "profile", "c": "profile"}}).json()["result"]
        counted = [round(time["operating"], 2) for time in result["result_time"].values()]
        assert counted == [0, 0.18, 0.27]


@pytest.mark.parametrize(
    ("billing", "commands", "batch"),
    [("commands", [1, 2], 0), ("batch", [0, 0], 2), ("none", [0, 0], 0)],
)
def test_who_pays_for_a_batch_is_a_setting(ask, billing, commands, batch):
    with Sandbox(operating_limit=1.5, method_seconds={"profile": 1}, batch_billing=billing) as portal:
        answer = ask(portal, "batch", {"cmd": {"a": "profile", "b": "profile"}}).json()
        times = answer["result"]["result_time"]
        assert [round(time["operating"]) for time in times.values()] == commands
        assert round(answer["time"]["operating"]) == batch
        again = ask(portal, "batch", {"cmd": {"a": "profile"}}).json()
        error = again.get("error") or (again["result"]["result_error"] or {"a": {"error": None}})["a"]["error"]
        assert error == (None if billing == "none" else "OPERATION_TIME_LIMIT")
