from __future__ import annotations

import pytest

SECTIONS = [{"name": "main", "title": "Main", "type": "section", "elements": [{"name": "TITLE", "optionFlags": 1}]}]


@pytest.fixture
def card(portal, ask):
    """``card("get", user, scope="C")`` -> the answer about the cards of deals."""

    def call(action, user=None, kind="deal", **params):
        return ask(portal, f"crm.{kind}.details.configuration.{action}", params, user=user).json()

    return call


def titles(answer):
    return [section["title"] for section in answer["result"]]


def test_settings_are_a_users_own_or_common(portal, card):
    default = titles(card("get"))
    assert card("set", data=SECTIONS)["result"] is True
    assert titles(card("get")) == ["Main"]
    assert titles(card("get", scope="C")) == titles(card("get", portal.clerk)) == default
    card("set", scope="C", data=[{**SECTIONS[0], "title": "Common"}])
    assert titles(card("get", portal.clerk, scope="C")) == ["Common"]
    assert card("reset")["result"] is True
    assert titles(card("get")) == default


def test_common_settings_can_be_forced_on_all(portal, card):
    default = titles(card("get"))
    card("set", portal.clerk, data=SECTIONS)
    card("set", portal.clerk, data=SECTIONS, extras={"dealCategoryId": 9})
    assert card("forceCommonScopeForAll")["result"] is True
    assert titles(card("get", portal.clerk)) == default
    assert titles(card("get", portal.clerk, extras={"dealCategoryId": 9})) == ["Main"]


def test_both_families_show_the_same_settings_in_their_own_way(card):
    plain = [{**SECTIONS[0], "elements": [{"name": "TITLE", "optionFlags": 1}, {"name": "STAGE_ID"}]}]
    card("set", data=plain)
    of_deal, of_item = card("get")["result"], card("get", kind="item", entityTypeId=2)["result"]
    assert of_deal[0]["elements"] == [{"name": "TITLE", "optionFlags": "1"}, {"name": "STAGE_ID"}]
    assert of_item[0]["elements"][1] == {"name": "STAGE_ID", "optionFlags": "0"}


@pytest.mark.parametrize(
    ("data", "description"),
    [
        ("x", "Parameter 'data' must be array."),
        ([], "There are no data to write."),
        ({"a": SECTIONS[0]}, "The data must be indexed array."),
        ([{**SECTIONS[0], "type": "row"}], "Section at index 0 have type row. The expected type is 'section'."),
        ([{**SECTIONS[0], "name": ""}], "Section at index 0 does not have name."),
        ([*SECTIONS, {**SECTIONS[0], "title": ""}], "Section at index 1 does not have title."),
        ([{**SECTIONS[0], "elements": [{}]}], "Element at index 0 in section at index 0 does not have name."),
    ],
)
def test_wrong_sections_are_refused(card, data, description):
    assert card("set", data=data) == {"error": "", "error_description": description}


def test_a_kind_is_needed_and_known(card):
    assert card("get", kind="item")["error_description"] == "Parameter 'entityTypeId' is not defined"
    unknown = card("get", kind="item", entityTypeId=999)["error_description"]
    assert unknown == "The entity type '999' is not supported in current context."


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("get", {"userId": 1}),
        ("set", {"userId": 1, "data": SECTIONS}),
        ("set", {"scope": "C", "data": SECTIONS}),
        ("reset", {"scope": "C"}),
        ("forceCommonScopeForAll", {}),
    ],
)
def test_others_and_common_settings_are_for_administrators(portal, card, action, params):
    assert card(action, portal.clerk, **params) == {"error": "", "error_description": "Access denied."}
