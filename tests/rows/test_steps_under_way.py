"""Steps under way at once: which may be, and that nobody sees it in what is said of their rows."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rows import steps_under_way
from airflow_provider_bitrix24.rows.deletions import METHOD, PaymentDeleter
from airflow_provider_bitrix24.rows.engine import RowEngine
from airflow_provider_bitrix24.rows.outcomes import Tally
from tests.operators.context import StateStore, context
from tests.rest.clients import client_of, request_threads
from tests.rows.operators import ADDS, KINDS, Kind, any_number_may_fail
from tests.rows.test_fault_schedules import WAYS

#: With how many steps at once writes begin.
FIRST = 4
#: Ways whose steps go out at once, and those that keep the order of rows.
AT_ONCE = ["update", "delete", "update by method", "delete by method"]
IN_TURN = ["add", "add by method", "import", "upsert"]


class Watch:
    """Sees the writing batches that are under way, and may hold them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.under_way: list[dict[Any, Any]] = []
        self.most = self.number = self.ended = 0
        self.hold: Callable[[int], object] = lambda number: None
        lock, real = threading.Lock(), Client.batch

        def batch(client: Client, commands: Any, **options: Any) -> Any:
            if not any(name in (method, "crm.item.update") for name, _ in commands.values()):
                return real(client, commands, **options)
            with lock:
                self.number, number = self.number + 1, self.number
                self.under_way.append(commands)
                self.most = max(self.most, len(self.under_way))
                self.check()
            try:
                self.hold(number)
                return real(client, commands, **options)
            finally:
                with lock:
                    self.under_way.remove(commands)
                    self.ended += 1

        monkeypatch.setattr(Client, "batch", batch)

    def check(self) -> None:
        """Called whenever one more is under way."""


def together(number: int) -> Callable[[int], object]:
    """Holds the first batches until so many are under way."""
    barrier = threading.Barrier(number, timeout=60)
    return lambda place: barrier.wait() if place < number else None


@pytest.mark.parametrize("name", AT_ONCE)
def test_steps_about_different_objects_are_under_way_at_once(name, portal, connection, monkeypatch):
    kind = WAYS[name]
    watch = Watch(monkeypatch, kind.method)
    watch.hold = together(FIRST)
    rows = kind.rows(portal, 50 * FIRST)
    assert kind.run(rows)[kind.word] == len(rows)
    assert watch.most == FIRST
    assert not request_threads()


@pytest.mark.parametrize("name", IN_TURN)
def test_what_may_add_keeps_the_order_of_rows(name, portal, connection, monkeypatch):
    kind = WAYS[name]
    watch = Watch(monkeypatch, kind.method)
    rows = kind.rows(portal, 320)
    assert kind.run(rows)[kind.word] == len(rows)
    assert watch.most == 1
    assert kind.done(portal) == [row["title"] for row in rows]


@pytest.mark.parametrize("name", IN_TURN)
def test_an_author_may_let_go_of_the_order(name, portal, connection, monkeypatch):
    kind = WAYS[name]
    watch = Watch(monkeypatch, kind.method)
    watch.hold = together(FIRST)
    rows = kind.rows(portal, 50 * FIRST)
    summary = kind.run(rows, ordered=False)
    assert watch.most == FIRST
    assert sorted(kind.done(portal)) == sorted(row["title"] for row in rows)
    ids = {item["title"]: item["id"] for item in [*portal.items(4), *portal.items(2)]}
    assert [line["id"] for line in summary["outcomes"]] == [ids[row["title"]] for row in rows]


@pytest.mark.parametrize(
    ("name", "arguments", "parallel"), [("delete by method", {"ordered": True}, 20), ("update", {}, 1)]
)
def test_an_author_may_have_one_after_the_other(name, arguments, parallel, portal, connect, monkeypatch):
    connect(parallel=parallel)
    kind = WAYS[name]
    watch = Watch(monkeypatch, kind.method)
    kind.run(kind.rows(portal, 300), **arguments)
    assert (watch.most, watch.number) == (1, 6)


@pytest.mark.parametrize("value", ["false", 0])
def test_ordered_is_true_or_false(value):
    with pytest.raises(AirflowFailException, match="ordered must be True or False"):
        Bitrix24BulkWriteOperator(task_id="task", entity_type_id=4, rows=[], ordered=value)


