"""A portal that takes its time: answers are held back, side by side."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

BATCH = {"cmd": {f"c{number}": "profile" for number in range(5)}}


def seconds_of(call, *args):
    began = time.monotonic()
    answer = call(*args)
    return time.monotonic() - began, answer


def test_each_command_of_a_batch_takes_its_time(ask):
    with Sandbox(latency=0.1, command_seconds=0.05) as portal:
        seconds, answer = seconds_of(ask, portal, "batch", BATCH)
        assert seconds >= 0.35
        body = answer.json()
        durations = [times["duration"] for times in body["result"]["result_time"].values()]
        assert durations == pytest.approx([0.05] * 5, abs=0.02)
        assert body["time"]["duration"] == pytest.approx(0.25, abs=0.1)
        alone, answer = seconds_of(ask, portal, "profile")
        assert 0.1 <= alone < 0.35
        assert answer.json()["time"]["duration"] < 0.05


def test_a_lost_batch_takes_its_time_too(ask):
    with Sandbox(command_seconds=0.05) as portal:
        portal.fault("status_after", "batch")
        seconds, answer = seconds_of(ask, portal, "batch", BATCH)
        assert (answer.status_code, portal.executed("profile")) == (502, 5)
        assert seconds >= 0.25


def test_requests_are_held_back_side_by_side(ask):
    with Sandbox(latency=0.5, command_seconds=0.1) as portal:
        threads = [threading.Thread(target=ask, args=(portal, "batch", BATCH)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        came = [call.at for call in portal.calls]
        # All came before the first of them was answered.
        assert len(came) == 4
        assert max(came) - min(came) < 1.0


def test_commands_of_a_batch_use_operating_time(ask):
    with Sandbox(command_seconds=0.05, operating_limit=0.2) as portal:
        refused = ask(portal, "batch", BATCH).json()["result"]["result_error"]
        assert {key: error["error"] for key, error in refused.items()} == {"c4": "OPERATION_TIME_LIMIT"}
