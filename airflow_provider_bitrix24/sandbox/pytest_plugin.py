"""
Fixtures for the tests of users: a Bitrix24 and a connection to it.

pytest loads this in every run of everyone who has the package installed, so it imports nothing until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_bitrix24.sandbox.portal import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "bitrix24(**settings): settings of the portal in the fixture bitrix24_portal, e.g. deals=500"
    )


@pytest.fixture
def bitrix24_portal(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """
    A portal on this computer, new for each test, with 30 deals of which some have payments.

    ``@pytest.mark.bitrix24(deals=500, language="ru")`` gives it other settings, those of
    :class:`~airflow_provider_bitrix24.sandbox.Sandbox`. Needs the extra ``sandbox``.
    """
    from airflow_provider_bitrix24.sandbox.portal import Sandbox

    marker = request.node.get_closest_marker("bitrix24")
    if marker and marker.args:
        raise pytest.UsageError("@pytest.mark.bitrix24 takes settings by name, such as deals=500.")
    with Sandbox(**(marker.kwargs if marker else {})) as portal:
        yield portal


@pytest.fixture
def bitrix24_connection(bitrix24_portal: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection ``bitrix24_default`` to that portal, as its administrator; returns the connection's id."""
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", bitrix24_portal.connection_json())
    return "bitrix24_default"
