"""What is said of rows is true: written is there, failed is not, and what may be there is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, OperationTimeLimit
from tests.operators.context import StateStore, context
from tests.rows.operators import ADDS, KINDS, REPEATABLE, any_number_may_fail

#: A fault inside the portal, in JSON, after the method has run.
AFTERWARDS = {
    "status": 500,
    "body": json.dumps({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}).encode(),
    "executed": True,
}


def counts_in(summary: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in summary.items() if isinstance(value, int) and value and name != "rows"}


# Answers that say nothing


@pytest.mark.parametrize("name", ADDS)
def test_a_fault_of_the_portal_after_the_rows_were_added_leaves_them_unknown(name, portal, connection):
    kind, given = KINDS[name], context()
    portal.fault("body", "batch", **AFTERWARDS)
    rows = kind.rows(portal, 30)
    assert "it may have been done" in kind.failure(rows, given=given)
    summary = given["ti"].pushed["bitrix24_rows"]
    sent = len(kind.done(portal))
    assert sent == (20 if name == "import" else 30)
    assert counts_in(summary) == {"unknown": sent}
    assert all(line["final"] for line in summary["outcomes"])


@pytest.mark.parametrize("name", ["add", "add by method"])
@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "ERROR_CORE"])
def test_a_fault_of_one_command_leaves_only_its_row_unknown(name, code, portal, connection):
    kind = KINDS[name]
    portal.fault("error", kind.method, code=code, after=2)
    summary = kind.run(kind.rows(portal, 5), max_failures=1)
    assert counts_in(summary) == {"written": 4, "unknown": 1}
    assert summary["outcomes"][2]["outcome"] == "unknown"


def test_after_a_fault_of_the_portal_an_upsert_finds_what_it_has_added(portal, connection):
    kind = KINDS["upsert"]
    portal.fault("body", "batch", after=0, **AFTERWARDS)
    assert counts_in(kind.run(kind.rows(portal, 60))) == {"created": 60}
    assert len(kind.done(portal)) == 60


@pytest.mark.parametrize("name", ["update", "delete"])
def test_after_a_fault_of_the_portal_what_does_no_harm_is_done_again(name, portal, connection):
    kind = KINDS[name]
    portal.fault("body", "batch", **AFTERWARDS)
    assert counts_in(kind.run(kind.rows(portal, 60))) == {kind.word: 60}


@pytest.mark.parametrize("name", ["update", "delete"])
def test_what_never_gets_an_answer_is_unknown_and_left_to_a_retry(name, portal, in_turn):
    kind, given = KINDS[name], context()
    rows = kind.rows(portal, 60)
    for method in ("batch", kind.method):
        portal.fault("body", method, **AFTERWARDS, times=None)
    with pytest.raises(Bitrix24Error) as caught:
        kind.run(rows, given=given)
    assert caught.value.retryable
    summary = given["ti"].pushed["bitrix24_rows"]
    assert counts_in(summary) == {"unknown": 50}
    assert not any(line["final"] for line in summary["outcomes"])
    portal.clear_faults()
    again = counts_in(kind.run(rows, given=context(try_number=2)))
    assert sum(again.values()) == 60
    assert not {"failed", "unknown"} & again.keys()


# Where any number of rows may fail


@pytest.mark.parametrize("name", ADDS)
@pytest.mark.parametrize("fault", ["close_after", "close_before", "reset_after"])
def test_a_task_whose_answers_are_lost_stops_after_two_steps(name, fault, portal, connection):
    kind, given = KINDS[name], context(store=StateStore())
    rows = kind.rows(portal, 300)
    portal.fault(fault, "batch", times=None)
    with pytest.raises(Bitrix24Error, match="2 steps in a row got no answer"):
        kind.run(rows, given=given, max_failures=None)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert counts_in(summary) == {"unknown": 40 if name == "import" else 100}


@pytest.mark.parametrize("name", ADDS)
def test_the_rest_is_done_by_a_retry_where_one_is_remembered(name, portal, connection):
    kind, store = KINDS[name], StateStore()
    rows = kind.rows(portal, 300)
    portal.fault("close_before", "batch", times=2)
    with pytest.raises(Bitrix24Error):
        kind.run(rows, given=context(store=store), max_failures=None)
    summary = kind.run(rows, given=context(store=store, try_number=2), max_failures=None)
    lost = 40 if name == "import" else 100
    assert counts_in(summary) == {kind.word: 300 - lost, "unknown": lost}
    assert kind.done(portal) == [f"Firm {index}" for index in range(lost, 300)]


@pytest.mark.parametrize("name", ADDS)
def test_a_task_of_which_no_row_got_an_answer_fails(name, portal, connection):
    kind = KINDS[name]
    portal.fault("close_after", "batch")
    assert "no row got an answer" in kind.failure(kind.rows(portal, 15), max_failures=None)


@pytest.mark.parametrize("name", ADDS)
def test_one_lost_answer_among_others_leaves_its_rows_unknown_and_the_task_goes_on(name, portal, connection):
    kind = KINDS[name]
    rows = kind.rows(portal, 150)
    portal.fault("close_after", "batch", after=1)
    summary = kind.run(rows, max_failures=None)
    assert kind.done(portal) == [f"Firm {index}" for index in range(150)]
    assert summary["unknown"] == 130 if name == "import" else 50
    assert summary["unknown"] + summary[kind.word] == 150


@pytest.mark.parametrize("name", KINDS)
def test_a_killed_task_stops_and_its_remaining_rows_are_not_done(name, portal, in_turn, monkeypatch):
    from airflow_provider_bitrix24.rest.client import Client

    kind, given, real = KINDS[name], context(), Client.batch

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        answer = real(self, *arguments, **options)
        self.stop()
        return answer

    monkeypatch.setattr(Client, "batch", batch)
    rows = kind.rows(portal, 300)
    with pytest.raises((AirflowFailException, Bitrix24Error), match="the task is being stopped"):
        kind.run(rows, given=given, **any_number_may_fail(kind))
    summary = given["ti"].pushed["bitrix24_rows"]
    first = 20 if name == "import" else 50
    assert (summary[kind.word], summary["failed"], summary["unknown"]) == (first, 0, 0)
    assert summary["not_done"] == summary["rows"] - first > 0
    assert not any(line["final"] for line in summary["outcomes"][first:])


# Retries where nothing remembers


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, fault) for name in REPEATABLE for fault in ("operation_time_limit", "query_limit")),
        # After a lost answer an upsert does not add again: the portal may still be at it.
        *((name, fault) for name in ("update", "delete") for fault in ("reset_before", "close_after")),
    ],
)
def test_a_limit_is_left_to_a_retry_where_repeating_does_no_harm(name, fault, portal, connection):
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    portal.fault(fault, kind.method if fault == "operation_time_limit" else "batch", after=1, times=None)
    with pytest.raises(Bitrix24Error) as caught:
        kind.run(rows)
    assert caught.value.retryable
    portal.clear_faults()
    summary = kind.run(rows, given=context(try_number=2))
    assert summary["rows"] == 120
    assert summary["failed"] == summary["unknown"] == summary["not_done"] == 0
    assert len(kind.done(portal)) == 120


@pytest.mark.parametrize("method", ["crm.deal.update", "crm.item.update"])
def test_updates_by_method_are_retried_too(method, portal, connection):
    kind = KINDS["add by method"]
    mapping = {"id": "$id", "fields": {"TITLE" if method == "crm.deal.update" else "title": "$title"}}
    if method == "crm.item.update":
        mapping["entityTypeId"] = 2
    rows = [{"id": deal["id"], "title": "Firm"} for deal in portal.items(2)]
    portal.fault("operation_time_limit", method, after=len(rows) + 5, times=None)
    with pytest.raises(OperationTimeLimit):
        kind.run(rows * 9, method=method, mapping=mapping)


@pytest.mark.parametrize("name", ADDS)
def test_a_limit_of_what_must_not_be_repeated_is_not_retried_where_nothing_remembers(name, portal, connection):
    kind = KINDS[name]
    rows = kind.rows(portal, 60)
    portal.fault("operation_time_limit", kind.method, after=1, times=None)
    assert "OPERATION_TIME_LIMIT" in kind.failure(rows)
    portal.clear_faults()
    done = len(kind.done(portal))
    assert "nothing remembers which" in kind.failure(rows, given=context(try_number=2))
    assert len(kind.done(portal)) == done


# Sources that end in the middle


class Broken(Exception):
    """Not one of ours, as a database raises."""


def ends_with(error: BaseException, rows: list[Any]) -> Any:
    yield from rows
    raise error


class Timeout(BaseException):
    """As Airflow's own timeout, it is not an Exception."""


