"""What a sensor defers to: what it carries, when it looks, and how it ends."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from airflow_provider_bitrix24.triggers.condition import Condition
from airflow_provider_bitrix24.triggers.sensor import Bitrix24SensorTrigger
from airflow_provider_bitrix24.triggers.watch import Watch
from tests.rest.clients import client_of
from tests.triggers.accelerated import Accelerated, run, travelled

GET = "crm.item.payment.get"


def paid(payment_id):
    return Watch(GET, {"id": payment_id}, Condition("=", "Y", "paid"), reads="payment")


def iso(unix_seconds):
    return datetime.fromtimestamp(unix_seconds, timezone.utc).isoformat()


def trigger_at(clock, watch, timeout=600.0, **arguments):
    return Bitrix24SensorTrigger(
        **{
            "bitrix24_conn_id": "bitrix24_default",
            "watch": watch.as_json(),
            "began": iso(clock.start),
            "deadline": iso(clock.start + timeout),
            "poke_interval": 60.0,
            "exponential_backoff": False,
            "max_wait": None,
            "tolerated_failures": 5,
            **arguments,
        }
    )


@pytest.fixture
def ends(portal, connection, monkeypatch):
    """``ends(watch, happens={100: pay}, timeout=600, …)``: the event, and the seconds at which it looked."""

    def end(watch, happens=None, **arguments):
        clock = Accelerated(portal, happens)
        portal.reset_calls()
        (event,) = run(clock, monkeypatch, trigger_at(clock, watch, **arguments))
        return event

    return end


def pay(portal, payment_id):
    client_of(portal).call("crm.item.payment.pay", {"id": payment_id})


def test_it_survives_its_own_serialization_and_carries_no_secret_and_no_answer(portal, connection):
    trigger = trigger_at(Accelerated(portal), paid(portal.add_payment(1)))
    again = travelled(trigger)
    assert again.serialize() == trigger.serialize()
    text = json.dumps(trigger.serialize()) + repr(trigger)
    assert portal.admin.code not in text
    assert set(trigger.serialize()[1]) == {
        *("bitrix24_conn_id", "watch", "began", "deadline", "poke_interval", "exponential_backoff", "max_wait"),
        *("tolerated_failures", "failures"),
    }


def test_it_ends_with_what_it_saw(portal, ends):
    payment_id = portal.add_payment(1, sum=90.5)
    event = ends(paid(payment_id), {100: lambda: pay(portal, payment_id)})
    assert event["status"] == "met"
    assert (event["seen"]["id"], event["seen"]["paid"], event["seen"]["sum"]) == (payment_id, "Y", 90.5)
    assert event["error"] is None
    # At 60 and at 120 seconds; the payment itself is one call.
    assert portal.count(GET) == 2


def test_what_it_saw_is_not_logged(portal, connection, monkeypatch):
    from airflow_provider_bitrix24.triggers.outcome import Ending, event_of

    event = event_of(Ending("met", {"id": 7, "title": "of a person"}))
    assert "person" not in f"{event!r} {event}" or "person" not in repr(event)
    assert repr(event) == "TriggerEvent<met>"


def test_the_failures_before_it_count(portal, ends):
    portal.fault("error", GET, times=None)
    event = ends(paid(portal.add_payment(1)), tolerated_failures=2, failures=2)
    assert (event["status"], event["error"]["code"]) == ("failed", "INTERNAL_SERVER_ERROR")
    # One look, of four attempts, after the wait of two failures.
    assert portal.count(GET) == 4


def test_it_changes_nothing(portal, ends):
    payment_id = portal.add_payment(1)
    ends(paid(payment_id), timeout=200)
    assert {call.method for call in portal.calls} == {GET}


def test_it_ends_at_its_deadline_and_looks_once_more_then(portal, ends):
    payment_id = portal.add_payment(1)
    assert ends(paid(payment_id), timeout=150)["status"] == "timeout"
    assert portal.count(GET) == 3
    # From the first look, after a minute, to the end.
    assert 85 < portal.calls[-1].at - portal.calls[0].at < 95


def test_what_comes_true_at_the_last_moment_is_met(portal, ends):
    payment_id = portal.add_payment(1)
    assert ends(paid(payment_id), {149: lambda: pay(portal, payment_id)}, timeout=150)["status"] == "met"


def test_a_trigger_that_starts_after_its_deadline_looks_once(portal, ends):
    payment_id = portal.add_payment(1, paid=True)
    assert ends(paid(payment_id), timeout=-3600)["status"] == "met"
    assert ends(paid(portal.add_payment(1)), timeout=-3600)["status"] == "timeout"
    assert portal.count(GET) == 1


def test_the_whole_error_is_in_the_event(portal, ends):
    payment_id = portal.add_payment(1)
    event = ends(paid(payment_id), {70: lambda: portal.remove_payment(payment_id)})
    assert event["status"] == "failed"
    error = event["error"]
    assert (error["error"], error["method"], error["code"], error["retryable"]) == ("NotFound", GET, "0", False)
    assert error["description"] == "Payment has not been found"
    assert "cannot come true" in error["next_step"]
    assert portal.count(GET) == 2


def test_failures_that_pass_are_tolerated_with_a_back_off_of_their_own(portal, ends, caplog):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault("error", GET, times=None)
    event = ends(paid(payment_id), {100: portal.clear_faults})
    assert event["status"] == "met"
    assert "Failure 2 of 5 that are tolerated; the next look is in 20 s" in caplog.text


def test_one_failure_more_ends_it(portal, ends):
    portal.fault("error", GET, times=None)
    event = ends(paid(5), tolerated_failures=2)
    assert event["status"] == "failed"
    assert (event["error"]["error"], event["error"]["retryable"]) == ("ServerFault", True)
    assert event["error"]["code"] == "INTERNAL_SERVER_ERROR"


def test_any_number_of_failures_may_be_tolerated(portal, ends):
    portal.fault("error", GET, times=None)
    assert ends(paid(5), tolerated_failures=None, timeout=3600)["status"] == "timeout"


@pytest.mark.parametrize("limit", ["query_limit", "operation_time_limit"])
def test_a_limit_is_waited_for_and_is_not_a_failure(portal, ends, limit):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault(limit, times=None)
    assert ends(paid(payment_id), {300: portal.clear_faults}, tolerated_failures=0)["status"] == "met"


@pytest.mark.parametrize(
    ("arguments", "looks"),
    [
        ({"exponential_backoff": True}, 5),  # about 60, 180, 420, 900, and at the end
        ({"exponential_backoff": True, "max_wait": 120.0}, 9),
        ({}, 15),
    ],
)
def test_waits_grow_if_they_are_to(portal, ends, arguments, looks):
    assert ends(paid(portal.add_payment(1)), timeout=900, **arguments)["status"] == "timeout"
    assert abs(portal.count(GET) - looks) <= 1


def test_a_restart_goes_on_with_the_waits_that_the_task_had_reached(portal, connection):
    clock = Accelerated(portal)
    trigger = trigger_at(clock, paid(5), exponential_backoff=True, timeout=10_000)
    assert [trigger._interval(clock.start + waited) for waited in (0, 59, 61, 179, 181, 421)] == [
        60, 60, 120, 120, 240, 480,
    ]  # fmt: skip


def test_a_connection_that_is_not_defined_ends_it(portal, ends):
    event = ends(paid(5), bitrix24_conn_id="no_such")
    assert event["status"] == "failed"
    assert "'no_such' is not defined" in event["error"]["reason"]
    assert not event["error"]["retryable"]


def test_what_nobody_expected_ends_it_with_an_event(portal, ends):
    event = ends(paid(5), deadline="tomorrow")
    assert (event["status"], event["error"]["reason"]) == ("failed", "the trigger failed: ValueError")


def test_a_good_look_forgives_the_failures_before(portal, ends):
    payment_id = portal.add_payment(1)

    def fail():
        # One look has four attempts.
        portal.fault("error", GET, times=4)

    at = {50: fail, 170: fail, 290: fail, 350: lambda: pay(portal, payment_id)}
    assert ends(paid(payment_id), at, tolerated_failures=1)["status"] == "met"
