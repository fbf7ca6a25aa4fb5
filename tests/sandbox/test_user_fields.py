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
