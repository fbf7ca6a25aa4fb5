"""A memory that fails in the middle: report and XCom say what was done before, and nothing is sent unremembered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.operators.context import StateStore, context
from tests.rows.operators import KINDS


class FailingStore(StateStore):
    """Fails from a put on, as a store that is out of reach."""

    def __init__(self, puts: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = puts, error

    def set(self, key: str, value: Any) -> None:
        if self.left == 0:
            raise self.error
        self.left -= 1
        super().set(key, value)


@pytest.mark.parametrize("name", ["add", "update", "upsert", "delete"])
@pytest.mark.parametrize("puts", [0, 1, 2, 3])
@pytest.mark.parametrize("error", [ConnectionError("no API server"), KeyboardInterrupt()], ids=repr)
def test_what_was_done_before_is_reported(name, puts, error, portal, in_turn, tmp_path):
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    given, report = context(store=FailingStore(puts, error)), tmp_path / "report.jsonl"
    with pytest.raises(type(error)):
        kind.run(rows, given=given, report=str(report))
    # A step is remembered before it is sent, and once more when it is answered.
    done = 50 * ((puts + 1) // 2)
    assert len(kind.done(portal)) == done
    lines = [json.loads(line)["outcome"] for line in report.read_text().splitlines()]
    assert lines == [kind.word] * done + ["not_done"] * (0 if puts % 2 else 50)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary[kind.word], summary["not_done"]) == (lines.count(kind.word), lines.count("not_done"))
