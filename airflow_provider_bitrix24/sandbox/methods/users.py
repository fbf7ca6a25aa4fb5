"""
``user.*`` and ``department.get``: fields and filters in upper case, ``SORT`` and ``ORDER`` as plain words.

Source: pages under ``user`` and ``departments``.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer, is_truthy
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Any one of them allows the ``user.*`` methods (server source).
USER_SCOPES = ("user", "user_brief", "user_basic")

_SPECS = {spec.key: spec for spec in fields_of("user")}
#: What the portal alone sets.
_SET_BY_PORTAL = frozenset(
    {
        *("ID", "LAST_LOGIN", "DATE_REGISTER", "TIME_ZONE", "IS_ONLINE", "TIMESTAMP_X", "LAST_ACTIVITY_DATE"),
        *("USER_TYPE", "XML_ID", "TITLE", "UF_TIMEMAN", "PERSONAL_PHOTO", "WORK_LOGO"),
    }
)
#: Fields that an answer has also where nobody has filled them in (examples of the pages).
_ALWAYS = (
    *("SECOND_NAME", "PERSONAL_GENDER", "PERSONAL_WWW", "PERSONAL_BIRTHDAY", "PERSONAL_MOBILE", "PERSONAL_CITY"),
    *("WORK_PHONE", "WORK_POSITION", "UF_EMPLOYMENT_DATE"),
)
#: ``NAME_SEARCH`` and ``FIND`` look into all of these.
_SEARCHED = ("NAME", "LAST_NAME", "SECOND_NAME", "EMAIL", "WORK_POSITION", "UF_DEPARTMENT_NAME")

_KINDS = {"ID": "integer", "ACTIVE": "flag", "UF_DEPARTMENT": "integer"}
_USER_FIELDS = {
    **{name: Field("id" if name == "ID" else name, _KINDS.get(name, "string")) for name in _SPECS},
    "UF_DEPARTMENT_NAME": Field("UF_DEPARTMENT_NAME"),
}

_DEPARTMENTS: tuple[Row, ...] = (
    {"ID": "1", "NAME": "Company", "SORT": 500, "UF_HEAD": "1"},
    {"ID": "2", "NAME": "Accounting", "SORT": 500, "PARENT": "1"},
    {"ID": "15", "NAME": "Sales", "SORT": 500, "PARENT": "1"},
)
_DEPARTMENT_FIELDS = {
    "ID": Field("id", "integer"),
    "NAME": Field("NAME"),
    "SORT": Field("SORT", "integer"),
    # The company itself has no parent: 0 finds it.
    "PARENT": Field("PARENT", "integer", 0),
    "UF_HEAD": Field("UF_HEAD", "integer"),
}


def user_row(user: User) -> dict[str, Any]:
    return {
        "ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "EMAIL": user.email,
        "LAST_LOGIN": "2026-01-12T09:00:00+03:00",
        "DATE_REGISTER": "2025-06-01T00:00:00+03:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        # As printed by the documentation: an empty object stands for a time.
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": "2026-01-12 09:00:00",
        **dict.fromkeys(_ALWAYS, ""),
        "UF_DEPARTMENT": [1],
        "USER_TYPE": "employee",
        **user.profile,
    }


@method("user.current", scope=USER_SCOPES)
def current(portal: PortalState, user: User, params: Params) -> Any:
    return user_row(user)


@method("user.get", "user.search", scope=USER_SCOPES, upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    if params.get("IMAGE_RESIZE"):
        problem = "The sandbox keeps no photos of users: it does not model the parameter IMAGE_RESIZE"
        raise not_modelled(problem)
    # The filter stands in FILTER or, as the page also shows, beside SORT and ORDER.
    filter_ = {**params, **array_or_nothing(params.get("FILTER"), "FILTER")}
    # ADMIN_MODE shows an administrator users whom others do not see; here everybody sees all.
    searched = [str(filter_.pop(name)) for name in ("NAME_SEARCH", "FIND") if name in filter_]
    table = Table()
    table.rows = {person.id: _for_filter(person) for person in portal.users.values()}
    table.ids = sorted(number for number, row in table.rows.items() if all(_mentions(row, text) for text in searched))
    page = _page(table, _USER_FIELDS, params, filter_)
    select = {str(name) for name in array_or_nothing(params.get("SELECT"), "SELECT").values()}
    people = [portal.users[row["id"]] for row in page.result]
    return Page([_selected(_listed(person), select) for person in people], page.total, page.next)


def _listed(person: User) -> Row:
    """As the pages of the lists print it; ``user.current`` has a text there."""
    return {**user_row(person), "LAST_ACTIVITY_DATE": {}}


def _for_filter(person: User) -> Row:
    row = user_row(person)
    names = {int(department["ID"]): department["NAME"] for department in _DEPARTMENTS}
    own = [as_integer(number) or 0 for number in as_map(row["UF_DEPARTMENT"]).values()]
    return {**row, "id": person.id, "UF_DEPARTMENT_NAME": [names.get(number, "") for number in own]}


def _mentions(row: Row, text: str) -> bool:
    """Whether each word of a quick search begins a word of the person's data."""
    words = re.split(r"\W+", " ".join(str(row.get(name, "")) for name in _SEARCHED).lower())
    return all(any(word.startswith(part) for word in words) for part in re.split(r"\W+", text.lower()) if part)


