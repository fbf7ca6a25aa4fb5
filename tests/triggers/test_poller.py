"""One poller for each connection: shared batches, equal questions asked once, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from airflow_provider_bitrix24.exceptions import NotFound
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.triggers import poller
from airflow_provider_bitrix24.triggers.condition import Condition
from airflow_provider_bitrix24.triggers.poller import polling
from airflow_provider_bitrix24.triggers.watch import Question, Watch
from tests.triggers.accelerated import Accelerated, run
from tests.triggers.test_sensor_trigger import paid, pay, trigger_at

GET = "crm.item.payment.get"


def payments(portal, count):
    with portal._state.lock:
        return [portal.add_payment(1) for _ in range(count)]


def poller_threads():
    return sum(thread.name.startswith("bitrix24_poller") for thread in threading.enumerate())


def test_a_thousand_tasks_cost_twenty_requests_a_round(portal, connect, monkeypatch):
    connect(rate=100_000, burst=100_000)
    ids = payments(portal, 1000)
    clock = Accelerated(portal)
    threads = []
    clock.happens = {170: lambda: threads.append(poller_threads())}
    triggers = [trigger_at(clock, paid(payment_id), timeout=190) for payment_id in ids]
    events = run(clock, monkeypatch, *triggers)
    assert {event["status"] for event in events} == {"timeout"}
    # At 60, 120 and 180 seconds, and at the deadline.
    assert portal.count(GET) == 4 * 1000
    assert portal.requests == 4 * 20
    assert threads == [1]


def test_the_same_question_is_asked_once_for_all_who_ask_it(portal, connection, monkeypatch):
    payment_id = portal.add_payment(1)
    clock = Accelerated(portal, {100: lambda: pay(portal, payment_id)})
    gone = Watch(GET, {"id": payment_id}, Condition("empty", None, "id"), reads="payment", if_missing="met")
    triggers = [trigger_at(clock, paid(payment_id)) for _ in range(100)]
    events = run(clock, monkeypatch, *triggers, trigger_at(clock, gone, timeout=125))
    assert [event["status"] for event in events] == ["met"] * 100 + ["timeout"]
    # Two rounds for all, and the deadline of the last one.
    assert portal.count(GET) == 3


def test_tasks_that_began_at_different_moments_meet_in_one_round(portal, connection, monkeypatch):
    ids = payments(portal, 50)
    clock = Accelerated(portal)
    monkeypatch.setattr(poller, "CLOCK", clock)

    async def main():
        async def late(number, payment_id):
            trigger = trigger_at(clock, paid(payment_id), timeout=235)
            await asyncio.sleep(0)
            for _ in range(number % 7):
                await clock.sleep(1)
            return [event async for event in trigger.run()]

        await asyncio.gather(*(late(number, payment_id) for number, payment_id in enumerate(ids)))

    asyncio.run(main())
    assert portal.requests <= 6


def test_different_intervals_meet_where_they_can(portal, connection, monkeypatch):
    ids = payments(portal, 100)
    clock = Accelerated(portal)
    run(
        clock,
        monkeypatch,
        *(
            trigger_at(clock, paid(payment_id), timeout=590, poke_interval=60.0 if payment_id % 2 else 300.0)
            for payment_id in ids
        ),
    )
    # Nine rounds each minute, and the deadline; the slower ones were asked in the fifth of them, and at the deadline.
    assert portal.requests == 10 + 2


def test_each_connection_has_a_poller_of_its_own(portal, connect, monkeypatch):
    connect()
    connect(portal.clerk, conn_id="bitrix24_clerk")
    clock = Accelerated(portal)
    ids = payments(portal, 4)
    triggers = [
        trigger_at(clock, paid(payment_id), timeout=100, bitrix24_conn_id=conn_id)
        for payment_id in ids
        for conn_id in ("bitrix24_default", "bitrix24_clerk")
    ]
    run(clock, monkeypatch, *triggers)
    assert {(call.user_id, len(call.commands)) for call in portal.calls} == {(1, 4), (7, 4)}


def test_one_object_that_is_gone_does_not_concern_the_others(portal, connection, monkeypatch):
    first, second, third = payments(portal, 3)

    def happen():
        portal.remove_payment(second)
        pay(portal, third)

    clock = Accelerated(portal, {70: happen})
    events = run(
        clock, monkeypatch, *(trigger_at(clock, paid(number), timeout=170) for number in (first, second, third))
    )
    assert [event["status"] for event in events] == ["timeout", "failed", "met"]


def test_a_question_that_cannot_be_sent_does_not_concern_the_others(portal, connection, monkeypatch):
    ids = payments(portal, 9)
    bad = Watch("crm.item.list", {"entityTypeId": 2, "filter": '{"id": 7}'}, Condition("count >=", 1), reads="items")
    clock = Accelerated(portal, {70: lambda: [pay(portal, payment_id) for payment_id in ids]})
    watches = [*(paid(payment_id) for payment_id in ids[:5]), bad, *(paid(payment_id) for payment_id in ids[5:])]
    events = run(clock, monkeypatch, *(trigger_at(clock, watch) for watch in watches))
    assert [event["status"] for event in events] == ["met"] * 5 + ["failed"] + ["met"] * 4
    assert events[5]["error"]["error"] == "ConfigurationError"


def test_a_connection_that_is_edited_is_read_again(portal, connect, monkeypatch):
    connect(portal.clerk)
    payment_id = portal.add_payment(1)
    clock = Accelerated(portal)

    def edit():
        portal.clerk.rights.discard("read")
        connect(portal.admin)
        pay(portal, payment_id)

    clock.happens = {70: edit}
    (event,) = run(clock, monkeypatch, trigger_at(clock, paid(payment_id)))
    assert event["status"] == "met"


def test_a_right_that_is_lost_ends_the_waiting_of_all(portal, connect, monkeypatch):
    connect(portal.clerk)
    ids = payments(portal, 3)
    clock = Accelerated(portal, {70: lambda: portal.clerk.rights.discard("read")})
    events = run(clock, monkeypatch, *(trigger_at(clock, paid(payment_id)) for payment_id in ids))
    assert {(event["status"], event["error"]["retryable"]) for event in events} == {("failed", False)}
    assert portal.requests <= 4


def test_a_token_is_renewed_once_for_all_who_wait(portal, monkeypatch, tmp_path):
    app = portal.application()
    store = f"file://{tmp_path}/tokens.json"
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.oauth_connection_json(app, token_store=store))
    ids = payments(portal, 60)

    def happen():
        app.expire_access_tokens()
        for payment_id in ids:
            pay(portal, payment_id)

    clock = Accelerated(portal, {70: happen})
    events = run(clock, monkeypatch, *(trigger_at(clock, paid(payment_id)) for payment_id in ids))
    assert {event["status"] for event in events} == {"met"}
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


def test_above_half_of_the_operating_budget_it_looks_less_often_and_says_so(monkeypatch, caplog):
    with Sandbox(deals=1, operating_limit=420, method_seconds={GET: 30}) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())
        payment_id = portal.add_payment(1)
        clock = Accelerated(portal)
        (event,) = run(clock, monkeypatch, trigger_at(clock, paid(payment_id), timeout=3000))
        looks = portal.count(GET)
    assert event["status"] == "timeout"
    assert "of the operating budget is used, so waiting tasks look 2 times less often" in caplog.text
    # 50 without that, of 30 seconds each, 300 in ten minutes: a third is left for others.
    assert 20 <= looks <= 40


# Tasks that leave


def test_a_cancelled_task_leaves_the_poller_clean_and_the_last_one_ends_it(portal, connection, monkeypatch):
    first, second = payments(portal, 2)
    clock = Accelerated(portal, {200: lambda: pay(portal, second)})
    monkeypatch.setattr(poller, "CLOCK", clock)

    async def collect(trigger):
        return [event.payload async for event in trigger.run()]

    async def main():
        tasks = [asyncio.create_task(collect(trigger_at(clock, paid(number)))) for number in (first, second)]
        while clock.now() < clock.start + 100:
            await asyncio.sleep(0)
        (shared,) = poller._POLLERS[asyncio.get_running_loop()].values()
        assert (shared.users, len(shared._waiting)) == (2, 2)
        tasks[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[0]
        assert (shared.users, len(shared._waiting)) == (1, 1)
        portal.reset_calls()
        (event,) = await tasks[1]
        assert not poller._POLLERS[asyncio.get_running_loop()]
        with contextlib.suppress(asyncio.CancelledError):
            await shared._task
        assert shared._task.done()
        return event

    assert asyncio.run(main())["status"] == "met"
    assert {call.params.get("id") for call in portal.calls if call.method == GET} == {second}


def test_a_task_that_is_cancelled_during_a_request_ends_the_poller_and_its_thread(portal, connection, monkeypatch):
    payment_id = portal.add_payment(1)
    portal.fault("slow", GET, seconds=0.5)
    clock = Accelerated(portal)
    monkeypatch.setattr(poller, "CLOCK", clock)

    async def main():
        trigger = trigger_at(clock, paid(payment_id))
        task = asyncio.create_task(anext(aiter(trigger.run())))
        while not portal.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert not poller._POLLERS[asyncio.get_running_loop()]
        beats = 0
        while poller_threads():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    # The thread ends with its request, and the event loop went on meanwhile.
    assert asyncio.run(asyncio.wait_for(main(), 30)) > 5


def test_the_event_loop_goes_on_while_a_round_lasts(portal, connection, monkeypatch):
    ids = payments(portal, 200)
    portal.fault("slow", "batch", times=None, seconds=0.2)
    clock = Accelerated(portal)
    monkeypatch.setattr(poller, "CLOCK", clock)

    async def main():
        triggers = [trigger_at(clock, paid(payment_id), timeout=61) for payment_id in ids]
        waiting = asyncio.gather(*(anext(aiter(trigger.run())) for trigger in triggers))
        beats = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            beats += bool(portal.requests)
        return beats

    assert asyncio.run(main()) > 10


def test_the_log_of_the_poller_is_in_no_tasks_context(portal, connection, monkeypatch):
    from contextvars import ContextVar

    task_of_log = ContextVar("task_of_log", default="nobody")
    seen = []
    clock = Accelerated(portal, {1: lambda: None})
    monkeypatch.setattr(poller, "CLOCK", clock)
    sleep = clock.sleep

    async def watched(seconds):
        seen.append(task_of_log.get())
        await sleep(seconds)

    monkeypatch.setattr(clock, "sleep", watched)

    async def main():
        task_of_log.set("the first")
        with polling("bitrix24_default") as shared:
            await shared.ask(Question.of(GET, {"id": 10**9}), clock.now() + 3)

    asyncio.run(main())
    assert set(seen) == {"nobody"}


def test_what_is_asked_is_answered_or_refused(portal, connection, monkeypatch):
    monkeypatch.setattr(poller, "CLOCK", Accelerated(portal))
    payment_id = portal.add_payment(1)

    async def main():
        with polling("bitrix24_default") as shared:
            now = shared.clock.now()
            asked = (shared.ask(Question.of(GET, {"id": number}), now) for number in (payment_id, 10**9))
            return await asyncio.gather(*asked)

    answer, refusal = asyncio.run(main())
    assert answer.result["id"] == payment_id
    assert isinstance(refusal, NotFound)
