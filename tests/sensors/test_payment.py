"""Waiting for a payment: in a worker."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from tests.rest.clients import client_of
from tests.sensors.waiting import Waiting

GET = "crm.item.payment.get"


@pytest.fixture
def wait(portal, connection, monkeypatch):
    return Waiting(portal, monkeypatch)


def pay(portal, payment_id, paid=True):
    client_of(portal).call(f"crm.item.payment.{'pay' if paid else 'unpay'}", {"id": payment_id})


def test_a_payment_that_is_paid_already_ends_the_waiting_with_one_request(portal, wait):
    payment_id = portal.add_payment(1, paid=True, sum=90.5)
    end, seen = wait(Bitrix24PaymentSensor, payment_id=f"{payment_id}")
    assert end == "success"
    assert (seen["id"], seen["paid"], seen["sum"]) == (payment_id, "Y", 90.5)
    assert portal.requests == 1
    assert wait.slept == []


def test_it_waits_until_the_payment_is_paid(portal, wait):
    payment_id = portal.add_payment(1)
    end, seen = wait(
        Bitrix24PaymentSensor, payment_id=payment_id, poke_interval=30, happens={3: lambda: pay(portal, payment_id)}
    )
    assert (end, seen["paid"]) == ("success", "Y")
    assert wait.slept == [30, 30, 30]
    # One request each time it looks.
    assert portal.count(GET) == portal.requests - 1 == 4


def test_it_waits_until_the_payment_is_unpaid(portal, wait):
    payment_id = portal.add_payment(1, paid=True)
    end, seen = wait(
        Bitrix24PaymentSensor,
        payment_id=payment_id,
        state="unpaid",
        happens={2: lambda: pay(portal, payment_id, paid=False)},
    )
    assert (end, seen["paid"], len(wait.slept)) == ("success", "N", 2)


def test_it_waits_until_the_payment_is_deleted(portal, wait):
    payment_id = portal.add_payment(1)
    end, seen = wait(
        Bitrix24PaymentSensor,
        payment_id=payment_id,
        state="deleted",
        happens={2: lambda: portal.remove_payment(payment_id)},
    )
    assert (end, seen) == ("success", {"id": payment_id, "deleted": True})
    assert len(wait.slept) == 2


@pytest.mark.parametrize("state", ["paid", "unpaid"])
def test_a_payment_that_is_deleted_meanwhile_can_no_longer_be_paid(portal, wait, state):
    payment_id = portal.add_payment(1, paid=state == "unpaid")
    end, message = wait(
        Bitrix24PaymentSensor,
        payment_id=payment_id,
        state=state,
        happens={2: lambda: portal.remove_payment(payment_id)},
    )
    assert end == "failed"
    assert "what is waited for cannot come true" in message
    assert "not the number that the portal shows" in message
    assert len(wait.slept) == 2


def test_a_right_that_is_lost_ends_the_waiting_at_once(portal, connect, wait):
    connect(portal.clerk)
    payment_id = portal.add_payment(1)
    end, message = wait(
        Bitrix24PaymentSensor, payment_id=payment_id, happens={1: lambda: portal.clerk.rights.discard("read")}
    )
    assert end == "failed"
    assert "cannot come true" not in message
    assert len(wait.slept) == 1


def test_a_portal_that_says_the_same_for_missing_and_denied_cannot_show_that_a_payment_was_deleted(
    connect, monkeypatch
):
    from airflow_provider_bitrix24.sandbox import Sandbox

    with Sandbox(deals=1, generation="middle") as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payment_id = portal.add_payment(1)
        end, message = Waiting(portal, monkeypatch)(
            Bitrix24PaymentSensor,
            payment_id=payment_id,
            state="deleted",
            happens={1: lambda: portal.remove_payment(payment_id)},
        )
    assert end == "failed"
    assert "not found" in message.lower() or "permission" in message.lower()


def test_an_old_server_writes_payments_in_upper_case(monkeypatch):
    from airflow_provider_bitrix24.sandbox import Sandbox

    with Sandbox(deals=1, generation="old") as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payment_id = portal.add_payment(1, paid=True)
        end, seen = Waiting(portal, monkeypatch)(Bitrix24PaymentSensor, payment_id=payment_id)
    assert (end, seen["id"], seen["paid"]) == ("success", payment_id, "Y")


def test_an_answer_about_another_payment_is_not_believed(portal, wait):
    portal.answers[GET] = {"id": 6, "paid": "Y"}
    end, message = wait(Bitrix24PaymentSensor, payment_id=5)
    assert end == "failed"
    assert "the answer is about another object than 5" in message


def test_the_time_is_over(portal, wait):
    payment_id = portal.add_payment(1)
    end, message = wait(Bitrix24PaymentSensor, payment_id=payment_id, poke_interval=60, timeout=150)
    assert end == "timeout"
    assert "150" in message
    assert portal.requests == 4


@pytest.mark.parametrize(
    ("arguments", "end"),
    [({}, "timeout"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "timeout")],
)
def test_the_end_of_time_fails_or_skips(portal, wait, arguments, end):
    payment_id = portal.add_payment(1)
    assert wait(Bitrix24PaymentSensor, payment_id=payment_id, timeout=30, **arguments)[0] == end


@pytest.mark.parametrize(
    ("arguments", "end"), [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")]
)
def test_what_cannot_come_true_fails_or_skips(portal, wait, arguments, end):
    assert wait(Bitrix24PaymentSensor, payment_id=10**9, **arguments)[0] == end


# Failures that pass


def test_a_portal_that_fails_for_a_while_is_asked_again_after_longer_and_longer_waits(portal, wait):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault("error", GET, times=None)
    end, _ = wait(Bitrix24PaymentSensor, payment_id=payment_id, happens={3: portal.clear_faults})
    assert end == "success"
    assert wait.slept == [10, 20, 40]


def test_one_failure_more_than_is_tolerated_fails_the_try_and_says_what_was_wrong(portal, wait, caplog):
    portal.fault("error", GET, times=None)
    end, message = wait(Bitrix24PaymentSensor, payment_id=5, tolerated_failures=2)
    assert (end, wait.slept) == ("retried", [10, 20])
    assert "INTERNAL_SERVER_ERROR" in message
    assert "Failure 2 of 2 that are tolerated; the next look is in 20 s" in caplog.text


def test_a_good_look_forgives_the_failures_before(portal, wait):
    payment_id = portal.add_payment(1)
    fail = lambda: portal.fault("error", GET, times=4)  # noqa: E731 - one look has four attempts
    fail()
    end, _ = wait(
        Bitrix24PaymentSensor,
        payment_id=payment_id,
        tolerated_failures=1,
        happens={2: fail, 4: lambda: pay(portal, payment_id)},
    )
    assert end == "success"
    assert wait.slept == [10, 60, 10, 60]


def test_an_outage_at_the_end_of_the_time_is_a_timeout(portal, wait):
    portal.fault("error", GET, times=None)
    assert wait(Bitrix24PaymentSensor, payment_id=5, timeout=25)[0] == "timeout"
    assert wait.slept == [10, 20]


@pytest.mark.parametrize("limit", ["query_limit", "operation_time_limit"])
def test_a_limit_is_not_a_failure(portal, wait, limit):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault(limit, times=None)
    end, _ = wait(Bitrix24PaymentSensor, payment_id=payment_id, tolerated_failures=0, happens={5: portal.clear_faults})
    assert end == "success"
    assert wait.slept == [60] * 5


def test_with_silent_fail_failures_do_not_end_the_waiting(portal, wait):
    payment_id = portal.add_payment(1, paid=True)
    portal.fault("error", GET, times=None)
    end, _ = wait(
        Bitrix24PaymentSensor,
        payment_id=payment_id,
        tolerated_failures=0,
        silent_fail=True,
        happens={4: portal.clear_faults},
    )
    assert (end, wait.slept) == ("success", [60] * 4)


# Arguments


@pytest.mark.parametrize("payment_id", [None, "", "None", "3653/1", True, 0, -5, 1.5, [7]])
def test_what_is_not_an_id_is_refused_before_anything_is_sent(portal, wait, payment_id):
    end, message = wait(Bitrix24PaymentSensor, payment_id=payment_id)
    assert end == "failed"
    assert "payment_id must be a whole number above 0" in message
    assert portal.requests == 0


@pytest.mark.parametrize("state", ["Paid", None, True, "refunded"])
def test_another_state_is_refused_when_the_dag_is_parsed(state):
    with pytest.raises(Exception, match=r"state is .*'paid', 'unpaid', 'deleted'"):
        Bitrix24PaymentSensor(task_id="waits", payment_id=5, state=state)


@pytest.mark.parametrize("tolerated", [None, -1, True, "many"])
def test_another_number_of_failures_is_refused_when_the_dag_is_parsed(tolerated):
    with pytest.raises(Exception, match="tolerated_failures must be a whole number"):
        Bitrix24PaymentSensor(task_id="waits", payment_id=5, tolerated_failures=tolerated)