def _selected(row: Row, select: set[str]) -> Row:
    if not select or "*" in select:
        return row
    return {
        name: value for name, value in row.items() if name in select or (name.startswith("UF_") and "UF_*" in select)
    }


def _page(table: Table, fields: dict[str, Field], params: Params, filter_: Params) -> Page:
    # SORT and ORDER are words of the order, unless a directory has a field of that name and the filter a value for it.
    matcher = Matcher(fields, refuse=None).read({name: value for name, value in filter_.items() if name != "SORT"})
    order = read_order({str(params.get("SORT", "ID")): params.get("ORDER", "ASC")}, fields, None)
    return page_of(table, matcher, order, params.get("start"), old=True)


@method("user.fields", scope=USER_SCOPES)
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: spec.title for name, spec in _SPECS.items()}


def _profile(params: Params) -> Row:
    """What is kept of a user beside name and e-mail; unknown names are ignored."""
    names = _SPECS.keys() - _SET_BY_PORTAL - {"NAME", "LAST_NAME", "EMAIL", "ACTIVE"}
    profile = {name: params[name] for name in names if name in params}
    if "UF_DEPARTMENT" in profile:
        value = profile["UF_DEPARTMENT"]
        numbers = as_map(value).values() if isinstance(value, (dict, list)) else [value]
        profile["UF_DEPARTMENT"] = [as_integer(number) or 0 for number in numbers]
    return profile


@method("user.add", scope="user", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    email = str(params.get("EMAIL") or "")
    if "@" not in email:
        raise Refusal("ERROR_ARGUMENT", "wrong_email", extra={"argument": ""})
    if any(person.email.lower() == email.lower() for person in portal.users.values()):
        raise Refusal("ERROR_ARGUMENT", "A user with this email already exists", extra={"argument": ""})
    if not user.is_admin:
        raise Refusal("ERROR_CORE", "access_denied")
    number = max(portal.users) + 1
    first_name, last_name = (str(params.get(name) or "") for name in ("NAME", "LAST_NAME"))
    portal.users[number] = User(number, first_name, last_name, email, code="", profile=_profile(params))
    portal.events.announce("ONUSERADD", {"ID": number})
    return number


@method("user.update", scope="user", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    person = portal.users.get(as_integer(params.get("ID")) or 0)
    if person is None or not user.is_admin:
        raise Refusal("ERROR_CORE", "access_denied")
    for name, attribute in (("NAME", "first_name"), ("LAST_NAME", "last_name"), ("EMAIL", "email")):
        if name in params:
            setattr(person, attribute, str(params[name] or ""))
    if "ACTIVE" in params:
        person.active = params["ACTIVE"] not in ("N", "false") and is_truthy(params["ACTIVE"])
    person.profile = {**person.profile, **_profile(params)}
    return True


@method("department.get", scope="department", upper=True)
def departments(portal: PortalState, user: User, params: Params) -> Any:
    table = Table()
    table.rows = {int(row["ID"]): {**row, "id": int(row["ID"])} for row in _DEPARTMENTS}
    table.ids = sorted(table.rows)
    page = _page(table, _DEPARTMENT_FIELDS, params, params)
    rows = [{name: value for name, value in row.items() if name != "id"} for row in page.result]
    return Page(rows, page.total, page.next)
