"""The sandbox's own figures: calls a second over HTTPS, memory of many deals, and how long a start takes."""

from __future__ import annotations

import http.client
import multiprocessing
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.web.server import HOST, Certificate, Server
from bench.runs import Bench

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_WARM_UP_CALLS = 300

_START = """\
import time; began = time.process_time()
from airflow_provider_bitrix24.sandbox import Sandbox
with Sandbox(): print(time.process_time() - began)
"""

_MEMORY = """\
from airflow_provider_bitrix24.sandbox import Sandbox
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
Sandbox(); before = resident()
portal = Sandbox(deals={deals}); print((resident() - before) / 2**20)
"""


def start_seconds(bench: Bench) -> float:
    """Processor time from the import of the sandbox to a portal that listens, in a Python that runs already."""
    return bench.printed_number(_START)


def memory_mib(bench: Bench, deals: int) -> float:
    return bench.printed_number(_MEMORY.format(deals=deals))


@dataclass(frozen=True)
class Speed:
    """
    Of calls one after the other over one connection.

    :param calls_a_second: as the client sees it.
    :param cpu_ms: what one call takes of the server's processor.
    """

    calls_a_second: float
    cpu_ms: float


def call_speeds(calls: int, rounds: int) -> tuple[Speed, Speed]:
    """Medians of ``server.time`` at the sandbox, and of a constant answer of its bare server."""
    with _serving(_serve_sandbox) as sandbox, _serving(_serve_constant) as bare:
        for server in (sandbox, bare):
            server.measure(_WARM_UP_CALLS)
        # In turns: what disturbs the computer meanwhile disturbs both.
        measured = [(sandbox.measure(calls), bare.measure(calls)) for _ in range(rounds)]
    ours, constant = zip(*measured, strict=True)
    return _median(ours), _median(constant)


def _median(speeds: Sequence[Speed]) -> Speed:
    return Speed(median(speed.calls_a_second for speed in speeds), median(speed.cpu_ms for speed in speeds))


class _Client:
    """As little of a client as can be: what is measured is the server."""

    def __init__(self, pipe: Connection, url: str, ca_file: str) -> None:
        self._pipe = pipe
        parts = urlsplit(url)
        self._path = parts.path
        trust = ssl.create_default_context(cafile=ca_file)
        self._connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=trust)

    def measure(self, calls: int) -> Speed:
        cpu_began, began = self._server_cpu_seconds(), time.perf_counter()
        for _ in range(calls):
            self._connection.request("POST", self._path, b"{}", {"content-type": "application/json"})
            answer = self._connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise RuntimeError(f"{self._path.rpartition('/')[2]} answered {answer.status}")
        seconds = time.perf_counter() - began
        return Speed(calls / seconds, 1000 * (self._server_cpu_seconds() - cpu_began) / calls)

    def close(self) -> None:
        self._connection.close()

    def _server_cpu_seconds(self) -> float:
        self._pipe.send("cpu")
        seconds: float = self._pipe.recv()
        return seconds


@contextmanager
def _serving(serve: Callable[[Connection], None]) -> Iterator[_Client]:
    """A server in a process of its own, and a client of it."""
    spawning = multiprocessing.get_context("spawn")
    pipe, theirs = spawning.Pipe()
    process = spawning.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        client = _Client(pipe, *pipe.recv())
        yield client
        client.close()
    finally:
        pipe.send(None)
        process.join()


def _serve_sandbox(pipe: Connection) -> None:
    with Sandbox() as portal:
        _answer(pipe, portal.webhook() + "server.time", portal.ca_file)


def _serve_constant(pipe: Connection) -> None:
    certificate = Certificate()
    server = Server(_constant, port=0, tls=certificate.context)
    server.start()
    _answer(pipe, f"https://{HOST}:{server.port}/constant", str(certificate.ca_file))
    server.stop()
    certificate.close()


def _answer(pipe: Connection, url: str, ca_file: str) -> None:
    """Say where the server is, then how much processor time it has used, until asked to end."""
    pipe.send((url, ca_file))
    while pipe.recv() is not None:
        pipe.send(time.process_time())


async def _constant(scope: Scope, receive: Receive, send: Send) -> None:
    """The same answer to every request, as long as one to ``server.time``."""
    while (await receive()).get("more_body"):
        pass
    headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", b"310")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b" " * 310})
