"""Lines about long work: every ten seconds, with what is known."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_bitrix24.rest.progress import PROGRESS_SECONDS, Progress

log = logging.getLogger(__name__)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "done", "total", "line"),
    [
        (15.0, 12_500, 50_000, "crm.deal.list: 12,500 rows, 833 a second, 25 %, 0:45 left"),
        (10.0, 12_500, None, "crm.deal.list: 12,500 rows, 1,250 a second"),
        (10.0, 12_500, 0, "crm.deal.list: 12,500 rows, 1,250 a second"),
        (600.0, 50, 1_000, "crm.deal.list: 50 rows, 0.1 a second, 5 %, 3:10:00 left"),
        (20.0, 199, 200, "crm.deal.list: 199 rows, 9.9 a second, 99 %, 0:00 left"),
        (20.0, 0, 200, "crm.deal.list: 0 rows, 0.0 a second, 0 %"),
        # Rows are added while a list is read.
        (20.0, 201, 200, "crm.deal.list: 201 rows, 10 a second"),
    ],
)
def test_a_line_has_rows_a_rate_and_where_it_is_known_the_share_and_the_time_left(seconds, done, total, line, caplog):
    caplog.set_level(logging.INFO)
    clock = Clock()
    progress = Progress(log, "crm.deal.list", clock=clock)
    clock.now += seconds
    progress.note(done, total)
    assert caplog.messages == [line]


def test_a_share_that_is_estimated_says_so(caplog):
    caplog.set_level(logging.INFO)
    clock = Clock()
    progress = Progress(log, "crm.deal.list", clock=clock)
    clock.now += 10.0
    progress.note(1_000, 3_999.9, about=True)
    assert caplog.messages == ["crm.deal.list: 1,000 rows, 100 a second, about 25 %, 0:30 left"]


def test_lines_are_ten_seconds_apart_however_often_something_is_done(caplog):
    caplog.set_level(logging.INFO)
    clock = Clock()
    progress = Progress(log, "batch", "commands", clock)
    for done in range(1, 1_000):
        clock.now += PROGRESS_SECONDS / 64
        progress.note(done)
    assert len(caplog.messages) == 999 // 64
    assert caplog.messages[0].startswith("batch: 64 commands, 6.4 a second")


def test_work_that_is_done_at_once_says_nothing(caplog):
    caplog.set_level(logging.INFO)
    Progress(log, "batch").note(50, 50)
    assert caplog.messages == []
