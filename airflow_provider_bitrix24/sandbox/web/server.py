"""HTTPS on loopback in a thread: a throw-away CA, a listening socket, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"

#: First byte of a TLS record that carries a handshake (RFC 8446, 5.1).
_TLS_HANDSHAKE = b"\x16"


#: Makes the protocol of one connection, given its number.
NewProtocol: TypeAlias = Callable[[int], asyncio.Protocol]


class SandboxNotInstalled(ImportError):
    """The server's libraries are missing."""

    def __init__(self, missing: ImportError) -> None:
        super().__init__(
            f"The sandbox needs {missing.name}: pip install 'airflow-provider-bitrix24[sandbox]'.", name=missing.name
        )


def unused_port() -> int:
    """A port of this computer on which nothing listens: connecting to it is refused."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def around_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables by which programs reach this computer directly where the environment names a proxy; else none."""
    proxies = {name.lower(): value for name, value in environment.items() if value}
    if not proxies.keys() & {"http_proxy", "https_proxy", "all_proxy"}:
        return {}
    passed_by = ",".join(filter(None, (proxies.get("no_proxy"), HOST)))
    return {"NO_PROXY": passed_by, "no_proxy": passed_by}


class Certificate:
    """A CA of its own, and a server certificate for this computer signed by it. The CA's file lives until close."""

    def __init__(self) -> None:
        try:
            import trustme
        except ImportError as missing:
            raise SandboxNotInstalled(missing) from None
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(self.context)
        self._directory = Path(tempfile.mkdtemp(prefix="bitrix24-sandbox-"))
        self.ca_file = self._directory / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))

    def close(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)


class Server:
    """
    Serves an ASGI application from a thread of its own.

    The application finds the connection in ``scope["bitrix24.transport"]`` and its number in
    ``scope["bitrix24.connection"]``.
    """

    def __init__(self, app: ASGIApp, *, port: int, tls: ssl.SSLContext | None) -> None:
        self._app = app
        self._tls = tls
        try:
            self._listener = socket.create_server((HOST, port), backlog=512)
        except OSError as problem:
            why = os.strerror(problem.errno or 0)
            raise OSError(f"Port {port} of {HOST} cannot be taken ({why}): name another one, or none.") from None
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        #: TCP connections accepted so far.
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._accepting: asyncio.Task[None] | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="bitrix24-sandbox", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End all connections and the thread; returns when the port is free."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
        self._listener.close()

    def stop_listening(self) -> None:
        """From now on new connections are refused; the open ones stay."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close_listener(), self._loop).result()

    async def _close_listener(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            unfinished = asyncio.all_tasks(self._loop)
            for task in unfinished:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*unfinished, return_exceptions=True))
            self._loop.close()
            self._started.set()

    async def _serve(self) -> None:
        new_protocol, open_protocols = self._protocols()
        self._accepting = asyncio.create_task(self._accept(new_protocol))
        self._started.set()
        await self._ended.wait()
        await self._close_listener()
        for protocol in list(open_protocols):
            protocol.transport.abort()

    def _protocols(self) -> tuple[NewProtocol, set[Any]]:
        try:
            import uvicorn
            from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
            from uvicorn.server import ServerState
        except ImportError as missing:
            raise SandboxNotInstalled(missing) from None

        class Connection(HttpToolsProtocol):
            number = 0

            def on_message_begin(self) -> None:
                super().on_message_begin()
                self.scope["bitrix24.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
                self.scope["bitrix24.connection"] = self.number  # type: ignore[typeddict-unknown-key]

        config = uvicorn.Config(
            _ended_quietly(self._app), log_config=None, access_log=False, lifespan="off", server_header=False
        )
        config.load()
        state = ServerState()

        def new_protocol(number: int) -> asyncio.Protocol:
            protocol = Connection(config=config, server_state=state, app_state={}, _loop=self._loop)
            protocol.number = number
            # Its lines hold webhook codes; access_log=False above is undone by whoever adds a handler.
            protocol.access_log = False
            return protocol

        return new_protocol, state.connections

    async def _accept(self, new_protocol: NewProtocol) -> None:
        greetings: set[asyncio.Task[None]] = set()
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._greet(connection, self.connections, new_protocol))
            greetings.add(task)
            task.add_done_callback(greetings.discard)

    async def _greet(self, connection: socket.socket, number: int, new_protocol: NewProtocol) -> None:
        """Speak TLS if the client does; plain HTTP gets a plain answer (that HTTPS is required)."""
        tls = self._tls
        try:
            if tls is not None and await self._first_byte(connection) != _TLS_HANDSHAKE:
                tls = None
            await self._loop.connect_accepted_socket(lambda: new_protocol(number), connection, ssl=tls)
        except (OSError, asyncio.CancelledError):
            # The client went away, or did not trust our certificate.
            connection.close()

    async def _first_byte(self, connection: socket.socket) -> bytes:
        readable = asyncio.Event()
        self._loop.add_reader(connection, readable.set)
        try:
            await readable.wait()
        finally:
            self._loop.remove_reader(connection)
        with contextlib.suppress(BlockingIOError):
            return connection.recv(1, socket.MSG_PEEK)
        return b""


def _ended_quietly(app: ASGIApp) -> ASGIApp:
    """Requests that are still held back when the server ends are given up without a traceback in the log."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            # The connection is being aborted: had we returned before that is noticed, 500 would be answered for us.
            while (await receive())["type"] != "http.disconnect":
                pass

    return serve
