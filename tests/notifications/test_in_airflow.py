"""
A notifier in a real Airflow: callbacks of tasks in workers, of a DAG in the DAG processor, of deadlines in triggerers.

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import os

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.notifications.notifying_dag import TASKS, deadline
from tests.whole_airflow import IS_2, WholeAirflow

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")


def test_tasks_a_dag_and_a_deadline_write_to_people(tmp_path):
    with Sandbox(deals=1) as portal:
        whole = WholeAirflow(tmp_path / "home", portal.connection_json())
        try:
            whole.wait_until_healthy()
            whole.connect(bitrix24_default=portal.connection_json())
            whole.begin("from tests.notifications.notifying_dag import dag  # airflow DAG\n")
            whole.until(lambda: said(portal.notifications()) >= TASKS, "every task is announced")
            whole.until(lambda: rows(portal, "sg1"), "the DAG is announced")
            if deadline():
                whole.until(lambda: rows(portal, "chat1"), "the deadline is announced")
            places = whole.places_of(portal.admin.code)
        finally:
            whole.stop()
        notified, failed, late = portal.notifications(), rows(portal, "sg1"), rows(portal, "chat1")
    assert said(notified) == TASKS
    # That of Airflow 2 runs one task after the other, so none comes while another is announced.
    assert IS_2 or len(notified) < TASKS
    assert [text.splitlines()[0] for text in failed] == ["DAG notifying failed"]
    assert [text.splitlines()[0] for text in late] == (["DAG notifying has missed a deadline"] if deadline() else [])
    assert places == []


def rows(portal, dialog_id):
    return [row["MESSAGE"] for row in portal.messages() if row["DIALOG_ID"] == dialog_id]


def said(notifications):
    """How many tasks the notifications name."""
    lines = [line for row in notifications for line in row["MESSAGE"].splitlines()]
    return sum(line.startswith("Task fail[") for line in lines)
