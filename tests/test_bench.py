"""The bench measures what it says: small runs of the subjects that need nothing beyond the project's own libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import cases
from bench.cases import Table
from bench.portal import Portal, least_seconds
from bench.postgres import PostgresServer
from bench.report import section
from bench.runs import Bench
from bench.sandbox import call_speeds, memory_mib, start_seconds
from bench.waiting import wait


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as running:
        yield running


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with Portal(deals=120, seed=1) as running:
        yield running


def test_every_case_is_part_of_a_whole_bench() -> None:
    made = {
        name for name, value in vars(cases).items() if getattr(value, "__annotations__", {}).get("return") == "Table"
    }
    assert made == set(cases.CASES)


@pytest.mark.parametrize("subject", ["bare", "ours"])
def test_each_task_is_done_over_the_wire_in_a_process_of_its_own(bench: Bench, portal: Portal, subject: str) -> None:
    called = bench.run(portal, subject, "calls", calls=5)
    assert (called.failure, called.seen.requests, called.seen.refused) == ("", 5, 0)
    assert 0 < called.seen.seconds < called.seconds
    listed = bench.run(portal, subject, "rows", deals=120)
    assert (listed.failure, listed.seen.requests > 1) == ("", True)
    deleted = bench.run(portal, subject, "delete", payment_ids=portal.add_payments(60))
    assert (deleted.failure, deleted.seen.requests) == ("", 2)


def test_rows_are_loaded_into_files_in_a_process_of_its_own(bench: Bench, portal: Portal) -> None:
    run = bench.load(portal, "CSV", 120)
    assert (run.failure, run.seen.requests > 3, run.cpu_seconds > 0) == ("", True, True)
    assert bench.load(portal, "typed", 121).failure == "This did not hold: all 121 deals came once"


def test_rows_are_loaded_into_a_table_in_a_process_of_its_own(bench: Bench, portal: Portal) -> None:
    with PostgresServer() as server:
        for number in (0, 1):
            run = bench.load_table(portal, server, "the operator", number)
            assert (run.failure, run.seen.requests > 3, run.cpu_seconds > 0) == ("", True, True)
        assert server.execute("SELECT count(*), count(DISTINCT id) FROM ours_deals") == [(120, 120)]


def test_the_requests_of_several_processes_are_counted_together(bench: Bench, portal: Portal) -> None:
    assert bench.run(portal, "bare", "calls", calls=5, processes=2).seen.requests == 10


def test_a_refusal_and_the_failure_that_it_leads_to_are_reported(bench: Bench) -> None:
    with Portal(deals=5, seed=1, rate=2.0, burst=3) as portal:
        run = bench.run(portal, "bare", "calls", calls=5)
    assert (run.seen.requests, run.seen.refused) == (4, 1)
    assert "503" in run.failure


def test_missing_rows_fail_the_run(bench: Bench, portal: Portal) -> None:
    assert bench.run(portal, "ours", "rows", deals=121).failure == "This did not hold: all 121 deals came once"


@pytest.mark.parametrize(("requests", "seconds"), [(1, 0), (50, 0), (51, 1), (52, 1), (53, 2), (186, 68)])
def test_each_whole_second_makes_room_for_two_more(requests: int, seconds: int) -> None:
    assert least_seconds(requests, rate=2.0, burst=50) == seconds


def test_the_sandbox_and_its_bare_server_are_measured_alike(bench: Bench) -> None:
    ours, bare = call_speeds(20, 1)
    assert ours.calls_a_second > 0 < bare.calls_a_second
    assert ours.cpu_ms > 0 < bare.cpu_ms
    assert 0 < memory_mib(bench, 2_000) < 100
    assert start_seconds(bench) > 0


def test_a_table_tells_what_is_not_held() -> None:
    table = Table("Calls", ("client", "seconds"), [("ours", "1.0")])
    table.promise("fast", "slow", held=False)
    assert section(table).splitlines() == [
        "## Calls", "", "| client | seconds |", "| --- | --- |", "| ours | 1.0 |", "",
        "| this client is held to | measured | held |", "| --- | --- | --- |", "| fast | slow | **no** |",
    ]  # fmt: skip


def test_waiting_tasks_are_measured_in_a_process_of_their_own(bench: Bench, portal: Portal) -> None:
    waited = wait(bench, portal, portal.add_payments(60), interval=1.0, seconds=3.0)
    # Two requests a round, in at least one round and at the deadline.
    assert 4 <= waited.requests <= 10
    assert waited.threads >= 1
    assert waited.cpu_share > 0
    with pytest.raises(RuntimeError, match="all waited to the end"):
        wait(bench, portal, [10**9], interval=1.0, seconds=2.0)
