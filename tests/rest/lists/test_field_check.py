"""Names that a portal would silently drop are refused by its own list of fields; all that it takes pass."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import METHODS
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.lists import own_parameters
from airflow_provider_bitrix24.rest.lists.field_check import Fields
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.hostile import Hostile, client_of_hostile

CONTRACT = Path(__file__).parents[2] / "contract"
DEALS, CONTACTS, ACTIVITIES = "crm.deal.list", "crm.contact.list", "crm.activity.list"


def described(*plain: str, multiple: tuple[str, ...] = (), user: tuple[str, ...] = ()) -> dict[str, Any]:
    """A list of fields as portals describe them."""
    return {
        **{name: {"type": "string", "isMultiple": False, "isDynamic": False} for name in plain},
        **{name: {"type": "crm_multifield", "isMultiple": True, "isDynamic": False} for name in multiple},
        **{name: {"type": "string", "isMultiple": False, "isDynamic": True} for name in user},
    }


FIELDS = {
    DEALS: described("ID", "TITLE", "STAGE_ID", "CONTACT_ID", "DATE_CREATE", multiple=("CONTACT_IDS",), user=("UF_A",)),
    CONTACTS: described("ID", "NAME", multiple=("COMPANY_IDS", "PHONE", "EMAIL"), user=("UF_CRM_1",)),
    ACTIVITIES: described("ID", "SUBJECT", multiple=("BINDINGS", "COMMUNICATIONS", "FILES", "WEBDAV_ELEMENTS")),
}


def check(method: str, params: dict[str, Any]) -> None:
    known = METHODS.find(method)
    assert known.rows is not None
    Fields(str(known.rows.fields_method), FIELDS[method]).check(Listing(known, params))


def refusal(method: str, params: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError, match="the portal would silently drop it") as refused:
        check(method, params)
    return str(refused.value)


# Filter.


def test_names_of_the_filter_are_checked_without_their_operators() -> None:
    filter_ = {"!=%TITLE": "x", ">=DATE_CREATE": 1, "!@STAGE_ID": ["NEW"], "><ID": [1, 2], "UF_A": 1}
    check(DEALS, {"filter": filter_})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TITEL", "did you mean TITLE?"),
        (">id", "did you mean ID?"),
        ("stageId", "did you mean STAGE_ID?"),
        ("=Title", "did you mean TITLE?"),
        ("*", "see crm.deal.fields for the names"),
        ("UF_*", "did you mean UF_A?"),
    ],
)
def test_a_filter_that_the_portal_would_drop_is_refused_with_the_nearest_name(name: str, near: str) -> None:
    message = refusal(DEALS, {"filter": {name: "x"}})
    assert near in message
    assert "return every row" in message


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (DEALS, {"filter": {"@CONTACT_IDS": [1]}}),
        (DEALS, {"select": ["ID", "CONTACT_IDS"]}),
        (CONTACTS, {"select": ["COMPANY_IDS"]}),
    ],
)
def test_what_is_described_but_not_listed_is_refused_with_the_method_that_lists_it(
    method: str, params: dict[str, Any]
) -> None:
    """Pages of ``crm.deal.list`` and ``crm.contact.fields``: the fields are for ``add`` and ``update`` alone."""
    assert "use crm.item.list" in refusal(method, params)


# Select.


@pytest.mark.parametrize(
    ("method", "select"),
    [
        (DEALS, ["*"]),
        (DEALS, ["*", "UF_*"]),
        (DEALS, ["ID", "TITLE", "UF_A"]),
        # The server reads names of system fields in any case.
        (DEALS, ["id", "title", "Stage_Id"]),
        (CONTACTS, ["NAME", "PHONE", "EMAIL", "WEB", "IM", "LINK"]),
        (ACTIVITIES, ["*", "COMMUNICATIONS", "BINDINGS", "FILES", "STORAGE_ELEMENT_IDS"]),
        ("crm.deal.list", []),
    ],
)
def test_what_select_takes_passes(method: str, select: list[str]) -> None:
    check(method, {"select": select})


@pytest.mark.parametrize(
    ("method", "name", "near"),
    [
        (DEALS, "TITEL", "did you mean TITLE?"),
        (DEALS, "stageId", "did you mean STAGE_ID?"),
        (DEALS, "PHONE", "see crm.deal.fields for the names"),
        (DEALS, "UF_B", "did you mean UF_"),
        (DEALS, ">ID", "did you mean ID?"),
        # User fields and multi-fields are read in upper case only.
        (DEALS, "uf_a", "did you mean UF_A"),
        (CONTACTS, "phone", "did you mean PHONE?"),
        (CONTACTS, "uf_*", "did you mean UF_*"),
        (CONTACTS, "COMMUNICATIONS", "see crm.contact.fields for the names"),
    ],
)
def test_a_name_in_select_that_the_portal_would_drop_is_refused_with_the_nearest(
    method: str, name: str, near: str
) -> None:
    for select in ([name], ["*", name]):
        message = refusal(method, {"SELECT": select})
        assert near in message
        assert "return rows without it" in message


# Over the wire.


@pytest.fixture(scope="module")
def many() -> Iterator[Sandbox]:
    with Sandbox(deals=3) as portal:
        yield portal


@pytest.mark.parametrize("params", [{"filter": {"TITEL": 1}}, {"select": ["ID", "TITEL"]}])
def test_a_misspelt_name_is_refused_before_the_list_is_asked_for(
    many: Sandbox, reader: Client, params: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean TITLE"):
        next(reader.list(DEALS, params))
    with pytest.raises(ConfigurationError, match="did you mean TITLE"):
        next(reader.children(DEALS, [1], lambda _: params))
    assert many.count(DEALS) == 0


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({">=DATE_MODIFY": "01.05.2030"}, "'>=DATE_MODIFY' in the filter is '01.05.2030', which is not a date"),
        ({">=DATE_MODIFY": "yesterday"}, "write e.g. 2026-01-31 or 2026-01-31T10:00:00"),
        ({">=DATE_MODIFY": "2030-13-01"}, "is not a date"),
        ({">=DATE_MODIFY": "01.05.2026", "<DATE_MODIFY": "01.04.2026"}, "is not a date"),
        ({"CLOSEDATE": "05/31/2026"}, "is not a date"),
        ({"<BEGINDATE": 1767225600}, "is 1767225600, which is not a date"),
        ({"@BEGINDATE": ["2026-01-31", "31.01.2026"]}, "'31.01.2026', which is not a date"),
        ({"<=UF_CRM_1700000007": "2026-02-31T10:00:00+03:00"}, "is not a date"),
        ({">OPPORTUNITY": "12,5"}, "'>OPPORTUNITY' in the filter is '12,5', which is not a (whole )?number"),
        ({">OPPORTUNITY": "abc"}, "is not a (whole )?number"),
        ({"!OPPORTUNITY": "1 000"}, "is not a (whole )?number"),
        ({"<UF_CRM_1700000002": "1_000"}, "is not a (whole )?number"),
        ({"ID": "deal 1"}, "is not a (whole )?number"),
        ({"@ID": [1, "x"]}, "'@ID' in the filter is 'x', which is not a (whole )?number"),
        ({"=ASSIGNED_BY_ID": "1,2"}, "several as a list"),
        ({"=COMPANY_ID": True}, "is True, which is not a (whole )?number"),
        ({"CLOSED": "yes"}, "'CLOSED' in the filter is 'yes', which is not a flag: .*: write Y or N"),
        ({"!=UF_CRM_1700000001": "true"}, "which is not a flag"),
    ],
)
def test_a_value_that_is_none_of_the_type_is_refused_before_the_list_is_asked_for(
    many: Sandbox, reader: Client, conditions: dict[str, Any], message: str
) -> None:
    asked = many.count(DEALS)
    with pytest.raises(ConfigurationError, match=message):
        next(reader.list(DEALS, {"filter": conditions}))
    with pytest.raises(ConfigurationError, match=message):
        next(reader.children(DEALS, [1], lambda _: {"filter": conditions}))
    assert many.count(DEALS) == asked


@pytest.mark.parametrize(
    "conditions",
    [
        {">=DATE_MODIFY": "2020-01-31"},
        {">=DATE_MODIFY": "2020-01-31T10:00"},
        {">=DATE_MODIFY": "2020-01-31 10:00:00"},
        {">=DATE_MODIFY": "2020-01-31T10:00:00.123456+03:00"},
        {">=DATE_MODIFY": "2020-01-31T10:00:00Z"},
        {">=DATE_MODIFY": datetime(2020, 1, 31, tzinfo=timezone.utc)},
        {"!CLOSEDATE": ""},
        {"%DATE_CREATE": "20"},
        {">=OPPORTUNITY": " 0 "},
        {">=OPPORTUNITY": "-12.50"},
        {">=OPPORTUNITY": Decimal("0.0")},
        {">=OPPORTUNITY": "1e-3"},
        {"!COMPANY_ID": ""},
        {"@ID": ["1", 2, 3]},
        {"@ID": {"0": 1, "1": "2", "2": 3}},
        {"ASSIGNED_BY_ID": "1"},
        {"OPENED": "Y"},
        {"!CLOSED": "Y"},
        {"!UF_CRM_1700000001": 1},
        {"!UF_CRM_1700000001": "1"},
        {"!TITLE": "01.05.2030"},
        {"!=ORIGIN_ID": "12,5"},
        {"%TITLE": "a"},
    ],
)
def test_a_value_that_is_of_the_type_is_sent_as_it_is(
    many: Sandbox, reader: Client, conditions: dict[str, Any]
) -> None:
    done = many.executed(DEALS)
    list(reader.list(DEALS, {"filter": conditions}))
    assert many.executed(DEALS) > done


def test_the_fields_are_asked_for_once_and_again_for_a_new_name(many: Sandbox, reader: Client) -> None:
    for _ in range(3):
        list(reader.list("crm.lead.list", {"filter": {"TITLE": "none"}}))
        list(reader.list("crm.lead.list", {"select": ["TITLE"]}))
    assert many.count("crm.lead.fields") == 1
    for params in ({"filter": {"UF_CRM_MADE_TODAY": 1}}, {"select": ["UF_CRM_MADE_TODAY"]}):
        with pytest.raises(ConfigurationError):
            list(reader.list("crm.lead.list", params))
    assert many.count("crm.lead.fields") == 3


@pytest.mark.parametrize("params", [{}, {"select": ["*", "UF_*"]}, {"select": ["ID"]}, {"select": []}])
def test_what_needs_no_check_costs_no_request(many: Sandbox, reader: Client, params: dict[str, Any]) -> None:
    list(reader.list("crm.quote.list", params))
    assert many.count("crm.quote.fields") == 0


@pytest.mark.parametrize("method", ["crm.deal.list", "crm.lead.list", "crm.contact.list", "crm.company.list"])
def test_every_request_that_the_documentation_prints_passes(many: Sandbox, reader: Client, method: str) -> None:
    printed = json.loads((CONTRACT / f"{method}.json").read_text(encoding="utf-8"))["requests"]
    for request in printed:
        given = {name.lower(): value for name, value in request["params"].items()}
        # A slip of the page, whose text says EXPORT: the portal drops it.
        filter_ = {name: value for name, value in given["filter"].items() if name != "IMPORT"}
        # The page has a command of the shell, or a text to replace, for the date.
        filter_ |= {name: "2026-01-31" for name in filter_ if name.endswith("DATE_CREATE")}
        list(reader.list(method, {"select": given["select"], "filter": filter_}))


def test_every_request_for_activities_that_the_documentation_prints_passes() -> None:
    printed = json.loads((CONTRACT / "crm.activity.list.json").read_text(encoding="utf-8"))["requests"]
    fields = {**FIELDS[ACTIVITIES], **described("OWNER_ID", "OWNER_TYPE_ID")}
    portal = Hostile(lambda method, _: fields if method == "crm.activity.fields" else [])
    with portal, client_of_hostile(portal) as client:
        for request in printed:
            params = {name: request["params"][name] for name in ("select", "filter")}
            assert list(client.list(ACTIVITIES, params)) == []


# Calls and batches.

TASKS, USERS, STATUSES = "tasks.task.list", "user.get", "crm.status.list"
#: A method, its params, and what is said of them.
REFUSED = [
    (DEALS, {"filter": {"TITEL": 1}}, "did you mean TITLE"),
    (DEALS, {"filter": {">OPPORTUNITY": "12,5"}, "start": 50}, "is '12,5', which is not a (whole )?number"),
    (DEALS, {"SELECT": ["ID", "TITEL"]}, "return rows without it"),
    (DEALS, {"order": {"DATE_CREATED": "ASC"}}, "order names 'DATE_CREATED', which is not a field here"),
    (CONTACTS, {"FILTER": {"=name": "Ann"}}, "did you mean NAME"),
    (CONTACTS, {"filter": {"ID": "Ann"}}, "'ID' in the filter is 'Ann', which is not a (whole )?number"),
    (ACTIVITIES, {"filter": {"OWNER": 1}}, "did you mean OWNER_ID"),
    (TASKS, {"filter": {"RESPONSIBLE": 1}}, "did you mean RESPONSIBLE_ID"),
    (TASKS, {"filter": {"NOPE": 1}}, "see tasks.task.getFields for the names"),
    (TASKS, {"filter": {">=DEADLINE": "soon"}}, "is 'soon', which is not a date"),
    (TASKS, {"filter": {"GROUP_ID": "sales"}}, "is 'sales', which is not a (whole )?number"),
    (TASKS, {"order": {"TITEL": "asc"}}, "did you mean TITLE"),
    (TASKS, {"select": ["ID", "TITEL"]}, "return rows without it: did you mean TITLE"),
    (TASKS, {"select": ["ID", "responsableId"]}, "did you mean RESPONSIBLE_ID"),
    (TASKS, {"select": ["DEADLINES"]}, "did you mean DEADLINE"),
    (USERS, {"FILTER": {"NAMME": "Ann"}}, "did you mean NAME"),
    (USERS, {"EMIAL": "ann@example.com"}, "did you mean EMAIL"),
    (USERS, {"sort": "SURNAME", "order": "ASC"}, "'SURNAME', which is not a field here"),
    (USERS, {"select": ["ID", "SURNAME"]}, "return rows without it"),
    (STATUSES, {"filter": {"ENTITY": "SOURCE"}}, "did you mean ENTITY_ID"),
    (USERS, {"FILTER": {"ACTIVE": "yes"}}, "is 'yes', which is not a flag: .*: write True or False"),
    (USERS, {"FILTER": {"!ACTIVE": "True"}}, "is 'True', which is not a flag"),
    (USERS, {"filter": {"active": 2}}, "is 2, which is not a flag"),
    (USERS, {"FILTER": {"ACTIVE": [True, "x"]}}, "is 'x', which is not a flag"),
    (USERS, {"IS_ONLINE": True}, "is True, which is not a flag: .*: write Y or N"),
    (USERS, {"ID": "abc"}, "is 'abc', which is not a (whole )?number"),
    (USERS, {"FILTER": {"@id": [1, "x"]}}, "is 'x', which is not a (whole )?number"),
    (USERS, {"UF_DEPARTMENT": [1, "Sales"]}, "is 'Sales', which is not a (whole )?number"),
    (USERS, {"FILTER": {">LAST_LOGIN": "yesterday"}}, "is 'yesterday', which is not a date"),
    (USERS, {"FILTER": {">=DATE_REGISTER": "31.31.2026"}}, "is '31.31.2026', which is not a date"),
    (USERS, {"FILTER": {">TIMESTAMP_X": 5}}, "is 5, which is not a date"),
    (USERS, {"FILTER": {"UF_EMPLOYMENT_DATE": "May"}}, "is 'May', which is not a date"),
    (USERS, {"FILTER": {"ID": 1}, "ACTIVE": True}, "'ACTIVE' stands beside FILTER, .* if there is a FILTER"),
    (USERS, {"filter": {"NAME": "Ann"}, "uf_department": 1}, "'uf_department' stands beside FILTER"),
    (USERS, {"SORT": "NAME", "ORDER": "DOWN"}, "order has 'DOWN', which is neither ASC nor DESC"),
    (USERS, {"SORT": "NAME", "ORDER": {"ID": "ASC"}}, "order has {'ID': 'ASC'}, which is neither ASC nor DESC"),
    (STATUSES, {"ENTITY_ID": "SOURCE"}, "'ENTITY_ID' stands beside filter, .*: put it into filter: {\"ENTITY_ID\": "),
    (STATUSES, {"entityId": "SOURCE"}, "'entityId' stands beside filter"),
    (STATUSES, {"filter": [["ENTITY_ID", "=", "SOURCE"]]}, "'filter' is not an object"),
    (STATUSES, {"filter": {"EXTRA": "won"}}, "filter by SEMANTICS or COLOR"),
    (STATUSES, {"filter": {"SYSTEM": "yes"}}, "is 'yes', which is not a flag"),
    (STATUSES, {"filter": {"CATEGORY_ID": "Sales"}}, "is 'Sales', which is not a (whole )?number"),
    (STATUSES, {"order": {"SORT": "DOWN"}}, "order has 'DOWN', which is neither ASC nor DESC"),
    (DEALS, {"TITLE": "Oak"}, "'TITLE' stands beside filter"),
    (DEALS, {"filter": {"ID": 1}, "stage_id": "WON"}, "'stage_id' stands beside filter"),
    (DEALS, {"order": {"ID": "up"}}, "order has 'up', which is neither ASC nor DESC"),
    (DEALS, {"order": {"ID": "ASC", "id": "DESC"}}, "'ID' and 'id' in order are one name in two spellings"),
    *(
        (
            method,
            {**given, "start": start},
            "where no page begins: the portal would answer another one: write 0, 50, 100",
        )
        for method, given in ((DEALS, {}), ("crm.item.list", {"entityTypeId": 2}))
        for start in (7, "abc", "7", -2, 1.5, True)
    ),
    (DEALS, {"filter": {"ID": 1.5}}, "is 1.5, which is not a whole number: .*: write digits alone"),
    (DEALS, {"filter": {"@ID": ["1e3"]}}, "is '1e3', which is not a whole number"),
    (DEALS, {"filter": {"><ID": [5]}}, "'><ID' in .* has 1 bounds: write two"),
    (USERS, {"FILTER": {"><ID": [1, 2, 3]}}, "'><ID' in .* has 3 bounds"),
    (TASKS, {"filter": [["ID", "=", 1]]}, "'filter' is not an object"),
    (TASKS, {"order": {"ID": -1}}, "order has -1, which is neither ASC nor DESC"),
    (USERS, {">ID": 5}, "'>ID' stands beside FILTER"),
    (USERS, {"NAMEE": "x"}, "did you mean NAME"),
    *(
        (method, {**given, **beside}, "stands beside filter, where this method reads no condition: it would be lost")
        for method, given, conditions in (
            ("crm.item.list", {"entityTypeId": 2}, ({"=stageId": "WON"}, {"stageId": "WON"}, {"id": 1}, {"ids": [1]})),
            ("crm.item.list", {"entityTypeId": 2, "filter": {">id": 0}}, ({"where": {"id": 1}}, {"@stageId": ["WON"]})),
            ("crm.item.payment.list", {"entityTypeId": 2, "entityId": 1}, ({"=paid": "N"}, {"paid": "N"})),
            (DEALS, {}, ({"=STAGE_ID": "WON"}, {"@ID": [1]}, {"where": {"ID": 1}}, {"ids": [1]}, {"=": 1})),
            (DEALS, {"filter": {">ID": 0}}, ({"=STAGE_ID": "WON"}, {">=DATE_MODIFY": "2026-01-31"})),
            (CONTACTS, {}, ({"%NAME": "a"}, {"!NAME": "a"})),
            (STATUSES, {}, ({"=ENTITY_ID": "SOURCE"},)),
            (TASKS, {}, ({"=RESPONSIBLE_ID": 7}, {"!STATUS": 2}, {"status": 2})),
            ("crm.stagehistory.list", {"entityTypeId": 2}, ({"OWNER_ID": 1}, {"=OWNER_ID": 1})),
            ("catalog.product.list", {}, ({"iblockId": 1}, {">id": 1})),
        )
        for beside in conditions
    ),
    ("department.get", {"NAMEE": "x"}, "'NAMEE' is not a parameter .* return every row: did you mean name"),
    ("department.get", {"%NAME": "x"}, "'%NAME' is not a parameter"),
    ("crm.category.list", {"entityTypeId": 2, "name": "Sales"}, "'name' is not a parameter"),
    ("acme.report.list", {"=TITLE": "x"}, "'=TITLE' is not a parameter"),
    ("user.search", {"NAMEE": "x"}, "'NAMEE' stands beside FILTER, .*: did you mean name"),
    ("crm.item.list", {"entityTypeId": 2, "filter": [["id", "=", 1]]}, "'filter' is not an object"),
    ("crm.item.payment.list", {"entityTypeId": 2, "entityId": 1, "filter": [["id", "=", 1]]}, "is not an object"),
    ("catalog.product.list", {"filter": [["id", "=", 1]]}, "is not an object"),
    ("crm.stagehistory.list", {"entityTypeId": 2, "filter": [["ID", ">", 1]]}, "is not an object"),
    *(
        (method, {**given, "filter": filter_}, message)
        for method, given in (("crm.item.payment.list", {"entityTypeId": 2, "entityId": 1}), ("sale.payment.list", {}))
        for filter_, message in (
            ({"=paid": "нет"}, "'=paid' in the filter is 'нет', which is not a flag: .*: write Y or N"),
            ({"@paid": ["Y", False]}, "is False, which is not a flag"),
            ({">datePaid": "soon"}, "is 'soon', which is not a date"),
            ({">sum": "12,5"}, "is '12,5', which is not a (whole )?number"),
        )
    ),
    ("crm.requisite.list", {"ENTITY_TYPE_ID": 4}, "'ENTITY_TYPE_ID' stands beside filter"),
    ("crm.requisite.list", {"filter": {"RQ_INNN": "7701"}}, "did you mean RQ_INN"),
    ("crm.timeline.comment.list", {"filter": {"ENTITY_ID": 1, "TYPE": "deal"}}, "see crm.timeline.comment.fields"),
]
#: What such methods take.
ACCEPTED = [
    (DEALS, {"filter": {">OPPORTUNITY": "12.5"}, "order": {"date_create": "ASC"}, "start": 0}),
    (DEALS, {"filter": {"ID": 1.0, "!ID": ["2", " 3 "], "OPPORTUNITY": "1e3"}, "start": "50"}),
    (DEALS, {"start": -1}),
    (TASKS, {"filter": {"!STATUS": 6, "::SUBFILTER-PARAMS": {"FAVORITE": "Y"}, "MEMBER": 1, "TAG": "x"}}),
    (TASKS, {"select": ["ID", "subStatus", "TAGS", "COUNTERS"], "order": {"DEADLINE": "asc", "REAL_STATUS": "desc"}}),
    (
        TASKS,
        {"select": ["id", "responsibleId", "GROUP", "REAL_STATUS", "RESPONSIBLE_NAME", "UF_CRM_TASK", "*", "UF_*"]},
    ),
    (USERS, {"UF_DEPARTMENT": 1, "SORT": "ID", "ORDER": "asc", "start": 100}),
    (USERS, {"filter": {"!%LAST_NAME": "an", "@PERSONAL_CITY": ["Riga"], "ACTIVE": True}, "ADMIN_MODE": True}),
    (USERS, {"ID": 1, "IS_ONLINE": "Y", "NAME_SEARCH": "ann", "USER_TYPE": "employee"}),
    *((USERS, {"FILTER": {"ACTIVE": flag}}) for flag in (True, False, "Y", "N", "true", 1, "")),
    (USERS, {"FILTER": {"IS_ONLINE": "N", ">LAST_LOGIN": "2026-01-31T10:00:00+03:00"}}),
    (USERS, {"FILTER": {">DATE_REGISTER": "31.01.2026 10:00:00", "<PERSONAL_BIRTHDAY": "01/31/1990"}}),
    (USERS, {"FILTER": {"@UF_DEPARTMENT": [1, "2"], "%NAME": "yes"}, "IMAGE_RESIZE": ""}),
    (USERS, {"FILTER": {}, "ACTIVE": True}),
    (STATUSES, {"filter": []}),
    (STATUSES, {"filter": {"SYSTEM": "Y", "SEMANTICS": "F", "CATEGORY_ID": 3}, "order": {"SORT": "desc", "ID": "ASC"}}),
    (TASKS, {"order": {"DEADLINE": "asc,nulls"}, "filter": {}}),
    (STATUSES, {"filter": {"ENTITY_ID": "SOURCE"}, "order": {"SORT": "ASC"}}),
    ("crm.item.list", {"entityTypeId": 2, "filter": {"=title": "x"}}),
    ("crm.item.list", {"entityTypeId": 2, "useOriginalUfNames": "Y", "order": {"id": "ASC"}, "start": 0}),
    ("crm.stagehistory.list", {"entityTypeId": 2, "filter": {"OWNER_ID": 1}, "select": ["ID"]}),
    ("crm.item.payment.list", {"entityTypeId": 2, "entityId": 1, "filter": []}),
    ("crm.item.payment.list", {"entityTypeId": 2, "entityId": 1, "filter": {"paid": "n", ">datePaid": "2026-01-31"}}),
    ("department.get", {"NAME": "Sales", "PARENT": 1, "sort": "NAME", "order": "DESC"}),
    ("user.search", {"NAME": "Ann", "UF_DEPARTMENT": 1, "sort": "ID"}),
    ("acme.report.list", {"filter": {"TITEL": "x"}, "TITEL": "x"}),
]


@pytest.mark.parametrize(("method", "params", "message"), REFUSED)
def test_a_batch_refuses_what_a_list_refuses_and_names_the_command(
    many: Sandbox, reader: Client, method: str, params: dict[str, Any], message: str
) -> None:
    many.reset_calls()
    with pytest.raises(ConfigurationError, match=message) as refused:
        reader.batch({"mine": (method, params)})
    assert "the command 'mine': " in str(refused.value)
    assert many.count(method) == 0
    with pytest.raises(ConfigurationError, match=message):
        reader.check_list(method, params)


@pytest.mark.parametrize(("method", "params"), ACCEPTED)
def test_what_the_list_of_a_batch_takes_passes(
    many: Sandbox, reader: Client, method: str, params: dict[str, Any]
) -> None:
    many.answers["acme.report.list"] = [[]]
    many.reset_calls()
    reader.batch({"mine": (method, params)})
    assert many.count(method) == 1


def test_a_name_that_the_select_of_tasks_may_not_take_is_warned_of(
    many: Sandbox, reader: Client, caplog: pytest.LogCaptureFixture
) -> None:
    list(reader.list(TASKS, {"select": ["ID", "subStatus", "RESPONSIBLE_NAME"]}, limit=1))
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning == (
        "tasks.task.list: select names 'RESPONSIBLE_NAME', which tasks.task.getFields does not describe: rows may come "
        "without it"
    )


def test_without_the_check_a_batch_sends_what_it_is_given(many: Sandbox, reader: Client) -> None:
    many.reset_calls()
    assert reader.batch({"mine": (DEALS, {"filter": {"TITEL": 1}})}, check_fields=False).all_results()
    assert many.count(DEALS) == many.requests == 1


def test_values_of_earlier_commands_are_not_checked_and_their_names_are(many: Sandbox, reader: Client) -> None:
    first = (DEALS, {"order": {"ID": "ASC"}, "select": ["ID"]})
    later = (DEALS, {"filter": {">ID": "$result[first][0][ID]"}})
    done = reader.batch({"first": first, "later": later}, references=True)
    assert [len(rows) for rows in done.all_results().values()] == [3, 2]
    misspelt = (DEALS, {"filter": {"ASSIGNED_BY": "$result[first][0][ID]"}})
    with pytest.raises(ConfigurationError, match="did you mean ASSIGNED_BY_ID"):
        reader.batch({"first": first, "later": misspelt}, references=True)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        (STATUSES, {"ENTITY_ID": "SOURCE"}, "stands beside filter"),
        (STATUSES, {"filter": [["ENTITY_ID", "=", "SOURCE"]]}, "is not an object"),
        (STATUSES, {"filter": {"EXTRA": "won"}}, "filter by SEMANTICS or COLOR"),
        (USERS, {"ACTIVE": "yes"}, "which is not a flag"),
        (DEALS, {"STAGE_ID": "WON"}, "stands beside filter"),
    ],
)
def test_a_list_refuses_what_its_calls_refuse(
    many: Sandbox, reader: Client, method: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(reader.list(method, params))
    assert many.count(method) == 0


def test_the_table_of_parameters_is_what_the_documentation_of_the_sandbox_says() -> None:
    spec = importlib.util.spec_from_file_location("made", CONTRACT.parents[1] / "ci" / "make_list_parameters.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = list(script.lines(CONTRACT))
    assert len(made) > 30
    assert set(made) <= set(Path(own_parameters.__file__).with_suffix(".txt").read_text("utf-8").splitlines())
