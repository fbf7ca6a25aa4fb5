"""Answers that are small on the wire and large in memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_bitrix24.exceptions import AnswerLost
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.wire.transport import Transport
from tests.rest.exchanges import failure_of, plain, says
from tests.wire import RawServer, answer

MIB = 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "gzip,deflate", "zstd", "gzip, gzip, gzip, gzip, gzip, gzip"])
def test_an_answer_that_is_compressed_twice_or_in_another_way_is_not_read(encoding, all_output):
    bomb = gzip.compress(gzip.compress(b" " * 32 * MIB))
    with RawServer(says(answer(bomb, f"Content-Encoding: {encoding}"))) as server:
        error = failure_of(plain(server, max_response_mib=1), all_output, AnswerLost)
    assert "the answer is compressed in a way that was not asked for" in str(error)
    assert (error.ran, error.retryable) == ("unknown", False)


def test_a_bomb_costs_no_more_memory_than_the_limit():
    bomb = gzip.compress(b" " * 128 * MIB)
    with (
        RawServer(says(answer(bomb, "Content-Encoding: gzip"))) as server,
        Transport(plain(server, max_response_mib=8)) as transport,
    ):
        tracemalloc.start()
        with pytest.raises(AnswerLost):
            transport.post("server.time", b"{}", request_id="r")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * MIB


@contextmanager
def client_of(server: RawServer, mib: int) -> Iterator[Client]:
    with Client(
        plain(server, max_response_mib=mib), bucket=LocalBucket(lambda: 0.0), sleep=lambda seconds: None
    ) as client:
        yield client


SMALL_VALUES = ["[],", "{},", '"ab",', '{"a":1},', "[[]],", '{"ID":"12"},']


@pytest.mark.parametrize("value", SMALL_VALUES)
def test_many_small_values_cost_no_more_memory_than_the_limit_allows(value):
    """64 MiB of "[]," would take 1.6 GB."""
    many = (value * (5 * MIB // len(value))).rstrip(",").encode()
    body = answer(gzip.compress(b'{"result": [' + many + b"]}"), "Content-Encoding: gzip")
    with RawServer(says(body)) as server, client_of(server, 6) as client:
        tracemalloc.start()
        with pytest.raises(AnswerLost, match="so many values that it would take more than 48 MiB of memory") as caught:
            client.call("crm.deal.list")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 40 * MIB
    assert (caught.value.too_much, caught.value.retryable, caught.value.ran) == (True, False, "unknown")


def test_rows_as_portals_send_them_are_read_up_to_the_limit():
    row = {"ID": "123456", "TITLE": "Нужен договор", "OPPORTUNITY": "1000.00", "COMPANY_ID": None, "CLOSED": "N"}
    row |= {f"UF_CRM_17000000{number}": [] if number % 3 else "2026-01-12T10:00:00+03:00" for number in range(60)}
    rows = [row] * 2_000
    body = json.dumps({"result": rows, "time": {}}, ensure_ascii=False, separators=(",", ":")).encode()
    mib = len(body) // MIB + 1
    with RawServer(says(answer(body))) as server, client_of(server, mib) as client:
        assert client.call("crm.deal.get") == rows


def test_many_brackets_within_a_small_answer_are_read():
    with RawServer(says(answer(b'{"result": [' + b"[]," * 1000 + b"[]]}"))) as server, client_of(server, 6) as client:
        assert len(client.call("crm.deal.get")) == 1001
