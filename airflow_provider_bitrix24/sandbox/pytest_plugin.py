"""
Fixtures for the tests of users: a Bitrix24 and a connection to it.

pytest loads this in every run of everyone who has the package installed, so it imports nothing until a fixture is used.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_bitrix24.sandbox.face.sandbox import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "bitrix24(**settings): settings of the portal in the fixture bitrix24_portal, e.g. deals=500"
    )


@pytest.fixture
def bitrix24_portal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """
    A portal on this computer, new for each test, with 30 deals of which some have payments.

    ``@pytest.mark.bitrix24(deals=500, language="ru")`` gives it other settings, those of
    :class:`~airflow_provider_bitrix24.sandbox.Sandbox`; a marker of the test adds to those of its class and module, and
    wins. Needs the extra ``sandbox``. A proxy of the environment is passed by, since no proxy reaches this computer.
    """
    from airflow_provider_bitrix24.sandbox.face.sandbox import Sandbox
    from airflow_provider_bitrix24.sandbox.web.server import around_proxies

    try:
        portal = Sandbox(**_settings(request.node, tuple(inspect.signature(Sandbox).parameters))).start()
    except (ImportError, OSError, ValueError) as problem:
        # One sentence: nobody is helped by how it looks inside.
        raise pytest.fail.Exception(str(problem), pytrace=False) from None
    for name, value in around_proxies(os.environ).items():
        monkeypatch.setenv(name, value)
    try:
        yield portal
    finally:
        portal.stop()


def _settings(node: pytest.Item, known: tuple[str, ...]) -> dict[str, Any]:
    """
    What the markers say, the nearest last.

    :raises ValueError: a setting without a name, or with one that is not known.
    """
    settings: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("bitrix24"))):
        if marker.args:
            raise ValueError("@pytest.mark.bitrix24 takes settings by name, such as deals=500.")
        settings |= marker.kwargs
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or known
            raise ValueError(f"@pytest.mark.bitrix24 has no {name!r}: write {' or '.join(near)}.")
    return settings


@pytest.fixture
def bitrix24_connection(bitrix24_portal: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection ``bitrix24_default`` to that portal, as its administrator; returns the connection's id."""
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", bitrix24_portal.connection_json())
    return "bitrix24_default"
