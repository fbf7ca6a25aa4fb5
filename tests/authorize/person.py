"""A person who runs ``python -m airflow_provider_bitrix24.authorize``: at a terminal, or with answers in a pipe."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import requests

#: Standard error becomes the terminal of the session: where Ctrl-C comes from, and what getpass opens. Ctrl-C is heard
#: as at any terminal, even where the tests themselves run in the background of a shell that ignores it.
_AT_ITS_TERMINAL = """
import fcntl, runpy, signal, termios
signal.signal(signal.SIGINT, signal.default_int_handler)
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
runpy.run_module("airflow_provider_bitrix24.authorize", run_name="__main__", alter_sys=True)
"""
_PATIENCE_SECONDS = 40.0


@dataclass(frozen=True)
class Ended:
    """How the command ended, what it printed, and what it logged."""

    exit_code: int
    printed: str
    said: str


def run(*options: str, answers: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Ended:
    """Run the command with answers in a pipe, one to a line."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow_provider_bitrix24.authorize", *options],
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Terminal:
    """
    The command at a terminal of its own, with a person who reads and types.

    :param piped: standard input is a pipe instead, which :meth:`pipe` writes and closes.
    """

    def __init__(self, *options: str, piped: bool = False) -> None:
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AT_ITS_TERMINAL, *options],
            stdin=subprocess.PIPE if piped else slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        self._read_up_to = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        os.close(self._master)

    def until(self, pattern: str) -> re.Match[str]:
        """Read on until the screen shows something that was not there when this was last asked."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (match := re.compile(pattern).search(self.shown, self._read_up_to)):
            is_talking = time.monotonic() < deadline and self._read_more()
            assert is_talking, f"{pattern!r} did not come: {self.shown}"
        self._read_up_to = match.end()
        return match

    def type(self, text: str, end: str = "\n") -> None:
        os.write(self._master, f"{text}{end}".encode())

    def pipe(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.close()

    def ended(self) -> Ended:
        while self._read_more():
            pass
        assert self._process.stdout
        printed = self._process.stdout.read()
        return Ended(self._process.wait(timeout=_PATIENCE_SECONDS), printed.decode(), self.shown)

    def _read_more(self) -> bool:
        is_heard = select.select([self._master], [], [], _PATIENCE_SECONDS)[0]
        assert is_heard, f"nothing more came: {self.shown}"
        try:
            read = os.read(self._master, 65536)
        except OSError:  # Linux says so when the other side is closed.
            return False
        self.shown += read.decode()
        return bool(read)


def signed_in(address: str, ca_file: str) -> str:
    """Sign in as a browser does; return where the portal sends it."""
    answer = requests.get(address, verify=ca_file, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def code_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["code"][0]
