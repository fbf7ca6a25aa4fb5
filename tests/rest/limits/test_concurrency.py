from __future__ import annotations

import pytest

from airflow_provider_bitrix24.rest.limits.concurrency import FIRST_UNDER_WAY, Concurrency


def answered(concurrency: Concurrency, seconds: float, *, commands: int = 50, times: int = 1) -> int:
    for _ in range(times):
        concurrency.answered(concurrency.begin(commands), seconds)
    return concurrency.number


def test_it_begins_with_a_few_and_doubles_with_each_good_answer() -> None:
    concurrency = Concurrency(20)
    assert (concurrency.number, concurrency.is_known) == (FIRST_UNDER_WAY, False)
    assert [answered(concurrency, 1.0) for _ in range(4)] == [8, 16, 20, 20]
    assert concurrency.is_known


@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_never_goes_above_what_is_allowed(most: int) -> None:
    concurrency = Concurrency(most)
    assert concurrency.number == most
    assert answered(concurrency, 1.0, times=5) == most


def test_a_failure_halves_it_once_for_all_that_were_under_way_together() -> None:
    concurrency = Concurrency(16)
    answered(concurrency, 1.0, times=3)
    tickets = [concurrency.begin(50) for _ in range(16)]
    for ticket in tickets:
        concurrency.failed(ticket)
    assert concurrency.number == 8
    concurrency.failed(concurrency.begin(50))
    assert concurrency.number == 4


def test_it_is_never_below_one_and_grows_slowly_after_a_failure() -> None:
    concurrency = Concurrency(20)
    for _ in range(10):
        concurrency.failed(concurrency.begin(1))
    assert concurrency.number == 1
    assert answered(concurrency, 1.0, times=9) == 1
    assert answered(concurrency, 1.0, times=2) == 2


def test_answers_that_take_longer_and_longer_shrink_it() -> None:
    concurrency = Concurrency(20)
    answered(concurrency, 1.0, times=3)
    assert [answered(concurrency, 5.0) for _ in range(3)] == [14, 9, 6]


@pytest.mark.parametrize(("seconds", "commands"), [(0.3, 1), (0.5, 10), (2.1, 50)])
def test_an_answer_counts_as_slow_only_beside_others_of_its_size(seconds: float, commands: int) -> None:
    """A batch of 50 takes longer than one of 10, and a single command may take as long as the way to the portal."""
    concurrency = Concurrency(20)
    concurrency.answered(concurrency.begin(10), 0.3)
    concurrency.answered(concurrency.begin(50), 1.1)
    assert answered(concurrency, seconds, commands=commands) == 20


def test_a_good_answer_from_before_a_failure_does_not_undo_it() -> None:
    concurrency = Concurrency(20)
    answered(concurrency, 1.0, times=3)
    early = concurrency.begin(50)
    concurrency.failed(concurrency.begin(50))
    concurrency.answered(early, 1.0)
    assert concurrency.number == 10
