"""How many rows are in memory while a long list is read by somebody who keeps none."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import portal_at

ROOT = Path(__file__).parents[3]


class Counting(LocalBucket):
    """Counts the pages of deals in memory before each request."""

    def __init__(self) -> None:
        super().__init__()
        self.pages_before_request: list[int] = []

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        self.pages_before_request.append(sum(map(_is_page, gc.get_objects())))
        return super().reserve(bucket, patience_seconds)


def _is_page(thing: object) -> bool:
    return type(thing) is list and len(thing) == 50 and all(type(row) is dict and "STAGE_ID" in row for row in thing)


def test_the_rows_of_one_request_are_gone_before_the_next_is_sent() -> None:
    """All but the page that was read last."""
    # What failed in tests before may hold pages in cycles.
    gc.collect()
    bucket = Counting()
    with (
        Sandbox(deals=7_600, seed=1) as sandbox,
        Client(portal_at(sandbox, code=sandbox.admin.code, parallel=1), bucket=bucket) as client,
    ):
        assert sum(1 for _ in client.list("crm.deal.list")) == 7_600
    # One page, batches of 50 pages, and the empty page after the last row.
    assert bucket.pages_before_request == [0, 1, 1, 1, 1, 1]


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("parallel", [4, 20])
def test_no_page_is_left_behind_by_requests_that_failed(parallel: int, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a circle with an error and its frames, which lives until the collector runs, nor in a log record."""
    caplog.set_level(logging.INFO)
    # Of other tests, which may keep some for as long as the process lives.
    before = sum(map(_is_page, gc.get_objects()))
    with (
        Sandbox(deals=20_000, seed=1) as sandbox,
        Client(portal_at(sandbox, code=sandbox.admin.code, parallel=parallel), bucket=LocalBucket()) as client,
    ):
        for after in (2, 4, 6):
            # The portal, in the same process, has made no page of them.
            sandbox.fault("status_before", method="batch", after=after)
        assert sum(1 for _ in client.list("crm.deal.list")) == 20_000
        assert sum(map(_is_page, gc.get_objects())) <= before + 1


_HEAPS = """
from concurrent.futures import ThreadPoolExecutor
from airflow_provider_bitrix24.rest.wire.body import Body
from bench.subject import memory_kib

def read(size):
    body = Body(spare)
    for _ in range(size // 65536):
        body.add(bytes(65536))
    return body

spare = []
threads = [ThreadPoolExecutor(1) for _ in range(20)]
for thread in threads:
    thread.submit(read, 1).result()
first = memory_kib("VmRSS")
for round in range(5):
    for thread in threads:
        # One answer at a time is in memory.
        thread.submit(read, 3_000_000 + 200_000 * round).result()
print((memory_kib("VmRSS") - first) / 1024)
"""


def test_threads_keep_no_memory_of_the_answers_that_they_took() -> None:
    """Of the C library's heaps, one for each of several threads, what was used once would stay with the process."""
    done = subprocess.run([sys.executable, "-c", _HEAPS], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(done.stdout) < 12
