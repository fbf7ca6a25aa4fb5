"""What a report costs in files while rows are written."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import context

STEPS = 8
_watched: dict[str, Any] = {"folder": None, "events": Counter()}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    # A hook stays until the process ends.
    if _watched["folder"] and arguments and str(arguments[0]).startswith(_watched["folder"]):
        _watched["events"][event] += 1


sys.addaudithook(_watch)


def test_a_step_costs_two_files_and_looks_at_no_other(portal, connection, tmp_path):
    """One before it is sent, and one when it is answered."""
    _watched["folder"], _watched["events"] = str(tmp_path), Counter()
    try:
        rows = [{"title": f"Firm {number}"} for number in range(50 * STEPS)]
        Bitrix24BulkWriteOperator(
            task_id="task", entity_type_id="company", rows=rows, report=str(tmp_path / "report.jsonl")
        ).execute(context())
    finally:
        _watched["folder"] = None
    assert len(list((tmp_path / "report.jsonl.checkpoint").iterdir())) == 2 * STEPS + 1
    events = _watched["events"]
    # The report itself, tried and written, and what says that all is done.
    assert events.pop("open") <= 2 * STEPS + 4
    assert events.total() <= 8, events
