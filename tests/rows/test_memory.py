"""
Memory of a bulk write does not grow with its rows, wherever they come from.

Each runs in a process of its own; what it is held to is far less than its rows have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bench.bulk_write import SOURCES
from bench.portal import Portal
from bench.runs import Bench

#: More for a longer run.
ROWS = int(os.environ.get("BITRIX24_ROWS", "10000"))
#: Characters of a row: 40 MiB in all.
SIZE = 4096


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as running:
        yield running


@pytest.mark.parametrize("kind", SOURCES)
def test_memory_does_not_grow_with_the_rows(kind, bench):
    with Portal(deals=0, tasks=0) as portal:
        run = bench.write(portal, kind, ROWS, SIZE)
    print(f"{kind}: {ROWS} rows in {run.seconds:.0f} s, {run.growth_mib:.1f} MiB more")
    assert run.failure == ""
    assert run.growth_mib < 32
