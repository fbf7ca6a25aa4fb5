"""
A portal that answers what a test makes it answer, over real HTTPS.

``answer(method, params)`` is asked for every direct call and for every command of a batch. It returns a
:func:`page` or any result, or raises ``Refusal``. ``spoil(body, method)`` may change a whole answer before it is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import BucketStore
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.lists.row_list import RowList
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Refusal
from airflow_provider_bitrix24.sandbox.protocol.batch import Batch
from airflow_provider_bitrix24.sandbox.protocol.dispatch import MethodAnswer
from airflow_provider_bitrix24.sandbox.web.server import Certificate, Server
from tests.rest.clients import Naps, portal_at

__all__ = ["Hostile", "Page", "Refusal", "bound", "client_of_hostile", "deals", "drain", "incomplete", "reading"]

Answer = Callable[[str, dict[str, Any]], Any]
Spoil = Callable[[dict[str, Any], str], Any]
Time = Callable[[], dict[str, Any]]

#: A list that has not stopped by then has no end.
MANY = 3_000
#: A call that took no time worth mentioning.
TIME = {"start": 1790000000.0, "finish": 1790000000.1, "duration": 0.1, "processing": 0.1}


class Hostile:
    """
    Alive inside a ``with`` block; ``asked`` holds every HTTP request, ``commands`` every call and command.

    :param seconds: how long an answer is held back, by how many requests are under way with it; they run side by side.
    :param takes: how many requests it takes at once; above that it answers 503 with a page.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        spoil: Spoil | None = None,
        time: Time | None = None,
        seconds: Callable[[int], float] | None = None,
        takes: int | None = None,
    ) -> None:
        self._answer, self._spoil = answer, spoil
        self._time: Time = time or (lambda: TIME)
        self._seconds, self._takes = seconds, takes
        self.under_way = self.refused = 0
        #: How many requests were under way as each came, itself included.
        self.together: list[int] = []
        self.asked: list[tuple[str, Any]] = []
        self.commands: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Hostile:
        self._certificate = Certificate()

        async def app(scope: Any, receive: Any, send: Any) -> None:  # a bound method would be taken for ASGI 2
            await self._app(scope, receive, send)

        self._server = Server(app, port=0, tls=self._certificate.context)
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()
        self._certificate.close()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def ca_file(self) -> str:
        return str(self._certificate.ca_file)

    def params(self, method: str) -> list[dict[str, Any]]:
        """What a method was given, call by call, alone and in batches."""
        return [params for name, params in self.commands if name == method]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.under_way += 1
        self.together.append(self.under_way)
        try:
            if self._takes is not None and self.under_way > self._takes:
                self.refused += 1
                status, answer = 503, b"<html><title>503 Service Unavailable</title></html>"
            else:
                status, answer = self.answer_to(scope["path"].rpartition("/")[2], json.loads(body or b"{}"))
                if self._seconds is not None:
                    await asyncio.sleep(self._seconds(self.under_way))
        finally:
            self.under_way -= 1
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": answer})

    def answer_to(self, method: str, params: Any) -> tuple[int, bytes]:
        self.asked.append((method, params))
        status, body = 200, {}
        try:
            if method == "batch":
                batch = Batch(self._run, self._error)
                body = {"result": batch.run(params), "time": self._time()}
            else:
                done = self._run(method, params)
                body = {"result": done.result, "time": done.time}
                body |= {"total": done.total} if done.total is not None else {}
                body |= {"next": done.next} if done.next is not None else {}
        except Refusal as refusal:
            status, body = refusal.status, self._error(refusal)
        if self._spoil is not None:
            spoiled = self._spoil(body, method)
            if isinstance(spoiled, bytes):
                return status, spoiled
            body = body if spoiled is None else spoiled
        return status, json.dumps(body).encode()

    def _run(self, method: str, params: dict[str, Any]) -> MethodAnswer:
        self.commands.append((method, params))
        answer = self._answer(method, params)
        page = answer if isinstance(answer, Page) else Page(answer)
        return MethodAnswer(page.result, dict(self._time()), page.total, page.next)

    @staticmethod
    def _error(refusal: Refusal) -> dict[str, Any]:
        return {"error": refusal.code, "error_description": refusal.description}


def client_of_hostile(
    portal: Hostile, *, naps: Naps | None = None, store: BucketStore | None = None, **settings: Any
) -> Client:
    """:param store: where the bucket is kept, and the permits."""
    naps = naps or Naps()
    own = {name: settings.pop(name) for name in ("methods", "patience_seconds", "monotonic") if name in settings}
    return Client(
        portal_at(portal, **settings),
        bucket=store or LocalBucket(naps.monotonic),
        sleep=naps,
        clock=naps.now,
        jitter=lambda: 1.0,
        **own,
    )


def deals(ids: Iterable[int]) -> list[dict[str, str]]:
    """Rows as ``crm.deal.list`` sends them."""
    return [{"ID": str(number), "TITLE": f"Deal {number}"} for number in ids]


def bound(params: dict[str, Any], name: str = ">ID") -> int:
    """The cursor of a page, of ``crm.deal.list`` by default; 0 where it is not a number, as PHP reads it."""
    found = (params.get("filter") or {}).get(name, 0)
    return int(found) if isinstance(found, (int, str)) and str(found).isdecimal() else 0


def start_of(params: dict[str, Any]) -> int:
    return int(params.get("start", 0))


@contextmanager
def reading(
    answer: Callable[[str, dict[str, Any]], Any],
    method: str = "crm.deal.list",
    params: dict[str, Any] | None = None,
    *,
    spoil: Any = None,
    **settings: Any,
) -> Iterator[tuple[RowList, Hostile]]:
    with Hostile(answer, spoil=spoil) as portal, client_of_hostile(portal, **settings) as client:
        yield client.list(method, params), portal


def drain(rows: Iterable[dict[str, Any]]) -> list[int]:
    """The id of each row, or its first value; a list without end fails the test."""
    ids = []
    for row in rows:
        ids.append(int(row.get("id") or row.get("ID") or next(iter(row.values()))))
        assert len(ids) <= MANY, "the list has no end"
    return ids


def incomplete(*args: Any, **settings: Any) -> IncompleteList:
    """What a list is refused for."""
    with reading(*args, **settings) as (rows, _), pytest.raises(IncompleteList) as failure:
        drain(rows)
    assert not rows.report.complete
    return failure.value


def some(count: int) -> Callable[[str, dict[str, Any]], Page]:
    """An honest ``crm.deal.list`` of this many rows, filtered by id, sorted by id, and counted where it is asked to."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        up_to = bound(params, "<=ID") or count
        left = [number for number in range(1, count + 1) if bound(params) < number <= up_to]
        if (params.get("order") or {}).get("ID") == "DESC":
            left.reverse()
        offset = start_of(params)
        if offset < 0:
            return Page(deals(left[:50]), total=0)
        following = offset + 50 if offset + 50 < len(left) else None
        return Page(deals(left[offset : offset + 50]), len(left), following)

    return answer
