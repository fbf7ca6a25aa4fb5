"""Calls of event handlers, from a thread of their own: as a portal's queue server, once each and in order."""

from __future__ import annotations

import ipaddress
import logging
import queue
import threading
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 10.0


class Delivery:
    """
    Sends to handlers on this computer.

    A portal is the other way round: it reaches public addresses, and no ``localhost``. A sandbox calls nobody outside.
    """

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def reaches(self, handler: str) -> bool:
        try:
            parts = urlsplit(handler)
            is_web = parts.scheme in ("http", "https")
            return is_web and (parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback)
        except ValueError:
            return False

    def send(self, handler: str, body: str) -> None:
        """POST a form to a handler that :meth:`reaches`; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bitrix24-sandbox-events", daemon=True)
            self._thread.start()
        self._waiting.put((handler, body))

    def stop(self) -> None:
        """End the thread; what still waits is dropped."""
        if self._thread is not None:
            while not self._waiting.empty():
                self._waiting.get_nowait()
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        import requests

        with requests.Session() as session:
            session.trust_env = False
            session.headers["content-type"] = "application/x-www-form-urlencoded"
            while (waiting := self._waiting.get()) is not None:
                handler, body = waiting
                try:
                    session.post(handler, data=body, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
                except requests.RequestException as failure:
                    # Not sent again, as by a portal. An address may hold a secret: only its host is logged.
                    log.warning("The event handler at %s: %s", urlsplit(handler).netloc, type(failure).__name__)
