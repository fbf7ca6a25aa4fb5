"""How many pages each request of a list asks for: as many as fit, or fewer where that brings the rows sooner."""

from __future__ import annotations

import math

from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency

#: A portal takes its time whose first page took longer.
SLOW_SECONDS = 0.05
#: Fewer pages than this are not worth a request, and before a slow portal has answered several requests at once, they
#: are for no more.
FEW_PAGES = 4
#: Most requests of a list: so many times the fewest, and so many more.
_TIMES_FEWEST, _MORE = 1.5, 2
#: How much larger than the later ones a request is: those begin later, so that all end together.
_LARGER = 1.15


class RequestSizes:
    """
    The sizes of the requests of one list that go out beside others.

    :param pages: how many the list has.
    :param most: how many of them a request may ask for.
    :param sent: how many requests have been sent.
    :param is_slow: whether the portal takes its time: from another one, small requests bring the rows no sooner.
    """

    def __init__(self, concurrency: Concurrency, pages: float, most: int, *, sent: int, is_slow: bool) -> None:
        self._concurrency, self._is_slow = concurrency, is_slow
        self._requests = int(_TIMES_FEWEST * math.ceil(pages / most)) + _MORE - sent
        short = 0 if concurrency.is_found else concurrency.number
        left = math.ceil((pages - short * FEW_PAGES) / most)
        #: How many short ones are still to be sent: none where the list is too short for more requests.
        self._short = short if self._requests - short >= left else 0

    def next(self, pages: float, most: int, *, splits: bool) -> int:
        """
        Pages of the next request; it counts as sent.

        :param pages: how many are left.
        :param most: how many of them the request may ask for.
        :param splits: whether more requests than the fewest may bring the rows sooner.
        """
        size = most
        if self._is_slow and splits:
            fewest, number = max(1, math.ceil(pages / most)), self._concurrency.number
            if self._short and not self._concurrency.is_found:
                self._short -= 1
                size = FEW_PAGES
            elif fewest < number:
                # Once: those that are under way then are part of them.
                self._requests = min(self._requests, number)
                requests = max(fewest, self._requests)
                size = max(FEW_PAGES, math.ceil(_LARGER * pages / requests) if requests > 1 else fewest * most)
        self._requests -= 1
        return max(1, min(size, most))
