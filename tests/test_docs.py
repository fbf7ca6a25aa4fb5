"""The DAG code in the pages on operators: Airflow takes every argument that they show."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

import pytest
from airflow import DAG

ROOT = Path(__file__).parent.parent
PAGES = (
    *("README.md", "README.ru.md"),
    *(
        f"docs/{page}.md"
        for page in ("crm", "from-a-script", "operators", "payments", "recipes", "rows-in", "tutorial")
    ),
)

BLOCKS = [
    pytest.param(block[1], id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.finditer(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S), 1
    )
]


#: What a document says to write for Airflow 2 in place of the line.
FOR_AIRFLOW_2 = re.compile(r"^from airflow\.sdk import .*# .*Airflow 2: (.*)$", re.M)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_makes_tasks(block):
    if find_spec("airflow.sdk") is None:
        block = FOR_AIRFLOW_2.sub(lambda line: line[1].replace("; ", "\n"), block)
    with DAG("documented", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
        exec(block, {"__name__": "documented"})


TRANSLATED = sorted((ROOT / "docs/ru").glob("*.md"))
FENCED = re.compile(r"^ *```+\w+\n.*?^ *```+$", re.M | re.S)


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_the_russian_page_has_the_code_of_the_english_one(page):
    english = FENCED.findall((ROOT / "docs" / page.name).read_text("utf-8"))
    assert english
    assert FENCED.findall(page.read_text("utf-8")) == english


def test_the_messages_explained_in_russian_are_those_of_the_package():
    printed = subprocess.run(
        [sys.executable, ROOT / "ci/messages.py"], capture_output=True, text=True, check=True
    ).stdout
    sources = [file.read_text("utf-8") for file in (ROOT / "airflow_provider_bitrix24").rglob("*.py")]
    said = "\n".join([printed, *sources]).lower()
    table = (ROOT / "docs/ru/errors.md").read_text("utf-8").partition("\n## Сообщения\n")[2]
    explained = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(explained) >= 40
    parts = [(text, part.strip('" :').lower()) for text in explained for part in text.split("…")]
    assert [text for text, part in parts if part not in said] == []


def test_every_example_is_on_its_page():
    shown = re.findall(
        r"^## (\w+)\n\n```\{literalinclude\} \.\./example_dags/\1\.py$", (ROOT / "docs/examples.md").read_text(), re.M
    )
    assert shown == sorted(file.stem for file in (ROOT / "example_dags").glob("example_*.py"))


#: Folders whose classes people import, and modules in them that hold only what those share.
PUBLIC = ("operators", "sensors", "transfers", "notifications", "hooks", "events")
SHARED = {
    *("sensors.base_sensor", "transfers.base_load", "hooks.administration", "events.__main__"),
    *(
        f"hooks.{name}"
        for name in (
            "async_client",
            "connection",
            "connection_form",
            "limit_end",
            "metrics",
            "missing_connections",
            "sdk",
        )
    ),
}


def test_every_public_module_is_in_the_reference():
    package = ROOT / "airflow_provider_bitrix24"
    modules = {f"{folder}.{file.stem}" for folder in PUBLIC for file in (package / folder).glob("*.py")}
    pages = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    named = set(re.findall(r"automodule:: airflow_provider_bitrix24\.([\w.]+)", pages))
    assert {name for name in modules if not name.endswith("__init__")} - SHARED - named == set()
    # Where a module is named that is not there, the pages are not built: see `make docs`.
    assert modules >= SHARED
