"""Tasks that the portal refuses to change: nothing ran, so their rows are failed and never unknown."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.clients import client_of

NOT_ALLOWED = "Action on the task is not allowed"
WHICH = "there is no task with this id, or the connection's user may not do this to it"


@pytest.fixture
def task(portal: Sandbox) -> int:
    with client_of(portal) as client:
        added = client.call("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1}})
    return int(added["task"]["id"])


def written(method: str, rows: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    operator = Bitrix24BulkWriteOperator(task_id="a", method=method, rows=rows, max_failures=None, **arguments)
    return dict(operator.execute(context()))


def counts(summary: dict[str, Any]) -> tuple[int, int, int]:
    return summary["written"], summary["failed"], summary["unknown"]


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("tasks.task.update", {"TITLE": "y"}),
        ("tasks.task.complete", None),
        ("tasks.task.start", None),
        ("tasks.task.defer", None),
        ("tasks.task.delete", None),
    ],
)
def test_a_task_that_is_not_there_fails_its_row(
    method: str, fields: Any, task: int, portal: Sandbox, connection: None, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"taskId": id_} | ({} if fields is None else {"fields": fields}) for id_ in (999_998, task, 999_999)]
    summary = written(method, rows)
    assert counts(summary) == (1, 2, 0)
    assert [row["outcome"] for row in summary["outcomes"]] == ["failed", "written", "failed"]
    assert (WHICH if method != "tasks.task.delete" else "No access to delete the task") in caplog.text


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        ("tasks.task.update", "0", f"{NOT_ALLOWED} (internal error)"),
        ("tasks.task.update", "0", "wrong task id (internal error)"),
        ("tasks.task.approve", "0", NOT_ALLOWED),
        ("tasks.task.update", "0", "Действие над задачей не разрешено (internal error)"),
        ("tasks.task.update", "ERROR_CORE", "Пользователь указанный в поле &quot;Исполнитель&quot; не найден<br>"),
        ("tasks.task.update", "ERROR_CORE", "Некорректный статус<br>"),
        ("tasks.task.files.attach", "0", "Access denied (internal error)"),
        ("tasks.task.update", "ERROR_CORE", "The user specified in the \"Responsible\" field was not found<br>"),
        ("tasks.task.add", "ERROR_CORE", "Task title is not specified<br>"),
        ("tasks.task.add", "ERROR_CORE", "Incorrect status"),
        ("task.commentitem.delete", "ERROR_CORE", "TASKS_ERROR_EXCEPTION_#4; Action is not allowed; "
         "4/TE/ACTION_NOT_ALLOWED.<br>"),
        ("task.checklistitem.delete", "ERROR_CORE", "TASKS_ERROR_EXCEPTION_#8; Deleting item: action not allowed; "
         "8/TE/ACTION_FAILED_TO_BE_PROCESSED<br>"),
        ("task.elapseditem.delete", "ERROR_CORE", "TASKS_ERROR_EXCEPTION_#256; Param #1 (itemId) expected by method "
         "ctaskelapseditem::delete(), but not given.; 256/TE/WRONG_ARGUMENTS<br>"),
    ],
)  # fmt: skip
def test_a_refusal_by_the_portals_own_text_proves_that_nothing_ran(
    method: str, code: str, text: str, portal: Sandbox, connection: None
) -> None:
    portal.fault("error", method, code=code, description=text, status=400, times=None)
    summary = written(method, [{"TASKID": 1, "ITEMID": 2}, {"TASKID": 1, "ITEMID": 3}], check_fields=False)
    assert counts(summary) == (0, 2, 0)


@pytest.mark.parametrize(
    ("code", "text"),
    [("ERROR_CORE", "Cannot bind the node to itself<br>"), ("0", "Die Aktion ist nicht erlaubt"), ("ERROR_CORE", "")],
)
def test_a_text_that_says_nothing_stays_unknown(code: str, text: str, portal: Sandbox, connection: None) -> None:
    portal.fault("error", "tasks.task.update", code=code, description=text, status=400, times=None)
    with pytest.raises(Exception, match="unknown"):
        written("tasks.task.update", [{"taskId": 1, "fields": {"TITLE": "x"}}])
