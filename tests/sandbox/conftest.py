"""A plain client that knows nothing of ours: ``requests`` against the sandbox."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
