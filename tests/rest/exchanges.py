"""One exchange with a portal, as a test asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import TransportError
from airflow_provider_bitrix24.rest.portal import Portal, Webhook
from airflow_provider_bitrix24.rest.wire.transport import Answer, Transport
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.secrecy import assert_untold
from tests.wire import RawServer, Talk, read_request

#: Odd on purpose: its percent-encoded form differs.
CODE = "s3cr3t c0de+12345"
PROXY_PASSWORD = "pr0xy p@ss"
QUOTED_PASSWORD = "pr0xy%20p%40ss"


def settings(port: int, **more: Any) -> Portal:
    return Portal(
        **{"host": "127.0.0.1", "port": port, "credentials": Webhook("1", CODE), "timeout_seconds": 10.0, **more}
    )


def sandbox_settings(portal: Sandbox, **more: Any) -> Portal:
    return settings(portal.port, **{"verify": portal.ca_file, **more})


def plain(server: RawServer, **more: Any) -> Portal:
    return settings(server.port, scheme="http", **more)


def post(portal: Portal, method: str = "server.time", **more: Any) -> Answer:
    with Transport(portal) as transport:
        return transport.post(method, b"{}", request_id="r-1", **more)


def failure_of(portal: Portal, all_output: Any, kind: type[TransportError]) -> Any:
    """What a call raises, which says nothing secret and leads to no error of a library."""
    with pytest.raises(TransportError) as caught:
        post(portal)
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert (error.method, error.request_id) == ("server.time", "r-1")
    for secret in (CODE, PROXY_PASSWORD):
        assert_untold(secret, all_output, error)
    return error


def says(*answers: bytes) -> Talk:
    """One answer per request; after the last one the connection is closed."""

    def talk(connection: Any) -> None:
        for answer in answers:
            read_request(connection)
            connection.sendall(answer)

    return talk
