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


def test_sections_are_a_tree_and_hold_elements(call, own_list):
    def section(action, **params):
        return call(f"section.{action}", {"IBLOCK_ID": own_list, **params})

    def add(code, parent=0, **fields):
        return section("add", SECTION_CODE=code, IBLOCK_SECTION_ID=parent, FIELDS={"NAME": code, **fields})

    def found(**params):
        return [row["CODE"] for row in section("get", **params)["result"]]

    top = add("top", XML_ID="x")["result"]
    inner, first = add("inner", top)["result"], add("first", SORT=10)["result"]
    assert add("lost", 999)["error"] == "ERROR_ADD_SECTION"
    assert add("", NAME="x")["error_description"] == "Required parameter `SECTION_CODE` is missing"
    rows = {row["CODE"]: row for row in section("get")["result"]}
    borders = {
        code: tuple(row[name] for name in ("LEFT_MARGIN", "RIGHT_MARGIN", "DEPTH_LEVEL", "IBLOCK_SECTION_ID"))
        for code, row in rows.items()
    }
    assert borders == {
        "first": ("1", "2", "1", None),
        "top": ("3", "6", "1", None),
        "inner": ("4", "5", "2", str(top)),
    }
    assert (rows["top"]["XML_ID"], rows["top"]["EXTERNAL_ID"], rows["top"]["SEARCHABLE_CONTENT"]) == (
        "x",
        "x",
        "TOP\r\n",
    )
    assert section("update", SECTION_ID=top, FIELDS={"ACTIVE": "N", "NAME": "Top 2"})["result"] is True
    assert found(FILTER={"GLOBAL_ACTIVE": "Y"}) == ["first"]
    assert found(FILTER={"NAME": "Top%"}) == ["top"]
    assert found(FILTER={">LEFT_MARGIN": 3, "IBLOCK_TYPE": "lists"}) == ["inner"]
    assert section("get", FILTER={"ID": inner}, SELECT=["ID", "NAME"])["result"] == [
        {"ID": str(inner), "NAME": "inner"}
    ]

    element = {"IBLOCK_ID": own_list, "ELEMENT_CODE": "a", "FIELDS": {"NAME": "A"}}
    assert call("element.add", {**element, "IBLOCK_SECTION_ID": 999})["error"] == "ERROR_ADD_ELEMENT"
    assert "result" in call("element.add", {**element, "IBLOCK_SECTION_ID": inner})
    (row,) = call("element.get", {"IBLOCK_ID": own_list, "FILTER": {"IBLOCK_SECTION_ID": inner}})["result"]
    assert row["IBLOCK_SECTION_ID"] == str(inner)
    for full in (top, inner):
        assert section("delete", SECTION_ID=full)["error"] == "NOT_MODELLED_BY_SANDBOX"
    assert section("delete", SECTION_CODE="first")["result"] is True
    assert section("delete", SECTION_ID=first)["error"] == "ERROR_SECTION_NOT_FOUND"


def test_files_of_elements_have_addresses(portal, ask, call, own_list):
    fields = [
        call("field.add", {"IBLOCK_ID": own_list, "FIELDS": {"NAME": "File", "CODE": kind[-1:], "TYPE": kind}})[
            "result"
        ]
        for kind in ("F", "S:DiskFile")
    ]
    upload = {"id": 8901, "data": {"NAME": "a.txt"}, "fileContent": ["a.txt", "eA=="]}
    on_drive = ask(portal, "disk.folder.uploadFile", upload).json()["result"]["ID"]

    def element(code, own, drive):
        files = {"NAME": code, fields[0]: own, fields[1]: drive}
        return call("element.add", {"IBLOCK_ID": own_list, "ELEMENT_CODE": code, "FIELDS": files})

    def urls(element_id, field):
        asked = {"IBLOCK_ID": own_list, "ELEMENT_ID": element_id, "FIELD_ID": field.removeprefix("PROPERTY_")}
        return call("element.get.file.url", asked)["result"]

    one = element("one", ["a.txt", "eA=="], on_drive)["result"]
    place = f"/company/lists/{own_list}/file/0/{one}/{fields[0]}"
    ((file_id,),) = (call("element.get", {"IBLOCK_ID": own_list, "ELEMENT_ID": one})["result"][0][fields[0]].values(),)
    assert urls(one, fields[0]) == [f"{place}/{file_id}/?ncc=y&download=y"]
    assert urls(one, fields[1]) == [f"/bitrix/tools/disk/uf.php?attachedId={on_drive}&action=download&ncc=1"]
    two = element("two", [["a.txt", "eA=="], ["b.txt", "eA=="]], [])["result"]
    assert (len(urls(two, fields[0])), urls(two, fields[1])) == (2, [])
    assert len(urls(element("bare", "eA==", [])["result"], fields[0])) == 1
    assert element("bad", ["a.txt", "?"], [])["error"] == "ERROR_ADD_ELEMENT"
    assert element("gone", [], 999)["error"] == "ERROR_ADD_ELEMENT"
    assert element("by id", [5], [])["error_description"] == "Writing file values by ID is not supported"
    changed = {"IBLOCK_ID": own_list, "ELEMENT_ID": one, "FIELDS": {fields[0]: "eA==", fields[1]: on_drive}}
    assert call("element.update", changed)["error"] == "NOT_MODELLED_BY_SANDBOX"


def test_a_system_field_is_offered_until_the_list_has_it(call, own_list):
    def types(**params):
        return call("field.type.get", {"IBLOCK_ID": own_list, **params})["result"]

    assert types()["SORT"] == "Sorting"
    assert "NAME" not in types()
    call("field.add", {"IBLOCK_ID": own_list, "FIELDS": {"NAME": "Sort", "TYPE": "SORT"}})
    assert "SORT" not in types()
    assert types(FIELD_ID="SORT")["SORT"] == "Sorting"
    assert types()["S:employee"] == "Binding to employee"
