from __future__ import annotations

import pytest


def error_of(answer):
    return answer.status_code, answer.json().get("error")


@pytest.mark.parametrize("dialog_id", ["chat1", "sg1", "7", 7])
def test_a_message_reaches_a_chat_a_project_or_a_user(portal, ask, dialog_id):
    message_id = ask(portal, "im.message.add", {"dialog_id": dialog_id, "MESSAGE": " Failed. "}).json()["result"]
    expected = {"DIALOG_ID": str(dialog_id), "MESSAGE": "Failed.", "FROM": 1, "SYSTEM": "N", "ATTACH": None}
    assert portal.messages() == [{"id": message_id, **expected}]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MESSAGE": "x"}, "USER_ID_EMPTY"),
        ({"DIALOG_ID": "everybody", "MESSAGE": "x"}, "USER_ID_EMPTY"),
        ({"DIALOG_ID": "999", "MESSAGE": "x"}, "USER_NOT_FOUND"),
        ({"DIALOG_ID": "chat999", "MESSAGE": "x"}, "CHAT_ID"),
        ({"DIALOG_ID": "chat2", "MESSAGE": "x"}, "ACCESS_ERROR"),
        ({"DIALOG_ID": "chat1", "MESSAGE": " "}, "MESSAGE_EMPTY"),
        ({"DIALOG_ID": "chat1", "MESSAGE": "x", "ATTACH": "no JSON"}, "ATTACH_ERROR"),
        ({"DIALOG_ID": "chat1", "ATTACH": [{"MESSAGE": "x" * 60_000}]}, "ATTACH_OVERSIZE"),
        ({"DIALOG_ID": "chat1", "MESSAGE": "x", "KEYBOARD": "no JSON"}, "KEYBOARD_ERROR"),
        ({"DIALOG_ID": "chat1", "MESSAGE": "x", "MENU": "no JSON"}, "MENU_ERROR"),
        ({"DIALOG_ID": "chat1", "MESSAGE": "x", "REPLY_ID": 999}, "REPLY_ACCESS_ERROR"),
    ],
)
def test_a_message_is_refused_with_the_reason(portal, ask, params, code):
    assert error_of(ask(portal, "im.message.add", params, user=portal.clerk)) == (400, code)
    assert portal.messages() == []


def test_a_reply_stays_in_its_chat(portal, ask):
    first = ask(portal, "im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "x"}).json()["result"]
    reply = {"MESSAGE": "y", "REPLY_ID": first}
    assert "result" in ask(portal, "im.message.add", {"DIALOG_ID": "chat1", **reply}).json()
    elsewhere = ask(portal, "im.message.add", {"DIALOG_ID": "chat2", **reply})
    assert error_of(elsewhere) == (400, "REPLY_FROM_OTHER_CHAT_ERROR")


@pytest.mark.parametrize("attach", [[{"MESSAGE": "x"}], '{"ID": 1, "BLOCKS": [{"MESSAGE": "x"}]}'])
def test_a_message_may_be_an_attachment_alone(portal, ask, attach):
    assert "result" in ask(portal, "im.message.add", {"DIALOG_ID": "chat1", "ATTACH": attach}).json()
    assert portal.messages()[0]["MESSAGE"] == ""
    assert error_of(ask(portal, "im.notify", {"USER_ID": 7, "ATTACH": attach})) == (400, "MESSAGE_EMPTY")


@pytest.mark.parametrize("method", ["im.notify", "im.message.add"])
def test_a_long_text_is_cut(portal, ask, method):
    ask(portal, method, {"USER_ID": 7, "DIALOG_ID": 7, "MESSAGE": "x" * 20_001})
    (sent,) = [*portal.notifications(), *portal.messages()]
    assert sent["MESSAGE"] == "x" * 20_000 + " (...)"


def test_a_message_is_edited_by_its_author(portal, ask):
    message_id = ask(portal, "im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "One"}).json()["result"]
    assert ask(portal, "im.message.update", {"MESSAGE_ID": message_id, "MESSAGE": " Two "}).json()["result"] is True
    assert [row["MESSAGE"] for row in portal.messages()] == ["Two"]
    refused = ask(portal, "im.message.update", {"MESSAGE_ID": message_id, "MESSAGE": "x"}, user=portal.clerk)
    assert error_of(refused) == (403, "CANT_EDIT_MESSAGE")
    assert error_of(ask(portal, "im.message.update", {"MESSAGE": "x"})) == (400, "MESSAGE_ID_ERROR")
    assert [row["MESSAGE"] for row in portal.messages()] == ["Two"]


def test_an_empty_text_deletes_a_message_and_none_leaves_it(portal, ask):
    message_id = ask(
        portal, "im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "x", "ATTACH": [{"MESSAGE": "a"}]}
    ).json()["result"]
    ask(portal, "im.message.update", {"MESSAGE_ID": message_id, "ATTACH": "N"})
    assert [(row["MESSAGE"], row["ATTACH"]) for row in portal.messages()] == [("x", None)]
    ask(portal, "im.message.update", {"MESSAGE_ID": message_id, "MESSAGE": ""})
    assert portal.messages() == []
