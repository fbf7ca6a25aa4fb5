"""Follow a portal that has moved: the secret goes only where the connection allows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from airflow_provider_bitrix24.exceptions import PortalMoved
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.wire.transport import Answer, Transport

log = logging.getLogger(__name__)

#: Most redirects that one request follows: a renamed portal needs one.
_MAX_REDIRECTS = 3


class RedirectedTransport:
    """
    A :class:`Transport` that moves with its portal. May be shared by threads.

    :param portal: where it is at first.
    :param sending: as of :class:`Transport`.
    """

    def __init__(self, portal: Portal, sending: Callable[[], object]) -> None:
        self._sending = sending
        self._transport = Transport(portal, sending=sending)

    @property
    def portal(self) -> Portal:
        """The portal as it is reached now."""
        return self._transport.portal

    def move(self, portal: Portal) -> None:
        """Send to another address from now on."""
        self._transport.close()
        self._transport = Transport(portal, sending=self._sending)

    def close(self) -> None:
        self._transport.close()

    def post(
        self, method: str, body: bytes, *, version: int, headers: Mapping[str, str] | None, request_id: str
    ) -> Answer:
        """
        Call a method; like :meth:`Transport.post`.

        :raises PortalMoved: the portal redirects to where the secret must not go, or in a circle.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            transport = self._transport
            answer = transport.post(method, body, version=version, headers=headers, request_id=request_id)
            if answer.location is None:
                return answer
            moved = transport.portal.moved(answer.location, method=method, status=answer.status, request_id=request_id)
            log.warning(
                "The portal %s has moved to %s: change the connection's Portal (host).",
                transport.portal.host,
                moved.host,
            )
            self.move(moved)
        raise PortalMoved(
            "the portal redirects in a circle",
            method=method,
            request_id=request_id,
            next_step="check the connection's Portal (host)",
        )
