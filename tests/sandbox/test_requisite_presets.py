"""Templates of requisites: their fields, and the requisites that were made by them."""

from __future__ import annotations

import pytest

NEW = {"ENTITY_TYPE_ID": 8, "COUNTRY_ID": 1, "NAME": "Own"}


@pytest.fixture
def call(portal, ask):
    return lambda method, **params: ask(portal, f"crm.requisite.{method}", params).json()


@pytest.fixture
def preset(call):
    return call("preset.add", fields=NEW)["result"]


def test_every_portal_has_templates_with_fields(call):
    names = [row["NAME"] for row in call("preset.list", order={"ID": "ASC"})["result"]]
    assert names == ["Organization", "Sole Proprietorship", "Individual", "Organization (additional)"]
    assert "RQ_INN" in {field["FIELD_NAME"] for field in call("preset.field.list", preset={"ID": 1})["result"]}


def test_fields_are_numbered_in_their_template_and_numbers_are_not_given_again(call, preset):
    def add(name):
        return call("preset.field.add", preset={"ID": preset}, fields={"FIELD_NAME": name})

    assert [add("RQ_NAME")["result"], add("RQ_INN")["result"]] == [1, 2]
    assert add("RQ_INN")["error_description"] == "The field 'RQ_INN' can not be added."
    assert call("preset.field.delete", id=2, preset={"ID": preset})["result"] is True
    assert add("RQ_KPP")["result"] == 3
    assert [field["ID"] for field in call("preset.field.list", preset={"ID": preset})["result"]] == [1, 3]
    available = call("preset.field.availabletoadd", preset={"ID": preset})["result"]
    assert "RQ_INN" in available
    assert not {"RQ_NAME", "RQ_KPP"} & set(available)


def test_own_fields_of_the_portal_may_come_into_a_template(call, preset):
    call("userfield.add", fields={"FIELD_NAME": "OWN", "USER_TYPE_ID": "string"})
    own = {"FIELD_NAME": "UF_CRM_OWN", "FIELD_TITLE": "Mine"}
    assert call("preset.field.add", preset={"ID": preset}, fields=own)["result"] == 1
    field = {**own, "ID": 1, "IN_SHORT_LIST": "N", "SORT": 500}
    assert call("preset.field.get", id=1, preset={"ID": preset})["result"] == field
    changed = {**own, "FIELD_TITLE": "Ours", "SORT": 7}
    assert call("preset.field.update", id=1, preset={"ID": preset}, fields=changed)["result"] is True
    assert call("preset.field.list", preset={"ID": preset})["result"] == [{**field, **changed}]


def test_a_field_that_is_not_there_is_refused(call, preset):
    refused = call("preset.field.get", id=1, preset={"ID": preset})
    assert (refused["error"], refused["error_description"]) == ("", "The PresetField with ID '1' is not found")
    assert (
        call("preset.field.get", id=1, preset={"ID": 27})["error_description"] == "The Preset with ID '27' is not found"
    )


def test_fields_of_another_country_are_refused_by_name(call):
    preset = call("preset.add", fields={**NEW, "COUNTRY_ID": 122})["result"]
    assert call("preset.field.availabletoadd", preset={"ID": preset})["error"] == "NOT_MODELLED_BY_SANDBOX"
    added = call("preset.field.add", preset={"ID": preset}, fields={"FIELD_NAME": "RQ_NAME"})
    assert added["error"] == "NOT_MODELLED_BY_SANDBOX"


@pytest.mark.parametrize(("name", "value"), [("ENTITY_TYPE_ID", 4), ("COUNTRY_ID", 2), ("NAME", "")])
def test_a_template_that_is_not_whole_is_refused(call, name, value):
    assert call("preset.add", fields={**NEW, name: value})["error_description"] == f"{name} is not defined or invalid"


def test_a_template_that_is_used_stays_until_its_requisites_are_gone(call, preset):
    fields = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": preset, "NAME": "Firm"}
    requisite = call("add", fields=fields)["result"]
    bank_detail = call("bankdetail.add", fields={"ENTITY_ID": requisite, "NAME": "Bank"})["result"]
    assert call("bankdetail.get", id=bank_detail)["result"]["COUNTRY_ID"] == "1"
    assert call("preset.delete", id=preset)["error_description"] == (
        "You cannot delete the template because requisites have already been created for it"
    )
    call("delete", id=requisite)
    assert call("preset.delete", id=preset)["result"] is True
    assert call("add", fields=fields)["error_description"] == "PRESET_ID is not defined or invalid."
