"""The sandbox in a process of its own, so that it and the client share nothing but the wire."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox


@dataclass(frozen=True)
class Seen:
    """
    What came to the portal.

    :param requests: HTTP requests.
    :param refused: how many of them were over the limit.
    :param seconds: from the first request to the last.
    :param cpu_seconds: of the portal's own process.
    """

    requests: int
    refused: int
    seconds: float
    cpu_seconds: float


class Portal:
    """
    A sandbox, alive inside a ``with`` block.

    :param settings: those of :class:`Sandbox`.
    """

    webhook: str
    ca_file: str
    #: For ``AIRFLOW_CONN_…``, without a limit of the client's own.
    connection: str

    def __init__(self, **settings: Any) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(self._theirs, settings), daemon=True)

    def __enter__(self) -> Portal:
        self._process.start()
        # Now only the portal has it, so that its end is noticed here instead of waited for.
        self._theirs.close()
        self.webhook, self.ca_file, self.connection = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokenPipeError):
            self._pipe.send(None)
        self._process.join()
        self._pipe.close()

    def forget_calls(self) -> None:
        """Count from 0."""
        self._ask("forget_calls")

    def add_payments(self, count: int) -> list[int]:
        """So many unpaid payments of the first deal; their ids."""
        ids: list[int] = self._ask("add_payments", count)
        return ids

    def seen(self) -> Seen:
        """What came since the last :meth:`forget_calls`."""
        seen: Seen = self._ask("seen")
        return seen

    def _ask(self, action: str, *arguments: Any) -> Any:
        self._pipe.send((action, arguments))
        return self._pipe.recv()


def least_seconds(requests: int, *, rate: float, burst: int) -> int:
    """From the first request to the last, where each whole second takes ``rate`` out of a bucket ``burst`` deep."""
    return max(0, math.ceil((requests - burst) / rate))


def _serve(pipe: Connection, settings: dict[str, Any]) -> None:
    with Sandbox(**settings) as sandbox:
        served = _Served(sandbox)
        actions: dict[str, Callable[..., Any]] = {
            "forget_calls": served.forget_calls,
            "add_payments": served.add_payments,
            "seen": served.seen,
        }
        pipe.send((sandbox.webhook(), sandbox.ca_file, sandbox.connection_json(rate=1e6, burst=1e6)))
        while (asked := pipe.recv()) is not None:
            action, arguments = asked
            pipe.send(actions[action](*arguments))


class _Served:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._cpu_began = _cpu_seconds()

    def forget_calls(self) -> None:
        self._sandbox.reset_calls()
        self._cpu_began = _cpu_seconds()

    def add_payments(self, count: int) -> list[int]:
        return [self._sandbox.add_payment(1) for _ in range(count)]

    def seen(self) -> Seen:
        calls = self._sandbox.calls
        return Seen(
            requests=self._sandbox.requests,
            refused=sum(call.error == "QUERY_LIMIT_EXCEEDED" for call in calls),
            seconds=calls[-1].at - calls[0].at if calls else 0.0,
            cpu_seconds=_cpu_seconds() - self._cpu_began,
        )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system
