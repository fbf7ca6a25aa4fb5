"""Servers for tests that must speak below HTTP: a raw one, and a forward proxy. On 127.0.0.1, any free port."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias
from urllib.parse import urlsplit

Talk: TypeAlias = Callable[[socket.socket], None]

JSON_TRUE = b'{"result": true, "time": {}}'


class RawServer:
    """
    Accepts connections and lets ``talk(connection)`` speak on each, in a thread; then the connection is closed.

    ``tls`` makes the handshake first; ``served_names`` are the host names that clients asked for in it.
    """

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self._talk, self._tls = talk, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.served_names: list[str | None] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        if tls is not None:
            tls.sni_callback = lambda _connection, name, _context: self.served_names.append(name)

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            _end(connection)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    self._open.append(connection)
                self._talk(connection)
            finally:
                _end(connection)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def read_request(connection: socket.socket) -> str:
    """The head and the body of one request; OSError at the end of the connection."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += _some(connection)
    head, _, body = said.partition(b"\r\n\r\n")
    length = next(
        (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b"0"
    )
    while len(body) < int(length):
        body += _some(connection)
    return (head + b"\r\n\r\n" + body).decode("latin-1")


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client has left")
    return data


def answer(body: bytes = JSON_TRUE, *headers: str, status: int = 200, length: int | None = None) -> bytes:
    """An HTTP answer; ``length`` is what its head says, where that is a lie."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, ends: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if ends else b"")


class ForwardProxy(RawServer):
    """
    A forward proxy: ``CONNECT`` for https, whole addresses for http. ``asked`` are the first lines it got.

    :param password: of the user ``me``; without one nobody is asked who he is.
    :param refuses: status with which it refuses everybody.
    """

    def __init__(self, password: str | None = None, refuses: int | None = None) -> None:
        super().__init__(self._forward)
        self._credentials = base64.b64encode(f"me:{password}".encode()).decode() if password else None
        self._refuses = refuses
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _forward(self, client: socket.socket) -> None:
        request = read_request(client)
        first, _, rest = request.partition("\r\n")
        self.asked.append(first)
        verb, target, _ = first.split(" ")
        if self._credentials and f"proxy-authorization: basic {self._credentials.lower()}" not in request.lower():
            client.sendall(answer(b"", "Proxy-Authenticate: Basic", status=407))
            return
        if self._refuses:
            client.sendall(answer(b"", status=self._refuses))
            return
        url = urlsplit(f"//{target}" if verb == "CONNECT" else target)
        with socket.create_connection((url.hostname, url.port)) as portal:
            self._open.append(portal)
            if verb == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                portal.sendall(f"{verb} {url.path} HTTP/1.1\r\n{rest}".encode("latin-1"))
            back = threading.Thread(target=_copy, args=(portal, client), daemon=True)
            back.start()
            _copy(client, portal)
            back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for connection in (source, target):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
