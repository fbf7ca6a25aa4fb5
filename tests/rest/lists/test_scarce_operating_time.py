"""Lists whose method has little operating time left: it goes to the rows that come next, and not to those far ahead."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.rest.limits.operating import OPERATING_BUDGET_SECONDS, SLOW_DOWN_FROM
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of, request_threads
from tests.rest.hostile import Hostile, client_of_hostile
from tests.rest.lists.test_id_ranges import honest

DEALS = "crm.deal.list"


def read_until_refused(portal: Sandbox, **settings: Any) -> list[int]:
    """Ids that came before the operating time was used up; nothing is left under way."""
    came: list[int] = []
    with client_of(portal, naps=Naps(portal), **settings) as client:
        with pytest.raises(OperationTimeLimit) as limit:
            came.extend(int(row["ID"]) for row in client.list(DEALS, {"select": ["ID"]}))
        assert limit.value.reset_at is not None
        requests = portal.requests
        assert request_threads() == 0
        assert portal.requests == requests
    assert came == list(islice((deal["id"] for deal in portal.items(2)), len(came)))
    return came


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("page_seconds", [2.0, 4.0, 10.0])
def test_nearly_all_of_the_operating_time_goes_to_rows_that_come(page_seconds: float, gaps: float) -> None:
    pages = OPERATING_BUDGET_SECONDS * SLOW_DOWN_FROM / page_seconds
    with Sandbox(
        deals=10_000, gaps=gaps, seed=2, operating_limit=420, method_seconds={DEALS: page_seconds}, latency=0.02
    ) as portal:
        came = read_until_refused(portal)
        assert not [call for call in portal.calls if call.error]
    assert len(came) >= 0.85 * 50 * pages


@pytest.mark.parametrize("parallel", [1, 4, 20])
def test_a_method_that_is_blocked_stops_all_of_its_requests(parallel: int) -> None:
    """Another client has used it up, or it has less than is planned with: the portal refuses."""
    with Sandbox(deals=40_000, operating_limit=100, method_seconds={DEALS: 0.5}, latency=0.05) as portal:
        read_until_refused(portal, parallel=parallel)
        refused = [call for call in portal.calls if any(command.error for command in call.commands)]
    # Only an answer that is read tells of it: meanwhile, as many again may be on their way.
    assert 0 < len(refused) <= 2 * parallel


def test_answers_that_nobody_has_read_yet_count() -> None:
    """The first range is answered last: what the others took is not known before."""
    listed, page_seconds, ids = honest(range(1, 15_001)), 2.0, []

    def time_used() -> dict[str, Any]:
        now = time.time()
        used = page_seconds * len(portal.commands)
        return {"duration": page_seconds, "operating": used, "operating_reset_at": now + 500, "finish": now}

    with (
        Hostile(listed, time=time_used, seconds=lambda under_way: 1.0 if under_way == 1 else 0.0) as portal,
        client_of_hostile(portal) as client,
    ):
        with pytest.raises(OperationTimeLimit):
            ids.extend(int(row["ID"]) for row in client.list(DEALS))
        # More than is planned with: on a busy computer, two requests of 40 s may go out just before the answer that
        # shows it. A portal refuses what is over 420.
        assert page_seconds * len(portal.commands) <= OPERATING_BUDGET_SECONDS + 2 * 40
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) >= 0.85 * 50 * OPERATING_BUDGET_SECONDS * SLOW_DOWN_FROM / page_seconds
