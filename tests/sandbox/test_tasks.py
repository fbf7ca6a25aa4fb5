from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


def tasks(ask, portal, **params):
    answer = ask(portal, "tasks.task.list", params).json()
    return [task["id"] for task in answer["result"]["tasks"]], answer


def test_tasks_are_asked_in_upper_case_and_answered_in_camel_case(ask):
    with Sandbox(tasks=120) as portal:
        ids, answer = tasks(ask, portal, filter={">ID": 100}, order={"ID": "asc"}, select=["ID", "TITLE"], start=-1)
        assert ids == [str(number) for number in range(101, 121)]
        assert answer["total"] == 0
        assert set(answer["result"]["tasks"][0]) == {"id", "title", "group", "creator", "responsible"}
        ids, answer = tasks(ask, portal, start=100)
        assert (len(ids), answer["total"], answer.get("next")) == (20, 120, None)


def test_a_filter_key_in_the_wrong_case_is_dropped(ask):
    with Sandbox(tasks=60) as portal:
        assert tasks(ask, portal, filter={">id": 50}, start=-1)[0][0] == "1"


def test_an_order_it_does_not_know_is_refused(portal, ask):
    answer = ask(portal, "tasks.task.list", {"order": {"id": "asc"}}).json()
    assert answer == {"error": "0", "error_description": "Invalid sorting key (internal error)"}


def test_a_task_is_added_and_read(portal, ask):
    fields = {"TITLE": "Look", "RESPONSIBLE_ID": 7, "UF_CRM_TASK": ["D_1"], "DEADLINE": "2026-12-31T23:59:59+02:00"}
    task = ask(portal, "tasks.task.add", {"fields": fields}).json()["result"]["task"]
    assert (task["title"], task["responsible"]["name"], task["ufCrmTask"]) == ("Look", "Karl Clerk", ["D_1"])
    assert task["deadline"] == "2027-01-01T00:59:59+03:00"
    read = ask(portal, "tasks.task.get", {"taskId": task["id"], "select": ["TITLE"]}).json()["result"]["task"]
    assert read["title"] == "Look"
    assert portal.tasks()[-1]["title"] == "Look"


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"RESPONSIBLE_ID": 7}, "Task title is not specified<br>"),
        ({"TITLE": "x"}, "Responsible person is not specified<br>"),
        ({"TITLE": "x", "RESPONSIBLE_ID": 999}, 'User specified in the "Responsible" field not found<br>'),
    ],
)
def test_a_task_that_is_not_whole_is_refused(portal, ask, fields, description):
    answer = ask(portal, "tasks.task.add", {"fields": fields}).json()
    assert answer == {"error": "ERROR_CORE", "error_description": description}


def test_a_task_that_is_not_there_or_hidden_is_an_empty_answer(portal, ask):
    portal.clerk.sees_only_own = True
    hidden = ask(portal, "tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1}}).json()["result"]["task"][
        "id"
    ]
    for task_id, user in ((999, portal.admin), (hidden, portal.clerk)):
        answer = ask(portal, "tasks.task.get", {"taskId": task_id}, user=user)
        assert (answer.status_code, answer.json()["result"]) == (200, [])
    assert hidden not in [
        task["id"] for task in ask(portal, "tasks.task.list", user=portal.clerk).json()["result"]["tasks"]
    ]


def test_every_field_of_a_request_is_kept(portal, ask):
    fields = {
        "TITLE": "Look", "RESPONSIBLE_ID": 7, "DESCRIPTION": "d", "PRIORITY": 2, "MARK": "P", "GROUP_ID": 5,
        "PARENT_ID": 1, "START_DATE_PLAN": "2026-05-05T10:00:00+03:00", "END_DATE_PLAN": "2026-05-06T10:00:00+03:00",
        "ALLOW_TIME_TRACKING": "Y", "TASK_CONTROL": "Y", "TIME_ESTIMATE": 3600, "XML_ID": "erp-1", "STAGE_ID": 3,
        "ACCOMPLICES": [1], "AUDITORS": [1, 7], "UF_CRM_TASK": ["D_1"],
    }  # fmt: skip
    task_id = ask(portal, "tasks.task.add", {"fields": fields}).json()["result"]["task"]["id"]
    params = {"taskId": task_id, "select": list(fields)}
    task = ask(portal, "tasks.task.get", params).json()["result"]["task"]
    assert (task["parentId"], task["startDatePlan"], task["allowTimeTracking"]) == ("1", fields["START_DATE_PLAN"], "Y")
    assert (task["timeEstimate"], task["xmlId"], task["mark"], task["stageId"]) == ("3600", "erp-1", "P", "3")
    assert (task["accomplices"], task["auditors"], task["ufCrmTask"]) == (["1"], ["1", "7"], ["D_1"])
    for filter_ in ({"XML_ID": "erp-1"}, {"AUDITOR": 7}, {"ACCOMPLICE": 1}, {"PARENT_ID": 1}):
        assert tasks(ask, portal, filter=filter_)[0] == [task_id]


def test_a_task_is_changed_and_completed(portal, ask):
    task_id = portal.tasks()[0]["id"]
    changed = ask(portal, "tasks.task.update", {"taskId": task_id, "fields": {"TITLE": "New", "DEADLINE": ""}}).json()
    assert (changed["result"]["task"]["title"], changed["result"]["task"]["deadline"]) == ("New", None)
    done = ask(portal, "tasks.task.complete", {"taskId": task_id}).json()["result"]["task"]
    assert (done["status"], done["closedBy"], done["closedDate"]) == ("5", "1", done["changedDate"])
    assert task_id in [int(row) for row in tasks(ask, portal, filter={"REAL_STATUS": 5})[0]]
    again = ask(portal, "tasks.task.renew", {"taskId": task_id}).json()["result"]["task"]
    assert (again["status"], again["closedDate"]) == ("2", None)


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"RESPONSIBLE_ID": 999}, 'User specified in the "Responsible" field not found<br>'),
        ({"STATUS": 99}, "Invalid status<br>"),
        ({"PARENT_ID": 999}, 'The task specified in the "Parent Task" field was not found<br>'),
        ({"PARENT_ID": 1}, "Cannot bind the node to itself<br>"),
        ({"DEADLINE": "soon"}, "Incorrect deadline<br>"),
        (
            {"START_DATE_PLAN": "2026-05-06", "END_DATE_PLAN": "2026-05-05"},
            "The end date specified in the scheduling is earlier than the start date<br>",
        ),
    ],
)
def test_a_change_of_a_task_that_cannot_be_is_refused(portal, ask, fields, description):
    answer = ask(portal, "tasks.task.update", {"taskId": 1, "fields": fields}).json()
    assert answer == {"error": "ERROR_CORE", "error_description": description}


def test_a_task_is_deleted_by_who_may(portal, ask):
    (first, *_) = portal.tasks()
    refused = ask(portal, "tasks.task.delete", {"taskId": first["id"]}, user=portal.clerk).json()
    assert refused == {"error": "1048582", "error_description": "No access to delete the task"}
    assert ask(portal, "tasks.task.delete", {"taskId": first["id"]}).json()["result"] == {"task": True}
    assert ask(portal, "tasks.task.get", {"taskId": first["id"]}).json()["result"] == []
    assert ask(portal, "tasks.task.delete", {"taskId": first["id"]}).json()["error"] == "1048582"