def test_methods_of_which_it_is_not_known_keep_the_order_of_rows(portal, connection, monkeypatch):
    method = "crm.item.payment.pay"
    watch = Watch(monkeypatch, method)
    rows = [{"id": portal.add_payment(1)} for _ in range(200)]
    summary = Bitrix24BulkWriteOperator(task_id="task", method=method, rows=rows).execute(context())
    assert (summary["written"], watch.most, watch.number) == (200, 1, 4)


def ids_of(commands: dict[Any, Any]) -> set[Any]:
    return {params.get("ownerId", params.get("id", params.get("taskId"))) for _, params in commands.values()}


@pytest.mark.parametrize(
    ("method", "mapping"),
    [
        ("crm.deal.update", {"id": "$id", "fields": {"TITLE": "$text"}}),
        ("crm.item.productrow.set", {"ownerId": "$id", "ownerType": "D", "productRows": "$rows"}),
    ],
)
def test_two_rows_about_one_object_are_never_under_way_together(method, mapping, portal, connection, monkeypatch):
    """Nor are two lists of children of one parent, which are the same here: other ones are refused."""
    watch = Watch(monkeypatch, method)
    watch.hold = together(2)

    def check() -> None:
        seen = [ids_of(commands) for commands in watch.under_way]
        assert sum(map(len, seen)) == len(set().union(*seen))

    watch.check = check
    ids = portal.add_items(2, 100)
    # Each deal stands in it three times, in another step each time.
    rows = [
        {"id": id_, "text": f"{time}", "rows": [{"productName": "Door", "price": 1}]}
        for time in range(3)
        for id_ in ids
    ]
    summary = Bitrix24BulkWriteOperator(task_id="task", method=method, rows=rows, mapping=mapping).execute(context())
    assert summary["written"] == 300
    assert watch.most == 2
    if method == "crm.deal.update":
        assert {portal.item(2, id_)["title"] for id_ in ids} == {"2"}


def test_keys_that_differ_only_in_case_are_never_under_way_together(portal, connection, monkeypatch):
    kind = KINDS["upsert"]
    watch = Watch(monkeypatch, kind.method)

    def check() -> None:
        keys = [
            params["fields"]["originId"].lower()
            for commands in watch.under_way
            for name, params in commands.values()
            if name == kind.method
        ]
        assert len(keys) == len(set(keys))

    watch.check = check
    rows = [{"originId": f"K-{number}", "title": f"Firm {number}"} for number in range(60)]
    similar = [{"originId": f"k-{number}", "title": f"Firm {number} b"} for number in range(60)]
    summary = kind.run([*rows, *similar], ordered=False)
    assert (summary["created"], summary["noted"]) == (120, 60)


def lines_of(report: Any) -> list[Any]:
    text = re.sub(r" \(request [-0-9a-f]+\)", "", report.read_text())
    return [json.loads(line) for line in text.splitlines()]


def test_report_and_counts_are_those_of_one_step_after_the_other(portal, connect, tmp_path):
    kind = KINDS["update"]
    rows = kind.rows(portal, 420)
    for number in (7, 60, 61, 250, 419):
        rows[number] = {**rows[number], "id": 900_000 + number}
    rows[100] = {"id": "", "title": ""}
    seen = []
    for parallel in (1, 4, 20):
        connect(parallel=parallel)
        report = tmp_path / f"{parallel}.jsonl"
        summary = kind.run(rows, report=str(report), max_failures=None)
        seen.append(({**summary, "report": None}, lines_of(report)))
    assert seen[0][0]["failed"] == 5
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("name", ["update", "delete"])
def test_a_failure_of_every_row_is_the_end_of_what_is_sent(name, portal, connection):
    kind, given = KINDS[name], context()
    rows = kind.rows(portal, 1_000)
    portal.fault("operation_time_limit", kind.method, after=50, times=None)
    before = portal.requests
    with pytest.raises(Exception, match="OPERATION_TIME_LIMIT"):
        kind.run(rows, given=given, **any_number_may_fail(kind))
    # The first good answer lets more be sent; what was begun before the first refusal is reported.
    summary = given["ti"].pushed["bitrix24_rows"]
    assert portal.requests - before <= 22
    assert summary[kind.word] == len(kind.done(portal)) == 50
    assert (summary["not_done"], summary["failed"]) == (summary["rows"] - 50, 0)


