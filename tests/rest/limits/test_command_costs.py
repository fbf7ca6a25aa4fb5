"""What commands cost, learned from answers: tables, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.rest.limits.command_costs import CommandCosts, seconds_of

GET, UPDATE = "crm.item.get", "crm.item.update"


def test_slowness_counts_at_once_and_is_forgotten_slowly() -> None:
    costs = CommandCosts()
    costs.learn(GET, 0.1, 10)
    costs.learn(GET, 8.0, 10)
    assert costs.seconds(GET) == 8.0
    costs.learn(GET, 2.0, 10)
    assert costs.seconds(GET) == 5.0
    assert costs.seconds(UPDATE) == costs.size(UPDATE) == 0.0
    assert costs.fit(UPDATE) == 50


@pytest.mark.parametrize(
    ("time_", "seconds"),
    [
        ({"duration": 0.5}, 0.5),
        ({"duration": "0.5"}, 0.5),
        ({"duration": 3}, 3.0),
        ({}, 0.0),
        ({"duration": None}, 0.0),
        ({"duration": -1}, 0.0),
        ({"duration": "x"}, 0.0),
        ({"duration": []}, 0.0),
        ({"duration": 10**400}, 0.0),
        ({"duration": float("inf")}, 0.0),
        ({"duration": float("nan")}, 0.0),
        ({"duration": 1e9}, 0.0),
    ],
)
def test_a_duration_counts_where_it_can_be_true(time_: dict[str, Any], seconds: float) -> None:
    assert seconds_of(time_) == seconds
