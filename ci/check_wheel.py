"""Import every class that provider info names from the installed wheel, and print what was found."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

import airflow

import airflow_provider_bitrix24
from airflow_provider_bitrix24.get_provider_info import get_provider_info


def modules_in(info: dict[str, Any]) -> set[str]:
    """Modules of hooks, operators and the like: every list of entries with ``python-modules``."""
    entries = [entry for part in info.values() if isinstance(part, list) for entry in part if isinstance(entry, dict)]
    return {module for entry in entries for module in entry.get("python-modules", ())}


def classes_in(info: dict[str, Any]) -> set[str]:
    classes = {entry["hook-class-name"] for entry in info["connection-types"]}
    return classes | {*info.get("notifications", ()), *info.get("extra-links", ())}


def main() -> None:
    if "site-packages" not in airflow_provider_bitrix24.__file__:
        sys.exit(f"Not the installed wheel but {airflow_provider_bitrix24.__file__} was imported.")
    info = get_provider_info()
    found = {path: _imported(path) for path in classes_in(info)}
    for name in modules_in(info):
        members = inspect.getmembers(importlib.import_module(name), inspect.isclass)
        found |= {f"{name}.{of}": member for of, member in members if member.__module__ == name}
    names = sorted({member.__name__ for member in found.values()})
    print(f"Airflow {airflow.__version__} imports {', '.join(names)}")


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
