"""What importing us costs: DAG files are parsed in a fresh process again and again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HTTP_LIBRARIES = ("aiohttp", "http.client", "httpx", "requests", "urllib3")

#: Each module in a process of its own, which begins as a copy of one that has imported Airflow.
ADDED_BY_IMPORTS = """
import importlib, json, os, sys
import airflow
try:
    import airflow.sdk
    from airflow.sdk import BaseHook, BaseOperator
except ImportError:
    import airflow.hooks.base, airflow.models.baseoperator
before = set(sys.modules)
for module in sys.argv[1:]:
    if (process := os.fork()) == 0:
        importlib.import_module(module)
        print(json.dumps([module, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.waitpid(process, 0)
"""

IN_DAG_FILES = [
    f"airflow_provider_bitrix24.{name}"
    for name in (
        *("operators.payment", "operators.crm_import", "operators.crm_upsert", "sensors.crm", "events"),
        *("transfers.to_object_storage", "transfers.to_sql", "triggers.changes", "triggers.events", "hooks.bitrix24"),
    )
]
OPERATORS = [
    f"airflow_provider_bitrix24.{name}"
    for name in (
        *("operators.crm", "operators.payment", "operators.payment_items", "operators.rest", "sensors.crm"),
        *("sensors.payment", "sensors.rest", "transfers.to_object_storage", "transfers.to_sql"),
    )
]


@pytest.fixture(scope="module")
def added() -> dict[str, list[str]]:
    """What importing each of the modules adds to a process that has imported Airflow."""
    program = [sys.executable, "-c", ADDED_BY_IMPORTS, *sorted({*IN_DAG_FILES, *OPERATORS})]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


@pytest.mark.parametrize("module", IN_DAG_FILES)
def test_importing_what_a_dag_file_imports_adds_no_http_library(module, added):
    assert module in added[module]
    assert not [name for name in added[module] if name.startswith(HTTP_LIBRARIES)]


@pytest.mark.parametrize("module", OPERATORS)
def test_importing_an_operator_adds_nothing_that_only_its_work_needs(module, added):
    assert module in added[module]
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
    assert not {f"airflow_provider_bitrix24.{name}" for name in heavy} & set(added[module])


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
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert "airflow" not in loaded
