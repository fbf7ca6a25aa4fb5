"""A plain client that knows nothing of ours: ``requests`` against the sandbox."""

from __future__ import annotations

import json
import shlex
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox

#: ``ask(portal, "crm.item.payment.get", {"id": 5}, user=portal.clerk)`` -> the HTTP response.
Ask: TypeAlias = Callable[..., requests.Response]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session that trusts only the given authority."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def ask(http: requests.Session) -> Ask:
    def post(portal: Sandbox, method: str, params: Any = None, user: Any = None) -> requests.Response:
        http.verify = portal.ca_file
        return http.post(portal.webhook(user) + method, json=params or {}, timeout=10)

    return post


class Line:
    """One open connection for thousands of calls: ``requests`` takes longer for each than the sandbox does."""

    def __init__(self, portal: Sandbox) -> None:
        trust = ssl.create_default_context(cafile=portal.ca_file)
        self._connection = HTTPSConnection(portal.host, portal.port, timeout=20, context=trust)
        self._root = portal.webhook()[len(portal.url) :]
        self._token = portal.application().grant()["access_token"]

    def post(self, method: str, params: Any, *, root: str | None = None) -> tuple[int, Any]:
        """Status and answer of a call with JSON; by the administrator's webhook if no ``root`` is given."""
        path, body = (root or self._root) + method, json.dumps(params).encode()
        try:
            return self._exchange(path, body)
        except (ConnectionError, ssl.SSLError):
            # The server ends connections on which nothing was said for 5 seconds: nothing ran.
            self._connection.close()
            return self._exchange(path, body)

    def _exchange(self, path: str, body: bytes) -> tuple[int, Any]:
        self._connection.request("POST", path, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def as_application(self, method: str, params: dict[str, Any]) -> tuple[int, Any]:
        return self.post(method, {**params, "auth": self._token}, root="/rest/")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def open_line() -> Iterator[Callable[[Sandbox], Line]]:
    """``open_line(portal)`` -> a connection that lives as long as the module's tests."""
    with ExitStack() as opened:

        def new(portal: Sandbox) -> Line:
            line = Line(portal)
            opened.callback(line.close)
            return line

        yield new


@pytest.fixture
def sandbox_command(tmp_path: Path) -> Callable[..., AbstractContextManager[dict[str, str]]]:
    """``with sandbox_command("--deals", "3") as variables:`` runs it; ``variables`` is what its ``--env-file`` sets."""

    @contextmanager
    def run(*arguments: str) -> Iterator[dict[str, str]]:
        env_file = tmp_path / "sandbox.env"
        command = [sys.executable, "-m", "airflow_provider_bitrix24.sandbox", "--env-file", str(env_file), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert any("Ctrl-C" in line for line in process.stdout)
                lines = env_file.read_text().splitlines()
                yield dict(shlex.split(line)[1].split("=", 1) for line in lines)
            finally:
                process.terminate()

    return run
