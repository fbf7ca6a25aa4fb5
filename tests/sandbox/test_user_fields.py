from __future__ import annotations

import pytest


@pytest.fixture
def fields(portal, ask):
    """``fields("list", filter=…)`` -> what ``crm.deal.userfield.list`` answers."""

    def call(action, user=None, kind="deal", **params):
        return ask(portal, f"crm.{kind}.userfield.{action}", params, user=user).json()

    return call


def test_user_fields_are_those_of_the_description(portal, ask, fields):
    described = ask(portal, "crm.deal.fields").json()["result"]
    listed = fields("list")
    assert {row["FIELD_NAME"] for row in listed["result"]} == {name for name in described if name.startswith("UF_")}
    assert listed["total"] == len(listed["result"])
    assert "EDIT_FORM_LABEL" not in listed["result"][0]


def test_user_fields_are_filtered_and_ordered(fields):
    rows = fields("list", filter={"USER_TYPE_ID": "enumeration", "LANG": "en"}, order={"ID": "DESC"})["result"]
    assert [row["MULTIPLE"] for row in rows] == ["Y", "N"]
    assert [choice["VALUE"] for choice in rows[0]["LIST"]] == ["Red", "Green", "Blue"]
    assert isinstance(rows[0]["EDIT_FORM_LABEL"], str)


def test_one_user_field_has_labels_in_all_languages(fields):
    (row,) = fields("list", filter={"FIELD_NAME": "UF_CRM_MY_FIELD"})["result"]
    field = fields("get", id=row["ID"])["result"]
    assert (field["FIELD_NAME"], field["EDIT_FORM_LABEL"]["en"]) == ("UF_CRM_MY_FIELD", "My field")
    assert fields("get", id=999)["error"] == "ERROR_NOT_FOUND"
    assert fields("get", kind="contact", id=row["ID"])["error_description"] == "Access denied."


def test_user_fields_are_for_those_who_may_read(portal, fields):
    portal.clerk.rights = set()
    for action in ("list", "get"):
        assert fields(action, portal.clerk, id=401)["error_description"] == "Access denied."


def test_a_user_field_is_added_used_changed_and_deleted(portal, ask, fields):
    choices = [{"VALUE": "Oak", "SORT": 20}, {"VALUE": "Pine", "SORT": 10}]
    new = {"FIELD_NAME": "WOOD", "USER_TYPE_ID": "enumeration", "LABEL": "Wood", "LIST": choices}
    field_id = fields("add", fields=new)["result"]
    row = fields("get", id=field_id)["result"]
    assert (row["FIELD_NAME"], row["EDIT_FORM_LABEL"]["en"]) == ("UF_CRM_WOOD", "Wood")
    assert [choice["VALUE"] for choice in row["LIST"]] == ["Pine", "Oak"]
    oak = int(row["LIST"][1]["ID"])
    item = {"entityTypeId": 2, "fields": {"ufCrm_WOOD": oak}}
    deal = ask(portal, "crm.item.add", item).json()["result"]["item"]
    assert deal["ufCrm_WOOD"] == oak
    assert ask(portal, "crm.deal.get", {"id": deal["id"]}).json()["result"]["UF_CRM_WOOD"] == str(oak)
    found = ask(portal, "crm.deal.list", {"filter": {"UF_CRM_WOOD": oak}}).json()["result"]
    assert [row["ID"] for row in found] == [str(deal["id"])]
    changed = {"LIST": [{"ID": oak, "DEL": "Y"}, {"VALUE": "Elm"}], "MANDATORY": "Y", "FIELD_NAME": "OTHER"}
    assert fields("update", id=field_id, fields=changed)["result"] is True
    row = fields("get", id=field_id)["result"]
    assert (row["FIELD_NAME"], row["MANDATORY"]) == ("UF_CRM_WOOD", "Y")
    assert {choice["VALUE"] for choice in row["LIST"]} == {"Pine", "Elm"}
    assert fields("delete", id=field_id)["result"] is True
    assert "ufCrm_WOOD" not in portal.item(2, deal["id"])


def test_userfieldconfig_is_for_all_kinds(portal, ask):
    def call(action, **params):
        return ask(portal, f"userfieldconfig.{action}", {"moduleId": "crm", **params}).json()

    new = {"entityId": "CRM_3", "fieldName": "UF_CRM_3_COLOR", "userTypeId": "enumeration", "enum": [{"value": "Red"}]}
    field = call("add", field=new)["result"]["field"]
    assert (field["fieldName"], field["enum"][0]["value"]) == ("UF_CRM_3_COLOR", "Red")
    described = ask(portal, "crm.item.fields", {"entityTypeId": 128}).json()["result"]["fields"]
    assert described["ufCrm3Color"]["upperName"] == "UF_CRM_3_COLOR"
    label = {"editFormLabel": {"en": "Colour"}}
    assert call("update", id=field["id"], field=label)["result"]["field"]["editFormLabel"] == {"en": "Colour"}
    listed = call("list", filter={"entityId": "CRM_3"})["result"]["fields"]
    assert [row["id"] for row in listed] == [field["id"]]
    assert call("delete", id=field["id"])["result"] is None
    assert call("get", id=field["id"])["error_description"] == "You do not have permission to view user field settings"


@pytest.mark.parametrize(
    ("name", "new_name"),
    [
        ("UF_CRM_3_DIGIT", "ufCrm3Digit"),
        ("UF_CRM_3_1747309727", "ufCrm3_1747309727"),
        ("UF_CRM_3_DIGIT10", "ufCrm_3_DIGIT10"),
    ],
)
def test_names_of_user_fields_in_camel_case(portal, ask, name, new_name):
    field = {"entityId": "CRM_3", "fieldName": name, "userTypeId": "string"}
    ask(portal, "userfieldconfig.add", {"moduleId": "crm", "field": field})
    assert new_name in ask(portal, "crm.item.fields", {"entityTypeId": 128}).json()["result"]["fields"]


@pytest.mark.parametrize(
    ("fields_", "code", "description"),
    [
        ({"USER_TYPE_ID": "string"}, "", "The 'FIELD_NAME' field is not found."),
        ({"FIELD_NAME": "X"}, "", "The 'USER_TYPE_ID' field is not found."),
        ({"FIELD_NAME": "X", "USER_TYPE_ID": "thing"}, "ERROR_CORE", "Incorrect custom type specified."),
        (
            {"FIELD_NAME": "X" * 44, "USER_TYPE_ID": "string"},
            "ERROR_CORE",
            "Field name is too long (more than 50 characters).",
        ),
    ],
)
def test_a_user_field_that_cannot_be_is_refused(fields, fields_, code, description):
    answer = fields("add", fields=fields_)
    assert (answer["error"], answer["error_description"]) == (code, description)
