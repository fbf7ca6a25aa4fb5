"""
A small Bitrix24 on this computer: real HTTPS, real answers, real refusals.

    from airflow_provider_bitrix24.sandbox import Sandbox

    with Sandbox(deals=30) as portal:
        os.environ["AIRFLOW_CONN_BITRIX24_DEFAULT"] = portal.connection_json()

It needs ``pip install 'airflow-provider-bitrix24[sandbox]'`` and no Airflow. Importing this package alone imports
no server: names are looked up on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bitrix24.sandbox.face.sandbox import Sandbox
    from airflow_provider_bitrix24.sandbox.methods.registry import Page
    from airflow_provider_bitrix24.sandbox.state.calls import Call
    from airflow_provider_bitrix24.sandbox.state.faults import Fault
    from airflow_provider_bitrix24.sandbox.web.server import unused_port

__all__ = ["Call", "Fault", "Page", "Sandbox", "unused_port"]

_HOMES = {
    "Call": "state.calls",
    "Fault": "state.faults",
    "Page": "methods.registry",
    "Sandbox": "face.sandbox",
    "unused_port": "web.server",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
