"""A plain client that knows nothing of ours: ``requests`` against the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox

#: ``ask(portal, "crm.item.payment.get", {"id": 5}, user=portal.clerk)`` -> the HTTP response.
Ask: TypeAlias = Callable[..., requests.Response]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session that trusts only what it is told to trust."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def ask(http: requests.Session) -> Ask:
    def post(portal: Sandbox, method: str, params: Any = None, user: Any = None) -> requests.Response:
        http.verify = portal.ca_file
        return http.post(portal.webhook(user) + method, json=params or {}, timeout=10)

    return post
