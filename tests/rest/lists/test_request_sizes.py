"""How many pages each request of a list asks for."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency
from airflow_provider_bitrix24.rest.lists.request_sizes import FEW_PAGES, RequestSizes


def answer_well(concurrency: Concurrency) -> None:
    for _ in range(4):
        concurrency.answered(concurrency.begin(50, 3), 1.0)


def all_sizes(
    pages: int, *, found: bool, most: int = 49, number: int = 20, is_slow: bool = True, splits: bool = True
) -> list[int]:
    """Those of a list whose first two requests have been sent. Four more show how many may be under way."""
    concurrency = Concurrency(number)
    if found:
        answer_well(concurrency)
    sizes = RequestSizes(concurrency, pages, most, sent=2, is_slow=is_slow)
    asked: list[int] = []
    while (left := pages - sum(asked)) > 0:
        if len(asked) == 4:
            answer_well(concurrency)
        asked.append(min(left, sizes.next(left, most, splits=splits)))
    return asked


def test_four_short_requests_come_first_and_the_others_share_what_is_left() -> None:
    sizes = all_sizes(395, found=False)
    assert sizes[:4] == [FEW_PAGES] * 4
    assert len(sizes) == 13
    assert sizes[4:] == sorted(sizes[4:], reverse=True)


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("pages", [10, 50, 91, 195, 395, 1_000, 4_000, 10_000])
def test_there_are_at_most_half_as_many_requests_again_as_the_fewest(pages: int, found: bool) -> None:
    fewest = -(-pages // 49)
    # The two that were sent before are among them.
    assert len(all_sizes(pages, found=found)) + 2 <= 1.5 * fewest + 3


def test_of_a_long_list_only_the_last_requests_are_shared_out() -> None:
    sizes = all_sizes(4_000, found=True)
    assert sizes[:60] == [49] * 60
    assert len(sizes) <= -(-4_000 // 49) + 4


@pytest.mark.parametrize("given", [{"is_slow": False}, {"splits": False}, {"number": 1}])
def test_requests_are_as_large_as_may_be_where_more_of_them_win_nothing(given: dict[str, int]) -> None:
    """The portal answers at once, the bucket is empty or the list has gaps, one request goes after the other."""
    assert set(all_sizes(490, found=True, **given)) == {49}
