"""
Random schedules of faults over every operator that writes many rows.

Whatever breaks, and when: a row that is done is there once, one that failed or was not done is not there, and no row of
the report is missing. A failure names its seed.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rest.client import Client
from tests.operators.context import StateStore, context
from tests.rest.clients import client_of
from tests.rows.operators import KINDS, Kind, any_number_may_fail

#: More for a longer run: ``BITRIX24_SCHEDULES=200`` for each operator.
SCHEDULES = int(os.environ.get("BITRIX24_SCHEDULES", "6"))
#: How many requests may be under way at once, schedule by schedule.
PARALLEL = (1, 20, 4)
FAULT = json.dumps({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}).encode()


def _deals_to_rename(portal: Any, number: int) -> list[Any]:
    ids = portal.add_items(2, number, title="Old")
    return [{"id": deal, "title": f"Firm {index}"} for index, deal in enumerate(ids)]


def _deals_to_delete(portal: Any, number: int) -> list[Any]:
    return [{"id": deal} for deal in portal.add_items(2, number, title="Old")]


def _tasks_to_delete(portal: Any, number: int) -> list[Any]:
    with client_of(portal) as client:
        adds = {place: ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1}}) for place in range(number)}
        added = client.batch(adds).all_results()
    return [{"taskId": int(added[place]["task"]["id"])} for place in range(number)]


#: Every operator that writes many rows, in each of its ways.
WAYS: dict[str, Kind] = {
    **KINDS,
    "update by method": Kind(
        Bitrix24BulkWriteOperator,
        {"method": "crm.deal.update", "mapping": {"id": "$id", "fields": {"TITLE": "$title"}}},
        "crm.deal.update",
        "written",
        _deals_to_rename,
        lambda portal: [],
    ),
    "delete tasks": Kind(
        Bitrix24BulkWriteOperator,
        {"method": "tasks.task.delete"},
        "tasks.task.delete",
        "written",
        _tasks_to_delete,
        lambda portal: [],
    ),
    "delete by method": Kind(
        Bitrix24BulkWriteOperator, {"method": "crm.deal.delete"}, "crm.deal.delete", "written", _deals_to_delete,
        lambda portal: [],
    ),
}  # fmt: skip


class Killed(BaseException):
    """Ends a try in the middle of a request."""


def schedule_faults(portal: Any, chance: random.Random, method: str) -> None:
    for _ in range(chance.randrange(1, 4)):
        kind, target, options = chance.choice(
            [
                ("reset_before", "batch", {}),
                ("reset_after", "batch", {}),
                ("close_before", "batch", {}),
                ("close_after", "batch", {}),
                ("status_after", "batch", {"status": 502}),
                ("status_before", "batch", {"status": 503}),
                ("body", "batch", {"status": 500, "body": FAULT, "executed": True}),
                ("error", method, {"code": "INTERNAL_SERVER_ERROR"}),
                ("error", method, {"code": "ACCESS_DENIED", "status": 403}),
                ("operation_time_limit", method, {}),
                ("query_limit", "batch", {}),
            ]
        )
        portal.fault(
            kind, target, times=chance.choice((1, 1, 2, 5, None)), after=chance.choice((0, 0, 1, 2)),
            probability=chance.choice((1.0, 0.5)), seed=chance.randrange(10**6), **options,
        )  # fmt: skip


def dying(chance: random.Random, patch: pytest.MonkeyPatch) -> None:
    """The client ends the task before or after one of its next requests, or does not."""
    real, left, after = Client.batch, chance.randrange(1, 9), chance.random() < 0.5

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            raise Killed
        answer = real(self, *arguments, **options)
        if left == 0:
            raise Killed
        return answer

    patch.setattr(Client, "batch", batch)


def changed(made: list[Any], chance: random.Random, mark: str) -> list[Any]:
    """The rows of a source that was changed between two tries: some taken out, some moved, some with another title."""
    rows = [row for row in made if chance.random() > 0.1] or list(made)
    if chance.random() < 0.5:
        chance.shuffle(rows)
    return [
        {**row, "title": f"{row['title']}, {mark}"}
        if isinstance(row, dict) and "title" in row and chance.random() < 0.1
        else row
        for row in rows
    ]


@pytest.mark.parametrize("name", WAYS)
def test_what_is_said_of_rows_is_true_whatever_breaks(name, portal, connect, monkeypatch, tmp_path):
    kind = WAYS[name]
    seeded = {entity: {item["id"] for item in portal.items(entity)} for entity in (2, 4)}
    for number in range(SCHEDULES):
        seed = random.randrange(10**9)
        chance = random.Random(seed)
        parallel = PARALLEL[number % len(PARALLEL)]
        connect(parallel=parallel)
        ordered = {} if kind.argument == "payment_ids" else {"ordered": chance.choice((None, None, False, True))}
        print(f"seed {seed}, parallel {parallel}, {ordered}")
        rows = [f"s{number}-{index}" for index in range(chance.choice((3, 60, 130, 330)))]
        made = named(kind.rows(portal, len(rows)), rows)
        store, report = StateStore(), tmp_path / f"{number}.jsonl"
        for try_number in range(1, 5):
            last = try_number == 4
            if not last:
                schedule_faults(portal, chance, kind.method)
            with monkeypatch.context() as patch:
                if not last and chance.random() < 0.5:
                    dying(chance, patch)
                given = context(try_number=try_number, store=store)
                try:
                    kind.run(made, given=given, report=str(report), **ordered, **any_number_may_fail(kind))
                except (Bitrix24Error, AirflowFailException, Killed):
                    pass
                else:
                    portal.clear_faults()
                    check(kind, portal, made, report, f"seed {seed}, try {try_number}", whole=True)
                    break
            portal.clear_faults()
            check(kind, portal, made, report, f"seed {seed}, try {try_number}", whole=False)
            if chance.random() < 0.2:
                made = changed(made, chance, f"{try_number}")
                report.unlink(missing_ok=True)
        forget(portal, seeded)


def forget(portal: Any, seeded: dict[int, set[int]]) -> None:
    """Leave the portal as it was before a schedule: a long run must not become slower and slower."""
    for entity, ids in seeded.items():
        for item in portal.items(entity):
            if item["id"] not in ids:
                portal.remove_item(entity, item["id"])
    portal.reset_calls()


def named(made: list[Any], names: list[str]) -> list[Any]:
    """Rows whose titles, and keys, nobody else has."""
    if made and isinstance(made[0], int):
        return made
    if made and "title" not in made[0]:
        return made
    own = {"originId"} & set(made[0]) if made else set()
    return [{**row, "title": f"Firm {name}", **dict.fromkeys(own, name)} for row, name in zip(made, names, strict=True)]


def check(kind: Any, portal: Any, made: list[Any], report: Any, place: str, *, whole: bool) -> None:
    lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    # Rows that the try before had, and this one has not, come last.
    lines = [line for line in lines if line["row"] is not None]
    assert [line["row"] for line in lines] == list(range(len(lines))), place
    assert not whole or len(lines) == len(made), place
    there = Counter(item["title"] for item in [*portal.items(4), *portal.items(2)])
    left = {payment["id"] for payment in portal.payments()}
    deals = {item["id"] for item in portal.items(2)}
    tasks = {task["id"] for task in portal.tasks()}
    for line, row in zip(lines, made, strict=False):
        if isinstance(row, int):
            is_done = row not in left
        elif "taskId" in row:
            is_done = row["taskId"] not in tasks
        elif "title" not in row:
            is_done = row["id"] not in deals
        else:
            assert there[row["title"]] <= 1, f"{place}: {row} is there {there[row['title']]} times"
            is_done = there[row["title"]] == 1
        outcome = line["outcome"]
        if outcome in ("failed", "not_done", "denied"):
            assert not is_done, f"{place}: {line}"
        elif outcome != "unknown" and "_or_" not in outcome:
            assert is_done, f"{place}: {line}"
