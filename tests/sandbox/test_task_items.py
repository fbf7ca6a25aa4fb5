"""Time entries and check lists of tasks, whose methods read their parameters by position."""

from __future__ import annotations

import pytest

from tests.sandbox import contract


@pytest.fixture
def call(portal, ask):
    return lambda method, params: ask(portal, f"task.{method}", params).json()


def ids(answer):
    return [int(row["ID"]) for row in answer["result"]]


@pytest.fixture
def entries(call):
    return [
        call("elapseditem.add", [task, {"SECONDS": seconds, "COMMENT_TEXT": "x", "USER_ID": user}])["result"]
        for task, seconds, user in ((1, 60, 1), (1, 180, 7), (2, 120, 1))
    ]


def test_time_entries_are_listed_filtered_sorted_and_paged(call, entries):
    first, second, third = entries
    assert ids(call("elapseditem.getlist", [])) == entries
    assert ids(call("elapseditem.getlist", [1])) == [first, second]
    assert ids(call("elapseditem.getlist", [1, {"SECONDS": "desc"}])) == [second, first]
    assert ids(call("elapseditem.getlist", [{"ID": "desc"}, {"USER_ID": 1}])) == [third, first]
    assert ids(call("elapseditem.getlist", [{}, {">=ID": second}])) == [second, third]
    assert call("elapseditem.getlist", [1, {}, {}, ["ID", "MINUTES"]])["result"][1] == {
        "ID": str(second),
        "MINUTES": "3",
    }
    page = {"NAV_PARAMS": {"nPageSize": 2, "iNumPage": 2}}
    answer = call("elapseditem.getlist", [{"ID": "asc"}, {}, ["*"], page])
    assert (ids(answer), answer["total"]) == ([third], 3)


def test_parameters_count_by_position_and_not_by_name(call, entries):
    """An order in the place of the task is one of all tasks; a filter in the place of the order is refused."""
    named = {"TASKID": 1, "FILTER": {">=CREATED_DATE": "2020-01-01"}}
    refusal = call("elapseditem.getlist", named)
    assert "TASKS_ERROR_EXCEPTION_#256; Param #1 (order)" in refusal["error_description"]
    assert ids(call("elapseditem.getlist", {"ANY": 1, "NAME": {"ID": "desc"}})) == [entries[1], entries[0]]


def test_time_entries_change_and_go(call, entries):
    first, second, _ = entries
    assert call("elapseditem.update", [1, first, {"SECONDS": 300, "COMMENT_TEXT": "more"}])["result"] is None
    (row,) = call("elapseditem.get", [1, first])["result"]
    assert (row["SECONDS"], row["MINUTES"], row["COMMENT_TEXT"], row["USER_ID"]) == ("300", "5", "more", "1")
    assert call("elapseditem.delete", [1, first])["result"] is None
    assert call("elapseditem.get", [1, first])["error_description"] == "ACTION_NOT_ALLOWED"
    assert call("elapseditem.get", [999, second])["error_description"] == "Task not found"


def test_the_clerk_changes_only_own_entries(portal, ask, entries):
    def allowed(entry_id, action):
        params = {"TASKID": 1, "ITEMID": entry_id, "ACTIONID": action}
        return ask(portal, "task.elapseditem.isActionAllowed", params, user=portal.clerk).json()["result"]

    assert [allowed(entries[0], 2), allowed(entries[1], 2), allowed(entries[0], 1)] == [False, True, True]
    answer = ask(portal, "task.elapseditem.delete", [1, entries[0]], user=portal.clerk).json()
    assert answer["error_description"] == "ACTION_NOT_ALLOWED"


