"""
Many tasks of one host at once: all share the bucket and the permits, whatever each of them could have under way.

Each is a client of its own in a thread; the file under them is opened and locked again for each request, so that
threads exclude each other there as processes do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, STANDARD
from airflow_provider_bitrix24.rest.limits.file_bucket import FileBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from bench.portal import Portal
from bench.runs import Bench
from tests.rest.clients import Naps, client_of
from tests.rest.hostile import Hostile, client_of_hostile
from tests.rest.lists.test_id_ranges import DEALS, honest, read

ROWS = 6_000
DELETE = "crm.item.payment.delete"


def at_once(tasks: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(tasks) as pool:
        return list(pool.map(work, range(tasks)))


@pytest.mark.parametrize("parallel", [4, 20])
def test_ten_tasks_have_no_more_requests_under_way_than_they_share(tmp_path: Path, parallel: int) -> None:
    """One each, and ``parallel`` - 1 in all beside those."""
    ids = range(1, 15_001)
    with Hostile(honest(ids), seconds=lambda under_way: 0.3) as portal:

        def task(number: int) -> list[int]:
            store = FileBucket("bucket", str(tmp_path))
            with client_of_hostile(portal, store=store, parallel=parallel) as client:
                return read(client.list(DEALS))

        assert at_once(10, task) == [list(ids)] * 10
        assert 10 <= max(portal.together) <= 10 + parallel - 1
    free = FileBucket("bucket", str(tmp_path))
    assert all(free.take_permit(parallel - 1) for _ in range(parallel - 1))


@pytest.mark.parametrize("tasks", [4, 10])
def test_no_task_provokes_a_refusal(tmp_path: Path, tasks: int) -> None:
    """50 requests at once and 2 a second: lists, calls and deletes of all tasks together stay below that."""
    # Time passes for all of them whenever one waits, so that a thread may send what it took its turn for much later.
    late = tasks
    with Sandbox(deals=ROWS, rate=2, burst=50 + late) as portal:
        naps = Naps(portal)
        payments = [[portal.add_payment(1) for _ in range(300)] for _ in range(tasks)]

        def work(client: Client, ids: list[int]) -> None:
            assert len(read(client.list(DEALS, {"select": ["ID"]}))) == ROWS
            assert len(client.batch({id_: (DELETE, {"id": id_}) for id_ in ids}, ordered=False).all_results()) == 300

        def task(number: int) -> None:
            store = FileBucket("bucket", str(tmp_path), clock=naps.monotonic)
            with client_of(portal, naps=naps, bucket=store, portal_bucket=PLANS[STANDARD]) as client:
                work(client, payments[number])

        at_once(tasks, task)
        assert not [call.error for call in portal.calls if call.error]
        # A list takes 4 requests at the fewest, the deletes of a task 6.
        assert portal.requests <= 1.5 * tasks * (4 + 6)


def test_memory_of_each_of_ten_processes_stays_bounded() -> None:
    """Whole deals of a distant portal: what is read ahead takes 32 MiB in each process, whatever the others do."""
    deals = 10_000
    with Portal(deals=deals, seed=1, latency=0.1, command_seconds=0.02) as portal, Bench() as bench:
        run = bench.run(portal, "ours", "rows", processes=10, deals=deals)
    assert run.failure == ""
    # Four whole batches are the fewest.
    assert run.seen.requests <= 1.5 * 10 * 4 + 10 * 3
    assert run.growth_mib < 64
