"""The portal's own lists, their fields and their elements."""

from __future__ import annotations

import pytest


@pytest.fixture
def call(portal, ask):
    return lambda method, params: ask(portal, f"lists.{method}", {"IBLOCK_TYPE_ID": "lists", **params}).json()


@pytest.fixture
def own_list(call):
    return call("add", {"IBLOCK_CODE": "projects", "FIELDS": {"NAME": "Projects"}})["result"]


def test_a_list_is_made_changed_found_and_deleted(call, own_list):
    assert call("add", {"IBLOCK_CODE": "projects", "FIELDS": {"NAME": "x"}})["error"] == "ERROR_IBLOCK_ALREADY_EXISTS"
    messages = {"ELEMENT_NAME": "Project"}
    assert call("update", {"IBLOCK_ID": own_list, "FIELDS": {"SORT": 7}, "MESSAGES": messages})["result"] is True
    (row,) = call("get", {"IBLOCK_CODE": "projects"})["result"]
    assert (row["ID"], row["NAME"], row["SORT"], row["ELEMENT_NAME"]) == (str(own_list), "Projects", "7", "Project")
    assert call("get.iblock.type.id", {"IBLOCK_CODE": "projects"})["result"] == "lists"
    assert call("delete", {"IBLOCK_ID": own_list})["result"] is True
    assert call("delete", {"IBLOCK_ID": own_list})["error"] == "ERROR_IBLOCK_NOT_FOUND"


def test_elements_keep_values_of_own_fields(call, own_list):
    def field(name, **more):
        given = {"NAME": name, "CODE": name.upper(), **more}
        return call("field.add", {"IBLOCK_ID": own_list, "FIELDS": given})

    people = field("People", TYPE="S:employee", MULTIPLE="Y")["result"]
    status = field("Status", TYPE="L", LIST_TEXT_VALUES="Open\nDone")["result"]
    assert field("Status", TYPE="S")["error_description"] == "Property already exists"
    assert call("field.add", {"IBLOCK_ID": own_list, "FIELDS": {"TYPE": "S"}})["error"] == "ERROR_SAVE_FIELD"
    known = call("field.get", {"IBLOCK_ID": own_list, "FIELD_ID": status})["result"]["L"]
    assert list(known["DISPLAY_VALUES_FORM"].values()) == ["Open", "Done"]

    def element(action, **params):
        return call(f"element.{action}", {"IBLOCK_ID": own_list, **params})

    first = element("add", ELEMENT_CODE="a", FIELDS={"NAME": "Alpha", people: ["1", "7"]})["result"]
    second = element("add", ELEMENT_CODE="b", FIELDS={"NAME": "Beta", people: ["7"]})["result"]
    assert element("add", ELEMENT_CODE="b", FIELDS={"NAME": "x"})["error"] == "ERROR_ELEMENT_ALREADY_EXISTS"
    (row,) = element("get", ELEMENT_CODE="a")["result"]
    assert list(row[people].values()) == ["1", "7"]
    assert [row["ID"] for row in element("get", FILTER={people: "1"})["result"]] == [str(first)]
    assert [row["ID"] for row in element("get", FILTER={"NAME": "B%"})["result"]] == [str(second)]
    assert [row["ID"] for row in element("get", ELEMENT_ORDER={"ID": "desc"})["result"]] == [str(second), str(first)]
    refused = element("update", ELEMENT_ID=first, FIELDS={"NAME": "Gamma"})
    assert refused["error"] == "NOT_MODELLED_BY_SANDBOX"
    assert element("update", ELEMENT_ID=first, FIELDS={"NAME": "Gamma", people: ["7"]})["result"] is True
    (row,) = element("get", ELEMENT_ID=first)["result"]
    assert (row["NAME"], list(row[people].values())) == ("Gamma", ["7"])
    assert element("delete", ELEMENT_ID=first)["result"] is True
    assert element("delete", ELEMENT_ID=first)["error"] == "ERROR_ELEMENT_NOT_FOUND"
    kind = {"IBLOCK_ID": own_list, "FIELD_ID": status, "FIELDS": {"TYPE": "S", "NAME": "x"}}
    assert call("field.update", kind)["error_description"] == "Error updating the field."
    assert call("field.update", {**kind, "FIELDS": {"TYPE": "L", "NAME": "State"}})["result"] is True
    assert call("field.delete", {"IBLOCK_ID": own_list, "FIELD_ID": status})["result"] is True
    assert "L" not in call("field.get", {"IBLOCK_ID": own_list})["result"]


def test_a_system_field_is_offered_until_the_list_has_it(call, own_list):
    def types(**params):
        return call("field.type.get", {"IBLOCK_ID": own_list, **params})["result"]

    assert types()["SORT"] == "Sorting"
    assert "NAME" not in types()
    call("field.add", {"IBLOCK_ID": own_list, "FIELDS": {"NAME": "Sort", "TYPE": "SORT"}})
    assert "SORT" not in types()
    assert types(FIELD_ID="SORT")["SORT"] == "Sorting"
    assert types()["S:employee"] == "Binding to employee"
