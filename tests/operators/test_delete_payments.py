"""Deleting many payments: what goes, what is reported, what stops it, and what a later try knows of an earlier one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.execution.checkpoint import checkpoint
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import StateStore, context

DELETE, LIST = "crm.item.payment.delete", "crm.item.payment.list"
NONE = dict.fromkeys(("deleted", "missing", "denied", "paid", "failed", "unknown", "not_done"), 0)
#: Keys of a summary that are not counts.
WHERE = ("outcomes", "report")


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


def delete(*, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return Bitrix24DeletePaymentsOperator(task_id="delete", **arguments).execute(given or context())


def failure_of(**arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        delete(**arguments)
    return str(caught.value)


def unpaid(portal: Sandbox, count: int, deals: int = 20) -> list[int]:
    return [portal.add_payment(1 + index % deals) for index in range(count)]


def rows_of(file: Any) -> dict[int, str]:
    return {row["id"]: row["outcome"] for row in map(json.loads, file.read_text().splitlines())}


def counts_in(summary: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in summary.items() if name not in WHERE}


def kill_at_answer(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the task when the answer to its n-th batch of deletions has arrived, before it is remembered."""
    real, sent = Client.batch, []

    def batch(self: Client, commands: Any, **options: Any) -> Any:
        answer = real(self, commands, **options)
        sent.append(1)
        if len(sent) == number:
            raise Killed
        return answer

    monkeypatch.setattr(Client, "batch", batch)


def killed(portal: Sandbox, monkeypatch: pytest.MonkeyPatch, number: int, **arguments: Any) -> None:
    with monkeypatch.context() as patch:
        kill_at_answer(patch, number)
        with pytest.raises(Killed):
            delete(**arguments)


# What goes


def test_ids_go_fifty_to_a_request(portal, connection):
    payments = unpaid(portal, 120)
    summary = delete(payment_ids=payments)
    assert counts_in(summary) == {"rows": 120, **NONE, "deleted": 120}
    assert summary["outcomes"] == [
        {"row": row, "outcome": "deleted", "id": payment} for row, payment in enumerate(payments)
    ]
    assert portal.requests == 3
    assert not {row["id"] for row in portal.payments()} & set(payments)


@pytest.mark.parametrize("spelling", [list, json.dumps, lambda ids: [str(id_) for id_ in ids], lambda ids: ids + ids])
def test_ids_may_be_numbers_texts_json_or_named_twice(spelling, portal, connection):
    payments = unpaid(portal, 3)
    assert delete(payment_ids=spelling(payments))["deleted"] == 3
    assert portal.executed(DELETE) == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-01-31 10:00", "which has no time zone: write it with its zone"),
        ("2026-01-31", "a day without a time"),
        (datetime(2026, 1, 31), "which has no time zone"),
        ("soon", "is 'soon', which is not a date with a time"),
    ],
)
def test_a_time_of_payment_has_its_zone(value, message, portal, connection):
    for filter_ in ({">datePaid": value}, {"0": {"logic": "OR", "0": {">datePaid": value}, "1": {"=id": 7}}}):
        assert message in failure_of(entity_ids=[1], payment_filter=filter_)
    assert portal.requests == 0


@pytest.mark.parametrize("payment_filter", [{"=paid": "N"}, '{"=paid": "N"}'])
def test_the_payments_of_deals_go_as_far_as_the_filter_lets_them(payment_filter, portal, connection):
    kept = {portal.add_payment(3, paid=True), portal.add_payment(9)}
    for deal in (2, 3):
        portal.add_payment(deal)
    summary = delete(entity_ids=[2, 3, 999_999], payment_filter=payment_filter)
    left = [row for row in portal.payments() if row["dealId"] in (2, 3)]
    assert all(row["paid"] == "Y" for row in left)
    assert kept <= {row["id"] for row in portal.payments()}
    assert summary["deleted"] == summary["rows"] == portal.executed(DELETE) > 1


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("type_id", "there"), [("deal", 4), ("invoice", 1)])
def test_objects_that_are_not_there_are_reported(type_id, there, dry_run, portal, connection, caplog):
    arguments = {"entity_type_id": type_id, "payment_filter": {"=sum": 987654}, "dry_run": dry_run}
    summary = delete(entity_ids=[888_888, there, 999_999], **arguments)
    assert summary["rows"] == 0
    assert summary["entities_not_found"] == {"count": 2, "first": [888_888, 999_999]}
    assert "2 of entity_ids are not there, or the connection's user may not see them: [888888, 999999]" in caplog.text
    assert "entities_not_found" not in delete(entity_ids=[there], **arguments)


