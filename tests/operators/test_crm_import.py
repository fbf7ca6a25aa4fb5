"""CRM items imported: 20 to a command, an outcome for each, and going on after a crash without importing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import StateStore, context
from tests.sleepless import SleeplessHook

IMPORT, FIELDS = "crm.item.batchImport", "crm.item.fields"


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


class Sleepless(Bitrix24ImportItemsOperator):
    @property
    def hook(self) -> Any:
        return SleeplessHook()


def import_items(*, given: Any = None, operator: type = Sleepless, **arguments: Any) -> Any:
    return operator(task_id="import", **{"entity_type_id": "company", **arguments}).execute(given or context())


def failure_of(**arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        import_items(**arguments)
    assert caught.value.__cause__ is None
    return str(caught.value)


def firms(number: int) -> list[dict[str, Any]]:
    return [{"title": f"Firm {index}", "originId": str(index)} for index in range(number)]


def imported(portal: Any, number: int = 4) -> list[str]:
    return [item["title"] for item in portal.items(number) if item.get("originId")]


def commands(portal: Any) -> list[int]:
    """How many entries each command carried that really ran."""
    sent = [command for call in portal.calls for command in (call.commands or [call])]
    return [len(command.params["data"]) for command in sent if command.method == IMPORT and command.executed]


def test_rows_are_imported_by_twenty_and_the_first_twenty_go_alone(portal, connection):
    summary = import_items(rows=firms(130))
    assert (summary["rows"], summary["imported"], summary["failed"], summary["unknown"]) == (130, 130, 0, 0)
    assert imported(portal) == [f"Firm {index}" for index in range(130)]
    assert commands(portal) == [20] * 6 + [10]
    # The fields, one command to measure by, and all others in one request.
    assert portal.requests == 3
    ids = [item["id"] for item in portal.items(4) if item.get("originId")]
    assert summary["outcomes"] == [{"row": row, "outcome": "imported", "id": ids[row]} for row in range(130)]


@pytest.fixture
def slow_portal(monkeypatch):
    """A portal that takes 15 seconds for 20 items: two commands fit into a request."""
    with Sandbox(method_seconds={IMPORT: 15.0}) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        yield portal


def test_a_slow_portal_is_sent_fewer_at_once(slow_portal):
    import_items(rows=firms(200))
    sizes = [len(call.commands) for call in slow_portal.calls if call.commands]
    assert sizes == [1, 2, 2, 2, 2, 1]


def test_phones_and_the_times_of_old_items_are_imported(portal, connection):
    rows = [{"name": "Ada", "phone": "+1", "since": "2020-01-02T03:04:05+03:00"}]
    mapping = {"NAME": "$name", "PHONE": "$phone", "CREATED_TIME": "$since", "UPDATED_TIME": "$since"}
    summary = import_items(entity_type_id="contact", rows=rows, mapping=mapping)
    item = portal.item(3, summary["outcomes"][0]["id"])
    assert (item["name"], item["fm"][0]["value"], item["createdTime"]) == ("Ada", "+1", rows[0]["since"])


@pytest.mark.parametrize("kind", ["lead", "deal", "contact", "company", "quote", "invoice", 128])
def test_every_kind_can_be_imported(kind, portal, connection):
    rows = [{"name" if kind == "contact" else "title": "x"}]
    assert import_items(entity_type_id=kind, rows=rows)["imported"] == 1


def test_each_entry_has_its_own_outcome_although_the_portal_answers_200(portal, connection, tmp_path):
    rows = [{"name": "Ada"}, {"post": "none"}, {"lastName": "Berg"}]
    summary = import_items(entity_type_id="contact", rows=rows, max_failures=1, report=str(tmp_path / "r.jsonl"))
    assert (summary["imported"], summary["failed"]) == (2, 1)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["imported", "failed", "imported"]
    assert (lines[1]["code"], lines[1]["final"]) == ("CRM_FIELD_ERROR_REQUIRED", True)


def test_more_failures_than_may_stop_the_task_and_its_summary_is_in_xcom(portal, connection):
    given = context()
    rows = [{"post": "none"}, *({"name": f"n{index}"} for index in range(100))]
    failure = failure_of(entity_type_id="contact", rows=rows, given=given)
    assert "CRM_FIELD_ERROR_REQUIRED" in failure
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["rows"], summary["imported"], summary["failed"]) == (20, 19, 1)


def test_a_row_that_cannot_be_sent_stops_the_task_before_its_request(portal, connection):
    rows = [*firms(5), {"titel": "x", "originId": "9"}]
    assert "the row names 'titel', which is not a field of a company: did you mean title" in failure_of(rows=rows)
    assert imported(portal) == []
    summary = import_items(rows=rows, max_failures=1)
    assert (summary["imported"], summary["failed"]) == (5, 1)
    assert summary["outcomes"][5]["outcome"] == "failed"


def test_answers_by_place_are_read_as_well_as_lists(portal, connection):
    entries = {"0": {"item": {"id": 71}}, "2": {"item": {"id": 73}}}
    body = {"result": {"result": {"c0": {"items": entries}}, "result_error": [], "result_total": [],
                       "result_next": [], "result_time": []}}  # fmt: skip
    portal.fault("body", "batch", body=json.dumps(body).encode())
    summary = import_items(rows=firms(3), max_failures=None)
    assert [(outcome["outcome"], outcome.get("id")) for outcome in summary["outcomes"]] == [
        ("imported", 71), ("unknown", None), ("imported", 73)
    ]  # fmt: skip


def test_a_fault_of_one_entry_that_may_have_run_is_unknown(portal, connection):
    entries = [{"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}, {"item": {"id": 72}}]
    body = {"result": {"result": {"c0": {"items": entries}}, "result_error": [], "result_total": [],
                       "result_next": [], "result_time": []}}  # fmt: skip
    portal.fault("body", "batch", body=json.dumps(body).encode())
    summary = import_items(rows=firms(2), max_failures=None)
    assert [outcome["outcome"] for outcome in summary["outcomes"]] == ["unknown", "imported"]


@pytest.mark.parametrize("fault", ["close_after", "close_before"])
def test_a_lost_answer_is_never_repeated_and_the_rows_are_unknown(fault, portal, connection):
    given = context(store=StateStore())
    portal.fault(fault, "batch")
    failure = failure_of(rows=firms(30), given=given)
    assert "check with crm.item.list" in failure
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["unknown"], summary["rows"]) == (20, 20)
    assert len(imported(portal)) == (20 if fault == "close_after" else 0)


def test_a_missing_right_fails_without_retry(portal, connect):
    connect(portal.clerk)
    assert "ACCESS_DENIED" in failure_of(rows=firms(3))
    assert imported(portal) == []


def test_a_limit_is_left_to_the_tasks_retries_where_they_are_safe(portal, connection):
    portal.fault("operation_time_limit", IMPORT, times=None)
    store = StateStore()
    with pytest.raises(OperationTimeLimit):
        import_items(rows=firms(30), given=context(store=store))
    portal.clear_faults()
    summary = import_items(rows=firms(30), given=context(store=store, try_number=2))
    assert (summary["imported"], imported(portal)) == (30, [f"Firm {index}" for index in range(30)])


def test_a_limit_stops_the_task_however_many_rows_may_fail(portal, connection):
    """Single rows may fail; what concerns all rows is left to the task's retries."""
    store = StateStore()
    portal.fault("operation_time_limit", IMPORT, after=1, times=None)
    rows = [{"post": "none"}, *({"name": f"n{index}"} for index in range(99))]
    arguments = {"entity_type_id": "contact", "rows": rows, "max_failures": None}
    given = context(store=store)
    with pytest.raises(OperationTimeLimit):
        import_items(**arguments, given=given)
    assert given["ti"].pushed["bitrix24_rows"]["imported"] == 19
    portal.clear_faults()
    portal.reset_calls()
    summary = import_items(**arguments, given=context(store=store, try_number=2))
    assert (summary["imported"], summary["failed"], sum(commands(portal))) == (99, 1, 80)
    assert len([item for item in portal.items(3) if item.get("name", "").startswith("n")]) == 99


