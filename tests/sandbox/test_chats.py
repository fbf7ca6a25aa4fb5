"""Group chats: who is in them, and what was said."""

from __future__ import annotations

import pytest


@pytest.fixture
def call(portal, ask):
    return lambda method, params, user=None: ask(portal, f"im.{method}", params, user=user).json()


@pytest.fixture
def chat_id(call):
    binding = {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|1"}
    return call("chat.add", {"USERS": [7], "TITLE": "Deal", "MESSAGE": "Welcome", **binding})["result"]


def texts(answer):
    return [message["text"] for message in answer["result"]["messages"]]


def test_a_chat_is_found_by_what_it_is_bound_to(call, chat_id):
    assert call("chat.get", {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|1"})["result"] == {"ID": chat_id}
    assert call("chat.get", {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|2"})["result"] is None
    assert call("chat.user.list", {"CHAT_ID": chat_id})["result"] == [1, 7]
    assert call("chat.updateTitle", {"DIALOG_ID": f"chat{chat_id}", "TITLE": " New "})["result"] is True
    assert call("chat.updateTitle", {"CHAT_ID": chat_id, "TITLE": " "})["error"] == "TITLE_EMPTY"


def test_messages_are_read_backwards_and_forwards(call, chat_id):
    dialog = {"DIALOG_ID": f"chat{chat_id}"}
    for number in range(5):
        assert call("message.add", {**dialog, "MESSAGE": f"Text {number}"})["result"]
    latest = call("dialog.messages.get", {**dialog, "LIMIT": 2})
    assert texts(latest) == ["Text 4", "Text 3"]
    last_id = latest["result"]["messages"][-1]["id"]
    assert texts(call("dialog.messages.get", {**dialog, "LIMIT": 2, "LAST_ID": last_id})) == ["Text 2", "Text 1"]
    assert texts(call("dialog.messages.get", {**dialog, "LIMIT": 2, "FIRST_ID": last_id})) == ["Text 4"]
    assert latest["result"]["chat_id"] == chat_id
    assert [person["id"] for person in latest["result"]["users"]] == [1]


def test_only_members_read_and_new_ones_see_no_history(call, chat_id, portal):
    dialog, clerk = {"DIALOG_ID": f"chat{chat_id}"}, portal.clerk
    assert texts(call("dialog.messages.get", dialog, clerk)) == ["Welcome"]
    assert call("chat.leave", {"CHAT_ID": chat_id}, clerk)["result"] is True
    assert call("dialog.messages.get", dialog, clerk)["error"] == "ACCESS_ERROR"
    assert call("message.add", {**dialog, "MESSAGE": "x"}, clerk)["error"] == "ACCESS_ERROR"
    assert call("chat.user.add", {"CHAT_ID": chat_id, "USERS": [7]})["result"] is True
    assert texts(call("dialog.messages.get", dialog, clerk)) == []
    assert call("chat.user.delete", {"CHAT_ID": chat_id, "USER_ID": 1}, clerk)["error"] == "ACCESS_DENIED_KICK"
    assert call("chat.user.delete", {"CHAT_ID": chat_id, "USER_ID": 7})["result"] is True
    assert call("chat.user.delete", {"CHAT_ID": chat_id, "USER_ID": 7})["error"] == "USER_NOT_FOUND"


def test_two_people_have_a_dialog(call, portal):
    call("message.add", {"DIALOG_ID": "7", "MESSAGE": "To Karl"})
    call("message.add", {"DIALOG_ID": "1", "MESSAGE": "To Anna"}, portal.clerk)
    assert texts(call("dialog.messages.get", {"DIALOG_ID": "7"})) == ["To Anna", "To Karl"]
    assert texts(call("dialog.messages.get", {"DIALOG_ID": "1"}, portal.clerk)) == ["To Anna", "To Karl"]
