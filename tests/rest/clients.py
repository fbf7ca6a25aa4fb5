"""Clients for tests: they trust the portal's certificate, never really sleep, and leave no file behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.portal import Portal, Webhook

#: As good as none: what is tested is not the waiting.
NO_LIMIT = Bucket(rate=1e9, burst=1e9)
#: Of the portals of clients, where a test does not say otherwise; see the fixture ``each_parallel``.
SETTINGS: dict[str, Any] = {"bucket": NO_LIMIT, "timeout_seconds": 10.0}


class Address(Protocol):
    """What a client needs of a portal."""

    @property
    def port(self) -> int: ...
    @property
    def ca_file(self) -> str: ...


class Naps:
    """
    In place of sleeping and of the clock: time passes for the client and at the portal at once, and nobody waits.

    :param ahead: how many seconds the client's clock is ahead of the portal's.
    """

    def __init__(self, portal: Any = None, ahead: float = 0.0) -> None:
        self.taken: list[float] = []
        self._portal = portal
        self._ahead = ahead

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        if self._portal is None:
            self._ahead += seconds
        else:
            self._portal.clock.advance(seconds)

    @property
    def total(self) -> float:
        return sum(self.taken)

    def now(self) -> float:
        """Unix seconds."""
        return (time.time() if self._portal is None else self._portal.clock.now()) + self._ahead

    def monotonic(self) -> float:
        return self.now()


class Watched(LocalBucket):
    """Counts the permits that are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.permits = self.most_permits = 0

    def take_permit(self, most: int) -> Callable[[], object] | None:
        free = super().take_permit(most)
        if free is None:
            return None
        self.permits += 1
        self.most_permits = max(self.most_permits, self.permits)

        def give_back() -> None:
            self.permits -= 1
            free()

        return give_back


def portal_at(portal: Address, user_id: int = 1, code: str = "hostilecode12345", **settings: Any) -> Portal:
    return Portal(
        host="127.0.0.1",
        port=portal.port,
        credentials=Webhook(str(user_id), code),
        verify=portal.ca_file,
        **{**SETTINGS, **settings},
    )


def client_of(sandbox: Any, user: Any = None, *, naps: Naps | None = None, **settings: Any) -> Client:
    """
    A client of a sandbox's user, the administrator by default. ``settings`` go to the client or its portal.

    :param portal_bucket: how fast the client may ask; ``bucket`` is where that is kept, which clients can share.
    """
    owner = user or sandbox.admin
    naps = naps or Naps(sandbox)
    own = {name: settings.pop(name) for name in ("methods", "meter", "patience_seconds", "bucket") if name in settings}
    if "portal_bucket" in settings:
        settings["bucket"] = settings.pop("portal_bucket")
    store = own.pop("bucket", None) or LocalBucket(naps.monotonic)
    return Client(
        portal_at(sandbox, owner.id, owner.code, **settings),
        bucket=store,
        sleep=naps,
        clock=naps.now,
        jitter=lambda: 1.0,
        **own,
    )


def request_threads() -> int:
    """How many threads for requests beside others there are."""
    return sum(thread.name.startswith("bitrix24_") for thread in threading.enumerate())
