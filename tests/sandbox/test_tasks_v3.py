"""Tasks of REST 3.0 are those of version 2: the same values under other names, typed."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

PREFIX = "BITRIX_REST_V3_EXCEPTION_"

#: What version 2 writes -> what version 3 shows.
WRITTEN = [
    ({"MARK": "P"}, {"mark": "positive"}),
    ({"PRIORITY": 2, "STATUS": 3}, {"priority": "high", "status": "in_progress"}),
    ({"MATCH_WORK_TIME": "Y"}, {"matchesWorkTime": True}),
    ({"ALLOW_TIME_TRACKING": "Y", "TASK_CONTROL": "Y"}, {"allowsTimeTracking": True, "needsControl": True}),
    ({"TIME_ESTIMATE": 7200, "GROUP_ID": 5, "PARENT_ID": 2}, {"estimatedTime": 7200, "groupId": 5, "parentId": 2}),
    ({"XML_ID": "own", "DURATION_TYPE": "hours"}, {"xmlId": "own", "durationType": "hours"}),
    ({"START_DATE_PLAN": "2030-01-01T10:00:00+03:00"}, {"startPlan": "2030-01-01T10:00:00+03:00"}),
]


@pytest.fixture
def call(http):
    def post(portal, method, params, user=None):
        url = portal.webhook(user).replace("/rest/", "/rest/api/") + method
        body = http.post(url, json=params, verify=portal.ca_file).json()
        return body.get("result", body.get("error"))

    return post


@pytest.mark.parametrize(("old", "new"), WRITTEN)
def test_what_version_2_writes_is_shown(portal, ask, call, old, new):
    ask(portal, "tasks.task.update", {"taskId": 1, "fields": old})
    assert call(portal, "tasks.task.get", {"id": 1, "select": list(new)})["item"] == new


@pytest.mark.parametrize(("old", "new"), [pair for pair in WRITTEN if "STATUS" not in pair[0]])
def test_what_version_3_writes_is_shown_in_both(portal, ask, call, old, new):
    added = call(portal, "tasks.task.add", {"fields": {"title": "x", "creatorId": 1, "responsibleId": 7, **new}})
    task_id = added["item"]["id"]
    assert call(portal, "tasks.task.get", {"id": task_id, "select": list(new)})["item"] == new
    twin = ask(portal, "tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 7, **old}}).json()
    tasks = [
        ask(portal, "tasks.task.get", {"taskId": number, "select": list(old)}).json()["result"]["task"]
        for number in (task_id, int(twin["result"]["task"]["id"]))
    ]
    names = {"".join(word.title() for word in name.split("_")).lower() for name in old}
    first, second = ({name: task[name] for name in task if name.lower() in names} for task in tasks)
    assert first == second != {}


@pytest.mark.parametrize(
    ("fields", "part", "code"),
    [
        ({"nonsense": 1}, "nonsense", f"{PREFIX}UNKNOWNDTOPROPERTYEXCEPTION"),
        ({"created": "2030-01-01"}, "created", f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"),
        ({"matchesWorkTime": "Y"}, "matchesWorkTime", f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"),
        ({"groupId": "many"}, "groupId", f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"),
        ({"mark": "P"}, "mark", f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"),
        ({"dependsOn": [1]}, "dependsOn", "NOT_MODELLED_BY_SANDBOX"),
    ],
)
def test_nothing_that_is_written_vanishes(portal, call, fields, part, code):
    refused = call(portal, "tasks.task.add", {"fields": {"title": "x", "creatorId": 1, "responsibleId": 7, **fields}})
    assert refused["code"] == code
    assert part in f"{refused['message']} {refused.get('validation')}"


def test_a_list_without_select_has_ids_alone(portal, call):
    assert call(portal, "tasks.task.list", {"filter": [["id", "<", 3]]}) == {"items": [{"id": 1}, {"id": 2}]}


def test_lists_are_sorted_by_what_the_page_names(portal, ask, call):
    for task_id, seconds in ((1, 900), (2, 7200), (3, 86400)):
        ask(portal, "tasks.task.update", {"taskId": task_id, "fields": {"TIME_ESTIMATE": seconds}})
    asked = {"select": ["id"], "order": {"estimatedTime": "DESC"}, "pagination": {"limit": 3}}
    assert [row["id"] for row in call(portal, "tasks.task.list", asked)["items"]] == [3, 2, 1]
    refused = call(portal, "tasks.task.list", {"order": {"guid": "ASC"}})
    assert refused["code"] == f"{PREFIX}INVALIDORDEREXCEPTION"


def test_a_hidden_task_is_not_there(call):
    with Sandbox(tasks=2) as portal:
        portal.clerk.sees_only_own = True
        added = call(portal, "tasks.task.add", {"fields": {"title": "x", "creatorId": 1, "responsibleId": 1}})
        hidden = added["item"]["id"]
        assert call(portal, "tasks.task.get", {"id": hidden})["item"]["id"] == hidden
        refused = call(portal, "tasks.task.get", {"id": hidden}, portal.clerk)
        assert refused["code"] == f"{PREFIX}ENTITYNOTFOUNDEXCEPTION"
        assert {"id": hidden} not in call(portal, "tasks.task.list", {}, portal.clerk)["items"]
