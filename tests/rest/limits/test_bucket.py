"""The request bucket as arithmetic, against a portal that drains in whole steps."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.rest.limits.bucket import PLANS, Bucket

BUCKET = Bucket(rate=2.0, burst=48.0)


@pytest.mark.parametrize(
    ("level", "seconds_later", "new_level", "wait_seconds"),
    [
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 1000.0, 1.0, 0.0),
        (46.0, 0.0, 47.0, 0.0),
        (47.0, 0.0, 48.0, 0.0),
        (48.0, 0.0, 49.0, 0.5),
        (49.0, 0.0, 50.0, 1.0),
        (49.0, 0.25, 49.5, 0.75),
        (48.0, 0.5, 48.0, 0.0),
        (108.0, 0.0, 109.0, 30.5),
        (108.0, 30.0, 49.0, 0.5),
        (48.0, -5.0, 49.0, 0.5),
    ],
)
def test_a_slot_waits_for_what_is_above_the_burst(
    level: float, seconds_later: float, new_level: float, wait_seconds: float
) -> None:
    assert BUCKET.take(level, 100.0, 100.0 + seconds_later) == (new_level, 100.0 + seconds_later, wait_seconds)


@pytest.mark.parametrize(
    ("level", "pause_seconds", "next_wait_seconds"),
    [(0.0, 0.0, 0.5), (0.0, 4.0, 4.5), (60.0, 0.0, 6.5), (60.0, 4.0, 6.5), (60.0, 8.0, 8.5)],
)
def test_a_full_bucket_pauses_and_is_not_emptied_by_a_shorter_pause(
    level: float, pause_seconds: float, next_wait_seconds: float
) -> None:
    filled = BUCKET.fill(level, 100.0, 100.0, pause_seconds)
    assert BUCKET.take(*filled, 100.0)[2] == next_wait_seconds


def test_the_same_refusal_given_by_many_counts_once() -> None:
    once = BUCKET.fill(10.0, 100.0, 100.0, 4.0)
    assert BUCKET.fill(*once, 100.0, 4.0) == once


def most_in_the_portal(bucket: Bucket, drained_per_second: float, phase: float, calls: int) -> float:
    """Highest level of a portal that drains in whole steps, first at ``phase``, while we send as fast as we may."""
    level, at, now, portal, highest, steps = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for _ in range(calls):
        level, at, wait = bucket.take(level, at, now)
        now += wait
        while phase + steps <= now:
            portal, steps = max(0.0, portal - drained_per_second), steps + 1
        portal += 1
        highest = max(highest, portal)
    return highest


@pytest.mark.parametrize(("plan", "blocked_above", "drained"), [("standard", 50, 2), ("enterprise", 250, 5)])
@pytest.mark.parametrize("phase", [0.001, 0.3, 0.5, 0.999])
def test_no_plan_goes_over_its_limit_wherever_in_a_second_the_portal_drains(
    plan: str, blocked_above: int, drained: int, phase: float
) -> None:
    assert blocked_above - 2 * drained <= most_in_the_portal(PLANS[plan], drained, phase, 3 * blocked_above)
    assert most_in_the_portal(PLANS[plan], drained, phase, 3 * blocked_above) <= blocked_above