def test_only_some_of_many_objects_that_are_not_there_are_named(portal, connection):
    summary = delete(entity_ids=range(900_000, 900_620), entity_type_id="deal")
    assert summary["entities_not_found"] == {"count": 620, "first": list(range(900_000, 900_100))}


def test_objects_with_payments_are_not_looked_for(portal, connection):
    portal.add_payment(2)
    assert delete(entity_ids=[2])["deleted"] > 0
    assert portal.count("crm.item.list") == 0


def test_a_retry_still_reports_the_objects_that_were_not_there(portal, connection, monkeypatch):
    portal.add_payment(2)
    given = {"entity_ids": [2, 999_999], "given": context(store=StateStore())}
    killed(portal, monkeypatch, 1, **given)
    looked = portal.count("crm.item.list")
    assert delete(**given)["entities_not_found"] == {"count": 1, "first": [999_999]}
    assert portal.count("crm.item.list") == looked == 1


def test_payments_of_invoices_go_too(portal, connection):
    Client(portal_of(portal)).call("crm.item.payment.add", {"entityTypeId": 31, "entityId": 1})
    invoices = [row["id"] for row in portal.payments() if row["entityTypeId"] == 31 and row["entityId"] == 1]
    assert delete(entity_ids=[1], entity_type_id="invoice", payment_filter={"=paid": "N"})["deleted"] >= 1
    assert invoices
    assert portal.calls[-2].commands[0].params["entityTypeId"] == "31"


def portal_of(portal: Sandbox) -> Any:
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

    return Bitrix24Hook().get_portal()


@pytest.mark.parametrize(
    "entity_filter",
    [
        {"=stageSemanticId": "F"},
        {"STAGE_SEMANTIC_ID": "F"},
        '{"@stageId": ["LOSE"]}',
        {"0": {"logic": "OR", "0": {"stageId": "LOSE"}, "1": {"title": "no such deal"}}},
    ],
)
def test_the_payments_of_deals_that_match_a_filter_go(entity_filter, portal, connection, caplog):
    caplog.set_level("INFO")
    lost = portal.add_deals(60, stageId="LOSE")
    (kept,) = portal.add_deals(1, stageId="NEW")
    payments, other = [portal.add_payment(deal) for deal in lost], portal.add_payment(kept)
    paid = portal.add_payment(lost[0], paid=True)
    summary = delete(entity_filter=entity_filter, payment_filter={"=paid": "N"})
    assert summary["entities"] >= 60
    assert summary["deleted"] == summary["rows"] >= 60
    assert {portal.payment(payment) for payment in payments} == {None}
    assert None not in (portal.payment(other), portal.payment(paid))
    said = f"{summary['rows']} payments of {summary['entities']} deals or invoices that match entity_filter are to be"
    assert said in caplog.text


def test_invoices_that_match_a_filter_are_taken_too(portal, connection):
    Client(portal_of(portal)).call("crm.item.payment.add", {"entityTypeId": 31, "entityId": 1})
    summary = delete(entity_filter={"id": 1}, entity_type_id="invoice", payment_filter={"=paid": "N"})
    assert (summary["entities"], summary["deleted"] >= 1) == (1, True)


def test_a_filter_that_no_deal_matches_fails_nothing(portal, connection):
    summary = delete(entity_filter={"=title": "no such deal"})
    assert (summary["entities"], summary["rows"], portal.executed(DELETE)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("entity_filter", "message"),
    [
        ({}, "entity_filter is empty"),
        ("{}", "entity_filter is empty"),
        (None, "entity_filter is None"),
        ("", "entity_filter is not an object"),
        ("None", "entity_filter is not an object, but 'None'"),
        ([["stageId", "=", "LOSE"]], "entity_filter is not an object"),
        ({"@stageId": []}, "'@stageId' in entity_filter is an empty list"),
        ({"stageId": None}, "'stageId' in entity_filter"),
        ({">=updatedTime": "None"}, "'>=updatedTime' in entity_filter"),
        ({"0": {}}, "a group in entity_filter has no condition"),
        ({"stage": "LOSE"}, "stage"),
        ({"=stageId": "LOSE", "=STAGE_ID": "WON"}, "in entity_filter are one name in two spellings"),
    ],
)
def test_a_filter_of_deals_that_could_mean_all_is_refused(entity_filter, message, portal, connection):
    assert message in failure_of(entity_filter=entity_filter)
    assert portal.executed(DELETE) == 0


