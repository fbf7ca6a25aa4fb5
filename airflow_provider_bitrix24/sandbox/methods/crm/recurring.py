"""
``crm.deal.recurring.*``: deals that are made again and again from a template, which is a deal of its own.

The portal never makes one by itself here: ``expose`` does. Source: pages under ``crm/deals/recurring-deals``.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import BadValue, Field, Matcher, as_server_time, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DEAL, Row
from airflow_provider_bitrix24.sandbox.state.users import User

#: Name -> type, title, and whether it is required, read only, immutable.
_FIELDS: dict[str, tuple[str, str, str]] = {
    "ID": ("integer", "id", "read only"),
    "DEAL_ID": ("integer", "id of the recurring deal", "required immutable"),
    "BASED_ID": ("integer", "Created based on", "read only"),
    "ACTIVE": ("char", "Active", ""),
    "NEXT_EXECUTION": ("datetime", "Next execution date", "read only"),
    "LAST_EXECUTION": ("datetime", "Last execution date", "read only"),
    "COUNTER_REPEAT": ("integer", "Number of executions", "read only"),
    "START_DATE": ("date", "Start date for calculation", ""),
    "CATEGORY_ID": ("char", "Category of the new deal", ""),
    "IS_LIMIT": ("char", "Type of execution limits", ""),
    "LIMIT_REPEAT": ("integer", "Limit on the number of executions", ""),
    "LIMIT_DATE": ("date", "Limit by date", ""),
}
_PARAMS: dict[str, tuple[str, str, Any]] = {
    "MODE": ("string", "Repetition mode", "multiple"),
    "SINGLE_BEFORE_START_DATE_VALUE": ("integer", "Offset before the calculation date", 0),
    "SINGLE_BEFORE_START_DATE_TYPE": ("string", "Type of offset before the calculation date", "day"),
    "MULTIPLE_TYPE": ("string", "Type of repetition", "day"),
    "MULTIPLE_INTERVAL": ("integer", "Repetition interval", 1),
    "OFFSET_BEGINDATE_TYPE": ("string", "Type of offset for the start date in the new deal", "day"),
    "OFFSET_BEGINDATE_VALUE": ("integer", "Offset for the start date in the new deal", 0),
    "OFFSET_CLOSEDATE_TYPE": ("string", "Type of offset for the completion date in the new deal", "day"),
    "OFFSET_CLOSEDATE_VALUE": ("integer", "Offset for the completion date in the new deal", 0),
}
_KINDS = {name: Field("id" if name == "ID" else name, kind) for name, (kind, _, _) in _FIELDS.items()}
_WRITABLE = ("ACTIVE", "CATEGORY_ID", "IS_LIMIT", "LIMIT_REPEAT")
_DATES = ("START_DATE", "LIMIT_DATE")

#: What a copy of a deal does not take over.
_OWN = frozenset({"id", "stageId", "stageSemanticId", "closed", "movedTime", "movedBy", "isRecurring"})


def _described(kind: str, title: str, flags: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "isRequired": "required" in flags,
        "isReadOnly": "read only" in flags,
        "isImmutable": "immutable" in flags,
        "isMultiple": False,
        "isDynamic": False,
        "title": title,
    }


@method("crm.deal.recurring.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise denied()
    definition = {name: _described(kind, title) for name, (kind, title, _) in _PARAMS.items()}
    parameters = _described("recurring_params", "Parameters for calculating the next execution date")
    described = {name: _described(*field) for name, field in _FIELDS.items()}
    return {**described, "PARAMS": {**parameters, "definition": definition}}


@method("crm.deal.recurring.list", scope="crm", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise denied()
    matcher = Matcher(_KINDS, refuse=None).read(array_or_none(params, "FILTER"))
    # The page orders by `deal_id`, and its rows have four names in lower case.
    order = {name.upper(): direction for name, direction in as_map(array_or_none(params, "ORDER")).items()}
    page = page_of(portal.store.recurring, matcher, read_order(order, _KINDS, None), params.get("start"), old=True)
    small = ("ID", "DEAL_ID", "BASED_ID", "CATEGORY_ID")
    rows = [
        {(name.lower() if name in small else name): value for name, value in _shown(row).items()} for row in page.result
    ]
    return Page(rows, page.total, page.next)


@method("crm.deal.recurring.get", scope="crm", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    return _shown(_found(portal, user, params, "read"))


def _shown(row: Row) -> Row:
    shown = {name: None if row[field.key] is None else str(row[field.key]) for name, field in _KINDS.items()}
    return {**shown, "PARAMS": row["PARAMS"]}


def _found(portal: PortalState, user: User, params: Params, right: str) -> Row:
    setting_id = as_integer(params.get("ID")) or 0
    if setting_id <= 0:
        raise Refusal("", "id is not defined or invalid.")
    row = portal.store.recurring.get(setting_id)
    if row is None:
        raise Refusal("", "Recurring deal is not found.")
    if not user.may(right):
        raise denied()
    return row


def _settings(params: Params) -> Row:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    given = as_map(params["FIELDS"])
    settings: Row = {name: given[name] for name in _WRITABLE if name in given}
    for name in _DATES:
        if given.get(name):
            try:
                settings[name] = as_server_time(given[name])
            except BadValue:
                continue
    if "START_DATE" in settings:
        settings["NEXT_EXECUTION"] = settings["START_DATE"]
    if "PARAMS" in given:
        if not isinstance(given["PARAMS"], (dict, list)):
            raise Refusal("", "Parameter 'params' must be array.")
        known = as_map(given["PARAMS"])
        settings["PARAMS"] = {name: known.get(name, default) for name, (_, _, default) in _PARAMS.items()}
    return settings


@method("crm.deal.recurring.add", scope="crm", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    settings = _settings(params)
    based_id = as_integer(as_map(params["FIELDS"]).get("DEAL_ID")) or 0
    deal = portal.store.items[DEAL].get(based_id)
    if deal is None:
        raise Refusal("", "Deal id is empty.")
    if not user.may("change"):
        raise denied()
    if any(based_id in (row["BASED_ID"], row["DEAL_ID"]) for row in portal.store.recurring):
        raise Refusal("", "Deal already has recurring settings.")
    template_id = _copy(portal, user, deal, isRecurring="Y")
    row: Row = {
        "DEAL_ID": template_id,
        "BASED_ID": based_id,
        "ACTIVE": "Y",
        "CATEGORY_ID": str(deal.get("categoryId", 0)),
        "IS_LIMIT": "N",
        **dict.fromkeys(("COUNTER_REPEAT", "LIMIT_REPEAT")),
        **dict.fromkeys(("LIMIT_DATE", "START_DATE", "NEXT_EXECUTION", "LAST_EXECUTION"), ""),
        "PARAMS": {name: default for name, (_, _, default) in _PARAMS.items()},
        **settings,
    }
    setting_id = portal.store.recurring.add(row)
    _announce(portal, "ADD", row, RECURRING_DEAL_ID=template_id)
    return setting_id


def _copy(portal: PortalState, user: User, deal: Row, **fields: Any) -> int:
    copy = {name: value for name, value in deal.items() if name not in _OWN} | fields
    category_id = copy.get("categoryId", 0)
    copy["stageId"] = f"C{category_id}:NEW" if category_id else "NEW"
    return int(changes.add(portal, user, DEAL, copy, {})["id"])


def _announce(portal: PortalState, change: str, row: Row, **fields: int) -> None:
    portal.events.announce(f"ONCRMDEALRECURRING{change}", {"FIELDS": {"ID": row["id"], **fields}})


@method("crm.deal.recurring.update", scope="crm", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params, "change")
    row.update(_settings(params))
    _announce(portal, "UPDATE", row, RECURRING_DEAL_ID=row["DEAL_ID"])
    return True


@method("crm.deal.recurring.delete", scope="crm", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params, "change")
    if portal.store.items[DEAL].get(row["DEAL_ID"]) is not None:
        raise Refusal("", "Deleting is impossible. Connected recurring deal exists.")
    portal.store.recurring.remove(row["id"])
    _announce(portal, "DELETE", row)
    return True


@method("crm.deal.recurring.expose", scope="crm", upper=True)
def expose(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params, "change")
    template = portal.store.items[DEAL].get(row["DEAL_ID"])
    if template is None:
        raise Refusal("", "Recurring deal is not found.")
    deal_id = _copy(portal, user, template, categoryId=as_integer(row["CATEGORY_ID"]) or 0)
    row.update(COUNTER_REPEAT=(row["COUNTER_REPEAT"] or 0) + 1, LAST_EXECUTION=portal.clock.iso())
    _announce(portal, "EXPOSE", row, RECURRING_DEAL_ID=row["DEAL_ID"], DEAL_ID=deal_id)
    return {"DEAL_ID": deal_id}
