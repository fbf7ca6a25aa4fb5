"""What importing us costs: DAG files are parsed in a fresh process again and again."""

from __future__ import annotations

import subprocess
import sys

import pytest

HTTP_LIBRARIES = ("aiohttp", "http.client", "httpx", "requests", "urllib3")

ADDED_BY_IMPORT = """
import importlib, sys
import airflow
try:
    import airflow.sdk
    from airflow.sdk import BaseHook, BaseOperator
except ImportError:
    import airflow.hooks.base, airflow.models.baseoperator
before = set(sys.modules)
importlib.import_module({module!r})
print(*(set(sys.modules) - before), sep="\\n")
"""


@pytest.mark.parametrize(
    "module",
    [
        "airflow_provider_bitrix24.operators.payment",
        "airflow_provider_bitrix24.operators.crm_import",
        "airflow_provider_bitrix24.operators.crm_upsert",
        "airflow_provider_bitrix24.sensors.crm",
        "airflow_provider_bitrix24.transfers.to_object_storage",
        "airflow_provider_bitrix24.transfers.to_sql",
        "airflow_provider_bitrix24.triggers.changes",
        "airflow_provider_bitrix24.triggers.events",
        "airflow_provider_bitrix24.events",
        "airflow_provider_bitrix24.hooks.bitrix24",
    ],
)
def test_importing_what_a_dag_file_imports_adds_no_http_library(module):
    added = _printed_by(ADDED_BY_IMPORT.format(module=module))
    assert module in added
    assert not [name for name in added if name.startswith(HTTP_LIBRARIES)]


@pytest.mark.parametrize(
    "name",
    [
        *("operators.crm", "operators.payment", "operators.payment_items", "operators.rest"),
        *("sensors.crm", "sensors.payment", "sensors.rest"),
        "transfers.to_object_storage",
        "transfers.to_sql",
    ],
)
def test_importing_an_operator_adds_nothing_that_only_its_work_needs(name):
    added = _printed_by(ADDED_BY_IMPORT.format(module=f"airflow_provider_bitrix24.{name}"))
    heavy = (
        "triggers",
        "exports",
        "crm.fields",
        "crm.values",
        "methods",
        "rest.client",
        "rest.conditions",
        "rest.encoding",
        "hooks.bitrix24",
    )
    assert not {f"airflow_provider_bitrix24.{module}" for module in heavy} & set(added)


@pytest.mark.parametrize(
    "module",
    [
        "airflow_provider_bitrix24",
        "airflow_provider_bitrix24._compat",
        "airflow_provider_bitrix24.exceptions",
        "airflow_provider_bitrix24.get_provider_info",
        "airflow_provider_bitrix24.rest.client",
        "airflow_provider_bitrix24.sandbox",
    ],
)
def test_importing_a_module_that_stands_without_airflow_does_not_import_airflow(module):
    loaded = _printed_by(f"import sys, {module}; print(*sys.modules, sep='\\n')")
    assert module in loaded
    assert "airflow" not in loaded


def _printed_by(program: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
