"""
Methods of ``task.*`` that read their parameters by position and not by name.

Source: page "Data encoding", and the method pages for the order of the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError

_ITEM = ("TASKID", "ITEMID")
#: Parameters in the order of the method's page.
_ORDER: dict[str, tuple[str, ...]] = {
    "task.checklistitem.add": ("TASKID", "FIELDS"),
    "task.checklistitem.complete": _ITEM,
    "task.checklistitem.delete": _ITEM,
    "task.checklistitem.get": _ITEM,
    "task.checklistitem.getlist": ("TASKID", "ORDER"),
    "task.checklistitem.isactionallowed": (*_ITEM, "ACTIONID"),
    "task.checklistitem.moveafteritem": (*_ITEM, "AFTERITEMID"),
    "task.checklistitem.renew": _ITEM,
    "task.checklistitem.update": (*_ITEM, "FIELDS"),
    "task.commentitem.add": ("TASKID", "FIELDS"),
    "task.commentitem.delete": _ITEM,
    "task.commentitem.get": _ITEM,
    "task.commentitem.getlist": ("TASKID", "ORDER", "FILTER"),
    "task.commentitem.isactionallowed": (*_ITEM, "ACTIONID"),
    "task.commentitem.update": (*_ITEM, "FIELDS"),
    "task.elapseditem.add": ("TASKID", "ARFIELDS"),
    "task.elapseditem.delete": _ITEM,
    "task.elapseditem.get": _ITEM,
    "task.elapseditem.getlist": ("TASKID", "ORDER", "FILTER", "SELECT", "PARAMS"),
    "task.elapseditem.update": (*_ITEM, "ARFIELDS"),
    "task.item.userfield.add": ("PARAMS",),
    "task.item.userfield.delete": ("ID",),
    "task.item.userfield.get": ("ID",),
    "task.item.userfield.getlist": ("ORDER", "FILTER"),
    "task.item.userfield.update": ("ID", "DATA"),
}
#: Without its first parameter, the others move up: the entries of all tasks (the page's own example).
_MAY_BEGIN_LATER = frozenset({"task.elapseditem.getlist"})
#: Parameters that may be left out before one that is given: an empty one holds the place.
_OPTIONAL = frozenset({"ORDER", "FILTER", "SELECT"})


def is_positional(method: str) -> bool:
    """Whether the order of a method's parameters matters."""
    return method.lower() in _ORDER


def name_at(method: str, place: str) -> str:
    """The name of a parameter that is given by its number, ``"0"``; any other is a name already."""
    order = _ORDER.get(method.lower(), ())
    return order[int(place)] if place.isdecimal() and int(place) < len(order) else place


def by_name(params: Mapping[str, Any], *, method: str) -> Mapping[str, Any]:
    """
    Parameters that are given by their numbers, under their names, without what only holds a place; others as they are.

    :raises ConfigurationError: there are more than the method has.
    """
    order = _ORDER.get(method.lower())
    if order is None:
        return params
    named = dict(params)
    if params and all(str(place).isdecimal() for place in params):
        if method.lower() in _MAY_BEGIN_LATER and isinstance(params.get("0"), Mapping):
            order = order[1:]
        places = [int(place) for place in params]
        if max(places) >= len(order):
            raise ConfigurationError(
                f"{len(params)} parameters are given, and there are {len(order)}",
                method=method,
                next_step=f"give {', '.join(order)}, in this order or by name",
            )
        named = {order[place]: value for place, value in zip(places, params.values(), strict=True)}
    return {name: value for name, value in named.items() if value or name.upper() not in _OPTIONAL}


def in_order(params: Any, *, method: str) -> Any:
    """
    Parameters in the order in which the method reads them, under their names or, of a list, under their numbers.

    An optional parameter that is left out in front of a given one becomes an empty object, which holds its place.

    :raises ConfigurationError: a name that the method does not have, or a missing one in front of another.
    """
    order = _ORDER.get(method.lower())
    if order is None:
        return params
    if isinstance(params, (list, tuple)):
        return {str(place): value for place, value in enumerate(params)}
    if not isinstance(params, Mapping) or not params or all(str(name).isdecimal() for name in params):
        return params
    # Old modules read a name in any case.
    given = {str(name).upper(): name for name in params}
    if unknown := [name for upper, name in given.items() if upper not in order]:
        raise ConfigurationError(
            f"{unknown[0]!r} is not a parameter, and would take the place of another one",
            method=method,
            next_step=f"give {', '.join(order)}, in any order, or a list of values in this one",
        )
    if method.lower() in _MAY_BEGIN_LATER and order[0] not in given:
        order = order[1:]
    last = max(order.index(upper) for upper in given)
    ordered: dict[str, Any] = {}
    for name in order[: last + 1]:
        if name in given:
            ordered[given[name]] = params[given[name]]
        elif name in _OPTIONAL:
            ordered[name] = {}
        else:
            raise ConfigurationError(
                f"{name} is missing, and {order[last]} would take its place", method=method, next_step=f"give {name}"
            )
    return ordered
