"""Tasks wait for limits of the portal that last longer than a call: deferred, or asleep in the worker; or they fail."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.execution.checkpoint import TryMemory
from airflow_provider_bitrix24.execution.limit_waits import MOST_IDLE_DEFERRALS
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24AddPaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.accelerated import accelerated
from tests.execution.waits import deferred, resumed
from tests.operators.context import StateStore, context
from tests.rest.clients import Naps

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

ADD = "crm.deal.add"


@pytest.fixture(scope="module")
def shared_portal():
    with Sandbox(deals=5) as portal:
        yield portal


@pytest.fixture
def portal(shared_portal):
    shared_portal.clear_faults()
    shared_portal.reset_calls()
    return shared_portal


@pytest.fixture(autouse=True)
def info(caplog):
    """A DAG that Airflow 2 ran before has left other levels behind."""
    caplog.set_level("INFO", logger="airflow_provider_bitrix24")


@pytest.fixture
def naps(portal, connection):
    return Naps(portal)


def make(naps: Naps, operator: type = Bitrix24Operator, **arguments: Any) -> Any:
    if operator is Bitrix24Operator:
        arguments = {"method": "profile", "result_path": "ID", **arguments}
    return accelerated(operator, naps)(task_id="task", **arguments)


# One call


def test_a_call_sleeps_until_the_limit_ends(portal, naps, caplog):
    portal.fault("operation_time_limit", "profile", times=3)
    assert make(naps, wait_for_limits="sleep").execute(context(retries=0)) == "1"
    assert len(naps.taken) == 3
    assert all(60 <= seconds <= 65 for seconds in naps.taken)
    assert re.search(r"Waiting until \d\d:\d\d:\d\d UTC \(6\d s\) .* asleep in its worker", caplog.text)


@pytest.mark.parametrize(
    ("patience", "sleeps"), [(600, 9), (130, 2), (59, 0), (0, 0)], ids=["the default", "two", "too short", "none"]
)
def test_it_sleeps_no_longer_than_its_patience_in_all(patience, sleeps, portal, naps, caplog):
    portal.fault("operation_time_limit", "profile", times=None)
    with pytest.raises(OperationTimeLimit) as caught:
        make(naps, wait_for_limits="sleep", patience=patience).execute(context(retries=0))
    assert caught.value.retryable
    assert len(naps.taken) == sleeps
    assert naps.total <= patience
    assert f"of its patience of {patience} s it has slept" in caplog.text


def test_without_an_argument_airflows_setting_decides(portal, naps, monkeypatch):
    portal.fault("operation_time_limit", "profile", times=2)
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    deferred(make(naps), context())
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "False")
    assert make(naps).execute(context()) == "1"
    assert len(naps.taken) == 1


def test_fail_leaves_a_limit_to_the_retries(portal, naps):
    portal.fault("operation_time_limit", "profile")
    with pytest.raises(OperationTimeLimit):
        make(naps, wait_for_limits="fail").execute(context())
    assert naps.taken == []


def test_a_deferred_call_is_made_after_the_wait(portal, naps):
    portal.fault("operation_time_limit", "profile", times=2)
    given = context(retries=0)
    first = deferred(make(naps, wait_for_limits="defer"), given)
    assert 60 <= first.trigger.until - naps.now() <= 65
    assert timedelta(seconds=600) < first.timeout < timedelta(seconds=700)
    with pytest.raises(TaskDeferred) as second:
        resumed(make(naps, wait_for_limits="defer"), first, given)
    assert resumed(make(naps, wait_for_limits="defer"), second.value, given) == "1"
    assert naps.taken == []


def test_the_moment_is_the_portals(portal, connection):
    naps = Naps(portal)
    with Sandbox(operating_limit=10, method_seconds={"profile": 11}, deals=1) as slow:
        naps = Naps(slow)
        operator = make(naps, Bitrix24BatchOperator, commands={"a": ["profile"]}, wait_for_limits="defer")
        operator.bitrix24_conn_id = "slow"
        pytest.MonkeyPatch().setenv("AIRFLOW_CONN_SLOW", slow.connection_json())
        client = operator.hook.get_conn()
        operator.hook.__class__.get_conn = lambda self: client
        assert operator.execute(context())["results"]["a"]["ID"] == "1"
        deferral = deferred(operator, context())
    assert 530 < deferral.trigger.until - naps.now() < 606


def test_a_call_that_is_never_let_through_fails_in_the_end(portal, naps, caplog):
    portal.fault("operation_time_limit", "profile", times=None)
    given = context()
    deferral = deferred(make(naps, wait_for_limits="defer"), given)
    for _ in range(MOST_IDLE_DEFERRALS - 1):
        with pytest.raises(TaskDeferred) as caught:
            resumed(make(naps, wait_for_limits="defer"), deferral, given)
        deferral = caught.value
    with pytest.raises(OperationTimeLimit):
        resumed(make(naps, wait_for_limits="defer"), deferral, given)
    assert f"it was deferred {MOST_IDLE_DEFERRALS} times in a row" in caplog.text


def test_a_deferral_needs_time_to_say_that_nobody_ended_it(portal, naps, caplog):
    portal.fault("operation_time_limit", "profile", times=None)
    with pytest.raises(OperationTimeLimit):
        make(naps, wait_for_limits="defer", execution_timeout=timedelta(seconds=110)).execute(context())
    assert "a task that is deferred needs a minute more than the 110 s that execution_timeout leaves" in caplog.text
    portal.clear_faults()
    portal.fault("operation_time_limit", "profile")
    asleep = make(naps, wait_for_limits="sleep", execution_timeout=timedelta(seconds=110))
    assert asleep.execute(context()) == "1"


@pytest.mark.parametrize("way", ["defer", "sleep"])
def test_a_wait_beyond_the_execution_timeout_is_not_begun(way, portal, naps, caplog):
    portal.fault("operation_time_limit", "profile", times=None)
    operator = make(naps, wait_for_limits=way, execution_timeout=timedelta(seconds=59))
    with pytest.raises(OperationTimeLimit):
        operator.execute(context())
    assert "the limit lasts 60 s, and execution_timeout leaves" in caplog.text


def test_the_execution_timeout_counts_from_the_beginning_of_the_try(portal, naps):
    portal.fault("operation_time_limit", "profile", times=None)
    given, arguments = context(), {"wait_for_limits": "defer", "execution_timeout": timedelta(seconds=200)}
    deferral = deferred(make(naps, **arguments), given)
    # Airflow 2 says nothing of a deferral that takes as long as the task may.
    assert timedelta(seconds=60 + 60) < deferral.timeout < timedelta(seconds=200 - 60)
    naps.advance(60)
    with pytest.raises(TaskDeferred) as caught:
        resumed(make(naps, **arguments), deferral, given)
    naps.advance(60)
    with pytest.raises(OperationTimeLimit):
        resumed(make(naps, **arguments), caught.value, given)


def test_a_full_request_bucket_is_waited_for_too(portal, naps):
    portal.fault("query_limit", "profile", times=6)
    assert make(naps, wait_for_limits="sleep").execute(context()) == "1"
    assert any(60 <= seconds <= 65 for seconds in naps.taken)


def test_what_may_have_run_and_must_not_be_repeated_is_not_waited_for(portal, naps):
    page = {"status": 429, "body": "<html><title>Too many</title></html>", "content_type": "text/html"}
    portal.fault("body", ADD, times=None, executed=True, **page)
    operator = make(naps, method=ADD, method_params={"fields": {"TITLE": "x"}}, wait_for_limits="defer")
    with pytest.raises(AirflowFailException):
        operator.execute(context())
    assert portal.executed(ADD) == 1


# A deferral that fails


@pytest.mark.parametrize("timed_out", ["Trigger timeout", "Trigger/execution timeout"])
def test_a_deferral_without_a_triggerer_ends_with_what_to_do(timed_out, portal, naps):
    portal.fault("operation_time_limit", "profile")
    given = context(retries=0)
    deferred(make(naps, wait_for_limits="defer"), given)
    with pytest.raises(Exception, match=r'start "airflow triggerer", or .* wait_for_limits="sleep"') as caught:
        make(naps).resume_execution("__fail__", {"error": timed_out}, given)
    assert not isinstance(caught.value, AirflowFailException)


def test_what_cannot_be_known_any_more_is_not_retried_after_it(portal, naps):
    portal.fault("operation_time_limit", "crm.item.payment.update")
    arguments = {"entity_id": 1, "pay_system_id": 1, "wait_for_limits": "defer"}
    given = context()
    deferred(make(naps, Bitrix24AddPaymentOperator, **arguments), given)
    with pytest.raises(AirflowFailException, match="what the task had done is forgotten"):
        make(naps, Bitrix24AddPaymentOperator, **arguments).resume_execution("__fail__", {"error": "x"}, given)


@pytest.mark.parametrize("event", [None, {}, {"state": None}, {"state": {"so_far": {"began": "x"}, "memory": ""}}])
def test_an_event_is_not_believed_as_it_is(event, portal, naps):
    with pytest.raises(AirflowFailException, match="nothing that the task can go on with"):
        make(naps).resume(context(), event)
    assert portal.requests == 0


# What a try remembers


def test_an_object_that_was_added_before_the_wait_is_not_added_again(portal, naps):
    portal.fault("operation_time_limit", "crm.item.payment.update")
    before = portal.executed("crm.item.payment.add")
    arguments = {"entity_id": 1, "pay_system_id": 1, "wait_for_limits": "defer"}
    given = context()
    deferral = deferred(make(naps, Bitrix24AddPaymentOperator, **arguments), given)
    payment_id = resumed(make(naps, Bitrix24AddPaymentOperator, **arguments), deferral, given)
    assert portal.payment(payment_id)["paySystemId"] == 1
    assert portal.executed("crm.item.payment.add") == before + 1


def test_a_memory_travels_only_while_it_is_small():
    memory = TryMemory({"a": [1, {"b": "ж"}]})
    assert TryMemory.unpacked(memory.packed()).get("a") == [1, {"b": "ж"}]
    for step in range(300):
        memory.put(str(step), [hash(str((step, row))) for row in range(50)])
    assert memory.packed() is None
    assert memory.get("299") is not None
    memory.put("large", "x" * 4 * 1024 * 1024)
    assert memory.is_full
    assert memory.get("299") is None


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("way", ["defer", "sleep"])
def test_what_was_added_before_the_wait_is_not_added_by_a_retry_of_what_failed_after_it(way, has_store, portal, naps):
    portal.fault("operation_time_limit", "crm.item.get")
    # Fields are asked for again after the wait, before the task comes to what it remembers.
    portal.fault("error", "crm.item.fields", after=1, times=None)
    given, adds = context(store=StateStore() if has_store else None), portal.executed("crm.item.add")
    arguments = {"entity_type_id": "deal", "fields": {"title": "x"}, "read_back": True, "wait_for_limits": way}
    made = lambda: make(naps, Bitrix24AddItemOperator, **arguments)  # noqa: E731
    act = lambda: made().execute(given)  # noqa: E731
    if way == "defer":
        deferral = deferred(made(), given)
        act = lambda: resumed(made(), deferral, given)  # noqa: E731
    with pytest.raises((AirflowFailException, Bitrix24Error)) as caught:
        act()
    assert portal.executed("crm.item.add") == adds + 1
    assert isinstance(caught.value, AirflowFailException) is not has_store
    assert ("another try would do it twice" in str(caught.value)) is not has_store


def test_what_nobody_expected_after_a_wait_is_not_retried_either(portal, naps, monkeypatch):
    portal.fault("operation_time_limit", "crm.item.payment.update")
    operator = make(naps, Bitrix24AddPaymentOperator, entity_id=1, pay_system_id=1, wait_for_limits="sleep")
    passes = []

    def run(client, context, of=operator.run):
        passes.append(client)
        if len(passes) > 1:
            raise OSError("no space left")
        return of(client, context)

    monkeypatch.setattr(operator, "run", run)
    with pytest.raises(AirflowFailException, match=r"OSError: no space left.*another try would do it twice"):
        operator.execute(context())


# A batch

COMMANDS = {
    "a": [ADD, {"fields": {"TITLE": "once"}}],
    "b": ["crm.deal.get", {"ID": 1}],
    "c": ["profile"],
}


@pytest.mark.parametrize("way", ["defer", "sleep"])
@pytest.mark.parametrize("has_store", [True, False])
def test_only_the_commands_that_a_limit_has_refused_are_sent_after_it(way, has_store, portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get")
    given = context(store=StateStore() if has_store else None)
    made = lambda: make(naps, Bitrix24BatchOperator, commands=COMMANDS, wait_for_limits=way)  # noqa: E731
    adds = portal.executed(ADD)
    if way == "sleep":
        outcome = made().execute(given)
    else:
        deferral = deferred(made(), given)
        assert "Anna" not in json.dumps(deferral.trigger.serialize()), "a value of the portal"
        outcome = resumed(made(), deferral, given)
    assert list(outcome["results"]) == ["a", "b", "c"]
    assert outcome["results"]["b"]["ID"] == "1"
    assert (outcome["errors"], outcome["not_run"]) == ({}, [])
    assert portal.executed(ADD) == adds + 1


def test_commands_that_refer_to_each_other_are_sent_again_as_a_whole(portal, naps):
    portal.fault("operation_time_limit", "user.get")
    commands = {"deal": ["crm.deal.get", {"ID": 1}], "who": ["user.get", {"ID": "$result[deal][ASSIGNED_BY_ID]"}]}
    arguments = {"commands": commands, "references": True, "halt": True, "wait_for_limits": "sleep"}
    outcome = make(naps, Bitrix24BatchOperator, **arguments).execute(context())
    assert list(outcome["results"]) == ["deal", "who"]
    assert portal.executed("crm.deal.get") == 2


def test_what_was_done_for_good_before_a_reference_was_refused_is_not_done_again(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get")
    commands = {"new": [ADD, {"fields": {"TITLE": "x"}}], "it": ["crm.deal.get", {"ID": "$result[new]"}]}
    arguments = {"commands": commands, "references": True, "halt": True, "wait_for_limits": "sleep"}
    adds = portal.executed(ADD)
    with pytest.raises(AirflowFailException, match="not to be done twice: new") as caught:
        make(naps, Bitrix24BatchOperator, **arguments).execute(context())
    assert (portal.executed(ADD), naps.taken) == (adds + 1, [])
    # A hint to give the task retries would make them do it twice.
    assert "retries" not in str(caught.value)
    assert str(caught.value).endswith("twice: new; send the others by themselves when the limit has ended")


@pytest.mark.parametrize("way", ["sleep", "defer", "fail"])
@pytest.mark.parametrize(("fault", "end"), [("operation_time_limit", " when the limit has ended"), ("error", "")])
def test_no_hint_speaks_of_retries_where_something_was_done_for_good(way, fault, end, portal, naps):
    portal.fault(fault, "crm.deal.get", times=None)
    commands = {"new": [ADD, {"fields": {"TITLE": "x"}}], "it": ["crm.deal.get", {"ID": "$result[new]"}]}
    arguments = {"commands": commands, "references": True, "wait_for_limits": way}
    with pytest.raises(AirflowFailException) as caught:
        make(naps, Bitrix24BatchOperator, **arguments).execute(context())
    assert "retries" not in str(caught.value)
    assert str(caught.value).endswith(f"done, and not to be done twice: new; send the others by themselves{end}")


def test_a_batch_that_fails_in_any_case_does_not_wait(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get")
    commands = {**COMMANDS, "gone": ["crm.contact.get", {"ID": 99_999}]}
    with pytest.raises((AirflowFailException, BatchError)):
        make(naps, Bitrix24BatchOperator, commands=commands, wait_for_limits="sleep").execute(context())
    assert naps.taken == []


def test_a_batch_goes_on_around_what_has_failed(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get")
    commands = {**COMMANDS, "gone": ["crm.contact.get", {"ID": 99_999}]}
    arguments = {"commands": commands, "on_error": "continue", "wait_for_limits": "sleep"}
    outcome = make(naps, Bitrix24BatchOperator, **arguments).execute(context())
    assert (list(outcome["results"]), list(outcome["errors"])) == (["a", "b", "c"], ["gone"])
    batches = [[command.method for command in call.commands] for call in portal.calls if call.commands]
    assert batches[-2:] == [[ADD, "crm.deal.get", "profile", "crm.contact.get"], ["crm.deal.get"]]


def test_a_halted_batch_goes_on_behind_its_limit(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get")
    given, arguments = context(), {"commands": COMMANDS, "halt": True, "wait_for_limits": "defer"}
    deferral = deferred(make(naps, Bitrix24BatchOperator, **arguments), given)
    assert given["ti"].pushed["bitrix24_before_wait"]["not_run"] == ["b", "c"]
    outcome = resumed(make(naps, Bitrix24BatchOperator, **arguments), deferral, given)
    assert list(outcome["results"]) == ["a", "b", "c"]


def test_a_batch_whose_limit_does_not_end_has_its_outcome_as_before(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get", times=None)
    given = context()
    with pytest.raises(AirflowFailException, match="not to be done twice: a"):
        make(naps, Bitrix24BatchOperator, commands=COMMANDS, wait_for_limits="sleep", patience=70).execute(given)
    outcome = given["ti"].pushed["bitrix24_batch"]
    assert (list(outcome["results"]), list(outcome["errors"])) == (["a", "c"], ["b"])
    assert len(naps.taken) == 1


def test_the_next_try_sends_only_what_is_left_where_the_state_store_remembers(portal, naps):
    portal.fault("operation_time_limit", "crm.deal.get", times=2)
    store, adds = StateStore(), portal.executed(ADD)
    deferred(make(naps, Bitrix24BatchOperator, commands=COMMANDS, wait_for_limits="defer"), context(store=store))
    # The triggerer was away, and the task is tried again.
    given = context(store=store, try_number=2)
    with pytest.raises(TaskDeferred):
        make(naps, Bitrix24BatchOperator, commands=COMMANDS, wait_for_limits="defer").execute(given)
    assert (portal.executed(ADD), portal.executed("profile")) == (adds + 1, 1)


def test_a_list_is_read_again_from_its_start_and_says_so(portal, naps, tmp_path, caplog):
    portal.fault("operation_time_limit", "crm.deal.list")
    arguments = {"method": "crm.deal.list", "method_params": {"select": ["ID"]}, "wait_for_limits": "sleep"}
    rows = make(naps, Bitrix24ListOperator, **arguments).execute(context())
    assert [row["ID"] for row in rows] == [str(deal["id"]) for deal in portal.items(2)]
    assert "read again from its start: nothing of it is kept" in caplog.text
    assert len(naps.taken) == 1
