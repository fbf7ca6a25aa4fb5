from __future__ import annotations

import pytest


def test_comments_are_added_and_listed_per_object(portal, ask):
    fields = {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": " Called. "}
    comment_id = ask(portal, "crm.timeline.comment.add", {"fields": fields}).json()["result"]
    ask(portal, "crm.timeline.comment.add", {"fields": {**fields, "ENTITY_ID": 2}})
    filter_ = {"ENTITY_ID": 1, "ENTITY_TYPE": "deal"}
    answer = ask(portal, "crm.timeline.comment.list", {"filter": filter_}).json()
    assert [(row["ID"], row["COMMENT"], row["AUTHOR_ID"]) for row in answer["result"]] == [
        (str(comment_id), "Called.", "1")
    ]
    assert answer["total"] == 1
    assert ask(portal, "crm.timeline.comment.list", {"filter": {"ENTITY_ID": 1}}).json()["error"] == ""


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"FIELDS": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "x"}}, "100"),
        ({"fields": {"ENTITY_ID": 999, "ENTITY_TYPE": "deal", "COMMENT": "x"}}, "OWNER_NOT_FOUND"),
        ({"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "dog", "COMMENT": "x"}}, "OWNER_NOT_FOUND"),
        ({"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": " "}}, "INVALID_ARG_VALUE"),
    ],
)
def test_comments_that_do_not_fit_are_refused(portal, ask, params, code):
    assert ask(portal, "crm.timeline.comment.add", params).json()["error"] == code


def test_a_comment_on_a_smart_process_names_its_kind(portal, ask):
    fields = {"ENTITY_ID": 1, "ENTITY_TYPE": "dynamic_128", "COMMENT": "x"}
    assert ask(portal, "crm.timeline.comment.add", {"fields": fields}).json()["result"] > 0


def test_stage_changes_are_remembered_under_upper_case_names(portal, ask):
    deal_id = ask(portal, "crm.deal.add", {"fields": {"TITLE": "x"}}).json()["result"]
    for stage in ("EXECUTING", "EXECUTING", "WON"):
        ask(portal, "crm.deal.update", {"id": deal_id, "fields": {"STAGE_ID": stage}})
    params = {"entityTypeId": 2, "filter": {"OWNER_ID": deal_id}, "order": {"ID": "ASC"}}
    answer = ask(portal, "crm.stagehistory.list", params).json()
    assert [(row["TYPE_ID"], row["STAGE_ID"], row["STAGE_SEMANTIC_ID"]) for row in answer["result"]["items"]] == [
        (1, "NEW", "P"),
        (2, "EXECUTING", "P"),
        (3, "WON", "S"),
    ]
    assert answer["total"] == 3
    params["filter"] = {"nonsense": 1}
    assert ask(portal, "crm.stagehistory.list", params).json()["error"] == "INVALID_ARG_VALUE"


def test_leads_have_statuses_in_their_history(portal, ask):
    ask(portal, "crm.lead.add", {"fields": {"TITLE": "x"}})
    row = ask(portal, "crm.stagehistory.list", {"entityTypeId": 1}).json()["result"]["items"][-1]
    assert (row["STATUS_ID"], row["STATUS_SEMANTIC_ID"]) == ("NEW", "P")


def test_activities_are_listed_as_text(portal, ask):
    answer = ask(portal, "crm.activity.list", {"filter": {"OWNER_TYPE_ID": 2}, "order": {"ID": "DESC"}}).json()
    assert answer["total"] == len(answer["result"]) > 0
    row = answer["result"][0]
    assert all(isinstance(value, str) for value in row.values() if value not in (None, []))
    assert ask(portal, "crm.activity.list", {"select": ["SUBJECT"]}).json()["result"][0] == {
        "SUBJECT": answer["result"][-1]["SUBJECT"]
    }


def test_a_comment_is_read_changed_and_deleted(portal, ask):
    def call(action, **params):
        return ask(portal, f"crm.timeline.comment.{action}", params).json()

    comment_id = call("add", fields={"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "First"})["result"]
    assert call("get", id=comment_id)["result"]["COMMENT"] == "First"
    assert call("update", id=comment_id, fields={"COMMENT": "Second"})["result"] == comment_id
    assert call("update", id=comment_id, fields={"COMMENT": " "})["error"] == "INVALID_ARG_VALUE"
    assert call("get", id=comment_id)["result"]["COMMENT"] == "Second"
    assert call("delete", id=comment_id, ownerTypeId=2, ownerId=2)["error"] == "OWNER_NOT_FOUND"
    assert call("delete", id=comment_id, ownerTypeId=2, ownerId=1)["result"] is None
    assert call("get", id=comment_id)["error_description"] == "Not found."


def test_a_list_shows_the_files_of_comments(portal, ask):
    fields = {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "x", "FILES": [["a.gif", "R0lGODlhAQABAA=="]]}
    ask(portal, "crm.timeline.comment.add", {"fields": fields})
    asked = {"filter": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal"}, "select": ["ID", "FILES"]}
    (row,) = ask(portal, "crm.timeline.comment.list", asked).json()["result"]
    ((file,),) = (row["FILES"].values(),)
    assert (file["name"], row.keys()) == ("a.gif", {"ID", "FILES"})
