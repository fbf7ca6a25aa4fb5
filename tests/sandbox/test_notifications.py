from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.fixture
def result(portal, ask):
    """``result("im.notify.get", …)`` -> what the administrator, or ``user``, is answered."""

    def of(method, params=None, user=None):
        body = ask(portal, method, params, user=user).json()
        assert "error" not in body, body
        return body["result"]

    return of


@pytest.fixture
def sent(portal, result):
    """Ids of five notifications to the clerk."""
    return [result("im.notify", {"USER_ID": portal.clerk.id, "MESSAGE": f"Run {n} failed"}) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("method", "author_id"), [("im.notify", 1), ("im.notify.personal.add", 1), ("im.notify.system.add", 0)]
)
def test_a_notification_reaches_one_user(portal, result, method, author_id):
    notification_id = result(method, {"user_id": 7, "MESSAGE": " Failed. "})
    (row,) = portal.notifications()
    assert (row["id"], row["USER_ID"], row["MESSAGE"], row["FROM"]) == (notification_id, 7, "Failed.", 1)
    (shown,) = result("im.notify.get", user=portal.clerk)["notifications"]
    assert (shown["id"], shown["text"], shown["author_id"]) == (notification_id, "Failed.", author_id)
    assert result("im.notify.get")["notifications"] == []


@pytest.mark.parametrize("user_id", [15, 999])
def test_a_dismissed_or_unknown_user_gets_false(portal, result, user_id):
    assert result("im.notify", {"USER_ID": user_id, "MESSAGE": "x"}) is False
    assert portal.executed("im.notify") == 0


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("im.notify", {"MESSAGE": "x"}, "USER_ID_EMPTY"),
        ("im.notify", {"USER_ID": 7, "MESSAGE": " "}, "MESSAGE_EMPTY"),
        ("im.notify", {"USER_ID": 7, "MESSAGE": "x", "ATTACH": "no JSON"}, "ATTACH_ERROR"),
        ("im.notify.get", {"LAST_TYPE": 1}, "LAST_ID_AND_LAST_TYPE"),
        ("im.notify.get", {"LAST_ID": "last", "LAST_TYPE": 1}, "LAST_ID_STRING"),
        ("im.notify.history.search", {"SEARCH_DATE_FROM": "2026-01-31"}, "SEARCH_TEXT_ERROR"),
        ("im.notify.answer", {"ANSWER_TEXT": "x"}, "ID_ERROR"),
        ("im.notify.confirm", {"NOTIFY_VALUE": "Y", "NOTIFY_ID": 0}, "ID_ERROR"),
        ("im.notify.delete", {}, "PARAMS_ERROR"),
        ("im.notify.read.list", {}, "PARAMS_ERROR"),
    ],
)
def test_a_wrong_parameter_is_refused(portal, ask, method, params, code):
    answer = ask(portal, method, params)
    assert (answer.status_code, answer.json()["error"]) == (400, code)


def test_the_newest_come_first_page_by_page(portal, result, sent):
    first = result("im.notify.get", {"LIMIT": 2}, user=portal.clerk)
    assert [row["id"] for row in first["notifications"]] == [sent[4], sent[3]]
    assert (first["total_count"], first["total_unread_count"]) == (5, 5)
    assert [person["name"] for person in first["users"]] == ["Anna Admin"]
    older = result("im.notify.get", {"LAST_ID": sent[3], "LAST_TYPE": 3}, user=portal.clerk)
    assert [row["id"] for row in older["notifications"]] == sent[2::-1]


def test_the_history_is_searched_by_text_kind_author_and_day(portal, result, sent):
    today = portal.notifications()[0]["DATE"]

    def found(**params):
        return result("im.notify.history.search", params, user=portal.clerk)["total_results"]

    assert found(SEARCH_TEXT="run 3") == 1
    assert found(SEARCH_TEXT="r", SEARCH_TYPE="rest|rest_notify") == 5
    assert found(SEARCH_TYPES=["tasks"]) == 0
    assert found(SEARCH_AUTHORS=[1]) == 5
    assert found(SEARCH_AUTHORS=[7]) == 0
    assert found(SEARCH_DATE=today) == 5
    assert found(SEARCH_DATE_FROM="2020-01-01", SEARCH_DATE_TO="2020-12-31") == 0
    assert found(SEARCH_TEXT="run", GROUP_TAG="other") == 0