def test_more_payments_of_matching_deals_than_max_deletions_fail_before_the_first(portal, connection):
    (deal,) = portal.add_deals(1)
    for _ in range(3):
        portal.add_payment(deal)
    failure = failure_of(entity_filter={"id": deal}, max_deletions=2)
    assert "3 payments would be deleted, more than max_deletions" in failure
    assert portal.executed(DELETE) == 0


def test_a_retry_deletes_the_payments_of_the_deals_that_the_first_try_found(portal, connection, monkeypatch):
    deals, store = portal.add_deals(2, stageId="LOSE", title="mine"), StateStore()
    payments = [portal.add_payment(deals[number % 2]) for number in range(120)]
    killed(portal, monkeypatch, 1, entity_filter={"=title": "mine"}, given=context(store=store))
    (later,) = portal.add_deals(1, title="mine")
    kept = portal.add_payment(later)
    summary = delete(entity_filter={"=title": "mine"}, given=context(store=store, try_number=2))
    assert (summary["rows"], summary["entities"]) == (120, 2)
    assert summary["deleted"] + summary["deleted_earlier"] == 120
    assert portal.payment(kept) is not None
    assert {portal.payment(payment) for payment in payments} == {None}


@pytest.mark.parametrize("arguments", [{"payment_ids": []}, {"entity_ids": []}])
def test_nothing_to_do_is_done_without_a_request(arguments, portal, connection):
    assert delete(**arguments) == {"rows": 0, **NONE, "outcomes": [], "report": None}
    assert portal.requests == 0


# What is reported


def mixed(portal: Sandbox) -> dict[int, str]:
    """Payments that end differently."""
    return {
        portal.add_payment(1): "deleted",
        portal.add_payment(1, paid=True): "paid",
        999_999: "missing",
        portal.add_payment(2): "deleted",
    }


def test_every_payment_has_its_outcome_and_the_report_holds_them_all(portal, connection, tmp_path):
    expected = mixed(portal)
    report = tmp_path / "report.jsonl"
    summary = delete(payment_ids=list(expected), on_error="continue", report=f"file://{report}")
    assert counts_in(summary) == {"rows": 4, **NONE, "deleted": 2, "paid": 1, "missing": 1}
    assert (summary["report"]["rows"], rows_of(report)) == (4, expected)
    assert "unpay it first" in report.read_text()


def test_a_missing_right_is_denied(portal, connect, tmp_path):
    connect(portal.clerk)
    payments = unpaid(portal, 3)
    summary = delete(payment_ids=payments, on_error="continue", report=str(tmp_path / "r.jsonl"))
    assert (summary["denied"], summary["deleted"]) == (3, 0)
    assert rows_of(tmp_path / "r.jsonl") == dict.fromkeys(payments, "denied")


def test_a_failure_ends_the_task_after_its_step_with_the_counts(portal, in_turn):
    payments = [*unpaid(portal, 49), 999_999, *unpaid(portal, 50)]
    given = context()
    failure = failure_of(payment_ids=payments, given=given)
    assert "Payment has not been found" in failure
    assert "'deleted': 49" in failure
    assert counts_in(given["ti"].pushed["bitrix24_rows"]) == {"rows": 50, **NONE, "deleted": 49, "missing": 1}
    assert portal.executed(DELETE) == 49


def test_missing_ok_forgives_missing_payments_and_nothing_else(portal, connection):
    assert delete(payment_ids=[999_999, portal.add_payment(1)], missing_ok=True)["missing"] == 1
    assert "unpay it first" in failure_of(payment_ids=[portal.add_payment(1, paid=True)], missing_ok=True)


def test_a_limit_is_left_to_the_retries_whatever_on_error_says(portal, in_turn):
    payments = unpaid(portal, 100)
    portal.fault("operation_time_limit", DELETE, after=50, times=None)
    with pytest.raises(OperationTimeLimit, match="'deleted': 50"):
        delete(payment_ids=payments, on_error="continue")
    assert portal.executed(DELETE) == 50


def test_a_portal_that_does_not_know_the_webhook_fails_the_task_whatever_on_error_says(portal, in_turn):
    portal.admin.code = "an0therc0de12345"
    assert "create a new one" in failure_of(payment_ids=list(range(1, 200)), on_error="continue")
    assert portal.requests == 1


