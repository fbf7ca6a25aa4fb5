"""A portal whose secrets look different when percent-encoded, and a certificate authority."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import SETTINGS, client_of
from tests.rest.exchanges import CODE, PROXY_PASSWORD
from tests.secrecy import assert_untold


@pytest.fixture(scope="session")
def lasting_portal() -> Iterator[Sandbox]:
    with Sandbox(deals=3, code=CODE) as portal:
        yield portal


@pytest.fixture
def odd_portal(lasting_portal: Sandbox) -> Iterator[Sandbox]:
    """A portal without the calls and the faults of the test before."""
    lasting_portal.reset_calls()
    yield lasting_portal
    lasting_portal.clear_faults()


@pytest.fixture(params=[1, 4, 20])
def each_parallel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The clients of a test have at most 1, 4 and 20 requests under way."""
    monkeypatch.setitem(SETTINGS, "parallel", request.param)
    return int(request.param)


@pytest.fixture
def reader(many: Sandbox) -> Iterator[Client]:
    """A client of ``many``, the module's own portal that is only read from, without the calls of the test before."""
    many.reset_calls()
    with client_of(many) as client:
        yield client


@pytest.fixture
def nothing_odd_is_said(all_output: Any) -> Iterator[None]:
    """No secret of ``odd_portal`` is in what was said while a test ran."""
    yield
    for secret in (CODE, PROXY_PASSWORD):
        assert_untold(secret, all_output)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """A certificate authority and its file."""
    ca, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)