def test_max_failures_are_exceeded_by_no_more_than_what_was_under_way(portal, connection, monkeypatch):
    kind, given = KINDS["update"], context()
    watch = Watch(monkeypatch, kind.method)
    watch.hold = together(FIRST)
    rows = [{"id": 900_000 + number, "title": "x"} for number in range(1_000)]
    with pytest.raises(AirflowFailException, match="more than max_failures, 3"):
        kind.run(rows, given=given, max_failures=3)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert watch.number == FIRST
    assert (summary["rows"], summary["failed"]) == (50 * FIRST, 50 * FIRST)


def test_a_step_with_too_many_rows_that_cannot_be_sent_is_held_back_beside_others(portal, connection, monkeypatch):
    kind, given = KINDS["update"], context()
    rows = kind.rows(portal, 150)
    rows[60:64] = [{"id": "no", "title": "x"}] * 4
    with pytest.raises(AirflowFailException, match="more than max_failures, 3"):
        kind.run(rows, given=given, max_failures=3)
    assert len(kind.done(portal)) == 50
    assert given["ti"].pushed["bitrix24_rows"]["rows"] == 100


@pytest.mark.parametrize("name", ["update", "delete", "update by method", "add", "upsert"])
def test_what_is_remembered_of_several_steps_under_way_is_true(name, portal, connection, monkeypatch):
    """As after SIGKILL: what stood in the store while they were under way, and nothing later."""
    kind, store = WAYS[name], StateStore()
    rows = kind.rows(portal, 330)
    ordered = {"ordered": False} if name in IN_TURN else {}
    kept: list[dict[str, str]] = []
    barrier = threading.Barrier(FIRST, action=lambda: kept.append(dict(store.values)), timeout=60)
    with monkeypatch.context() as patch:
        watch = Watch(patch, kind.method)

        def hold(number: int) -> None:
            if number < FIRST:
                barrier.wait()
                return
            # What has not been sent by then would not be sent any more.
            while watch.ended < FIRST:
                time.sleep(0.01)
            raise KeyboardInterrupt

        watch.hold = hold
        with pytest.raises(KeyboardInterrupt):
            kind.run(rows, given=context(store=store), **ordered, **any_number_may_fail(kind))
    before = len(kind.done(portal))
    assert len(kept) == 1
    again = StateStore()
    again.values = kept[0]
    summary = kind.run(rows, given=context(try_number=2, store=again), **ordered, **any_number_may_fail(kind))
    assert summary["rows"] == 330
    unknown = 0 if kind.repeats else 50 * FIRST
    assert (summary["unknown"], summary["failed"]) == (unknown, 0)
    if name == "add":
        assert before >= 50 * FIRST
        titles = [item["title"] for item in portal.items(4) if item["title"].startswith("Firm ")]
        assert all(titles.count(row["title"]) == 1 for row in rows[: 50 * FIRST])
    if name == "delete":
        assert summary["deleted"] + summary["deleted_earlier"] == 330
        assert portal.executed(kind.method) == 330


@pytest.mark.parametrize("name", AT_ONCE)
def test_an_interrupted_task_waits_for_what_is_under_way_and_says_what_became_of_it(
    name, portal, connection, monkeypatch, tmp_path
):
    kind, store, report = WAYS[name], StateStore(), tmp_path / "report.jsonl"
    rows = kind.rows(portal, 1_000)
    with monkeypatch.context() as patch:
        watch = Watch(patch, kind.method)
        # As Ctrl-C, and the signals of Airflow: raised in the main thread, while it waits.
        barrier = threading.Barrier(FIRST, action=lambda: os.kill(os.getpid(), signal.SIGINT), timeout=60)
        watch.hold = lambda number: barrier.wait() if number < FIRST else None
        given = context(store=store)
        with pytest.raises(KeyboardInterrupt):
            kind.run(rows, given=given, report=str(report), **any_number_may_fail(kind))
    assert not request_threads()
    lines = lines_of(report)
    assert [line["row"] for line in lines] == list(range(len(lines)))
    outcomes = [line["outcome"] for line in lines]
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["unknown"], summary["failed"]) == (0, 0)
    sent = outcomes.count(kind.word)
    assert summary[kind.word] == sent == portal.executed(kind.method)
    assert summary["not_done"] == len(lines) - sent
    portal.reset_calls()
    again = kind.run(rows, given=context(try_number=2, store=store), **any_number_may_fail(kind))
    assert again[kind.word] == 1_000
    assert portal.executed(kind.method) == 1_000 - sent