@pytest.mark.parametrize("name", [name for name in KINDS if name != "delete"])
@pytest.mark.parametrize("error", [Broken("connection lost"), OSError("disk"), MemoryError(), Timeout()], ids=repr)
def test_whatever_a_source_raises_what_was_written_before_is_reported(name, error, portal, connection, tmp_path):
    kind, given, report = KINDS[name], context(), tmp_path / "r.jsonl"
    rows = kind.rows(portal, 70)
    with pytest.raises(type(error)):
        kind.run(ends_with(error, rows), given=given, report=str(report), max_failures=None)
    summary = given["ti"].pushed["bitrix24_rows"]
    done = kind.done(portal)
    assert (summary[kind.word], summary["rows"]) == (len(done), 70)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == [kind.word] * len(done) + ["not_done"] * (70 - len(done))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "delete"])
def test_a_try_after_that_does_the_rest(name, portal, connection):
    kind, store = KINDS[name], StateStore()
    rows = kind.rows(portal, 70)
    with pytest.raises(Broken):
        kind.run(ends_with(Broken(), rows), given=context(store=store))
    summary = kind.run(rows, given=context(store=store, try_number=2))
    assert counts_in(summary) == {kind.word: 70}
    assert kind.done(portal) == [f"Firm {index}" for index in range(70)]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("error", [Timeout(), Broken("bug")], ids=repr)
