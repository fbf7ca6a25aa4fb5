from __future__ import annotations

import pytest

OWNER = {"ownerTypeId": 2, "ownerId": 1}


@pytest.fixture
def todo(portal, ask):
    """``todo("updateDeadline", value=…)`` -> the answer about a to-do of the first deal."""
    add = {**OWNER, "deadline": "2026-05-05T12:00:00", "title": "Call", "responsibleId": 7}
    new = ask(portal, "crm.activity.todo.add", add).json()["result"]

    def change(action, user=None, **params):
        return ask(portal, f"crm.activity.todo.{action}", {**new, **OWNER, **params}, user=user)

    change.id = new["id"]
    return change


def activity_of(portal, ask, todo):
    (row,) = ask(portal, "crm.activity.list", {"filter": {"ID": todo.id}}).json()["result"]
    return row


def test_a_todo_is_among_the_activities_of_its_owner(portal, ask, todo):
    row = activity_of(portal, ask, todo)
    assert (row["OWNER_TYPE_ID"], row["OWNER_ID"], row["PROVIDER_ID"]) == ("2", "1", "CRM_TODO")
    assert (row["SUBJECT"], row["RESPONSIBLE_ID"], row["COMPLETED"]) == ("Call", "7", "N")
    assert row["DEADLINE"] == "2026-05-05T12:00:00+03:00"


@pytest.mark.parametrize(
    ("action", "params", "field", "value"),
    [
        ("update", {"deadline": "2026-06-06T12:00:00+00:00"}, "DEADLINE", "2026-06-06T15:00:00+03:00"),
        ("update", {"deadline": "2026-06-06", "title": "Write"}, "SUBJECT", "Write"),
        ("updateDeadline", {"value": "2026-06-06T12:00:00+03:00"}, "DEADLINE", "2026-06-06T12:00:00+03:00"),
        ("updateDescription", {"value": "At noon"}, "DESCRIPTION", "At noon"),
        ("updateResponsibleUser", {"responsibleId": 1}, "RESPONSIBLE_ID", "1"),
    ],
)
def test_a_todo_is_changed(portal, ask, todo, action, params, field, value):
    assert todo(action, **params).json()["result"] == {"id": todo.id}
    assert activity_of(portal, ask, todo)[field] == value


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("add", {"ownerTypeId": None}, "100"),
        ("add", {}, "100"),
        ("add", {"ownerTypeId": 999, "deadline": "2026-06-06"}, "OWNER_NOT_FOUND"),
        ("add", {"ownerId": 999, "deadline": "2026-06-06"}, "NOT_FOUND"),
        ("add", {"deadline": "tomorrow"}, "WRONG_DATETIME_FORMAT"),
        ("updateDeadline", {"value": "tomorrow"}, "WRONG_DATETIME_FORMAT"),
        ("updateDeadline", {"id": 1, "value": "2026-06-06"}, "NOT_FOUND"),
        ("updateDescription", {"ownerId": 2, "value": "x"}, "NOT_FOUND"),
        ("updateResponsibleUser", {"responsibleId": 0}, "INVALID_ARG_VALUE"),
        ("updateColor", {"colorId": "8"}, "CAN_NOT_UPDATE_WRONG_COLOR_TODO"),
    ],
)
def test_a_wrong_todo_is_refused(todo, action, params, code):
    answer = todo(action, **params)
    assert (answer.status_code, answer.json()["error"]) == (400, code)


def test_who_may_only_read_has_no_todos_to_write(portal, todo):
    assert todo("updateColor", user=portal.clerk, colorId="1").json()["error"] == "ACCESS_DENIED"
    assert todo("updateColor", colorId="1").json()["result"] == {"id": todo.id}