def test_a_report_that_fails_leaves_no_thread_and_counts_what_was_under_way(portal, connection, tmp_path, monkeypatch):
    from airflow_provider_bitrix24.rows.outcomes import Outcome

    kind, given, real = KINDS["delete"], context(store=StateStore()), Outcome.as_json

    def as_json(self: Outcome) -> Any:
        if self.row == 60:
            raise OSError("no space left")
        return real(self)

    monkeypatch.setattr(Outcome, "as_json", as_json)
    with pytest.raises(OSError, match="no space left"):
        kind.run(kind.rows(portal, 1_000), given=given, report=str(tmp_path / "r.jsonl"))
    assert not request_threads()
    assert given["ti"].pushed["bitrix24_rows"]["deleted"] == portal.executed(kind.method) >= 100


def test_wide_rows_are_under_way_one_after_the_other(portal, connection, monkeypatch):
    monkeypatch.setattr(steps_under_way, "MOST_CHARACTERS", 4_000)
    kind = KINDS["update"]
    watch = Watch(monkeypatch, kind.method)
    assert kind.run(kind.rows(portal, 200))["written"] == 200
    assert watch.most == 1


def test_a_step_that_takes_long_holds_up_the_reading_of_the_source(portal, connection, monkeypatch):
    monkeypatch.setattr(steps_under_way, "MOST_STEPS", 3)
    kind, released, read, seen = KINDS["update"], threading.Event(), [0], []
    watch = Watch(monkeypatch, kind.method)
    watch.hold = lambda number: released.wait(60) if number == 0 else None
    real = steps_under_way.StepsUnderWay.wait

    def wait(self: Any) -> None:
        if len(self._open) == 1 and not released.is_set():
            seen.append(read[0])
            released.set()
        real(self)

    monkeypatch.setattr(steps_under_way.StepsUnderWay, "wait", wait)

    def source(rows: list[Any]) -> Iterator[Any]:
        for row in rows:
            read[0] += 1
            yield row

    assert kind.run(source(kind.rows(portal, 500)))["written"] == 500
    assert seen == [150]


def lost_at_once(kind: Kind, portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch, kind.method)
    watch.hold = together(FIRST)
    portal.fault("reset_after", "batch", times=FIRST)


@pytest.mark.parametrize("name", [name for name in ADDS if name != "import"])
def test_answers_that_are_lost_together_are_one_sign_of_trouble(name, portal, connection, monkeypatch):
    """What follows is sent one by one until it is answered."""
    kind = KINDS[name]
    lost_at_once(kind, portal, monkeypatch)
    summary = kind.run(kind.rows(portal, 400), max_failures=None, ordered=False)
    assert (summary["unknown"], summary["written"]) == (200, 200)
    assert len(kind.done(portal)) == 400


@pytest.mark.parametrize(
    ("number", "ordered", "parallel", "sizes"),
    [
        (400, None, 20, [10] * 4 + [50] * 7 + [10]),
        (399, None, 20, [50] * 7 + [49]),
        (400, True, 20, [50] * 8),
        (400, None, 1, [50] * 8),
    ],
)
def test_the_first_steps_of_many_deletes_are_short(number, ordered, parallel, sizes, portal, monkeypatch):
    """Where it is known how many there are, and several may be under way."""
    watch = Watch(monkeypatch, METHOD)
    if sizes[0] < 50:
        # None of them is answered before all are under way.
        watch.hold = together(FIRST)
    ids = [portal.add_payment(1) for _ in range(number)]
    with client_of(portal, parallel=parallel) as client:
        deleter = PaymentDeleter(client, missing_ok=False, remembers=True, left=None)
        engine = RowEngine(client, deleter, ids, Checkpoint(), Tally(0), ordered=ordered)
        assert [outcome.outcome for outcome in engine.outcomes()] == ["deleted"] * number
        engine.close()
    assert sorted(len(call.commands) for call in portal.calls) == sorted(sizes)
