"""Filters that would mean everything, or nothing at all, in lists of every version and in groups to any depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.conditions import check_conditions
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of

NO_VALUE = "it has no value: check the template"
EMPTY_LIST = "is an empty list: the portal would drop it and return every row"


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


def in_a_group(conditions: dict[str, Any]) -> dict[str, Any]:
    return {"0": {"logic": "OR", "0": {"=TITLE": "Oak"}, "1": conditions}}


def in_version_3(conditions: dict[str, Any]) -> list[Any]:
    """``{">=ID": 5}`` as ``[["id", ">=", 5]]``."""
    operators = {"@": "in", "><": "between"}
    signs = {name: name.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") for name in conditions}
    return [
        [name.removeprefix(signs[name]).lower(), operators.get(signs[name], signs[name] or "="), value]
        for name, value in conditions.items()
    ]


LISTS: dict[str, Callable[[Client, dict[str, Any]], Any]] = {
    "old": lambda client, conditions: client.list("crm.deal.list", {"filter": conditions}),
    "universal": lambda client, conditions: client.list("crm.item.list", {"entityTypeId": 2, "filter": conditions}),
    "in a group": lambda client, conditions: client.list(
        "crm.item.list", {"entityTypeId": 2, "filter": in_a_group(conditions)}
    ),
    "beside an order": lambda client, conditions: client.list("user.get", {"FILTER": conditions}),
    "version 3": lambda client, conditions: client.list(
        "tasks.task.list", {"filter": in_version_3(conditions)}, version=3
    ),
    "version 3 in a group": lambda client, conditions: client.list(
        "tasks.task.list",
        {"filter": [{"logic": "or", "conditions": [["title", "=", "Oak"], *in_version_3(conditions)]}]},
        version=3,
    ),
}


@pytest.mark.parametrize("list_of", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        *(({operator + "ID": nothing}, NO_VALUE) for operator in (">", ">=", "<", "<=") for nothing in (None, "")),
        *(({">=CREATED_TIME": nothing}, NO_VALUE) for nothing in ("None", "nan", " null ", "NaT", "<NA>")),
        *(({">=CREATED_TIME": nothing}, NO_VALUE) for nothing in ("NONE", "none", "Null", "NAN", "undefined")),
        ({"><ID": [5, None]}, NO_VALUE),
        ({"><ID": ["None", 5]}, NO_VALUE),
        ({"=TITLE": None}, NO_VALUE),
        ({"TITLE": None}, NO_VALUE),
        ({"@ID": [5, None]}, NO_VALUE),
        ({"><ID": []}, EMPTY_LIST),
    ],
)
def test_a_condition_without_a_value_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, list_of: Any, conditions: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        list(list_of(client, conditions))
    assert next(iter(conditions)).lstrip("<>=@") in str(caught.value).upper()
    assert portal.connections == 0


@pytest.mark.parametrize("list_of", [LISTS["old"], LISTS["in a group"], LISTS["version 3"]])
@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"=>OPPORTUNITY": 10**12}, "has the operator '=>', which portals do not know: did you mean >=?"),
        ({"=<ID": 5}, "did you mean <=?"),
        ({"<>ID": 5}, "did you mean !=?"),
        ({"==ID": 5}, "did you mean =?"),
        ({"!>ID": 5}, "did you mean <=?"),
        ({"~ID": 5}, r"which portals do not know: the operators are ! % < = > \? @ "),
        ({">OPPORTUNITY": [[]]}, r"has \[\] inside, where one value belongs: write one value$"),
        ({">OPPORTUNITY": [5]}, r"is \[5\]: write one value$"),
        ({">=ID": {"0": 5}}, r"is \{'0': 5\}: write one value$"),
        ({">=OPPORTUNITY": {"a": 1}}, r"is \{'a': 1\}: write one value$"),
        ({"@ID": [[]]}, "inside, where one value belongs: write one value, or a list of values"),
        ({"@ID": [[1]]}, "inside, where one value belongs"),
        ({"@ID": [1, {"a": 1}]}, "inside, where one value belongs"),
        ({"=STAGE_ID": {"id": "WON"}}, "write one value, or a list of values"),
        ({"ID": [5, (6,)]}, "inside, where one value belongs"),
        ({"@ID": "1,2"}, r"is the text '1,2', which is one value: write a list: \[1, 2\]"),
        ({"@STAGE_ID": "NEW, WON"}, r"write a list: \['NEW', 'WON'\]"),
        ({"><ID": "1,9"}, r"write a list: \[1, 9\]"),
        ({"ID": "1,2"}, r"write a list: \[1, 2\]"),
        ({"=ID": "1; 2"}, r"write a list: \[1, 2\]"),
    ],
)
def test_a_condition_that_portals_read_as_another_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, list_of: Any, conditions: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(list_of(client, conditions))
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("method", "conditions", "known"),
    [
        ("tasks.task.list", {">STATUS": 1, ">status": 4}, "'>STATUS' and '>status'"),
        ("crm.item.list", {"=stageId": "NEW", "=STAGE_ID": "WON"}, "'=stageId' and '=STAGE_ID'"),
        ("crm.item.list", {"PARENT_ID_128": 1, "parentId128": 2}, "'PARENT_ID_128' and 'parentId128'"),
        ("crm.item.list", in_a_group({"@ufCrm_7": [1], "@UF_CRM_7": [2]}), "'@ufCrm_7' and '@UF_CRM_7'"),
        ("user.get", {">ID": 50, ">id": 1000}, "'>ID' and '>id'"),
        ("user.get", {"ACTIVE": "Y", "active": "N"}, "'ACTIVE' and 'active'"),
        ("voximplant.statistic.get", {">CALL_DURATION": 1, ">call_duration": 9}, "'>call_duration'"),
        ("crm.activity.list", {"!OWNER_ID": 1, "!ownerId": 2}, "'!OWNER_ID' and '!ownerId'"),
        ("crm.deal.list", {"=STAGE_ID": "NEW", "=stageId": "WON"}, "'=STAGE_ID' and '=stageId'"),
    ],
)
def test_a_condition_in_two_spellings_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, method: str, conditions: dict[str, Any], known: str
) -> None:
    params = {"FILTER" if method in ("user.get", "voximplant.statistic.get") else "filter": conditions}
    with pytest.raises(ConfigurationError, match=f"{known}.* one name in two spellings, and only one would count"):
        list(client.list(method, params | ({"entityTypeId": 2} if method == "crm.item.list" else {})))
    assert portal.connections == 0


def test_conditions_on_several_fields_and_of_several_operators_are_not_two_spellings() -> None:
    several = {"UF_CRM_1_A": 1, "UF_CRM_1A": 2, "ADDRESS_2": "x", "ADDRESS2": "y", ">=ID": 5, "<ID": 9, "!ID": 7}
    check_conditions(several, "the filter")
    check_conditions(in_a_group(several), "the filter")


def test_the_bindings_of_activities_are_objects() -> None:
    check_conditions({"BINDINGS": [{"OWNER_TYPE_ID": 2, "OWNER_ID": 7}, {"OWNER_TYPE_ID": 3}]}, "the filter")
    with pytest.raises(ConfigurationError, match="inside, where one value belongs"):
        check_conditions({"BINDINGS": [[{"OWNER_TYPE_ID": 2}]]}, "the filter")


@pytest.mark.parametrize("word", ["XOR", "||", "", None, True, 1])
def test_a_group_is_joined_by_and_or_or(portal: Sandbox, client: Client, word: Any) -> None:
    for filter_ in (
        {"0": {"logic": word, "0": {"=id": 1}, "1": {"=id": 2}}},
        {"=title": "Oak", "0": {"logic": "AND", "0": {"LOGIC": word, "=id": 2}}},
    ):
        with pytest.raises(ConfigurationError, match=r"(?i)'logic' in the filter is .*: write AND or OR"):
            client.list("crm.item.list", {"entityTypeId": 2, "filter": filter_})
    with pytest.raises(ConfigurationError, match=r"'logic' in the filter is .*: write AND or OR"):
        client.list("tasks.task.list", {"filter": [{"logic": word, "conditions": [["id", "=", 1]]}]}, version=3)
    with pytest.raises(ConfigurationError, match=r"'::LOGIC' in the filter is .*: write AND or OR"):
        client.list("tasks.task.list", {"filter": {"::SUBFILTER-1": {"::LOGIC": word, "ID": 1}}})
    assert portal.connections == 0
    for known in ("and", "OR"):
        check_conditions({"0": {"logic": known, "0": {"=id": 1}, "1": {"=id": 2}}}, "the filter")


@pytest.mark.parametrize("list_of", [LISTS["old"], LISTS["in a group"], LISTS["version 3"]])
@pytest.mark.parametrize(
    "conditions",
    [
        {">=ID": 5, "<ID": 5},
        {">ID": 5, "<ID": 5},
        {">ID": 5, "<=ID": 5},
        {">=ID": 6, "<=ID": 5},
        {">=ID": "6", "<ID": 5.5},
        {"><ID": [6, 5]},
        {">=CREATED_TIME": "2026-01-31T00:00:00+00:00", "<CREATED_TIME": "2026-01-31T03:00:00+03:00"},
        {">=CREATED_TIME": "2026-02-01", "<=CREATED_TIME": "2026-01-31"},
        {">=CREATED_TIME": "2026-01-31T12:00:00", "<CREATED_TIME": "2026-01-31"},
        {">=DATE_MODIFY": datetime(2026, 1, 31, tzinfo=timezone.utc), "<DATE_MODIFY": "2026-01-31T00:00:00Z"},
        {"<BEGINDATE": date(2026, 1, 31), ">=BEGINDATE": date(2026, 1, 31)},
    ],
)
def test_a_window_that_can_hold_nothing_is_refused(
    portal: Sandbox, client: Client, list_of: Any, conditions: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing lies between .*: check both bounds; in Airflow 3"):
        list(list_of(client, conditions))
    assert portal.connections == 0


def test_bounds_around_a_group_count_in_it() -> None:
    with pytest.raises(ConfigurationError, match="nothing lies between 5 and 5, the bounds of '>=ID' and '<ID'"):
        check_conditions({">=ID": 5, "0": {"<ID": 5}}, "the filter")
    check_conditions({"!><ID": [6, 5], "><ID": [5, 5]}, "the filter")
    # One of several alternatives may hold nothing.
    check_conditions({"logic": "OR", ">=ID": 5, "<ID": 5}, "the filter")
    check_conditions(
        [{"logic": "and", "negative": True, "conditions": [["id", ">=", 5], ["id", "<", 5]]}], "the filter"
    )
    with pytest.raises(ConfigurationError, match="nothing lies between 5 and 5"):
        check_conditions({">=ID": 5, "0": {"logic": "OR", "0": {"<ID": 5}, "1": {"TITLE": "x"}}}, "the filter")


MOMENT = datetime(2026, 1, 31, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "conditions",
    [
        {"=COMMENTS": ""},
        {"!COMMENTS": ""},
        {"COMMENTS": ""},
        {"@COMMENTS": ["", "x"]},
        {"%TITLE": "nan"},
        {"=TITLE": "None"},
        {"TITLE": "null"},
        {"@TITLE": ["None", "nan"]},
        {">=ID": 5, "<=ID": 5},
        {">=ID": 5, "<ID": 6},
        {">=ID": 0},
        {"=OPENED": False},
        {"=TITLE": "Oak, elm"},
        {"ORIGIN_ID": "1,2"},
        {"@ID": {"0": 1, "1": 2}},
        {"@ID": "5"},
        {"@ID": (1, 2)},
        {"ID": [1, 2]},
        {">=DATE_MODIFY": MOMENT, "<DATE_MODIFY": MOMENT + timedelta(days=1)},
        {">=DATE_MODIFY": MOMENT, "<=DATE_MODIFY": MOMENT},
        # Without a zone nobody can say which is later.
        {">=DATE_MODIFY": MOMENT, "<DATE_MODIFY": "2026-01-31"},
        {">=TITLE": "b", "<TITLE": "a"},
        {">=ID": 6, "<ASSIGNED_BY_ID": 5},
    ],
)
def test_a_filter_that_means_something_is_sent(portal: Sandbox, client: Client, conditions: dict[str, Any]) -> None:
    for filter_ in (conditions, in_a_group(conditions), in_version_3(conditions)):
        check_conditions(filter_, "the filter")
    list(client.list("crm.deal.list", {"filter": conditions}))
    assert portal.count("crm.deal.list") + portal.count("batch") > 0


@pytest.mark.parametrize(
    "value",
    [None, math.nan, Decimal("NaN"), np.float64("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"),
     jinja2.Undefined(), jinja2.StrictUndefined(name="x")],
)  # fmt: skip
def test_every_kind_of_missing_value_is_refused(value: Any) -> None:
    for operator in ("", "=", "!", ">=", "%", "=%"):
        for filter_ in ({f"{operator}TITLE": value}, {f"{operator}TITLE": ["x", value]}):
            with pytest.raises(ConfigurationError, match=f"'{operator}TITLE' in the filter is .*: it has no value"):
                check_conditions(filter_, "the filter")


@pytest.mark.parametrize("operator", ["%", "=%", "%=", "!%", "!=%", "?"])
def test_an_empty_text_is_part_of_every_text(operator: str) -> None:
    for text in ("", " "):
        with pytest.raises(ConfigurationError, match="it has no value"):
            check_conditions({f"{operator}TITLE": text}, "the filter")
    check_conditions({f"{operator}TITLE": "None"}, "the filter")


@pytest.mark.parametrize("list_of", [LISTS["old"], LISTS["beside an order"]])
def test_an_empty_list_is_refused_where_the_portal_would_drop_it(portal: Sandbox, client: Client, list_of: Any) -> None:
    with pytest.raises(ConfigurationError, match=EMPTY_LIST):
        list(list_of(client, {"@ID": []}))
    assert portal.connections == 0
    check_conditions({"@ID": []}, "the filter")
    with pytest.raises(ConfigurationError, match=EMPTY_LIST):
        check_conditions({"0": {"logic": "OR", "0": {"@ID": []}}}, "the filter", drops_empty_lists=True)


@pytest.mark.parametrize(
    "filter_",
    [
        {"0": {}},
        {"0": []},
        {"0": None},
        {"0": "None"},
        {"0": "=TITLE"},
        {"=TITLE": "Oak", "0": {"logic": "OR"}},
        {"0": {"logic": "OR", "0": {}, "1": {"=TITLE": "Oak"}}},
        {"0": {"logic": "OR", "0": None, "1": {"=TITLE": "Oak"}}},
        {"0": {"logic": "OR", "0": {"0": {"0": {}}}, "1": {"=TITLE": "Oak"}}},
        {"::SUBFILTER-1": {}},
        {"logic": "OR"},
        [["id", ">", 5], None],
        [{"logic": "or", "conditions": []}],
        [{"logic": "or", "conditions": [["id", ">", 5], {}]}],
    ],
)
def test_a_group_without_a_condition_is_refused(portal: Sandbox, client: Client, filter_: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"a group in the filter (has no condition|is .*), and might hold for"):
        check_conditions(filter_, "the filter")
    if isinstance(filter_, dict):
        with pytest.raises(ConfigurationError, match="a group in the filter"):
            list(client.list("crm.item.list", {"entityTypeId": 2, "filter": filter_}))
        assert portal.connections == 0


def test_the_lists_of_many_parents_are_checked_too(portal: Sandbox, client: Client) -> None:
    with pytest.raises(ConfigurationError, match=NO_VALUE):
        list(client.children("crm.deal.list", [1, 2], lambda company: {"filter": {"COMPANY_ID": company, ">ID": None}}))
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("user.search", {"FILTER": {"FIND": ""}}),
        ("user.search", {"FILTER": {"LAST_NAME": " "}}),
        ("user.search", {"FIND": None}),
        ("user.get", {"FILTER": {"NAME_SEARCH": ""}}),
        ("user.get", {"filter": {"name_search": " "}}),
    ],
)
def test_an_empty_search_is_not_one_for_everybody(
    portal: Sandbox, client: Client, method: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"(?i)'(FIND|LAST_NAME|NAME_SEARCH)'.* is .*it has no value"):
        client.list(method, params)
    assert portal.count(method) == portal.count("batch") == 0


def test_a_search_for_a_name_and_a_user_without_one_are_conditions(portal: Sandbox, client: Client) -> None:
    assert list(client.list("user.get", {"FILTER": {"LAST_NAME": ""}})) == []
    assert list(client.list("user.search", {"FILTER": {"FIND": "nobody of this name"}})) == []
