"""Waiting for CRM items: in a worker."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from tests.operators.context import context
from tests.rest.clients import client_of
from tests.sensors.waiting import Waiting

DEAL = {"entity_type_id": "deal"}
FAILED_STAGE = {"result_path": "stageSemanticId", "operator": "=", "value": "F"}


def stage(value):
    return {"result_path": "STAGE_ID", "operator": "=", "value": value}


@pytest.fixture
def wait(portal, connection, monkeypatch):
    return Waiting(portal, monkeypatch)


def update(portal, item_id, **fields):
    client_of(portal).call("crm.item.update", {"entityTypeId": 2, "id": item_id, "fields": fields})


def test_it_waits_until_a_deal_reaches_a_stage(portal, wait):
    (deal,) = portal.add_deals(1, stageId="NEW")
    end, seen = wait(
        Bitrix24ItemSensor,
        **DEAL,
        item_id=str(deal),
        condition=stage("WON"),
        happens={2: lambda: update(portal, deal, stageId="WON")},
    )
    assert (end, seen["id"], seen["stageId"]) == ("success", deal, "WON")
    assert len(wait.slept) == 2
    assert portal.count("crm.item.get") == 3
    # The fields are asked for once.
    assert portal.count("crm.item.fields") == 1


def test_a_deal_that_fails_ends_the_waiting_only_if_that_was_asked_for(portal, wait):
    (deal,) = portal.add_deals(1, stageId="NEW")
    lost = {1: lambda: update(portal, deal, stageId="LOSE")}
    arguments = {**DEAL, "item_id": deal, "condition": stage("WON"), "timeout": 180}
    assert wait(Bitrix24ItemSensor, **arguments, happens=lost)[0] == "timeout"
    update(portal, deal, stageId="NEW")
    end, message = wait(Bitrix24ItemSensor, **arguments, fail_when=FAILED_STAGE, happens=lost)
    assert end == "failed"
    assert "fail_when has come true (stageSemanticId = 'F')" in message
    assert len(wait.slept) == 1


def test_the_condition_wins_where_both_hold(portal, wait):
    (deal,) = portal.add_deals(1, stageId="LOSE")
    end, _ = wait(Bitrix24ItemSensor, **DEAL, item_id=deal, condition=stage("LOSE"), fail_when=FAILED_STAGE)
    assert end == "success"


def test_it_waits_until_an_item_exists(portal, wait):
    missing = max(item["id"] for item in portal.items(2)) + 1
    end, seen = wait(Bitrix24ItemSensor, **DEAL, item_id=missing, happens={2: lambda: portal.add_deals(1)})
    assert (end, seen["id"], len(wait.slept)) == ("success", missing, 2)


def test_an_item_with_a_condition_that_is_not_there_fails_at_once(portal, wait):
    (deal,) = portal.add_deals(1, stageId="NEW")
    gone = {1: lambda: portal.remove_item(2, deal)}
    end, message = wait(Bitrix24ItemSensor, **DEAL, item_id=deal, condition=stage("WON"), happens=gone)
    assert end == "failed"
    assert "cannot come true" in message
    assert "crm.item.list gives the ids" in message
    assert len(wait.slept) == 1


@pytest.mark.parametrize(
    ("field", "operator", "value", "written"),
    [
        ("opened", "=", True, "Y"),
        ("opened", "!=", "Y", "N"),
        ("OPPORTUNITY", ">=", "99.5", 100),
        ("begindate", "=", "2026-01-31", "2026-01-31"),
        ("begindate", ">", "2026-01-30", "2026-01-31"),
        ("ASSIGNED_BY_ID", "in", [7, "12"], 7),
        ("comments", "not empty", None, "called back"),
        ("title", "=", "007", "007"),
    ],
)
def test_a_field_in_any_spelling_has_a_value(portal, wait, field, operator, value, written):
    (deal,) = portal.add_deals(1, opened="Y" if written == "N" else "N", opportunity=1, assignedById=1, comments="")
    update(portal, deal, begindate="2026-01-01")
    name = {"OPPORTUNITY": "opportunity", "ASSIGNED_BY_ID": "assignedById"}.get(field, field)
    condition = {"result_path": field, "operator": operator, **({} if value is None else {"value": value})}
    end, _ = wait(
        Bitrix24ItemSensor,
        **DEAL,
        item_id=deal,
        condition=condition,
        timeout=120,
        happens={1: lambda: update(portal, deal, **{name: written})},
    )
    assert (end, len(wait.slept)) == ("success", 1)


# A filter


def test_it_waits_until_any_item_matches(portal, wait):
    end, seen = wait(
        Bitrix24ItemSensor,
        **DEAL,
        item_filter={"=TITLE": "Oak door, special"},
        happens={2: lambda: portal.add_deals(1, title="Oak door, special")},
    )
    (row,) = [item for item in portal.items(2) if item["title"] == "Oak door, special"]
    assert (end, seen) == ("success", {"total": 1, "items": [{"id": row["id"]}]})
    assert portal.count("crm.item.list") == 3
    # The portal need not count.
    assert [call.params["start"] for call in portal.calls if call.method == "crm.item.list"] == [-1] * 3


def test_it_waits_until_enough_items_match(portal, wait):
    portal.add_deals(2, title="Many")
    end, seen = wait(
        Bitrix24ItemSensor,
        **DEAL,
        item_filter={"=title": "Many"},
        condition="count >= 60",
        happens={1: lambda: portal.add_deals(57, title="Many"), 2: lambda: portal.add_deals(1, title="Many")},
    )
    assert (end, seen["total"], len(seen["items"]), len(wait.slept)) == ("success", 60, 50, 2)


def test_a_full_page_that_was_not_counted_has_no_total(portal, wait):
    portal.add_deals(55, title="Many")
    _, seen = wait(Bitrix24ItemSensor, **DEAL, item_filter={"=title": "Many"}, condition="count > 49")
    assert (seen["total"], len(seen["items"])) == (None, 50)


def test_too_many_items_end_the_waiting(portal, wait):
    portal.add_deals(3, title="Many")
    end, message = wait(
        Bitrix24ItemSensor, **DEAL, item_filter={"=title": "Many"}, condition="count = 2", fail_when="count > 2"
    )
    assert end == "failed"
    assert "fail_when has come true (count > 2)" in message


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of item_id and item_filter"),
        ({"item_id": 7, "item_filter": {"=id": 7}}, "one of item_id and item_filter"),
        ({"item_id": None}, "item_id is None"),
        ({"item_filter": None}, "item_filter is None"),
        ({"item_filter": {}}, "item_filter is empty"),
        ({"item_filter": "None"}, "item_filter is 'None'"),
        ({"item_filter": {"=title": None}}, "title"),
        ({"item_filter": {"=titel": "x"}}, "not a field of a deal"),
        ({"item_id": "3653/1"}, "item_id must be a whole number"),
        ({"item_id": 7, "condition": None}, "condition is None"),
        ({"item_id": 7, "condition": "None"}, "condition is 'None'"),
        ({"item_id": 7, "condition": "any row"}, "condition counts rows"),
        ({"item_id": 7, "condition": stage(None)}, "condition compares with None"),
        ({"item_id": 7, "condition": {**stage("x"), "result_path": "stage"}}, "did you mean stageId"),
        ({"item_id": 7, "condition": {**stage("x"), "result_path": "opened"}}, "opened takes yes or no"),
        ({"item_id": 7, "condition": {**stage("x"), "result_path": "opportunity"}}, "opportunity takes a number"),
        ({"item_id": 7, "fail_when": {**stage("x"), "result_path": "stage"}}, "fail_when names 'stage'"),
        ({"item_filter": {"=id": 7}, "condition": stage("WON")}, "condition is about a field"),
    ],
)
def test_what_does_not_say_what_to_wait_for_is_refused(portal, wait, arguments, message):
    end, refusal = wait(Bitrix24ItemSensor, **DEAL, **arguments)
    assert end == "failed"
    assert message in refusal
    assert portal.count("crm.item.get") + portal.count("crm.item.list") == 0


def test_an_unknown_kind_is_refused(portal, wait):
    end, message = wait(Bitrix24ItemSensor, entity_type_id=180, item_id=7)
    assert end == "failed"
    assert "crm.type.list" in message


@pytest.mark.parametrize(
    "arguments",
    [
        {"item_filter": {">=createdTime": "2026-01-31T09:30:00"}},
        {"item_filter": {"0": {"logic": "OR", "0": {"<updatedTime": datetime(2026, 1, 31, 9)}}}},
        {"item_id": 7, "condition": {"result_path": "movedTime", "operator": ">", "value": "2026-01-31 09:30:00"}},
        {"item_id": 7, "fail_when": {"result_path": "createdTime", "operator": "in", "value": ["2026-01-31T09:30:00"]}},
    ],
)
def test_a_time_without_a_zone_gets_a_hint_that_a_sensor_can_follow(portal, wait, arguments):
    end, message = wait(Bitrix24ItemSensor, **DEAL, **arguments)
    assert end == "failed"
    assert "has no time zone: write it with its zone, e.g. 2026-01-31T09:" in message
    assert "timezone=" not in message


@pytest.mark.parametrize("found", [{}, {"@id": []}, {">=id": None}, {"=>id": 5}, None])
def test_a_filter_that_came_out_wrong_is_found_before_the_portal_is_asked(portal, connection, found):
    task = Bitrix24ItemSensor(task_id="waits", **DEAL, item_filter="{{ x }}", deferrable=False, timeout=0)
    task.item_filter = found
    with pytest.raises(AirflowFailException, match="item_filter"):
        task.execute(context())
    assert portal.calls == []
