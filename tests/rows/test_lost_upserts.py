"""Upserts whose add got no answer: the next try finds the item, or adds it when the lost request has surely ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.rest.client import Client
from tests.operators.context import StateStore, context

ADD, UPDATE = "crm.item.add", "crm.item.update"
FAULT = json.dumps({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}).encode()


class Waits:
    """The waits of the clients of a test, none of which lasts; what happens meanwhile may be said."""

    def __init__(self) -> None:
        self.long: list[float] = []
        self.meanwhile: Callable[[], Any] = lambda: None

    def __call__(self, seconds: float) -> None:
        # Waits between attempts are shorter.
        if seconds > 35:
            self.long.append(seconds)
            self.meanwhile()


@pytest.fixture
def waits() -> Waits:
    return Waits()


def waiting(operator: type, waits: Waits) -> type:
    class Hook(Bitrix24Hook):
        def get_conn(self) -> Client:
            return Client(self.get_portal(), sleep=waits)

    return type(operator.__name__, (operator,), {"hook": property(lambda self: Hook(self.bitrix24_conn_id))})


def upsert(rows: list[Any], waits: Waits, given: Any, **arguments: Any) -> dict[str, Any]:
    task = waiting(Bitrix24UpsertItemsOperator, waits)(
        task_id="task", entity_type_id="company", key="originId", rows=rows, **arguments
    )
    summary: dict[str, Any] = task.execute(given)
    return summary


def upsert_one(waits: Waits, given: Any, **arguments: Any) -> dict[str, Any]:
    task = waiting(Bitrix24UpsertItemOperator, waits)(
        task_id="task", entity_type_id="company", key="originId", fields=firms(1)[0], **arguments
    )
    result: dict[str, Any] = task.execute(given)
    return result


def firms(number: int) -> list[dict[str, str]]:
    return [{"originId": f"K-{index}", "title": f"Firm {index}"} for index in range(number)]


def there(portal: Any) -> Counter[str]:
    return Counter(item["originId"] for item in portal.items(4) if str(item.get("originId") or "").startswith("K-"))


def lose(portal: Any) -> None:
    """The answer to the first adds is lost, and nothing of them is to be seen."""
    portal.fault("close_before", "batch", after=1)


def late(portal: Any, number: int) -> Callable[[], Any]:
    """The lost request is done at last."""
    return lambda: [portal.add_items(4, 1, **firm) for firm in firms(number)]


@pytest.mark.parametrize("memory", ["store", "report"])
@pytest.mark.parametrize("max_failures", [0, None])
def test_an_add_that_was_lost_and_done_is_found_by_the_next_try(max_failures, memory, portal, in_turn, waits, tmp_path):
    store = StateStore() if memory == "store" else None
    more = {"report": str(tmp_path / "r.jsonl"), "max_failures": max_failures}
    lose(portal)
    with pytest.raises(Bitrix24Error) as caught:
        upsert(firms(60), waits, context(store=store), **more)
    assert caught.value.retryable
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert {(line["outcome"], line["final"]) for line in lines[:50]} == {("unknown", False)}
    late(portal, 50)()
    summary = upsert(firms(60), waits, context(try_number=2, store=store), **more)
    assert (summary["updated"], summary["created"], summary["unknown"]) == (50, 10, 0)
    assert there(portal) == Counter(row["originId"] for row in firms(60))
    assert waits.long == []


@pytest.mark.parametrize("memory", ["store", "report", "none"])
def test_an_add_that_was_lost_and_not_done_is_added_when_its_request_has_ended(
    memory, portal, in_turn, waits, tmp_path
):
    store = StateStore() if memory == "store" else None
    more = {"report": str(tmp_path / "r.jsonl")} if memory == "report" else {}
    lose(portal)
    with pytest.raises(Bitrix24Error):
        upsert(firms(3), waits, context(store=store), **more)
    summary = upsert(firms(3), waits, context(try_number=2, store=store), retry_delay=timedelta(0), **more)
    assert (summary["created"], summary["unknown"]) == (3, 0)
    assert there(portal) == Counter(row["originId"] for row in firms(3))
    # Once, and until a request that was sent as late as can be is over.
    assert len(waits.long) == 1
    assert 70 < waits.long[0] <= 75


@pytest.mark.parametrize("memory", ["store", "report", "none"])
def test_an_add_that_is_done_while_the_next_try_waits_is_not_doubled(memory, portal, in_turn, waits, tmp_path):
    store = StateStore() if memory == "store" else None
    more = {"report": str(tmp_path / "r.jsonl")} if memory == "report" else {}
    lose(portal)
    with pytest.raises(Bitrix24Error):
        upsert(firms(3), waits, context(store=store), **more)
    waits.meanwhile = late(portal, 3)
    given = context(try_number=2, store=store)
    summary = upsert([*firms(3), {"originId": "K-3"}], waits, given, retry_delay=timedelta(0), **more)
    assert (summary["updated"], summary["created"]) == (3, 1)
    assert there(portal) == Counter(row["originId"] for row in firms(4))
    assert len(waits.long) == 1


@pytest.mark.parametrize("memory", ["store", "report"])
def test_so_is_one_of_a_row_whose_other_values_have_changed_since(memory, portal, in_turn, waits, tmp_path):
    store = StateStore() if memory == "store" else None
    more = {"report": str(tmp_path / "r.jsonl")} if memory == "report" else {}
    lose(portal)
    with pytest.raises(Bitrix24Error):
        upsert(firms(3), waits, context(store=store), **more)
    waits.meanwhile = late(portal, 3)
    changed = [{**firm, "comments": "read again"} for firm in firms(3)]
    summary = upsert(changed, waits, context(try_number=2, store=store), retry_delay=timedelta(0), **more)
    assert (summary["updated"], summary["created"]) == (3, 0)
    assert there(portal) == Counter(row["originId"] for row in firms(3))


def test_a_portal_that_takes_longer_is_waited_for_as_long(portal, connect, waits):
    connect(parallel=1, timeout=200)
    store = StateStore()
    lose(portal)
    with pytest.raises(Bitrix24Error):
        upsert(firms(3), waits, context(store=store))
    upsert(firms(3), waits, context(try_number=2, store=store))
    assert 195 < waits.long[0] <= 200


def test_rows_that_were_never_sent_are_not_waited_for(portal, in_turn, waits):
    store = StateStore()
    portal.fault("operation_time_limit", ADD, times=None)
    with pytest.raises(Bitrix24Error):
        upsert(firms(60), waits, context(store=store))
    portal.clear_faults()
    assert upsert(firms(60), waits, context(try_number=2, store=store))["created"] == 60
    assert waits.long == []


def test_where_airflow_waits_longer_between_tries_nothing_more_is_waited_for(portal, in_turn, waits):
    """Airflow before 3.3, without a report: nothing is remembered, and the try before has ended long ago."""
    lose(portal)
    with pytest.raises(Bitrix24Error):
        upsert(firms(3), waits, context(), retry_delay=timedelta(minutes=5))
    task = waiting(Bitrix24UpsertItemsOperator, waits)(
        task_id="task", entity_type_id="company", key="originId", rows=firms(3), retry_delay=timedelta(minutes=5)
    )
    if getattr(task, "retry_policy", None) is not None:
        # Airflow 3.3 remembers, and lets a policy try again sooner.
        task.retry_policy = None
    assert task.execute(context(try_number=2))["created"] == 3
    assert waits.long == []


@pytest.mark.parametrize("is_done", [True, False])
def test_the_operator_for_one_item(is_done, portal, in_turn, waits):
    lose(portal)
    with pytest.raises(Bitrix24Error) as caught:
        upsert_one(waits, context())
    assert (caught.value.ran, caught.value.retryable) == ("unknown", True)
    if is_done:
        waits.meanwhile = late(portal, 1)
    result = upsert_one(waits, context(try_number=2), retry_delay=timedelta(0))
    assert result["created"] is not is_done
    assert there(portal) == {"K-0": 1}
    assert len(waits.long) == 1


def test_two_items_with_the_key_of_a_lost_add_are_left_to_people(portal, in_turn, waits):
    portal.fault("body", "batch", after=1, status=500, body=FAULT, executed=False)
    real = Client.batch
    calls = 0

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        answer = real(self, *arguments, **options)
        calls += 1
        if calls == 1:
            late(portal, 1)()
            late(portal, 1)()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "batch", batch)
        given = context()
        with pytest.raises(AirflowFailException, match="2 items have its key now"):
            upsert(firms(1), waits, given)
    (line,) = given["ti"].pushed["bitrix24_rows"]["outcomes"]
    assert (line["outcome"], line["final"]) == ("unknown", True)
