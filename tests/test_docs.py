"""The DAG code in the pages on operators: Airflow takes every argument that they show."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

import pytest
from airflow import DAG

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "README.ru.md", "docs/crm.md", "docs/operators.md", "docs/payments.md", "docs/rows-in.md")

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
