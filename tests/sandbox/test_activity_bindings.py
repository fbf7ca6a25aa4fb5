"""An activity may be about several objects: it is theirs until the last of them goes."""

from __future__ import annotations

import pytest


@pytest.fixture
def call(portal, ask):
    return lambda method, **params: ask(portal, f"crm.{method}", params).json()


@pytest.fixture
def activity(call):
    return call("activity.todo.add", ownerTypeId=2, ownerId=1, deadline="2026-05-05T12:00:00")["result"]["id"]


def binding(deal_id):
    return {"entityTypeId": 2, "entityId": deal_id}


def test_an_activity_is_bound_moved_and_freed(call, activity):
    def change(action, **params):
        return call(f"activity.binding.{action}", activityId=activity, **params)

    assert change("list")["result"] == [binding(1)]
    assert change("add", **binding(2))["result"] is True
    assert change("add", **binding(2))["error"] == "ACTIVITY_IS_ALREADY_BOUND"
    source, target = {"sourceEntityTypeId": 2, "sourceEntityId": 1}, {"targetEntityTypeId": 2, "targetEntityId": 3}
    assert change("move", **source, **target)["result"] is True
    assert change("list")["result"] == [binding(3), binding(2)]
    assert call("activity.get", id=activity)["result"]["OWNER_ID"] == "3"
    assert change("delete", **binding(1))["error"] == "BINDING_NOT_FOUND"
    assert change("delete", **binding(3))["result"] is True
    assert change("delete", **binding(2))["error"] == "LAST_BINDING_CANNOT_BE_DELETED"
    (row,) = call("activity.list", filter={"ID": activity}, select=["OWNER_ID", "BINDINGS"])["result"]
    assert row == {"OWNER_ID": "2", "BINDINGS": [{"OWNER_TYPE_ID": 2, "OWNER_ID": 2}]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"targetEntityTypeId": 3}, "SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR"),
        ({"targetEntityId": 1}, "SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR"),
        ({"targetEntityId": 99_999}, "OWNER_NOT_FOUND"),
        ({"sourceEntityId": 3}, "BINDING_NOT_FOUND"),
        ({"sourceEntityId": None}, "100"),
    ],
)
def test_a_move_that_cannot_be_is_refused(call, activity, change, code):
    asked = {"sourceEntityTypeId": 2, "sourceEntityId": 1, "targetEntityTypeId": 2, "targetEntityId": 2, **change}
    assert call("activity.binding.move", activityId=activity, **asked)["error"] == code
    assert call("activity.binding.list", activityId=activity)["result"] == [binding(1)]


def test_an_activity_goes_with_the_last_of_its_objects(call, activity):
    call("activity.binding.add", activityId=activity, **binding(2))
    call("deal.delete", id=1)
    assert call("activity.binding.list", activityId=activity)["result"] == [binding(2)]
    changed = {"ownerTypeId": 2, "ownerId": 2, "id": activity, "value": "2026-06-06T12:00:00"}
    assert call("activity.todo.updateDeadline", **changed)["result"] == {"id": activity}
    call("deal.delete", id=2)
    assert call("activity.binding.list", activityId=activity)["error"] == "NOT_FOUND"


def test_bindings_are_changed_by_those_who_may_change(portal, ask, activity):
    asked = {"activityId": activity, **binding(2)}
    answer = ask(portal, "crm.activity.binding.add", asked, user=portal.clerk).json()
    assert answer["error"] == "ACCESS_DENIED"
