from __future__ import annotations

import pytest


def test_smart_processes_are_listed_for_the_administrator(portal, ask):
    answer = ask(portal, "crm.type.list", {"filter": {"isClientEnabled": "Y"}, "order": {"id": "ASC"}}).json()
    assert [(row["id"], row["entityTypeId"]) for row in answer["result"]["types"]] == [(3, 128)]
    assert answer["total"] == 1
    assert ask(portal, "crm.type.list", user=portal.clerk).json()["error"] == "ACCESS_DENIED"
    assert ask(portal, "crm.type.getByEntityTypeId", {"entityTypeId": 128}).json()["result"]["type"]["id"] == 3


def test_an_order_in_upper_case_is_mangled_on_its_way_to_the_database(portal, ask):
    response = ask(portal, "crm.type.list", {"order": {"ID": "ASC"}})
    assert response.status_code == 400
    assert response.json() == {"error": "100", "error_description": "Unknown field definition `I_D`"}


def test_funnels_and_stages(portal, ask):
    answer = ask(portal, "crm.category.list", {"entityTypeId": 2}).json()
    assert [row["id"] for row in answer["result"]["categories"]] == [0, 9]
    assert ask(portal, "crm.category.list", {"entityTypeId": 3}).json()["error"] == "ENTITY_TYPE_NOT_SUPPORTED"
    stages = ask(portal, "crm.status.list", {"filter": {"ENTITY_ID": "DEAL_STAGE"}, "order": {"SORT": "DESC"}}).json()
    assert [row["STATUS_ID"] for row in stages["result"]][:3] == ["APOLOGY", "LOSE", "WON"]
    assert stages["total"] == 8
    used = {item["stageId"] for item in portal.items(2)}
    assert used <= {row["STATUS_ID"] for row in stages["result"]}


@pytest.mark.parametrize("method", ["crm.category.list", "crm.stagehistory.list"])
def test_unknown_kinds_are_refused(portal, ask, method):
    assert ask(portal, method, {"entityTypeId": 999}).json()["error"] in ("NOT_FOUND", "ENTITY_TYPE_NOT_SUPPORTED")


def test_every_directory_that_is_named_has_entries(portal, ask):
    types = ask(portal, "crm.status.entity.types").json()["result"]
    assert {"STATUS", "SOURCE", "DEAL_STAGE_9", "QUOTE_STATUS", "DYNAMIC_128_STAGE_10"} <= {row["ID"] for row in types}
    listed = ask(portal, "crm.status.list").json()["result"]
    assert {row["ENTITY_ID"] for row in listed} == {row["ID"] for row in types}


def test_an_entry_of_a_directory_is_added_changed_and_deleted(portal, ask):
    def call(action, **params):
        return ask(portal, f"crm.status.{action}", params).json()

    new = {"ENTITY_ID": "DEAL_STAGE_9", "STATUS_ID": "DECISION", "NAME": "Decision", "SORT": 25}
    status_id = call("add", fields=new)["result"]
    assert call("get", id=status_id)["result"]["STATUS_ID"] == "C9:DECISION"
    assert call("update", id=status_id, fields={"NAME": "Choice", "COLOR": "#FFA900"})["result"] is True
    assert call("get", id=status_id)["result"]["NAME"] == "Choice"
    assert call("add", fields=new)["error_description"] == "Status with ID 'C9:DECISION' already exists."
    assert call("delete", id=status_id)["result"] is True
    assert call("get", id=status_id)["error"] == "Status is not found."
    system = call("list", filter={"ENTITY_ID": "SOURCE", "STATUS_ID": "CALL"})["result"][0]["ID"]
    assert "FORCED" in call("delete", id=system)["error"]
    assert call("delete", id=system, params={"FORCED": "Y"})["result"] is True