def test_a_check_list_is_built_ticked_and_reordered(call, portal):
    first = call("checklistitem.add", [1, {"TITLE": "First"}])["result"]
    rows = {row["ID"]: row for row in call("checklistitem.getlist", [1, {"ID": "asc"}])["result"]}
    own_list, item = rows.values()
    # Without a check list one is made.
    assert (own_list["TITLE"], own_list["PARENT_ID"], item["PARENT_ID"]) == ("Checklist 1", 0, own_list["ID"])
    members = {"MEMBERS": {"7": {"TYPE": "U"}}, "IS_IMPORTANT": "Y", "SORT_INDEX": 9}
    second = call("checklistitem.add", [1, {"TITLE": "Second", **members}])["result"]
    assert portal.tasks()[0]["auditors"] == ["7"]
    assert call("checklistitem.complete", [1, first])["result"] is True
    shown = call("checklistitem.get", [1, first])["result"]
    assert (shown["IS_COMPLETE"], shown["TOGGLED_BY"]) == ("Y", "1")
    assert call("checklistitem.renew", [1, first])["result"] is True
    assert call("checklistitem.get", [1, first])["result"]["IS_COMPLETE"] == "N"
    assert call("checklistitem.moveafteritem", [1, first, second])["result"] is None
    ordered = ids(call("checklistitem.getlist", [1, {"SORT_INDEX": "asc"}]))
    assert ordered.index(second) < ordered.index(first)
    assert call("checklistitem.update", [1, first, {"TITLE": "New"}])["result"] is None
    assert call("checklistitem.get", [1, first])["result"]["TITLE"] == "New"
    # With a list go its items.
    assert call("checklistitem.delete", [1, int(own_list["ID"])])["result"] is True
    assert ids(call("checklistitem.getlist", [1])) == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ([], "Param #0 (taskId) expected by method ctaskchecklistitem::add(), but not given."),
        (
            ["x", {}],
            'Param #0 (taskId) for method ctaskchecklistitem::add() expected to be of type "integer", but given',
        ),
        ([1, {"COLOR": 1}], 'Param #1 (arFields) for method ctaskchecklistitem::add() must not contain key "COLOR".'),
        ([1, {}], "Item name not specified"),
        ([999, {"TITLE": "x"}], "Adding item: action not allowed"),
        ([1, {"TITLE": "x", "PARENT_ID": 999}], "no check list item 999"),
    ],
)
def test_wrong_parameters_are_refused(call, params, text):
    assert text in call("checklistitem.add", params)["error_description"]


def test_they_go_with_their_task(call, ask, portal):
    entry = call("elapseditem.add", [1, {"SECONDS": 1, "COMMENT_TEXT": "x"}])["result"]
    assert ask(portal, "tasks.task.delete", {"taskId": 1}).json()["result"]
    assert entry not in ids(call("elapseditem.getlist", []))


def test_answers_of_a_task_show_its_people_and_check_lists(portal, ask):
    task = portal.tasks()[0]["id"]

    def call(method, params):
        return ask(portal, method, params).json()["result"]

    top = call("task.checklistitem.add", {"TASKID": task, "FIELDS": {"TITLE": "List", "PARENT_ID": 0}})
    items = [
        call(
            "task.checklistitem.add",
            {"TASKID": task, "FIELDS": {"TITLE": title, "PARENT_ID": top, "IS_COMPLETE": done}},
        )
        for title, done in (("One", "Y"), ("Two", "N"))
    ]
    inner = call("task.checklistitem.add", {"TASKID": task, "FIELDS": {"TITLE": "Inner", "PARENT_ID": items[1]}})
    people = {"AUDITORS": [7], "ACCOMPLICES": [1]}
    shown = call("tasks.task.update", {"taskId": task, "fields": people})["task"]
    assert [shown[f"{role}Data"].keys() for role in ("auditors", "accomplices")] == [{"7"}, {"1"}]
    assert shown["auditorsData"]["7"]["name"] == portal.clerk.name
    assert {number: item["title"] for number, item in shown["checklist"].items()} == {
        str(top): "List",
        **{str(number): title for number, title in zip(items, ("One", "Two"), strict=True)},
        str(inner): "Inner",
    }
    (tree,) = shown["checkListTree"]["descendants"]
    assert (tree["fields"]["title"], tree["fields"]["completedCount"]) == ("List", 1)
    assert [(node["nodeId"], node["fields"]["displaySortIndex"]) for node in tree["descendants"]] == [
        (2, "1"),
        (3, "2"),
    ]
    (deepest,) = tree["descendants"][1]["descendants"]
    assert (deepest["fields"]["parentId"], deepest["fields"]["displaySortIndex"]) == (items[1], "2.1")
    bare = call("tasks.task.start", {"taskId": portal.tasks()[1]["id"]})["task"]
    assert (bare["checklist"], bare["auditorsData"], bare["checkListTree"]["descendants"]) == ([], [], [])


@pytest.mark.parametrize("kind", ["checklistitem", "commentitem", "elapseditem"])
def test_a_manifest_is_the_printed_one(portal, ask, kind):
    printed = contract.pages()[f"task.{kind}.getmanifest"]["responses"][0]["body"]["result"]
    assert ask(portal, f"task.{kind}.getmanifest").json()["result"] == printed