def test_a_task_that_is_being_killed_sends_nothing_more_and_tells_what_it_had_done(
    portal, in_turn, monkeypatch, tmp_path
):
    payments, report, given = unpaid(portal, 200), tmp_path / "report.jsonl", context()
    operator = Bitrix24DeletePaymentsOperator(
        task_id="delete", payment_ids=payments, on_error="continue", report=str(report)
    )
    real = Client.batch

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        answer = real(self, *arguments, **options)
        operator.on_kill()
        return answer

    monkeypatch.setattr(Client, "batch", batch)
    with pytest.raises(Bitrix24Error, match="the task is being stopped"):
        operator.execute(given)
    assert portal.executed(DELETE) == 50
    assert rows_of(report) == {
        **dict.fromkeys(payments[:50], "deleted"), **dict.fromkeys(payments[50:100], "not_done"),
    }  # fmt: skip
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["deleted"], summary["failed"], summary["not_done"]) == (50, 0, 50)


# Guards


def test_a_dry_run_says_what_would_go_and_deletes_nothing(portal, connection, tmp_path):
    payments = unpaid(portal, 120)
    summary = delete(payment_ids=payments, dry_run=True, report=str(tmp_path / "plan.jsonl"))
    assert (summary["rows"], summary["ready"], summary["dry_run"]) == (120, 120, True)
    assert rows_of(tmp_path / "plan.jsonl") == dict.fromkeys(payments, "ready")
    assert [file.name for file in tmp_path.iterdir()] == ["plan.jsonl"]
    assert portal.requests == 0


def test_a_dry_run_fails_where_the_run_would_and_says_what_would_go(portal, connection, tmp_path):
    payments, given = unpaid(portal, 120), context()
    message = failure_of(payment_ids=payments, dry_run=True, max_deletions=5, given=given, report=str(tmp_path / "p"))
    assert "120 payments would be deleted, more than max_deletions, 5" in message
    assert given["ti"].pushed["bitrix24_rows"]["ready"] == 120
    assert rows_of(tmp_path / "p") == dict.fromkeys(payments, "ready")
    for deal in (2, 3):
        portal.add_payment(deal)
    message = failure_of(entity_ids=[2, 3], dry_run=True, max_deletions=1, given=given)
    assert "more than max_deletions, 1" in message
    assert portal.executed(DELETE) == 0


@pytest.mark.parametrize(("most", "count"), [({}, 1001), ({"max_deletions": "2"}, 3)])
def test_more_than_max_deletions_fail_before_the_first(most, count, portal, connection):
    failure = failure_of(payment_ids=list(range(1, count + 1)), **most)
    assert f"{count} payments would be deleted, more than max_deletions" in failure
    assert "nothing was deleted" in failure
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one of payment_ids, entity_ids and entity_filter"),
        ({"payment_ids": [1], "entity_ids": [1]}, "give one of payment_ids, entity_ids and entity_filter"),
        ({"payment_ids": 1035}, "payment_ids is not a list of ids"),
        ({"payment_ids": "1035, 1036"}, "payment_ids is not a list of ids"),
        ({"payment_ids": [1035, "3653/1"]}, "not the number that the portal shows"),
        ({"payment_ids": [0]}, "an id in payment_ids must be a whole number above 0"),
        ({"entity_ids": [1], "entity_type_id": "company"}, "write one of deal (2), invoice (31)"),
        ({"entity_ids": [1], "payment_filter": "paid"}, "payment_filter is not an object"),
        ({"payment_ids": [1], "payment_filter": {"=paid": "N"}}, "payment_filter does not choose among payment_ids"),
        (
            {"entity_ids": [1], "payment_filter": ""},
            "payment_filter is not an object, but '': it has no value",
        ),
        ({"entity_ids": [1], "payment_filter": "None"}, "but 'None': it has no value"),
        ({"entity_ids": [1], "payment_filter": {"!@id": []}}, "'!@id' in payment_filter is an empty list"),
        ({"entity_ids": [1], "payment_filter": '{"@id": []}'}, "'@id' in payment_filter is an empty list"),
        ({"entity_ids": [1], "payment_filter": {"=paid": "N", "!id": ()}}, "'!id' in payment_filter is an empty list"),
        ({"entity_ids": [1], "payment_filter": {"0": {"id": []}}}, "'id' in payment_filter is an empty list"),
        ({"entity_ids": [1], "payment_filter": {"0": None}}, "a group in payment_filter is None, and might hold for"),
        ({"entity_ids": [1], "payment_filter": {"0": "x"}}, "a group in payment_filter is 'x', and might hold for"),
        (
            {"entity_ids": [1], "payment_filter": {"0": {"logic": "OR", "0": {}, "1": {"=paid": "N"}}}},
            "a group in payment_filter has no condition, and might hold for everything",
        ),
        ({"entity_ids": [1], "payment_filter": "null"}, "but 'null': it has no value"),
        ({"entity_ids": [1], "payment_filter": "{'=paid': 'N'}"}, "add | tojson to it"),
        ({"payment_ids": "['1', '2']"}, "payment_ids is not a list of ids, but \"['1', '2']\": if a template wrote it"),
        ({"payment_ids": "None"}, "it has no value"),
        ({"payment_ids": [12.0]}, "an id in payment_ids must be a whole number above 0, not 12.0: make it whole"),
        ({"payment_ids": [1], "on_error": "skip"}, "on_error is 'skip': write one of: 'fail', 'continue'"),
        ({"payment_ids": [1], "max_deletions": 0}, "max_deletions must be a whole number above 0"),
        ({"payment_ids": [1], "report": "file:///data/"}, "report does not name a file"),
        ({"payment_ids": [1], "report": "None"}, "report does not name a file, but 'None': it has no value"),
    ],
)
def test_wrong_arguments_fail_without_a_retry_and_nothing_is_sent(arguments, message, portal, connection):
    assert message in failure_of(**arguments)
    assert portal.requests == 0


