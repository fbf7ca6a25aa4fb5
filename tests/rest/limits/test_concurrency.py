from __future__ import annotations

import pytest

from airflow_provider_bitrix24.rest.limits.concurrency import FIRST_UNDER_WAY, Concurrency


def answered(
    concurrency: Concurrency, seconds: float, *, commands: int = 50, times: int = 1, beside: int | None = None
) -> int:
    """Answers beside as many others as may be, where nothing else is said."""
    for _ in range(times):
        concurrency.answered(concurrency.begin(commands, concurrency.number - 1 if beside is None else beside), seconds)
    return concurrency.number


def test_it_begins_with_a_few_and_goes_to_its_most_when_so_many_were_answered_well() -> None:
    concurrency = Concurrency(20)
    assert (concurrency.number, concurrency.is_known) == (FIRST_UNDER_WAY, False)
    assert [answered(concurrency, 1.0) for _ in range(4)] == [4, 4, 4, 20]
    assert concurrency.is_known


@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_never_goes_above_what_is_allowed(most: int) -> None:
    concurrency = Concurrency(most)
    assert concurrency.number == most
    assert answered(concurrency, 1.0, times=5) == most


def test_a_failure_halves_it_once_for_all_that_were_under_way_together() -> None:
    concurrency = Concurrency(16)
    answered(concurrency, 1.0, times=4)
    tickets = [concurrency.begin(50, beside) for beside in range(16)]
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


def known_alone(seconds: float = 1.0) -> Concurrency:
    """At its most, with answers that take so long alone."""
    concurrency = Concurrency(20)
    answered(concurrency, seconds, beside=0)
    answered(concurrency, seconds, times=3)
    return concurrency


def test_answers_that_take_longer_than_alone_shrink_it() -> None:
    concurrency = known_alone()
    assert [answered(concurrency, 5.0) for _ in range(3)] == [14, 9, 6]
    assert answered(concurrency, 1.0, times=4) == 6
    assert answered(concurrency, 1.0, times=2) == 7


def test_what_a_request_takes_alone_is_found_out_when_answers_become_slow() -> None:
    """The first ones were sent together, so that it is not known what one of them takes alone."""
    concurrency = Concurrency(20)
    answered(concurrency, 1.0, times=4)
    assert answered(concurrency, 5.0) == 1
    assert [answered(concurrency, 1.0) for _ in range(7)] == [2, 2, 4, 4, 4, 4, 8]
    assert answered(concurrency, 1.0, times=8) == 10


@pytest.mark.parametrize(("beside", "seconds", "number"), [(1, 0.021, 14), (1, 0.019, 20), (3, 0.041, 14)])
def test_answers_that_would_have_come_as_soon_one_after_the_other_shrink_it(
    beside: int, seconds: float, number: int
) -> None:
    assert answered(known_alone(0.01), seconds, beside=beside) == number


def test_a_slow_answer_that_was_alone_tells_what_the_portal_takes_now() -> None:
    concurrency = known_alone()
    assert answered(concurrency, 5.0, beside=0, times=4) == 20
    assert answered(concurrency, 8.0) == 20
    assert answered(concurrency, 11.0) == 14


def test_a_single_late_answer_that_was_alone_does_not_make_slow_ones_usual() -> None:
    concurrency = known_alone()
    assert answered(concurrency, 30.0, beside=0) == 20
    assert answered(concurrency, 5.0) == 14


def test_a_portal_that_takes_one_is_asked_for_two_less_and_less_often() -> None:
    concurrency, answers = known_alone(), []
    for _ in range(4):
        while concurrency.number > 1:
            answered(concurrency, 60.0)
        answers.append(0)
        while concurrency.number == 1:
            answers[-1] += 1
            answered(concurrency, 1.0)
    assert [round(number, -1) for number in answers] == [10, 20, 40, 80]


@pytest.mark.parametrize(("seconds", "commands"), [(0.3, 1), (0.5, 10), (2.1, 50)])
def test_an_answer_counts_as_slow_only_beside_others_of_its_size(seconds: float, commands: int) -> None:
    """A batch of 50 takes longer than one of 10, and a single command may take as long as the way to the portal."""
    concurrency = Concurrency(20)
    answered(concurrency, 0.3, commands=10)
    answered(concurrency, 1.1, times=3)
    assert answered(concurrency, seconds, commands=commands, beside=19) == 20


def test_a_good_answer_from_before_a_failure_does_not_undo_it() -> None:
    concurrency = Concurrency(20)
    answered(concurrency, 1.0, times=4)
    early = concurrency.begin(50)
    concurrency.failed(concurrency.begin(50))
    concurrency.answered(early, 1.0)
    assert concurrency.number == 10
