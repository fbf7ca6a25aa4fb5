"""The ASGI application: REST under ``/rest``, the authorization server under ``/oauth``, a page for people at ``/``."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.sandbox.protocol.http_request import HttpRequest
from airflow_provider_bitrix24.sandbox.protocol.oauth import AuthorizationServer
from airflow_provider_bitrix24.sandbox.protocol.rest import Protocol
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.web import page
from airflow_provider_bitrix24.sandbox.web.delivery import deliver
from airflow_provider_bitrix24.sandbox.web.server import SandboxNotInstalled

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def application(portal: PortalState, *, needs_https: bool) -> ASGIApp:
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import HTMLResponse
        from starlette.routing import Mount, Route
    except ImportError as missing:
        raise SandboxNotInstalled(missing) from None

    async def serve(protocol: Protocol | AuthorizationServer, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        request = HttpRequest(
            verb=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
            is_https=scope["scheme"] == "https",
            address=scope["client"][0] if scope["client"] else "",
            connection=scope["bitrix24.connection"],
        )
        with portal.lock:
            answer, fault = protocol.answer(request)
        # Outside the lock: requests are held back side by side.
        held_seconds = portal.settings.latency_seconds + answer.command_seconds
        if held_seconds:
            await asyncio.sleep(held_seconds)
        await deliver(answer, fault, scope["bitrix24.transport"], receive, send)

    async def index(request: Request) -> HTMLResponse:
        with portal.lock:
            return HTMLResponse(page.render(portal))

    rest = partial(serve, Protocol(portal, needs_https=needs_https))
    oauth = partial(serve, AuthorizationServer(portal))
    others = Starlette(routes=[Route("/", index), Mount("/rest", app=rest), Mount("/oauth", app=oauth)])

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        # Nearly all requests are calls: they pass by layers that they have no use for.
        await (rest if scope["path"].startswith("/rest/") else others)(scope, receive, send)

    return route


async def _body(receive: Receive) -> bytes | None:
    """The whole body; ``None`` if the client has gone away before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