def test_its_arguments_are_templates():
    operator = Bitrix24DeletePaymentsOperator(
        task_id="delete", payment_ids="{{ ids }}", max_deletions="{{ most }}", report="{{ folder }}/r.jsonl"
    )
    operator.render_template_fields({"ids": [1, 2], "most": 7, "folder": "/data"})
    assert (operator.payment_ids, operator.max_deletions, operator.report) == ("[1, 2]", "7", "/data/r.jsonl")


# Later tries


def test_a_long_plan_is_remembered_in_values_that_airflow_takes_without_a_warning():
    store, plan = StateStore(), list(range(10**9, 10**9 + 12_001))
    memory = checkpoint(context(store=store))
    assert memory.numbers("plan") is None
    memory.put_numbers("plan", plan)
    assert max(map(len, store.values.values())) < 65_536
    assert checkpoint(context(store=store)).numbers("plan") == plan


@pytest.mark.parametrize("memory", ["store", "report"])
@pytest.mark.parametrize("at_answer", [1, 2, 4])
def test_a_killed_task_goes_on_and_tells_what_it_had_done(memory, at_answer, portal, in_turn, tmp_path, monkeypatch):
    payments = unpaid(portal, 200)
    store = StateStore() if memory == "store" else None
    report = tmp_path / "r.jsonl"
    arguments = {"payment_ids": payments, "report": str(report)}
    killed(portal, monkeypatch, at_answer, given=context(store=store), **arguments)
    summary = delete(given=context(try_number=2, store=store), **arguments)
    assert (summary["deleted"], summary["deleted_earlier"]) == (150, 50)
    assert rows_of(report) == {
        payment_id: "deleted_earlier" if 50 * (at_answer - 1) <= index < 50 * at_answer else "deleted"
        for index, payment_id in enumerate(payments)
    }
    assert portal.executed(DELETE) == 200
    assert portal.requests == 5


def test_the_plan_of_the_first_try_holds_for_the_next(portal, in_turn, monkeypatch):
    for deal in (2, 3):
        for _ in range(40):
            portal.add_payment(deal)
    store = StateStore()
    arguments = {"entity_ids": [2, 3], "payment_filter": {"=paid": "N"}}
    killed(portal, monkeypatch, 1, given=context(store=store), **arguments)
    added_later = portal.add_payment(2)
    summary = delete(given=context(try_number=2, store=store), **arguments)
    assert summary["deleted"] + summary["deleted_earlier"] == summary["rows"] == portal.executed(DELETE)
    assert summary["deleted_earlier"] == 50
    assert portal.payment(added_later) is not None


def test_a_refusal_of_an_earlier_try_is_final(portal, connection):
    """It was paid then; what somebody else does later is not this task's outcome."""
    store = StateStore()
    paid, limited = portal.add_payment(1, paid=True), portal.add_payment(1)
    arguments = {"payment_ids": [paid, limited], "on_error": "continue"}
    portal.fault("operation_time_limit", DELETE, after=1, times=None)
    with pytest.raises(OperationTimeLimit):
        delete(given=context(store=store), **arguments)
    portal.clear_faults()
    portal.remove_payment(paid)
    summary = delete(given=context(try_number=2, store=store), **arguments)
    assert counts_in(summary) == {"rows": 2, **NONE, "deleted": 1, "paid": 1}


