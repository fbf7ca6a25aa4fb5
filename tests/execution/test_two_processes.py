"""Two processes that write one file at the same time: it is whole, of one of them, and nothing is left beside it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import checkpoint
from airflow_provider_bitrix24.execution.storage import storage_path
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from tests.operators.context import context

PATIENCE_SECONDS = 120
ROUNDS = 5


def at_the_same_time(*works: Callable[[int], Any], rounds: int = 1) -> list[list[Any]]:
    """What each returns, or the text of what it raises, round by round; each in a process of its own."""
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(len(works)), fork.SimpleQueue()

    def work(place: int) -> None:
        for number in range(rounds):
            start.wait(PATIENCE_SECONDS)
            try:
                answers.put((number, place, works[place](number)))
            except Exception as error:
                answers.put((number, place, f"{type(error).__name__}: {error}"))

    processes = [fork.Process(target=work, args=(place,)) for place in range(len(works))]
    for process in processes:
        process.start()
    found: list[list[Any]] = [[None] * len(works) for _ in range(rounds)]
    for _ in range(rounds * len(works)):
        number, place, answer = answers.get()
        found[number][place] = answer
    for process in processes:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == 0
    return found


def named(task_id: str) -> dict[str, Any]:
    """The context of a task of that name."""
    given = context()
    given["ti"].task_id = task_id
    return given


def test_two_lists_with_one_destination_end_with_a_whole_file(portal, connection, tmp_path):
    portal.add_items(4, 250, title="Firm")

    def listed(method: str) -> Callable[[int], Any]:
        # A file of its own for each round, so that the one that ends last tells.
        return lambda number: Bitrix24ListOperator(
            task_id=method, method=method, destination=str(tmp_path / f"{number}.jsonl")
        ).execute(named(method))

    rounds = at_the_same_time(listed("crm.company.list"), listed("crm.deal.list"), rounds=ROUNDS)
    for number, answers in enumerate(rounds):
        content = (tmp_path / f"{number}.jsonl").read_bytes()
        assert hashlib.sha256(content).hexdigest() in {answer["sha256"] for answer in answers}
        assert len(content.splitlines()) in {answer["rows"] for answer in answers}
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{number}.jsonl" for number in range(ROUNDS)]


def test_two_tasks_with_one_report_end_with_a_whole_report(portal, connection, tmp_path):
    report = tmp_path / "report.jsonl"

    def written(task_id: str) -> Callable[[int], Any]:
        rows = [{"title": f"{task_id} {row}"} for row in range(120)]
        return lambda number: Bitrix24BulkWriteOperator(
            task_id=task_id, entity_type_id="company", rows=rows, report=str(report)
        ).execute(named(task_id))

    ((one, two),) = at_the_same_time(written("one"), written("two"))
    assert (one["written"], two["written"]) == (120, 120)
    content = report.read_bytes()
    assert hashlib.sha256(content).hexdigest() in {one["report"]["sha256"], two["report"]["sha256"]}
    ids = {json.loads(line)["id"] for line in content.splitlines()}
    titles = sorted(item["title"] for item in portal.items(4) if item["id"] in ids)
    assert titles in [sorted(f"{task_id} {row}" for row in range(120)) for task_id in ("one", "two")]
    assert {file.name for file in tmp_path.iterdir()} == {"report.jsonl", "report.jsonl.checkpoint"}


@pytest.mark.parametrize("operator", [Bitrix24BulkWriteOperator, Bitrix24UpsertItemsOperator])
def test_one_task_that_runs_twice_at_once_adds_nothing_twice(operator, portal, connection, tmp_path):
    report = tmp_path / "report.jsonl"
    rows = [{"originId": str(row), "title": f"Firm {row}"} for row in range(300)]
    more = {} if operator is Bitrix24BulkWriteOperator else {"key": "originId"}

    def written(number: int) -> Any:
        task = operator(task_id="task", entity_type_id="company", rows=rows, report=str(report), **more)
        return task.execute(named("task"))

    (answers,) = at_the_same_time(written, written)
    titles = [item["title"] for item in portal.items(4) if item["title"].startswith("Firm ")]
    assert len(titles) == len(set(titles))
    refusals = [answer for answer in answers if isinstance(answer, str)]
    # The second is said of rows that the other process has under way.
    said = ("another process of this task writes the same report", "an earlier try was killed while it wrote this row")
    assert all(any(text in refusal for text in said) for refusal in refusals)
    assert {file.name for file in tmp_path.iterdir()} <= {"report.jsonl", "report.jsonl.checkpoint"}
    assert all(json.loads(line) for line in report.read_text().splitlines())


def test_a_step_that_another_process_has_remembered_is_not_taken_over(tmp_path):
    report = tmp_path / "report.jsonl"
    store = storage_path(str(report), "report")
    first, second = checkpoint(named("task"), store), checkpoint(named("task"), store)
    first.put("0", {"rows": "", "outcomes": []})
    said = "another process of this task writes the same report: .*: end one"
    with pytest.raises(ConfigurationError, match=said) as caught:
        second.put("0", {"rows": "", "outcomes": []})
    assert caught.value.retryable
    assert second.get("0") is None
