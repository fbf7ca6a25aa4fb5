"""How many rows are in memory while a long list is read by somebody who keeps none."""

from __future__ import annotations

import gc

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import portal_at


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
