"""Import every class that provider info names from the installed wheel, which must hold every file of the package."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
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


def files_in(package: Path) -> set[Path]:
    return {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def main() -> None:
    if "site-packages" not in airflow_provider_bitrix24.__file__:
        sys.exit(f"Not the installed wheel but {airflow_provider_bitrix24.__file__} was imported.")
    source = Path(__file__).parent.parent / "airflow_provider_bitrix24"
    if missing := files_in(source) - files_in(Path(airflow_provider_bitrix24.__file__).parent):
        sys.exit(f"The wheel lacks {', '.join(sorted(map(str, missing)))}")
    info = get_provider_info()
    names = {_imported(path).__name__ for path in classes_in(info)}
    for module in modules_in(info):
        members = inspect.getmembers(importlib.import_module(module), inspect.isclass)
        names |= {name for name, member in members if member.__module__ == module}
    print(f"Airflow {airflow.__version__} imports {', '.join(sorted(names))}")


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
