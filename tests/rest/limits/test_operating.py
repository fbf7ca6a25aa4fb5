"""Operating time per method, learned from answers as portals of all kinds give them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.rest.limits.operating import OperatingTime

#: What time it is at the portal.
PORTAL_NOW = 1_760_000_000.0
LIST, UPDATE = "crm.item.list", "crm.item.update"


def times(
    operating: Any = None, reset_in: float | None = None, *, at: float = PORTAL_NOW, duration: float = 1.0
) -> dict[str, Any]:
    """The ``time`` of an answer that the portal finished at ``at``."""
    time: dict[str, Any] = {"start": at - duration, "finish": at, "duration": duration, "processing": duration}
    if operating is not None:
        time["operating"] = operating
    if reset_in is not None:
        time["operating_reset_at"] = at + reset_in
    return time


@pytest.mark.parametrize(
    ("operating", "reset_in", "duration", "delay_seconds"),
    [
        (0, 600, 1.0, 0.0),
        (319.9, 600, 1.0, 0.0),
        (320, 600, 1.0, 6.5),
        (320, 120, 1.0, 0.5),
        (320, 120, 0.2, 0.1),
        (320, 80, 1.0, 0.0),
        (320, 60, 1.0, 0.0),
        (380, 120, 1.0, 5.0),
        (399, 120, 0.5, 59.5),
        (399, 120, 5.0, 120.0),
        (400, 120, 0.2, 120.0),
        (470, 120, 0.2, 120.0),
        (470, -3, 0.2, 0.0),
    ],
)
def test_calls_are_spread_over_what_is_left_once_four_fifths_are_used(
    operating: float, reset_in: float, duration: float, delay_seconds: float
) -> None:
    used = OperatingTime()
    used.learn(LIST, times(operating, reset_in, duration=duration), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(delay_seconds)


def test_time_that_has_passed_since_the_answer_is_not_waited_for_again() -> None:
    used = OperatingTime()
    used.learn(LIST, times(380, 120), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW + 4) == pytest.approx(1.0)
    assert used.delay(LIST, now=PORTAL_NOW + 6) == 0.0


class Minutes:
    """A portal that sums operating time over ten one-minute buckets, and refuses above its own limit."""

    def __init__(self, limit: float) -> None:
        self.limit, self.minutes, self.total, self.refusals = limit, dict[int, float](), 0.0, 0

    def call(self, now: float, seconds: float) -> dict[str, Any] | None:
        self.minutes = {minute: used for minute, used in self.minutes.items() if minute > now // 60 - 10}
        if sum(self.minutes.values()) > self.limit:
            self.refusals += 1
            return None
        end = now + seconds
        self.minutes[int(end // 60)] = self.minutes.get(int(end // 60), 0.0) + seconds
        self.total += seconds
        reset_in = (min(self.minutes) + 10) * 60 - end
        return times(sum(self.minutes.values()), reset_in, at=end, duration=seconds)


@pytest.mark.parametrize(("workers", "call_seconds"), [(1, 0.3), (1, 2.0), (4, 0.3), (4, 2.0)])
def test_workers_that_never_rest_use_nearly_all_of_the_budget_and_are_never_refused(
    workers: int, call_seconds: float
) -> None:
    portal, hours = Minutes(limit=420.0), 2
    learned = [OperatingTime() for _ in range(workers)]
    free_at = [PORTAL_NOW] * workers
    while (now := min(free_at)) < PORTAL_NOW + 3600 * hours:
        worker = free_at.index(now)
        answer = portal.call(now, call_seconds)
        end = now + call_seconds
        learned[worker].learn(LIST, answer, now=end)
        free_at[worker] = end + learned[worker].delay(LIST, now=end)
    assert portal.refusals == 0
    assert 0.95 * 400 * 6 * hours <= portal.total <= 1.1 * 400 * 6 * hours


def test_a_portal_with_a_lower_limit_than_ours_refuses_seldom() -> None:
    portal, used, now = Minutes(limit=100.0), OperatingTime(), PORTAL_NOW
    while now < PORTAL_NOW + 3600:
        answer = portal.call(now, 1.0)
        now += 1.0
        if answer is None:
            assert used.refused(LIST, now=now) is not None
        used.learn(LIST, answer, now=now)
        now += used.delay(LIST, now=now)
    assert portal.refusals <= 60
    assert portal.total >= 0.9 * 100 * 6


def test_the_running_total_is_never_added_up() -> None:
    used = OperatingTime()
    for _ in range(50):
        used.learn(LIST, times(100, 600), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == 0.0


def test_the_last_total_counts_when_a_minute_has_dropped_out() -> None:
    used = OperatingTime()
    used.learn(LIST, times(400, 60), now=PORTAL_NOW)
    used.learn(LIST, times(250, 60, at=PORTAL_NOW + 60), now=PORTAL_NOW + 60)
    assert used.delay(LIST, now=PORTAL_NOW + 60) == 0.0


def test_a_smaller_budget_slows_down_earlier() -> None:
    used = OperatingTime(budget_seconds=100)
    used.learn(LIST, times(100, 60), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(60.0)


@pytest.mark.parametrize("our_error", [-7200.0, -180.0, 0.0, 180.0, 7200.0])
def test_the_portals_clock_counts_however_wrong_ours_is(our_error: float) -> None:
    used, now = OperatingTime(), PORTAL_NOW + our_error
    used.learn(LIST, times(400, 120), now=now)
    assert used.delay(LIST, now=now + 20) == pytest.approx(100.0)
    assert used.refused(LIST, now=now + 20) == pytest.approx(now + 120)


def test_our_clock_may_jump_between_answers() -> None:
    used = OperatingTime()
    used.learn(LIST, times(400, 120), now=PORTAL_NOW)
    an_hour_back = PORTAL_NOW + 10 - 3600
    used.learn(UPDATE, times(1, 600, at=PORTAL_NOW + 10), now=an_hour_back)
    assert used.delay(LIST, now=an_hour_back) == pytest.approx(110.0)


def test_our_clock_may_be_set_back_where_a_portal_does_not_tell_the_time() -> None:
    used = OperatingTime()
    used.learn(LIST, {"operating": 400, "operating_reset_at": PORTAL_NOW + 90}, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW - 3600) == pytest.approx(90.0)
    assert used.refused(LIST, now=PORTAL_NOW - 3600) is None


@pytest.mark.parametrize("finish", [PORTAL_NOW * 1000, 1e308, -PORTAL_NOW, str(PORTAL_NOW * 1e6)])
def test_a_clock_that_cannot_be_true_is_not_believed(finish: Any) -> None:
    used = OperatingTime()
    used.learn(LIST, times(400, 90) | {"finish": finish}, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(90.0)
    assert used.refused(LIST, now=PORTAL_NOW) == pytest.approx(PORTAL_NOW + 90)


def test_the_clock_is_read_from_the_date_where_finish_is_missing() -> None:
    used = OperatingTime()
    time = {"date_finish": "2025-10-09T11:53:20+03:00", "operating": 400, "operating_reset_at": PORTAL_NOW + 90}
    used.learn(LIST, time, now=PORTAL_NOW - 500)
    assert used.delay(LIST, now=PORTAL_NOW - 500) == pytest.approx(90.0)


def test_a_command_that_finished_long_before_its_batch_does_not_set_the_clock() -> None:
    used = OperatingTime()
    used.learn("batch", times(0), now=PORTAL_NOW)
    used.learn(LIST, times(400, 130, at=PORTAL_NOW - 40), batched=True, now=PORTAL_NOW)
    assert used.delay(LIST, batched=True, now=PORTAL_NOW) == pytest.approx(90.0)


def test_methods_and_their_batched_use_are_kept_apart_whatever_their_case() -> None:
    used = OperatingTime()
    used.learn("crm.Item.List", times(400, 60), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(60.0)
    assert used.delay(UPDATE, now=PORTAL_NOW) == 0.0
    assert used.delay(LIST, batched=True, now=PORTAL_NOW) == 0.0
    assert used.refused(LIST, batched=True, now=PORTAL_NOW) is None


def a_batch(used: OperatingTime, outer: dict[str, Any], inner: dict[str, Any]) -> None:
    for _ in range(50):
        used.learn(LIST, inner, batched=True, now=PORTAL_NOW)
    used.learn("batch", outer, now=PORTAL_NOW)


@pytest.mark.parametrize(
    ("outer", "inner", "delay_seconds"),
    [
        pytest.param(times(), times(360, 60, duration=0.2), 5.0, id="each command pays, and fifty go out at once"),
        pytest.param(times(0), times(360, 60, duration=0.2), 5.0, id="the same with an outer zero"),
        pytest.param(times(360, 60, duration=10.0), times(), 5.0, id="batch pays"),
        pytest.param(times(360, 60, duration=10.0), times(0), 5.0, id="batch pays, with inner zeros"),
        pytest.param(times(), times(), 0.0, id="nobody pays"),
    ],
)
def test_a_batch_waits_whoever_pays_for_it(outer: dict[str, Any], inner: dict[str, Any], delay_seconds: float) -> None:
    used = OperatingTime()
    a_batch(used, outer, inner)
    assert used.delay_of_batch([LIST] * 50, now=PORTAL_NOW) == pytest.approx(delay_seconds)


def test_a_batch_of_other_commands_does_not_wait_for_a_used_up_method() -> None:
    used = OperatingTime()
    a_batch(used, times(), times(400, 60))
    assert used.delay_of_batch([UPDATE], now=PORTAL_NOW) == 0.0
    assert used.delay_of_batch([UPDATE, LIST], now=PORTAL_NOW) == pytest.approx(60.0)
    assert used.delay_of_batch([], now=PORTAL_NOW) == 0.0


@pytest.mark.parametrize(
    "time",
    [
        None,
        [],
        "1.5",
        {},
        {"operating": None, "operating_reset_at": None},
        {"operating": "much", "operating_reset_at": "soon"},
        {"operating": True},
        {"operating": -5},
        {"operating": float("nan")},
        {"operating": float("inf")},
        {"operating": []},
        {"operating": 10**400},
        {"finish": [], "date_finish": "yesterday", "operating": {}},
    ],
)
def test_a_time_without_numbers_teaches_nothing(time: Any) -> None:
    used = OperatingTime()
    used.learn(LIST, time, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == 0.0
    assert used.refused(LIST, now=PORTAL_NOW) is None


@pytest.mark.parametrize(
    "reset_at",
    [PORTAL_NOW + 60, "1760000060", "1760000060.0", "2025-10-09T11:54:20+03:00", "2025-10-09T08:54:20+00:00"],
)
def test_numbers_may_come_as_text_and_moments_as_dates(reset_at: Any) -> None:
    used = OperatingTime()
    time = {"finish": str(PORTAL_NOW), "duration": "0.5", "operating": "390.0", "operating_reset_at": reset_at}
    used.learn(LIST, time, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(2.5)


@pytest.mark.parametrize(
    "reset_at", [None, PORTAL_NOW * 1000, PORTAL_NOW + 7200, "2025-10-09T08:55:20", 0, "soon", float("nan")]
)
def test_a_reset_that_cannot_be_true_stops_a_method_for_no_more_than_a_minute(reset_at: Any) -> None:
    used = OperatingTime()
    used.learn(LIST, times(400) | {"operating_reset_at": reset_at}, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == 60.0
    assert used.refused(LIST, now=PORTAL_NOW) is None


def test_how_long_a_call_takes_is_found_out_where_duration_is_missing() -> None:
    used = OperatingTime()
    time = {"start": PORTAL_NOW - 2, "finish": PORTAL_NOW, "operating": 380, "operating_reset_at": PORTAL_NOW + 60}
    used.learn(LIST, time, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(4.0)
    used.learn(LIST, time | {"processing": 1.0}, now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == pytest.approx(2.0)


def test_a_refusal_says_until_when_and_everybody_waits_until_then() -> None:
    used = OperatingTime()
    used.learn(LIST, times(10, 90), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == 0.0
    assert used.refused(LIST, now=PORTAL_NOW + 30) == PORTAL_NOW + 90
    assert used.delay(LIST, now=PORTAL_NOW + 30) == 60.0
    assert used.delay(LIST, now=PORTAL_NOW + 90) == 0.0


def test_a_method_that_is_still_refused_at_its_reset_waits_for_the_next_minute() -> None:
    used = OperatingTime()
    used.learn(LIST, times(400, 90), now=PORTAL_NOW)
    assert used.refused(LIST, now=PORTAL_NOW + 91) == PORTAL_NOW + 150
    assert used.delay(LIST, now=PORTAL_NOW + 91) == 59.0
    assert used.refused(LIST, now=PORTAL_NOW + 150) == PORTAL_NOW + 210


def test_a_refusal_whose_end_no_answer_gave_has_no_end() -> None:
    used = OperatingTime()
    used.learn(UPDATE, times(400, 90), now=PORTAL_NOW)
    assert used.refused(LIST, now=PORTAL_NOW) is None
    assert used.delay(LIST, now=PORTAL_NOW) == 0.0


def test_an_answer_of_long_ago_does_not_tell_the_end_of_a_refusal() -> None:
    used = OperatingTime()
    used.learn(LIST, times(400, 90), now=PORTAL_NOW)
    assert used.refused(LIST, now=PORTAL_NOW + 90 + 601) is None


def test_memory_is_bounded_and_the_method_in_use_is_not_forgotten() -> None:
    used = OperatingTime()
    for number in range(2000):
        if number % 200 == 0:
            used.learn(LIST, times(400, 60), now=PORTAL_NOW)
        used.learn(f"method.{number}", times(400, 60), now=PORTAL_NOW)
    assert used.delay(LIST, now=PORTAL_NOW) == 60.0
    assert used.delay("method.0", now=PORTAL_NOW) == 0.0


def test_the_share_that_is_used_is_the_largest_of_the_methods_and_of_batch() -> None:
    used = OperatingTime(400)
    assert used.share_used([LIST, UPDATE], now=PORTAL_NOW) == 0.0
    used.learn(LIST, times(100, 600), now=PORTAL_NOW)
    used.learn(UPDATE, times(200, 600), batched=True, now=PORTAL_NOW)
    assert used.share_used([LIST], now=PORTAL_NOW) == 0.25
    assert used.share_used([LIST.upper(), UPDATE], now=PORTAL_NOW) == 0.5
    used.learn("batch", times(300, 600), now=PORTAL_NOW)
    assert used.share_used([LIST], now=PORTAL_NOW) == 0.75
    assert used.share_used([LIST], now=PORTAL_NOW + 601) == 0.0


def test_what_nobody_has_read_yet_counts():
    operating = OperatingTime()
    answer = {"duration": 2.0, "operating": 300.0, "operating_reset_at": 1500.0, "finish": 1000.0}
    operating.learn("crm.deal.list", answer, batched=True, now=1000.0)
    assert operating.delay_of_batch(["crm.deal.list"], now=1000.0) == 0
    unread = {"crm.deal.list": 50.0}
    assert operating.delay_of_batch(["crm.deal.list"], unread_seconds=unread, now=1000.0) > 0
    assert operating.delay_of_batch(["crm.deal.list"], unread_seconds={"crm.lead.list": 50.0}, now=1000.0) == 0
