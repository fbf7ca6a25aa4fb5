"""
Write ``airflow_provider_bitrix24/rest/lists/own_parameters.txt``: the parameters that a list method has.

    python ci/make_list_parameters.py DIRECTORY

``DIRECTORY`` holds the documentation as data, one JSON file a method in the form of ``tests/contract/README.md``. The
repository has only the methods of its sandbox so; tests compare the table with them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.methods import METHODS

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "airflow_provider_bitrix24" / "rest" / "lists" / "own_parameters.txt"

HEAD = """\
# The parameters of lists: method, and the names in its table of parameters and in its examples. Other names are ignored
# by the portal. Made by ci/make_list_parameters.py.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
"""

#: Lists with a line of their own.
_LISTS = {method.name.lower(): method.rows for method in METHODS if method.version == 2 and method.rows is not None}
_OF_THE_METHOD = re.compile(r"(method|request)? ?parameters?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parameters(page: Mapping[str, Any]) -> list[str]:
    """The parameters of one method, ``["entityTypeId", "filter"]``; empty where the page does not say."""
    tables = page.get("parameters") or []
    own = [table for table in tables if _OF_THE_METHOD.fullmatch(table["table"].strip())]
    rows = _LISTS.get(page["method"].lower())
    if rows is None or not (own or rows.filter):
        # An example of one parameter would be taken for all that there are.
        return []
    requests = [request.get("params") for request in page.get("requests") or []]
    found: dict[str, str] = {}
    for name in [row["name"] for table in own for row in table["rows"]] + [
        name for params in requests if isinstance(params, Mapping) for name in params
    ]:
        if _NAME.fullmatch(name) and name != "auth":
            found.setdefault(name.lower(), name)
    return list(found.values())


def lines(directory: Path) -> Iterator[str]:
    for path in sorted(directory.glob("*.json"), key=lambda path: path.name.lower()):
        page = json.loads(path.read_text("utf-8"))
        if not isinstance(page, dict) or not page.get("method") or page.get("rest") == "v3":
            continue
        if names := parameters(page):
            yield " ".join((page["method"], *names))


if __name__ == "__main__":
    TABLE.write_text(HEAD + "".join(f"{line}\n" for line in lines(Path(sys.argv[1]))), "utf-8")