def unread(portal):
    return [row["id"] for row in portal.notifications() if row["READ"] == "N"]


def test_one_or_all_from_one_on_are_marked_as_read(portal, result, sent):
    assert result("im.notify.read", {"ID": sent[1], "ONLY_CURRENT": "Y"}, user=portal.clerk) is True
    assert unread(portal) == [sent[0], *sent[2:]]
    result("im.notify.read", {"ID": sent[3]}, user=portal.clerk)
    assert unread(portal) == [sent[0], sent[2]]
    result("im.notify.read", {"ID": sent[0], "ACTION": "N"}, user=portal.clerk)
    assert unread(portal) == sent
    assert result("im.notify.read", user=portal.clerk) is True
    assert unread(portal) == sent


def test_a_list_is_marked_up_to_the_first_id_that_is_none(portal, result, sent):
    assert result("im.notify.read.list", {"IDS": [sent[0], 0, sent[1]]}, user=portal.clerk) is True
    assert unread(portal) == sent[1:]


def test_everybody_marks_only_the_own_ones(portal, result, sent):
    result("im.notify.read.list", {"IDS": sent})
    assert result("im.notify.read.all") == {"result": True, "newCounter": 0}
    assert result("im.notify.delete", {"ID": sent[0]}) is False
    assert unread(portal) == sent
    result("im.notify.read.all", user=portal.clerk)
    assert unread(portal) == []
    assert result("im.notify.delete", {"ID": sent[0]}, user=portal.clerk) is True
    assert [row["id"] for row in portal.notifications()] == sent[1:]


@pytest.mark.parametrize(
    ("method", "params"), [("im.notify.answer", {"ANSWER_TEXT": "Yes"}), ("im.notify.confirm", {"NOTIFY_VALUE": "Y"})]
)
def test_an_answered_notification_is_read(portal, result, sent, method, params):
    answered = result(method, {"NOTIFY_ID": sent[0], **params}, user=portal.clerk)
    assert list(answered) == ["result_message"]
    assert unread(portal) == sent[1:]
    assert result(method, {"NOTIFY_ID": sent[0], **params}) is False


def send_tagged(portal, http, auth, **params):
    notify = {"USER_ID": 7, "MESSAGE": "x", "TAG": "dag_1", **params}
    root = f"{portal.url}/rest/" if auth else portal.webhook()
    answer = http.post(root + "im.notify", json={**notify, **auth}, verify=portal.ca_file, timeout=10)
    return answer.json()["result"]


def test_a_tag_replaces_what_the_same_application_sent(portal, http):
    one, two = ({"auth": portal.application().grant()["access_token"]} for _ in range(2))
    send_tagged(portal, http, one)
    kept = [send_tagged(portal, http, auth) for auth in (one, two)]
    assert [row["id"] for row in portal.notifications()] == kept
    delete, http.verify = {"TAG": "dag_1", **one}, portal.ca_file
    assert http.post(f"{portal.url}/rest/im.notify.delete", json=delete, timeout=10).json()["result"] is True
    assert [row["id"] for row in portal.notifications()] == kept[1:]


@pytest.mark.parametrize(("reading", "left"), [("source", 2), ("documentation", 1)])
def test_a_webhooks_tag_counts_only_by_the_documentation(ask, http, reading, left):
    with Sandbox(deals=1, notify_tags=reading) as portal:
        for _ in range(2):
            send_tagged(portal, http, {}, CLIENT_ID="bot")
        assert len(portal.notifications()) == left


def test_a_webhook_says_whose_tag_it_deletes(portal, ask):
    answer = ask(portal, "im.notify.delete", {"TAG": "dag_1"})
    assert (answer.status_code, answer.json()["error"]) == (403, "ACCESS_DENIED")
    assert ask(portal, "im.notify.delete", {"TAG": "dag_1", "CLIENT_ID": "bot"}).json()["result"] is True