class StoreThatKills(StateStore):
    """Kills the task as soon as an outcome is remembered."""

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        if None not in value.get("outcomes", [None]):
            raise Killed


def test_a_failure_that_was_remembered_before_the_kill_is_not_forgotten(portal, connection):
    killing, paid = StoreThatKills(), portal.add_payment(1, paid=True)
    with pytest.raises(Killed):
        delete(given=context(store=killing), payment_ids=[paid])
    store = StateStore()
    store.values = killing.values
    assert "unpay it first" in failure_of(given=context(try_number=2, store=store), payment_ids=[paid])


@pytest.mark.parametrize("memory", ["store", "report"])
def test_a_try_after_all_is_done_returns_the_same_and_sends_nothing(memory, portal, connection, tmp_path):
    store = StateStore() if memory == "store" else None
    arguments = {"payment_ids": unpaid(portal, 60), "report": str(tmp_path / "r.jsonl")}
    summary = delete(given=context(store=store), **arguments)
    assert delete(given=context(try_number=2, store=store), **arguments) == summary
    assert portal.requests == 2


def test_mapped_tasks_do_not_share_what_one_of_them_remembers_beside_its_report(portal, connection, tmp_path):
    first, second = unpaid(portal, 2)
    report = str(tmp_path / "r.jsonl")
    delete(given=context(map_index=0), payment_ids=[first], report=report)
    with pytest.raises(AirflowFailException, match=r"that of the mapped task 0 of this run: .* \{\{ ti.map_index \}\}"):
        delete(given=context(map_index=1), payment_ids=[second], report=report)
    assert portal.payment(second) is not None
    delete(given=context(map_index=1), payment_ids=[second], report=str(tmp_path / "r1.jsonl"))
    assert portal.payment(second) is None


@pytest.mark.parametrize("memory", ["store", "report"])
def test_a_cleared_task_begins_again(memory, portal, connection, tmp_path):
    store = StateStore() if memory == "store" else None
    payments = unpaid(portal, 60)
    arguments = {"payment_ids": payments, "report": str(tmp_path / "r.jsonl"), "missing_ok": True}
    delete(given=context(store=store), **arguments)
    cleared = context(try_number=2, store=store)
    cleared["ti"].max_tries = 1 + 3
    assert delete(given=cleared, **arguments)["missing"] == 60


def test_without_memory_what_is_missing_later_may_have_been_deleted_earlier(portal, in_turn, monkeypatch):
    payments = unpaid(portal, 60)
    killed(portal, monkeypatch, 1, payment_ids=payments)
    summary = delete(given=context(try_number=2), payment_ids=payments)
    assert (summary["deleted"], summary["missing"], summary["missing_or_deleted_earlier"]) == (10, 0, 50)


def test_without_memory_what_an_earlier_try_deleted_of_deals_is_not_known(portal, in_turn, monkeypatch):
    for _ in range(60):
        portal.add_payment(2)
    killed(portal, monkeypatch, 1, entity_ids=[2])
    summary = delete(given=context(try_number=2), entity_ids=[2])
    assert summary["deleted_earlier"] is None
    assert summary["deleted"] == summary["rows"] < 60


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_an_older_portal_is_asked_what_the_deals_have_left(generation, monkeypatch):
    with Sandbox(deals=5, generation=generation) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payments = [portal.add_payment(2) for _ in range(3)]
        store = StateStore()
        arguments = {"entity_ids": [2], "payment_filter": {"@id": payments}}
        killed(portal, monkeypatch, 1, given=context(store=store), **arguments)
        summary = delete(given=context(try_number=2, store=store), **arguments)
        assert (summary["deleted_earlier"], summary["denied"]) == (3, 0)


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_an_older_portal_that_cannot_tell_leaves_both_possible(generation, monkeypatch):
    with Sandbox(deals=5, generation=generation) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payments = [portal.add_payment(2) for _ in range(3)]
        store = StateStore()
        killed(portal, monkeypatch, 1, given=context(store=store), payment_ids=payments)
        summary = delete(given=context(try_number=2, store=store), payment_ids=payments, on_error="continue")
        assert (summary["denied_or_deleted_earlier"], summary["denied"]) == (3, 0)
        failed = failure_of(given=context(try_number=2, store=StateStore()), payment_ids=payments)
        assert "an earlier try" not in failed