def test_a_webhook_that_is_not_accepted_any_more_stops_the_task_at_once(portal, connection):
    portal.fault("error", "batch", code="INVALID_CREDENTIALS", status=401, after=1, times=None)
    assert "INVALID_CREDENTIALS" in failure_of(rows=firms(200), max_failures=None)
    assert portal.requests == 3


def test_without_a_memory_no_retry_imports_anything(portal, connection):
    portal.fault("operation_time_limit", IMPORT, times=None)
    failure_of(rows=firms(3))
    portal.clear_faults()
    failure = failure_of(rows=firms(3), given=context(try_number=2))
    assert "with report, a retry goes on safely" in failure
    assert imported(portal) == []


@pytest.mark.parametrize("where", ["store", "report"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_task_goes_on_and_imports_nothing_twice(where, moment, slow_portal, tmp_path):
    """Killed around its second request: what that carried is unknown, and all others are imported once."""
    store = StateStore() if where == "store" else None
    report = {"report": str(tmp_path / "r.jsonl")} if where == "report" else {}

    class KilledOnce(Sleepless):
        def run(self, client: Any, given: Any) -> Any:
            send, sent = client.batch, []

            def batch(of: Any) -> Any:
                sent.append(of)
                if len(sent) == 2 and moment == "before":
                    raise Killed
                answer = send(of)
                if len(sent) == 2:
                    raise Killed
                return answer

            client.batch = batch
            return super().run(client, given)

    with pytest.raises(Killed):
        import_items(operator=KilledOnce, rows=firms(100), given=context(store=store), **report)
    summary = import_items(
        rows=firms(100), given=context(store=store, try_number=2), max_failures=None, **report
    )  # fmt: skip
    assert (summary["imported"], summary["unknown"], summary["failed"]) == (60, 40, 0)
    there = imported(slow_portal)
    assert len(there) == len(set(there)) == (60 if moment == "before" else 100)


def test_a_row_that_was_refused_by_a_limit_twice_is_never_imported_twice(portal, connection):
    """The second try is killed while it repeats what the first could not do: the third must not send it again."""
    store = StateStore()
    portal.fault("operation_time_limit", IMPORT, times=None)
    with pytest.raises(OperationTimeLimit):
        import_items(rows=firms(5), given=context(store=store))
    portal.clear_faults()

    class KilledAfterwards(Sleepless):
        def run(self, client: Any, given: Any) -> Any:
            send = client.batch

            def batch(of: Any) -> Any:
                send(of)
                raise Killed

            client.batch = batch
            return super().run(client, given)

    with pytest.raises(Killed):
        import_items(operator=KilledAfterwards, rows=firms(5), given=context(store=store, try_number=2))
    failure = failure_of(rows=firms(5), given=context(store=store, try_number=3))
    assert "an earlier try was killed while it wrote this row" in failure
    assert imported(portal) == [f"Firm {index}" for index in range(5)]


@pytest.mark.parametrize("where", ["store", "report"])
def test_a_try_after_all_is_imported_returns_the_same_and_imports_nothing(where, portal, connection, tmp_path):
    """The task was killed between its last answer and the end of its try."""
    store = StateStore() if where == "store" else None
    report = {"report": str(tmp_path / "r.jsonl")} if where == "report" else {}
    summary = import_items(rows=firms(30), given=context(store=store), **report)
    portal.reset_calls()
    assert import_items(rows=firms(30), given=context(store=store, try_number=2), **report) == summary
    assert (portal.requests, len(imported(portal))) == (0, 30)


def test_rows_in_another_order_are_imported_where_none_of_them_was_before(portal, connection):
    store = StateStore()
    portal.fault("operation_time_limit", IMPORT, times=None)
    with pytest.raises(OperationTimeLimit):
        import_items(rows=firms(5), given=context(store=store))
    portal.clear_faults()
    assert import_items(rows=firms(5)[::-1], given=context(store=store, try_number=2))["imported"] == 5
    assert imported(portal) == [f"Firm {index}" for index in (4, 3, 2, 1, 0)]


def test_rows_in_another_order_are_imported_but_for_those_that_were_before(portal, connection):
    store = StateStore()
    portal.fault("operation_time_limit", IMPORT, after=1, times=None)
    with pytest.raises(OperationTimeLimit):
        import_items(rows=firms(30), given=context(store=store))
    portal.clear_faults()
    given = context(store=store, try_number=2)
    assert import_items(rows=firms(30)[::-1], given=given)["imported"] == 30
    assert imported(portal) == [f"Firm {index}" for index in (*range(20), *range(29, 19, -1))]


@pytest.mark.parametrize("max_failures", [0, None])
def test_rows_that_end_in_the_middle_fail_the_task_and_what_was_imported_is_reported(
    max_failures, portal, connection, tmp_path
):
    given, report = context(), tmp_path / "r.jsonl"
    arguments = {"max_failures": max_failures, "report": str(report)}
    failure = failure_of(given=given, rows=iter([*firms(25), "not a row"]), **arguments)
    assert "row 25 is 'not a row', which is not an object" in failure
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert [row["row"] for row in rows if row["outcome"] == "imported"] == list(range(len(imported(portal))))
    assert len(imported(portal)) >= 20
    assert [row["outcome"] for row in rows[20:]] == ["not_done"] * 5
    with pytest.raises(AirflowFailException, match="row 25 is 'not a row', which is not an object"):
        import_items(rows=iter([*firms(25), "not a row"]), dry_run=True)


def test_a_dry_run_imports_nothing_and_shows_what_would_be_sent(portal, connection):
    rows = [{"title": "x", "PHONE": "+1"}, {"titel": "x"}]
    summary = import_items(rows=rows, dry_run=True, max_failures=1)
    entry = {"title": "x", "PHONE": [{"VALUE": "+1", "VALUE_TYPE": "WORK"}]}
    assert (summary["rows"], summary["ready"], summary["failed"], summary["dry_run"]) == (2, 1, 1, True)
    assert summary["examples"] == [{"entityTypeId": 4, "fields": entry}]
    assert [call.method for call in portal.calls] == [FIELDS]


def test_no_rows_are_not_a_failure(portal, connection):
    assert import_items(rows=[])["rows"] == 0
