from __future__ import annotations

import pytest

RECURRING = "crm.deal.recurring"


@pytest.fixture
def change(portal, ask):
    """``change("get", id=1)`` -> what ``crm.deal.recurring.get`` answers."""

    def call(action, user=None, **params):
        return ask(portal, f"{RECURRING}.{action}", params, user=user).json()

    return call


@pytest.fixture
def setting(change):
    """Of deal 1: a new one in funnel 9 each month."""
    fields = {"DEAL_ID": 1, "CATEGORY_ID": "9", "START_DATE": "2026-04-04", "PARAMS": {"MULTIPLE_TYPE": "month"}}
    return change("add", fields=fields)["result"]


def test_a_template_is_made_of_a_deal(portal, change, setting):
    row = change("get", id=setting)["result"]
    assert (row["BASED_ID"], row["CATEGORY_ID"], row["ACTIVE"], row["COUNTER_REPEAT"]) == ("1", "9", "Y", None)
    assert (row["START_DATE"], row["PARAMS"]["MULTIPLE_TYPE"]) == ("2026-04-04T00:00:00+03:00", "month")
    template = portal.item(2, int(row["DEAL_ID"]))
    assert (template["title"], template["isRecurring"]) == (portal.item(2, 1)["title"], "Y")


def test_deals_are_made_of_the_template(portal, change, setting):
    deals = [change("expose", id=setting)["result"]["DEAL_ID"] for _ in range(2)]
    new = portal.item(2, deals[1])
    assert (new["categoryId"], new["stageId"], new["isRecurring"]) == (9, "C9:NEW", "N")
    assert change("get", id=setting)["result"]["COUNTER_REPEAT"] == "2"


def test_settings_are_listed_with_some_names_in_lower_case(change, setting):
    other = change("add", fields={"DEAL_ID": 2})["result"]
    change("expose", id=other)
    listed = change("list", order={"deal_id": "DESC"})
    assert [row["id"] for row in listed["result"]] == [str(other), str(setting)]
    assert listed["total"] == 2
    (row,) = change("list", filter={">COUNTER_REPEAT": 0})["result"]
    assert (row["based_id"], row["COUNTER_REPEAT"]) == ("2", "1")


def test_settings_are_changed(change, setting):
    assert change("update", id=setting, fields={"ACTIVE": "N", "START_DATE": "2026-05-05"})["result"] is True
    row = change("get", id=setting)["result"]
    assert (row["ACTIVE"], row["CATEGORY_ID"], row["NEXT_EXECUTION"]) == ("N", "9", "2026-05-05T00:00:00+03:00")


def test_settings_go_after_their_template(portal, ask, change, setting):
    template_id = change("get", id=setting)["result"]["DEAL_ID"]
    refused = change("delete", id=setting)
    assert refused["error_description"] == "Deleting is impossible. Connected recurring deal exists."
    ask(portal, "crm.deal.delete", {"id": template_id})
    assert change("expose", id=setting)["error_description"] == "Recurring deal is not found."
    assert change("delete", id=setting)["result"] is True
    assert change("list")["result"] == []


@pytest.mark.parametrize(
    ("action", "params", "description"),
    [
        ("add", {}, "Parameter 'fields' must be array."),
        ("add", {"fields": {"DEAL_ID": 999}}, "Deal id is empty."),
        ("add", {"fields": {"DEAL_ID": 1}}, "Deal already has recurring settings."),
        ("add", {"fields": {"DEAL_ID": 2, "PARAMS": "x"}}, "Parameter 'params' must be array."),
        ("get", {}, "id is not defined or invalid."),
        ("get", {"id": 999}, "Recurring deal is not found."),
        ("list", {"filter": "x"}, "Parameter 'filter' must be array."),
    ],
)
def test_a_wrong_setting_is_refused_without_a_code(change, setting, action, params, description):
    assert change(action, **params) == {"error": "", "error_description": description}


def test_rights_are_needed(portal, change, setting):
    for action in ("update", "delete", "expose"):
        assert change(action, portal.clerk, id=setting, fields={})["error_description"] == "Access denied."
    assert change("add", portal.clerk, fields={"DEAL_ID": 2})["error_description"] == "Access denied."
    portal.clerk.rights = set()
    for action in ("get", "list", "fields"):
        assert change(action, portal.clerk, id=setting)["error_description"] == "Access denied."
