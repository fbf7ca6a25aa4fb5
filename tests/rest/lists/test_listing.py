"""What a list is asked: the caller's parameters with room for ours. Tables, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import METHODS
from airflow_provider_bitrix24.rest.lists.listing import Listing

DEALS, ITEMS, TASKS, USERS = "crm.deal.list", "crm.item.list", "tasks.task.list", "user.get"


def listing(method: str, params: dict[str, Any] | None = None, version: int = 2) -> Listing:
    return Listing(METHODS.find(method, version), params or {})


@pytest.mark.parametrize(
    ("method", "params", "asked"),
    [
        (DEALS, {}, {"filter": {">ID": 7}, "order": {"ID": "ASC"}, "start": -1}),
        (ITEMS, {"entityTypeId": 2}, {"entityTypeId": 2, "filter": {">id": 7}, "order": {"id": "ASC"}, "start": -1}),
        (TASKS, {}, {"filter": {">ID": 7}, "order": {"ID": "ASC"}, "start": -1}),
        ("crm.type.list", {}, {"filter": {">id": 7}, "order": {"id": "ASC"}, "start": -1}),
        (USERS, {}, {"FILTER": {">ID": 7}, "sort": "ID", "order": "ASC", "start": -1}),
        ("crm.stagehistory.list", {}, {"filter": {">ID": 7}, "order": {"ID": "ASC"}, "start": -1}),
    ],
)
def test_the_page_after_an_id_is_asked_for_in_the_methods_own_spelling(
    method: str, params: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert listing(method, params).after(7) == asked


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        (USERS, {"filter": {"ACTIVE": True}}, "FILTER"),
        (USERS, {"FILTER": {"ACTIVE": True}}, "FILTER"),
        (USERS, {"Filter": {"ACTIVE": True}}, "FILTER"),
        (DEALS, {"FILTER": {"ACTIVE": True}}, "filter"),
        (ITEMS, {"Filter": {"ACTIVE": True}}, "filter"),
    ],
)
def test_the_callers_filter_is_kept_whatever_its_case(method: str, params: dict[str, Any], name: str) -> None:
    asked = listing(method, params).after(7)
    assert asked[name] == {"ACTIVE": True, next(key for key in asked[name] if key.startswith(">")): 7}
    assert [key for key in asked if key.lower() == "filter"] == [name]


@pytest.mark.parametrize(
    "params",
    [
        {"FILTER": {"ACTIVE": True}, "filter": {">ID": 0}},
        {"select": ["ID"], "SELECT": ["NAME"]},
        {"Order": {"ID": "ASC"}, "order": {"ID": "ASC"}},
        {"entityTypeId": 2, "ENTITYTYPEID": 31},
    ],
)
def test_two_spellings_of_one_parameter_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="are the same parameter"):
        listing(DEALS, params)


@pytest.mark.parametrize(
    "field", ["!STAGE_ID", "=ID", ">=ID", "<ID", "@ID", "!@ID", "%TITLE", "=%TITLE", "<=DATE_CREATE"]
)
def test_other_conditions_stand_beside_the_cursor(field: str) -> None:
    assert listing(DEALS, {"filter": {field: "x"}}).after(7)["filter"] == {field: "x", ">ID": 7}


@pytest.mark.parametrize(("value", "bound"), [(1000, 1000), ("1000", 1000), (" 1000 ", 1000), (0, 0), ("0", 0)])
def test_an_own_bound_is_where_the_list_begins(value: Any, bound: int) -> None:
    one = listing(DEALS, {"filter": {">ID": value, "STAGE_ID": "NEW"}})
    assert one.lower_bound == bound
    assert one.after(max(bound, 1)) == listing(DEALS, {"filter": {"STAGE_ID": "NEW"}}).after(max(bound, 1))


@pytest.mark.parametrize("value", [True, -1, 1.5, "x", [1], "1000.0", "１", "9" * 5000])
def test_a_bound_that_is_not_a_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"not a whole number|write one value"):
        listing(DEALS, {"filter": {">ID": value}})


def test_a_bound_in_another_case_narrows_where_the_portal_reads_any_case() -> None:
    """Two spellings of one filter key: the portal would keep one of them, the cursor or the bound."""
    one = listing(USERS, {"filter": {">id": 1000, "ACTIVE": True}})
    assert (one.lower_bound, one.after(1000)["FILTER"]) == (1000, {"ACTIVE": True, ">ID": 1000})


def test_fields_beside_the_filter_become_part_of_it() -> None:
    """The portal takes them for a filter only where there is none, and the cursor makes one."""
    one = listing(USERS, {"UF_DEPARTMENT": 1, "SORT": "id", "ORDER": "asc", "ADMIN_MODE": "Y", ">ID": 50})
    assert one.lower_bound == 50
    assert one.after(60) == {
        "FILTER": {"UF_DEPARTMENT": 1, ">ID": 60},
        "sort": "ID",
        "order": "ASC",
        "ADMIN_MODE": "Y",
        "start": -1,
    }
    both = listing(USERS, {"UF_DEPARTMENT": 1, "filter": {"NAME": "Iv%"}})
    assert both.after(60)["FILTER"] == {"UF_DEPARTMENT": 1, "NAME": "Iv%", ">ID": 60}
    for params in ({"ACTIVE": 1, "filter": {"active": 0}}, {"ACTIVE": 1, "filter": "x"}):
        with pytest.raises(ConfigurationError, match="beside it"):
            listing(USERS, params)


def test_parameters_of_other_methods_stay_where_they_are() -> None:
    assert listing(ITEMS, {"entityTypeId": 2, "useOriginalUfNames": "Y"}).params == {
        "entityTypeId": 2,
        "useOriginalUfNames": "Y",
    }


def test_an_empty_filter_is_none() -> None:
    for empty in ({}, []):
        assert listing(DEALS, {"filter": empty}).after(7)["filter"] == {">ID": 7}


@pytest.mark.parametrize("value", ["ID", "", "None", None, "{}", 5, 0, True, False])
@pytest.mark.parametrize("method", [DEALS, USERS, "crm.timeline.comment.list"])
def test_a_filter_that_is_not_an_object_is_refused(method: str, value: Any) -> None:
    """Portals read text as no filter, and every row comes back."""
    with pytest.raises(ConfigurationError, match=r"is not an object|is the text of a list or an object"):
        listing(method, {"filter": value})


def test_the_shape_of_a_filter_is_that_of_its_version() -> None:
    listing(TASKS, {"filter": [["id", ">", 7]]}, 3)
    with pytest.raises(ConfigurationError, match=r'write e\.g\. \[\["id", ">", 100\]\]'):
        listing(TASKS, {"filter": "id > 7"}, 3)
    with pytest.raises(ConfigurationError, match="is not an object"):
        listing(DEALS, {"filter": [{"ID": 1}]})


@pytest.mark.parametrize("name", ["filters", "FILTERS", "fliter", "filtr", "filter[]", " filter", "_filter"])
@pytest.mark.parametrize("method", [DEALS, ITEMS, USERS, TASKS, "crm.timeline.comment.list"])
def test_a_misspelt_filter_does_not_read_everything(method: str, name: str) -> None:
    """Portals ignore a parameter that they do not know."""
    for value in ({"ID": 5}, [["id", ">", 5]]):
        with pytest.raises(ConfigurationError, match=r"did you mean (filter|FILTER)\?"):
            listing(method, {name: value})


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (TASKS, {"filter": {"ID": 5}, "params": {"WITH_TIMER_INFO": "Y"}}),
        ("crm.item.list", {"entityTypeId": 2, "useOriginalUfNames": "Y"}),
        ("acme.unknown.list", {"NAME": "x", "where": {"ID": 5}}),
        (USERS, {"NAME": "Iv%", "TITLE": ["a"]}),
        ("acme.unknown.list", {"filters": {"ID": 5}}),
    ],
)
def test_other_parameters_are_left_alone(method: str, params: dict[str, Any]) -> None:
    listing(method, params)


@pytest.mark.parametrize("method", [DEALS, USERS, TASKS, "lists.element.get"])
@pytest.mark.parametrize("empty", [[], {}, ()])
def test_an_empty_list_of_values_does_not_read_everything(method: str, empty: Any) -> None:
    """The ids of a step before that found none: portals skip the condition."""
    with pytest.raises(ConfigurationError, match="'@ID' in the filter is an empty list"):
        listing(method, {"filter": {"ACTIVE": "Y", "@ID": empty}})


@pytest.mark.parametrize("method", [DEALS, ITEMS, USERS, TASKS])
def test_an_operator_inside_of_a_condition_is_refused_with_its_right_place(method: str) -> None:
    """As other APIs have it: the portal would look for rows whose value is the bound itself."""
    with pytest.raises(ConfigurationError, match="write '>=DATE_CREATE'"):
        listing(method, {"filter": {"DATE_CREATE": {">=": "2026-01-12T10:00:00+03:00"}}})


def test_conditions_that_hold_objects_are_left_alone() -> None:
    """``BINDINGS`` of ``crm.activity.list``, values under numbers, and groups."""
    either = {"logic": "OR", "0": {">=id": 5}, "1": {"stageId": ["NEW"]}}
    for method, filter_ in (
        ("crm.activity.list", {"BINDINGS": [{"OWNER_TYPE_ID": 2}], "TYPE_ID": {"0": 1, "1": 2}}),
        (ITEMS, {"0": either}),
        (ITEMS, either),
    ):
        listing(method, {"filter": filter_})


def test_an_empty_list_of_values_is_left_to_controllers() -> None:
    assert listing("sale.payment.list", {"filter": {"@id": []}}).after(7)["filter"] == {"@id": [], ">id": 7}


@pytest.mark.parametrize(
    "order",
    [{"DATE_CREATE": "ASC"}, {"ID": "DESC"}, {"ID": "ASC", "TITLE": "ASC"}, "ID", [], ["ID"], {}],
)
def test_an_own_order_is_refused_with_the_reason(order: Any) -> None:
    with pytest.raises(ConfigurationError, match="only in order of id can a list be proven whole"):
        listing(DEALS, {"order": order})


@pytest.mark.parametrize("order", [{"ID": "ASC"}, {"ID": "asc"}, {"id": "ASC"}, None])
def test_the_order_that_is_ours_anyway_is_not_a_mistake(order: Any) -> None:
    assert listing(DEALS, {"order": order}).after(7)["order"] == {"ID": "ASC"}


@pytest.mark.parametrize(
    ("method", "version", "name"),
    [
        (DEALS, 2, "start"),
        (DEALS, 2, "START"),
        (TASKS, 3, "pagination"),
        ("im.recent.list", 2, "OFFSET"),
        ("im.recent.list", 2, "limit"),
        # Pages would be shorter, and a short page is the last one.
        ("crm.address.list", 2, "limit"),
        ("log.blogpost.get", 2, "limit"),
        ("acme.unknown.list", 2, "start"),
    ],
)
def test_what_moves_through_the_list_is_ours(method: str, version: int, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is set by the client"):
        listing(method, {name: 50}, version)


def test_a_method_that_is_not_a_list_says_how_to_make_it_one() -> None:
    with pytest.raises(ConfigurationError, match="not known to be a list: use call, or describe its rows"):
        listing("crm.item.add")


# The id in select.


@pytest.mark.parametrize(
    ("method", "select", "asked", "added"),
    [
        (DEALS, ["TITLE"], ["TITLE", "ID"], True),
        (DEALS, ["TITLE", "ID"], ["TITLE", "ID"], False),
        (DEALS, ["*", "UF_*"], ["*", "UF_*"], False),
        (DEALS, [], [], False),
        (ITEMS, ["title"], ["title", "id"], True),
        (ITEMS, ["ufCrm_1"], ["ufCrm_1", "id"], True),
        (TASKS, ["TITLE"], ["TITLE", "ID"], True),
        (TASKS, ["title", "id"], ["title", "id", "ID"], False),
    ],
)
def test_the_id_is_selected_and_taken_out_again_unless_it_was_wanted(
    method: str, select: list[str], asked: list[str], added: bool
) -> None:
    one = listing(method, {"select": select})
    assert (one.params["select"], one.id_was_added) == (asked, added)
    row = {"ID": "5", "id": "5", "TITLE": "x"}
    assert len(one.without_added_id(row)) == (2 if added else 3)


@pytest.mark.parametrize("select", ["ID", {"0": "ID"}, [1], [["ID"]], None, 5])
def test_a_select_that_is_not_a_list_of_names_is_refused(select: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a list of names"):
        listing(DEALS, {"select": select})


# OR.


def test_an_or_keeps_to_itself_where_groups_are_known() -> None:
    either = {"logic": "OR", "0": {"stageId": "NEW"}, "1": {">id": 500}}
    one = listing(ITEMS, {"entityTypeId": 2, "filter": either})
    assert one.lower_bound == 0
    assert one.after(7)["filter"] == {"0": either, ">id": 7}


@pytest.mark.parametrize("name", ["logic", "LOGIC", "Logic", "::LOGIC"])
@pytest.mark.parametrize("method", [DEALS, TASKS, USERS])
def test_an_or_beside_which_the_cursor_would_be_one_more_alternative_is_refused(method: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be combined with paging by id"):
        listing(method, {"filter": {name: "OR", "TITLE": "x"}})


def test_the_callers_parameters_are_left_as_they_are() -> None:
    params = {"filter": {">ID": 5, "STAGE_ID": "NEW"}, "select": ["TITLE"], "order": {"ID": "ASC"}}
    before = repr(params)
    one = listing(DEALS, params)
    one.after(7)["filter"]["x"] = 1
    assert repr(params) == before
    assert "x" not in one.after(8)["filter"]
