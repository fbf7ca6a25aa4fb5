"""
``crm.deal.details.configuration.*`` and ``crm.item.details.configuration.*``: which fields a card shows, and where.

Settings are a user's own or common, for each kind of object and each funnel. Source: the pages of the methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.crm.fields import by_item_name
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DEAL, Row
from airflow_provider_bitrix24.sandbox.state.users import User

#: Kind of object, funnel (or kind of lead), and whose settings: a user's id, or 0 for the common ones.
_Place: TypeAlias = tuple[int, int, int]
_KindOf: TypeAlias = Callable[[PortalState, Params], int]

_DEAL_SECTIONS = {
    "main": ("About the Deal", ("TITLE", "OPPORTUNITY_WITH_CURRENCY", "STAGE_ID", "CLOSEDATE", "CLIENT")),
    "additional": (
        "Additional",
        ("TYPE_ID", "SOURCE_ID", "SOURCE_DESCRIPTION", "BEGINDATE", "OPENED", "ASSIGNED_BY_ID"),
    ),
    "products": ("Products", ("PRODUCT_ROW_SUMMARY",)),
    "recurring": ("Recurring Deal", ("RECURRING",)),
}


def _default(entity_type_id: int) -> list[Row]:
    """What a card shows when nobody has set anything."""
    names = tuple(field.upper_name for field in by_item_name(entity_type_id).values())
    sections = _DEAL_SECTIONS if entity_type_id == DEAL else {"main": ("About", names)}
    return [
        {"name": name, "title": title, "type": "section", "elements": [{"name": element} for element in elements]}
        for name, (title, elements) in sections.items()
    ]


def _deal(portal: PortalState, params: Params) -> int:
    return DEAL


def _any_kind(portal: PortalState, params: Params) -> int:
    entity_type_id = as_integer(params.get("ENTITYTYPEID")) or 0
    if entity_type_id <= 0:
        raise Refusal("", "Parameter 'entityTypeId' is not defined")
    if entity_type_id not in portal.store.items:
        raise Refusal("", f"The entity type '{entity_type_id}' is not supported in current context.")
    return entity_type_id


def _place(user: User, entity_type_id: int, params: Params, *, to_change: bool) -> _Place:
    extras = as_map(params.get("EXTRAS"))
    funnels = (as_integer(extras.get(name)) for name in ("dealCategoryId", "categoryId", "leadCustomerType"))
    is_common = str(params.get("SCOPE") or "P").upper() == "C"
    owner_id = 0 if is_common else as_integer(params.get("USERID")) or user.id
    if owner_id != user.id and not user.is_admin and (to_change or not is_common):
        raise denied()
    return entity_type_id, next((funnel for funnel in funnels if funnel), 0), owner_id


def _get(kind_of: _KindOf) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        entity_type_id = kind_of(portal, params)
        place = _place(user, entity_type_id, params, to_change=False)
        sections = portal.store.card_settings.get(place) or _default(entity_type_id)
        return [{**section, "elements": [_shown(element, kind_of) for element in section["elements"]]}
                for section in sections]  # fmt: skip

    return get


def _shown(element: Row, kind_of: _KindOf) -> Row:
    flags = str(as_integer(element.get("optionFlags")) or 0)
    shown = {"name": element["name"]}
    if kind_of is _any_kind or flags != "0":
        # The pages of deals print the flag only where it is set.
        shown["optionFlags"] = flags
    if element.get("options"):
        shown["options"] = element["options"]
    return shown


def _set(kind_of: _KindOf) -> Handler:
    def set_(portal: PortalState, user: User, params: Params) -> Any:
        place = _place(user, kind_of(portal, params), params, to_change=True)
        portal.store.card_settings[place] = _sections(params.get("DATA"))
        return True

    return set_


def _sections(data: Any) -> list[Row]:
    if not isinstance(data, (dict, list)):
        raise Refusal("", "Parameter 'data' must be array.")
    if not data:
        raise Refusal("", "There are no data to write.")
    if isinstance(data, dict):
        raise Refusal("", "The data must be indexed array.")
    sections = []
    for place, entry in enumerate(data):
        section = as_map(entry)
        if section.get("type") != "section":
            problem = f"Section at index {place} have type {section.get('type')}. The expected type is 'section'."
            raise Refusal("", problem)
        for name in ("name", "title"):
            if not section.get(name):
                raise Refusal("", f"Section at index {place} does not have {name}.")
        elements = [as_map(element) for element in as_map(section.get("elements")).values()]
        for number, element in enumerate(elements):
            if not element.get("name"):
                raise Refusal("", f"Element at index {number} in section at index {place} does not have name.")
        sections.append({**{name: section[name] for name in ("name", "title", "type")}, "elements": elements})
    return sections


def _reset(kind_of: _KindOf) -> Handler:
    def reset(portal: PortalState, user: User, params: Params) -> Any:
        portal.store.card_settings.pop(_place(user, kind_of(portal, params), params, to_change=True), None)
        return True

    return reset


def _force_common(kind_of: _KindOf) -> Handler:
    def force_common_for_all(portal: PortalState, user: User, params: Params) -> Any:
        place = _place(user, kind_of(portal, params), {**params, "SCOPE": "C"}, to_change=True)
        settings = portal.store.card_settings
        for other in [other for other in settings if other[:2] == place[:2] and other != place]:
            del settings[other]
        return True

    return force_common_for_all


_FAMILY = {"get": _get, "set": _set, "reset": _reset, "forceCommonScopeForAll": _force_common}
for _kind, _kind_of in (("deal", _deal), ("item", _any_kind)):
    for _action, _make in _FAMILY.items():
        method(f"crm.{_kind}.details.configuration.{_action}", scope="crm", upper=True)(_make(_kind_of))