def test_whatever_interrupts_a_request_what_was_written_before_is_reported(
    name, error, portal, in_turn, tmp_path, monkeypatch
):
    from airflow_provider_bitrix24.rest.client import Client

    kind, report, real, sent = KINDS[name], tmp_path / "r.jsonl", Client.batch, []
    rows = kind.rows(portal, 120)

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        answer = real(self, *arguments, **options)
        sent.append(answer)
        if len(sent) == 2:
            raise error
        return answer

    store = StateStore()
    given = context(store=store)
    with monkeypatch.context() as patch:
        patch.setattr(Client, "batch", batch)
        with pytest.raises(type(error)):
            kind.run(rows, given=given, report=str(report), **any_number_may_fail(kind))
    first = 20 if name == "import" else 50
    outcomes = [json.loads(line)["outcome"] for line in report.read_text().splitlines()]
    summary = given["ti"].pushed["bitrix24_rows"]
    assert outcomes[:first] == [kind.word] * first
    assert set(outcomes[first:]) == {"unknown"}
    assert (summary[kind.word], summary["unknown"]) == (first, len(outcomes) - first)
    again = kind.run(rows, given=context(store=store, try_number=2), **any_number_may_fail(kind))
    assert (again["rows"], again["failed"], again["not_done"]) == (120, 0, 0)
    assert again["unknown"] == (0 if kind.repeats else summary["unknown"])
    assert len(kind.done(portal)) == 120


def test_a_report_that_cannot_be_written_any_more_leaves_the_counts_in_xcom(portal, connection, tmp_path, monkeypatch):
    from airflow_provider_bitrix24.rows.outcomes import Outcome

    kind, given, real = KINDS["add"], context(store=StateStore()), Outcome.as_json

    def as_json(self: Outcome) -> Any:
        if self.row == 60:
            raise OSError("no space left")
        return real(self)

    monkeypatch.setattr(Outcome, "as_json", as_json)
    with pytest.raises(OSError, match="no space left"):
        kind.run(kind.rows(portal, 120), given=given, report=str(tmp_path / "r.jsonl"))
    assert given["ti"].pushed["bitrix24_rows"]["written"] == len(kind.done(portal)) == 100


def test_a_portal_that_cannot_say_its_fields_any_more_does_not_hide_what_was_written(portal, connection):
    """The names of a second kind of item are asked for when its first row comes."""
    given, kind = context(store=StateStore()), KINDS["add by method"]
    portal.fault("operation_time_limit", "crm.item.fields", after=1, times=None)
    rows = [{"kind": 4, "title": f"Firm {index}"} for index in range(50)] + [{"kind": 2, "title": "Firm x"}]
    mapping = {"entityTypeId": "$kind", "fields": {"title": "$title"}}
    with pytest.raises(OperationTimeLimit, match="'written': 50"):
        kind.run(rows, given=given, method="crm.item.add", mapping=mapping)
    assert given["ti"].pushed["bitrix24_rows"]["written"] == len(kind.done(portal)) == 50
