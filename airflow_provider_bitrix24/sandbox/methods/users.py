"""``user.*`` and ``department.get``: fields and filters in upper case, ``SORT`` and ``ORDER`` as plain words.

Source: pages under ``user`` and ``departments``.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Any one of them allows the ``user.*`` methods (server source).
USER_SCOPES = ("user", "user_brief", "user_basic")

_USER_FIELDS = {
    "ID": Field("id", "integer"),
    "ACTIVE": Field("active", "flag"),
    "NAME": Field("name"),
    "LAST_NAME": Field("last_name"),
    "EMAIL": Field("email"),
    "UF_DEPARTMENT": Field("department", "integer"),
}

_DEPARTMENTS: tuple[Row, ...] = (
    {"ID": "1", "NAME": "Company", "SORT": 500, "UF_HEAD": "1"},
    {"ID": "2", "NAME": "Accounting", "SORT": 500, "PARENT": "1"},
    {"ID": "15", "NAME": "Sales", "SORT": 500, "PARENT": "1"},
)
_DEPARTMENT_FIELDS = {
    "ID": Field("id", "integer"),
    "NAME": Field("NAME"),
    "PARENT": Field("PARENT", "integer"),
    "UF_HEAD": Field("UF_HEAD", "integer"),
}


def user_row(user: User) -> dict[str, Any]:
    return {
        "ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": "2026-01-12T09:00:00+03:00",
        "DATE_REGISTER": "2025-06-01T00:00:00+03:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        # As printed by the documentation: an empty object stands for a time.
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": "2026-01-12 09:00:00",
        "PERSONAL_GENDER": "",
        "PERSONAL_WWW": "",
        "PERSONAL_MOBILE": "",
        "PERSONAL_CITY": "",
        "WORK_PHONE": "",
        "PERSONAL_BIRTHDAY": "",
        "WORK_POSITION": "",
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": [1],
        "USER_TYPE": "employee",
    }


@method("user.current", scope=USER_SCOPES)
def current(portal: PortalState, user: User, params: Params) -> Any:
    return user_row(user)


@method("user.get", "user.search", scope=USER_SCOPES, upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    table = Table()
    table.rows = {person.id: _for_filter(person) for person in portal.users.values()}
    table.ids = sorted(table.rows)
    # The filter stands in FILTER or, as the page also shows, beside SORT and ORDER.
    page = _page(table, _USER_FIELDS, params, {**params, **as_map(params.get("FILTER"))})
    return Page([user_row(portal.users[row["id"]]) for row in page.result], page.total, page.next)


def _for_filter(person: User) -> Row:
    return {
        "id": person.id,
        "active": person.active,
        "name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "department": 1,
    }


def _page(table: Table, fields: dict[str, Field], params: Params, filter_: Params) -> Page:
    # SORT and ORDER themselves are not fields here, so a filter drops them.
    matcher = Matcher(fields, refuse=None).read(filter_)
    order = read_order({str(params.get("SORT", "ID")): params.get("ORDER", "ASC")}, fields, None)
    return page_of(table, matcher, order, params.get("start"), old=True)


@method("department.get", scope="department", upper=True)
def departments(portal: PortalState, user: User, params: Params) -> Any:
    table = Table()
    table.rows = {int(row["ID"]): {**row, "id": int(row["ID"])} for row in _DEPARTMENTS}
    table.ids = sorted(table.rows)
    page = _page(table, _DEPARTMENT_FIELDS, params, params)
    rows = [{name: value for name, value in row.items() if name != "id"} for row in page.result]
    return Page(rows, page.total, page.next)
