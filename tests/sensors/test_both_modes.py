"""A sensor ends in the triggerer as it does in a worker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_bitrix24._compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from tests.operators.context import context
from tests.rest.clients import client_of
from tests.sensors.waiting import Waiting

GET = "crm.item.payment.get"
WON = {"result_path": "STAGE_ID", "operator": "=", "value": "WON"}
FAILED_STAGE = {"result_path": "stageSemanticId", "operator": "=", "value": "F"}


@pytest.fixture(params=["worker", "deferred"])
def wait(request, portal, connect, monkeypatch):
    connect(rate=100_000, burst=100_000)
    waiting = Waiting(portal, monkeypatch)
    return waiting if request.param == "worker" else waiting.deferred


def call(portal, method, **params):
    return lambda: client_of(portal).call(method, params)


def test_paid_while_it_waits(portal, wait):
    payment_id = portal.add_payment(1, sum=90.5)
    paid = {100: call(portal, "crm.item.payment.pay", id=payment_id)}
    end, seen = wait(Bitrix24PaymentSensor, payment_id=f" {payment_id} ", at=paid)
    assert end == "success"
    assert (seen["id"], seen["paid"], seen["sum"], seen["datePaid"] is None) == (payment_id, "Y", 90.5, False)
    # At the start, after a minute and after two.
    assert portal.count(GET) == 3


def test_deleted_while_it_waits_for_that(portal, wait):
    payment_id = portal.add_payment(1)
    gone = {100: lambda: portal.remove_payment(payment_id)}
    end, seen = wait(Bitrix24PaymentSensor, payment_id=payment_id, state="deleted", at=gone)
    assert (end, seen) == ("success", {"id": payment_id, "deleted": True})


@pytest.mark.parametrize(("arguments", "expected"), [({}, "failed"), ({"soft_fail": True}, "skipped"),
                                                     ({"never_fail": True}, "skipped")])  # fmt: skip
def test_deleted_while_it_waits_for_a_payment(portal, wait, arguments, expected):
    payment_id = portal.add_payment(1)
    gone = {100: lambda: portal.remove_payment(payment_id)}
    end, message = wait(Bitrix24PaymentSensor, payment_id=payment_id, at=gone, **arguments)
    assert end == expected
    assert "cannot come true" in message or end == "skipped"
    assert portal.count(GET) == 3


@pytest.mark.parametrize(("arguments", "expected"), [({}, "timeout"), ({"soft_fail": True}, "skipped"),
                                                     ({"never_fail": True}, "timeout")])  # fmt: skip
def test_the_time_is_over(portal, wait, arguments, expected):
    end, message = wait(Bitrix24PaymentSensor, payment_id=portal.add_payment(1), timeout=150, **arguments)
    assert end == expected
    assert "timed out" in message
    assert portal.count(GET) == 4


def test_the_portal_is_away_for_a_minute(portal, wait):
    payment_id = portal.add_payment(1)
    at = {
        50: lambda: portal.fault("error", GET, times=None),
        115: lambda: (portal.clear_faults(), call(portal, "crm.item.payment.pay", id=payment_id)()),
    }
    end, seen = wait(Bitrix24PaymentSensor, payment_id=payment_id, at=at)
    assert (end, seen["paid"]) == ("success", "Y")


@pytest.mark.parametrize(("arguments", "expected"), [({}, "retried"), ({"soft_fail": True}, "retried"),
                                                     ({"never_fail": True}, "skipped")])  # fmt: skip
def test_the_portal_is_away_for_too_long(portal, wait, arguments, expected):
    payment_id = portal.add_payment(1)
    away = {50: lambda: portal.fault("error", GET, times=None)}
    end, message = wait(
        Bitrix24PaymentSensor, payment_id=payment_id, at=away, timeout=6000, tolerated_failures=3, **arguments
    )
    assert end == expected
    assert "INTERNAL_SERVER_ERROR" in message or end == "skipped"
    # The first look, and four with as many attempts as the client makes of each.
    assert portal.count(GET) == 1 + 4 * 4


@pytest.mark.parametrize("tolerated", [0, 1, 3])
@pytest.mark.parametrize("failing", [GET, "crm.item.fields"])
def test_the_first_look_counts_among_the_failures(portal, wait, tolerated, failing):
    portal.fault("error", failing, times=None)
    arguments = {"payment_id": portal.add_payment(1)}
    sensor = Bitrix24PaymentSensor
    if failing != GET:
        sensor, arguments = Bitrix24ItemSensor, {"entity_type_id": 2, "item_id": 1, "condition": WON}
    began = portal.clock.now()
    end, message = wait(sensor, tolerated_failures=tolerated, timeout=6000, **arguments)
    assert end == "retried"
    assert "INTERNAL_SERVER_ERROR" in message
    # So many attempts makes the client of each look.
    assert portal.count(failing) == 4 * (tolerated + 1)
    if tolerated == 0 and not hasattr(wait, "__self__"):
        assert portal.clock.now() - began < 60


def test_a_look_that_succeeds_ends_a_row_of_failures_before_the_deferral(portal, wait):
    payment_id = portal.add_payment(1)
    portal.fault("error", GET, times=4)
    at = {50: lambda: portal.fault("error", GET, times=4), 200: call(portal, "crm.item.payment.pay", id=payment_id)}
    assert wait(Bitrix24PaymentSensor, payment_id=payment_id, tolerated_failures=1, at=at)[0] == "success"


def test_failures_never_end_it_with_silent_fail(portal, wait):
    payment_id = portal.add_payment(1)
    away = {50: lambda: portal.fault("error", GET, times=None)}
    arguments = {"payment_id": payment_id, "silent_fail": True, "tolerated_failures": 0, "timeout": 3000}
    assert wait(Bitrix24PaymentSensor, at=away, **arguments)[0] == "timeout"


def test_a_limit_lasts_five_minutes(portal, wait):
    payment_id = portal.add_payment(1)
    at = {
        50: lambda: portal.fault("operation_time_limit", GET, times=None),
        350: lambda: (portal.clear_faults(), call(portal, "crm.item.payment.pay", id=payment_id)()),
    }
    end, seen = wait(Bitrix24PaymentSensor, payment_id=payment_id, at=at, tolerated_failures=0)
    assert (end, seen["paid"]) == ("success", "Y")


@pytest.mark.parametrize("fault", ["operation_time_limit", "error"])
def test_nothing_can_be_asked_before_a_limit_or_an_outage_ends(fault, portal, wait, monkeypatch):
    (deal,) = portal.add_deals(1, stageId="WON")
    # What the sensor asks for depends on the fields of the kind.
    portal.fault(fault, "crm.item.fields", times=None)
    at = {250: portal.clear_faults}
    end, seen = wait(Bitrix24ItemSensor, entity_type_id="deal", item_id=deal, condition=WON, at=at)
    assert (end, seen["stageId"]) == ("success", "WON")
    waiting = getattr(wait, "__self__", wait)
    if waiting is not wait:
        # No worker slept.
        assert set(waiting.deferrals) == {"look_again"}
        assert waiting.slept == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"timeout": 250}, "timeout"),
        ({"timeout": 250, "soft_fail": True}, "skipped"),
        ({"silent_fail": True}, "timeout"),
        ({"tolerated_failures": 2}, "retried"),
        ({"tolerated_failures": 2, "never_fail": True}, "skipped"),
    ],
)
def test_nothing_can_ever_be_asked(arguments, expected, portal, wait):
    portal.fault("error", "crm.item.fields", times=None)
    arguments = {"entity_type_id": "deal", "item_id": 1, "condition": WON, "timeout": 400, **arguments}
    assert wait(Bitrix24ItemSensor, **arguments)[0] == expected


@pytest.mark.parametrize("event", [None, {}, {"state": {}}, {"state": {"began": "x", "failures": 0}}])
def test_a_look_again_with_another_event_is_not_believed(event):
    task = Bitrix24ItemSensor(task_id="waits", entity_type_id=2, item_id=7, deferrable=True)
    with pytest.raises(Bitrix24Error, match="the trigger's event"):
        task.resume_execution("look_again", {"event": event}, context())


def test_a_right_is_lost(portal, connect, wait):
    connect(portal.clerk)
    lost = {100: lambda: portal.clerk.rights.discard("read")}
    end, message = wait(Bitrix24PaymentSensor, payment_id=portal.add_payment(1), at=lost)
    assert end == "failed"
    assert "right" in message.lower() or "permission" in message.lower()


def test_waits_grow(portal, wait):
    payment_id = portal.add_payment(1)
    end, _ = wait(Bitrix24PaymentSensor, payment_id=payment_id, exponential_backoff=True, timeout=3600)
    assert end == "timeout"
    # Airflow 2 adds up to as much again by chance; without growth there are 60.
    assert 4 <= portal.count(GET) <= 15
    end, _ = wait(Bitrix24PaymentSensor, payment_id=payment_id, exponential_backoff=True, max_wait=90, timeout=3600)
    assert 40 <= portal.count(GET) <= 75


def test_a_deal_reaches_a_stage(portal, wait):
    (deal,) = portal.add_deals(1, stageId="NEW")
    at = {100: call(portal, "crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "WON"})}
    end, seen = wait(Bitrix24ItemSensor, entity_type_id="deal", item_id=deal, condition=WON, at=at)
    assert (end, seen["id"], seen["stageId"]) == ("success", deal, "WON")


def test_a_deal_fails(portal, wait):
    (deal,) = portal.add_deals(1, stageId="NEW")
    at = {100: call(portal, "crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "LOSE"})}
    end, message = wait(
        Bitrix24ItemSensor, entity_type_id="deal", item_id=deal, condition=WON, fail_when=FAILED_STAGE, at=at
    )
    assert end == "failed"
    assert "fail_when has come true (stageSemanticId = 'F')" in message


def test_an_item_comes_to_exist(portal, wait):
    missing = max(item["id"] for item in portal.items(2)) + 1
    end, seen = wait(Bitrix24ItemSensor, entity_type_id=2, item_id=missing, at={100: lambda: portal.add_deals(1)})
    assert (end, seen["id"]) == ("success", missing)


def test_items_come_to_match_a_filter(portal, wait):
    at = {100: lambda: portal.add_deals(2, title="Oak door, special", opened="Y")}
    filter_ = {"=TITLE": "Oak door, special", "=OPENED": True}
    end, seen = wait(Bitrix24ItemSensor, entity_type_id=2, item_filter=filter_, condition="count >= 2", at=at)
    assert (end, seen["total"], len(seen["items"])) == ("success", 2, 2)


def test_the_result_of_a_method_comes_to_be(portal, wait):
    portal.answers["bizproc.workflow.get"] = [{"state": "run"}, {"state": "run"}, {"state": "done"}]
    end, seen = wait(
        Bitrix24Sensor,
        method="bizproc.workflow.get",
        method_params='{"id": "7"}',
        condition={"result_path": "state", "operator": "=", "value": "done"},
    )
    assert (end, seen, portal.requests) == ("success", "done", 3)


# The deferral itself


def test_it_is_not_deferred_where_the_first_look_is_enough(portal, connection, monkeypatch):
    payment_id = portal.add_payment(1, paid=True)
    task = Bitrix24PaymentSensor(task_id="waits", payment_id=payment_id, deferrable=True)
    assert task.execute(context())["paid"] == "Y"


def test_a_wrong_argument_is_refused_before_it_is_deferred(portal, connection, monkeypatch):
    assert Waiting(portal, monkeypatch).deferred(Bitrix24PaymentSensor, payment_id="None")[0] == "failed"
    assert portal.requests == 0


def test_a_first_look_that_fails_is_left_to_the_triggerer(portal, connection, monkeypatch):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault("error", GET, times=4)
    end, seen = Waiting(portal, monkeypatch).deferred(Bitrix24PaymentSensor, payment_id=payment_id)
    assert (end, seen["paid"]) == ("success", "Y")


def test_airflow_is_asked_to_end_it_a_little_after_its_own_end(portal, connection):
    task = Bitrix24PaymentSensor(task_id="waits", payment_id=portal.add_payment(1), deferrable=True, timeout=300)
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context())
    assert 350 < caught.value.timeout.total_seconds() <= 360
    assert caught.value.method_name == "resume"


@pytest.mark.parametrize("error", ["Trigger timeout", "Trigger/execution timeout"])
@pytest.mark.parametrize(("soft_fail", "end"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_without_a_triggerer_it_ends_as_a_timeout_and_says_so(error, soft_fail, end):
    task = Bitrix24PaymentSensor(task_id="waits", payment_id=5, soft_fail=soft_fail, timeout=300)
    with pytest.raises(end, match="timed out after 300 s; no triggerer answered: is one running"):
        task.resume_execution("__fail__", {"error": error}, context())


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("paid", None),
        ("paid", {"status": "met"}),
        ("paid", {"status": "met", "seen": {"id": 6, "paid": "Y"}}),
        ("paid", {"status": "met", "seen": {"id": 5, "paid": "N"}}),
        ("unpaid", {"status": "met", "seen": {"id": 5, "paid": "Y"}}),
        ("deleted", {"status": "met", "seen": {"id": 5, "paid": "Y"}}),
        ("deleted", {"status": "met", "seen": {"id": 6, "deleted": True}}),
        ("paid", {"status": "failed", "error": "yes"}),
    ],
)
def test_an_event_that_does_not_fit_is_not_believed(state, event):
    task = Bitrix24PaymentSensor(task_id="waits", payment_id="5", state=state)
    with pytest.raises(Bitrix24Error, match="the trigger's event") as caught:
        task.resume_execution("resume", {"event": event}, context())
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [({"item_id": 7}, {"id": 8}), ({"item_id": 7}, [7]), ({"item_filter": {"=id": 7}}, {"id": 7})],
)
def test_an_event_about_another_item_is_not_believed(arguments, seen):
    task = Bitrix24ItemSensor(task_id="waits", entity_type_id=2, **arguments)
    with pytest.raises(Bitrix24Error, match="about something else"):
        task.resume_execution("resume", {"event": {"status": "met", "seen": seen}}, context())


# deferrable


def test_the_default_is_airflows_setting(monkeypatch):
    assert Bitrix24PaymentSensor(task_id="waits", payment_id=5).deferrable is False
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert Bitrix24PaymentSensor(task_id="waits", payment_id=5).deferrable is True
    assert Bitrix24PaymentSensor(task_id="waits", payment_id=5, deferrable=False).deferrable is False
    # A function cannot be deferred, and the setting is nobody's word on this task.
    assert Bitrix24Sensor(task_id="waits", method="m", condition=bool).deferrable is False


def test_a_function_is_refused_with_deferrable_when_the_dag_is_parsed():
    with pytest.raises(Exception, match=r"condition is a function.*or set deferrable=False"):
        Bitrix24Sensor(task_id="waits", method="crm.item.get", condition=bool, deferrable=True)


@pytest.mark.parametrize("deferrable", [None, "true", 1])
def test_another_value_of_deferrable_is_refused_when_the_dag_is_parsed(deferrable):
    with pytest.raises(Exception, match="deferrable must be True or False"):
        Bitrix24PaymentSensor(task_id="waits", payment_id=5, deferrable=deferrable)


@pytest.mark.parametrize("arguments", [{}, {"soft_fail": True}, {"never_fail": True}, {"silent_fail": True}])
@pytest.mark.parametrize("fault", [None, ("error", GET), ("operation_time_limit", GET)])
def test_a_deferred_sensor_keeps_to_its_execution_timeout(portal, connection, monkeypatch, arguments, fault):
    """What Airflow does in a worker, soft_fail or not: its retries apply."""
    if fault:
        portal.fault(*fault, times=None)
    waiting = Waiting(portal, monkeypatch)
    began = portal.clock.now()
    limit = timedelta(seconds=150)
    end, message = waiting.deferred(
        Bitrix24PaymentSensor,
        payment_id=portal.add_payment(1), timeout=6000, execution_timeout=limit, tolerated_failures=20, **arguments,
    )  # fmt: skip
    assert (end, message) == ("out of time", "execution_timeout is over after 150 s")
    # The clock of the trigger begins with the next hour.
    assert portal.clock.now() - began < 3600 + 200


@pytest.mark.parametrize("fault", ["error", "operation_time_limit"])
def test_the_execution_timeout_counts_from_the_first_look_over_all_resumes(portal, connection, monkeypatch, fault):
    portal.fault(fault, "crm.item.fields", times=None)
    waiting = Waiting(portal, monkeypatch)
    end, _ = waiting.deferred(
        Bitrix24ItemSensor,
        entity_type_id=2, item_id=1, condition=WON, poke_interval=70, timeout=6000,
        execution_timeout=timedelta(seconds=300), tolerated_failures=20,
    )  # fmt: skip
    assert end == "out of time"
    assert len(waiting.deferrals) > 2
    assert 295 < portal.clock.now() - portal.calls[0].at < 335


def test_the_earlier_of_both_timeouts_counts(portal, connection, monkeypatch):
    waiting = Waiting(portal, monkeypatch)
    arguments = {"payment_id": portal.add_payment(1), "timeout": 150, "execution_timeout": timedelta(seconds=300)}
    assert waiting.deferred(Bitrix24PaymentSensor, **arguments)[0] == "timeout"


def test_without_a_triggerer_the_execution_timeout_is_still_what_is_over():
    limit = timedelta(seconds=30)
    task = Bitrix24PaymentSensor(task_id="waits", payment_id=7, deferrable=True, timeout=600, execution_timeout=limit)
    with pytest.raises(AirflowTaskTimeout, match="after 30 s; no triggerer answered"):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context())
