from __future__ import annotations

import pytest


@pytest.mark.parametrize("method", ["im.notify", "im.notify.personal.add", "im.notify.system.add"])
def test_a_notification_reaches_one_user(portal, ask, method):
    notification_id = ask(portal, method, {"user_id": 7, "MESSAGE": " Failed. "}).json()["result"]
    assert portal.notifications() == [{"id": notification_id, "USER_ID": 7, "MESSAGE": "Failed.", "FROM": 1}]


@pytest.mark.parametrize("user_id", [15, 999])
def test_a_dismissed_or_unknown_user_gets_false(portal, ask, user_id):
    assert ask(portal, "im.notify", {"USER_ID": user_id, "MESSAGE": "x"}).json()["result"] is False
    assert portal.executed("im.notify") == 0


@pytest.mark.parametrize(
    ("params", "code"), [({"MESSAGE": "x"}, "USER_ID_EMPTY"), ({"USER_ID": 7, "MESSAGE": " "}, "MESSAGE_EMPTY")]
)
def test_a_notification_needs_a_user_and_a_text(portal, ask, params, code):
    assert ask(portal, "im.notify", params).json()["error"] == code


def test_a_long_text_is_cut(portal, ask):
    ask(portal, "im.notify", {"USER_ID": 7, "MESSAGE": "x" * 20_001})
    assert portal.notifications()[0]["MESSAGE"] == "x" * 20_000 + " (...)"
