"""Conditions of a filter: what the portal would take for everything, or for nothing at all, is refused."""

from __future__ import annotations

import datetime
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import NOTHING, is_missing, is_written_structure, nothing_hint
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import native

#: Signs of operators in front of a field's name.
OPERATORS = re.compile(r"[!=<>@%?~]*")
#: The operators of the method pages. Of others a portal makes a condition that it drops, or that nothing meets.
_KNOWN = frozenset(
    ("", "=", "!=", "!", ">", ">=", "<", "<=", "><", "!><", "@", "!@", "%", "=%", "%=", "!%", "!=%", "!%=", "?")
)
#: Fields that are looked for inside of others: an empty text is in all of them ("user.search", "user.get").
_SEARCHES = frozenset({"find", "name_search", "search_content", "search_index"})
#: Of single methods ("user.search").
_SEARCHES_OF = {"user.search": frozenset({"name", "last_name", "work_position", "uf_department_name"})}
#: Fields whose values in a filter are objects ("crm.activity.list").
_OF_OBJECTS = frozenset({"BINDINGS"})
#: Operators with one bound.
_ONE_BOUND = frozenset({">", ">=", "<", "<="})
#: Operators under which one id belongs.
_EQUAL = frozenset({"", "=", "!", "!="})
_BOUNDS = frozenset({">", ">=", "<", "<=", "><", "!><"})
#: What templates, data frames and scripts make of a missing bound, in lower case.
_LOST_BOUNDS = frozenset(text.lower() for text in NOTHING) | {"undefined"}
#: Operators whose value is a list of values or a pair of bounds.
_OF_MANY = frozenset({"@", "!@", "><", "!><"})
_PAIRS = frozenset({"><", "!><"})
#: Operators of REST 3.0 by those of the older versions ("rest-v3").
_OF_VERSION_3 = {"in": "@", "between": "><"}
#: Where a name in camel case has an underscore in upper case.
_UPPER_FORM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=[0-9])")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_NUMBERS_AS_TEXT = re.compile(r"\s*\d+(\s*[,;]\s*\d+)+\s*", re.ASCII)
_NO_WINDOW = (
    "check both bounds; in Airflow 3 a schedule such as '@daily' has no data interval: use CronDataIntervalTimetable"
)


@dataclass(frozen=True)
class Condition:
    """
    One condition of a filter.

    :param name: field and operator as they are written, ``>=ID`` or ``id >=``.
    """

    name: str
    field: str
    operator: str
    value: Any


@dataclass
class _Group:
    """Conditions and groups in them; ``is_window`` where all of them must hold at once."""

    conditions: list[Condition]
    groups: list[Any]
    is_window: bool = True


def check_filter_name(
    params: Mapping[str, Any], name: str | None, *, method: str, place: str = "", exact: bool = False
) -> None:
    """
    Refuse a misspelt filter: portals ignore a parameter that they do not know, and return every row.

    :param name: the filter as the method spells it; None if it has none.
    :param place: the argument that holds ``params``, for messages.
    :param exact: the method reads no other spelling, see ``Rows.case_sensitive``.
    :raises ConfigurationError: a parameter is nearly called so.
    """
    if name is None or name in params or (not exact and any(given.lower() == name.lower() for given in params)):
        return
    for given, value in params.items():
        is_filter = isinstance(value, (Mapping, list, tuple)) or is_written_structure(value)
        if is_filter and difflib.get_close_matches(given.lower(), [name.lower()], cutoff=0.8):
            where = f" in {place}" if place else ""
            raise ConfigurationError(
                f"{given!r}{where} is not a parameter of this method: the portal would ignore it and return every row",
                method=method,
                next_step=f"did you mean {name}?",
            )


def check_conditions(filter_: Any, place: str, *, method: str = "", drops_empty_lists: bool = False) -> None:
    """
    Check the values of a filter, in groups to any depth.

    Under bounds (``>``, ``>=``, ``<``, ``<=``, ``><``) a missing value, an empty text and the texts that are made of a
    missing value (``None``, ``nan``) are refused; under ``%`` and in fields of a search a missing value and an empty
    text; elsewhere a missing value, as one of a list too. So are an operator and a ``logic`` that portals do not know,
    a list or an object where one value belongs, a text such as ``1,2`` for a list, a window that can hold nothing, such
    as ``>=5`` with ``<5``, one condition in two spellings, and a group without a condition: among alternatives it would
    hold for everything.

    :param filter_: the filter of a list of any version, an object or a list.
    :param place: the argument or parameter, for messages: ``item_filter``, ``the filter``.
    :param drops_empty_lists: the portal leaves out a condition whose list is empty.
    :raises ConfigurationError: the filter would not mean what it says.
    """
    group = _group_of(filter_, place, method)
    if filter_ and isinstance(filter_, (Mapping, list, tuple)) and not (group.conditions or group.groups):
        raise _no_condition(filter_, place, method)
    _check(group, [], place, method, drops_empty_lists)


def _no_condition(group: Any, place: str, method: str) -> ConfigurationError:
    is_whole = isinstance(group, (Mapping, list, tuple))
    what = f"a group in {place} has no condition" if is_whole else f"a group in {place} is {preview(group)}"
    return ConfigurationError(
        f"{what}, and might hold for everything",
        method=method,
        next_step=nothing_hint(group)
        or 'write e.g. {"logic": "OR", "0": {"=id": 5}, "1": {"=id": 7}}, or leave it out',
    )


def _check(group: _Group, outer: list[Condition], place: str, method: str, drops_empty_lists: bool) -> None:
    for condition in group.conditions:
        _check_value(condition, place, method, drops_empty_lists)
    if group.is_window:
        outer = outer + group.conditions
        _check_windows(outer, place, method)
    else:
        for condition in group.conditions:
            _check_windows([*outer, condition], place, method)
    for member in group.groups:
        inner = _group_of(member, place, method)
        if not (inner.conditions or inner.groups):
            raise _no_condition(member, place, method)
        _check(inner, outer, place, method, drops_empty_lists)


def _group_of(filter_: Any, place: str, method: str) -> _Group:
    if isinstance(filter_, Mapping):
        _check_logic(filter_, place, method)
        check_spellings(filter_, place, method)
        if "conditions" in filter_:
            return _Group(*_of_list(filter_["conditions"]), is_window=_is_window(filter_))
        return _Group(*_of_object(filter_), is_window=_is_window(filter_))
    return _Group(*_of_list(filter_))


def _check_logic(group: Mapping[Any, Any], place: str, method: str) -> None:
    for key, value in group.items():
        if str(key).lower().lstrip(":") == "logic" and str(value).upper() not in ("AND", "OR"):
            raise ConfigurationError(
                f"{str(key)!r} in {place} is {preview(value)}", method=method, next_step="write AND or OR"
            )


def check_spellings(group: Mapping[Any, Any], place: str, method: str) -> None:
    """Refuse one condition in two spellings, of which a portal keeps one, or knows one and drops the other."""
    spellings: dict[str, str] = {}
    for name in map(str, group):
        operator = OPERATORS.match(name)[0]  # type: ignore[index]
        field = name[len(operator) :].strip()
        for spelling in {field.casefold(), upper_form(field).casefold()}:
            known = spellings.setdefault(operator + spelling, name)
            if known != name:
                raise two_spellings(known, name, place, method)


def upper_form(name: str) -> str:
    """``STAGE_ID`` of ``stageId``, ``PARENT_ID_128`` of ``parentId128``; a name in upper case as it is."""
    return name if name.isupper() else _UPPER_FORM.sub("_", name).upper()


def two_spellings(one: str, other: str, place: str, method: str = "") -> ConfigurationError:
    """What is wrong with two names that are one."""
    return ConfigurationError(
        f"{one!r} and {other!r} in {place} are one name in two spellings, and only one would count",
        method=method,
        next_step="keep one; several values of one field are a list",
    )


def _is_window(group: Mapping[Any, Any]) -> bool:
    for key, value in group.items():
        word = str(key).lower().lstrip(":")
        if (word == "logic" and str(value).upper() == "OR") or (word == "negative" and value):
            return False
    return True


def _of_object(filter_: Mapping[Any, Any]) -> tuple[list[Condition], list[Any]]:
    """``{">=ID": 5, "0": {"logic": "OR", …}, "::SUBFILTER-1": {…}}``."""
    conditions: list[Condition] = []
    groups: list[Any] = []
    for key, value in filter_.items():
        name = str(key)
        if name.lower().lstrip(":") in ("logic", "negative"):
            continue
        if name.isdecimal() or name.startswith("::"):
            groups += value if isinstance(value, (list, tuple)) and value else [value]
            continue
        operator = OPERATORS.match(name)[0]  # type: ignore[index]
        conditions.append(Condition(name, name[len(operator) :], operator, value))
    return conditions, groups


def _of_list(filter_: Any) -> tuple[list[Condition], list[Any]]:
    """``[["id", ">=", 5], {"logic": "or", "conditions": […]}]``, or one condition by itself."""
    conditions: list[Condition] = []
    groups: list[Any] = []
    members = filter_ if isinstance(filter_, (list, tuple)) else ()
    for member in [members] if _is_condition(members) else members:
        if _is_condition(member):
            field, operator = member[0], str(member[1]).lower() if len(member) == 3 else "="
            operator = _OF_VERSION_3.get(operator, operator)
            conditions.append(Condition(f"{field} {operator}", field, operator, member[-1]))
        else:
            groups.append(member)
    return conditions, groups


def _is_condition(member: Any) -> bool:
    return isinstance(member, (list, tuple)) and len(member) in (2, 3) and isinstance(member[0], str)


def _check_value(condition: Condition, place: str, method: str, drops_empty_lists: bool) -> None:
    operator, value = condition.operator, native(condition.value)
    if operator not in _KNOWN and OPERATORS.fullmatch(operator):
        known = sorted(_KNOWN - {""}, key=lambda sign: (len(sign), sign))
        raise ConfigurationError(
            f"{condition.name!r} in {place} has the operator {operator!r}, which portals do not know",
            method=method,
            next_step=f"{_intended(operator)}the operators are {' '.join(known)}",
        )
    if isinstance(value, Mapping):
        for inner in value:
            if (sign := OPERATORS.match(str(inner))) and sign[0] == inner != "":
                raise ConfigurationError(
                    f"{condition.name!r} in {place} has its operator {inner!r} inside, where it reads as a list",
                    method=method,
                    next_step=f"write {inner + condition.name!r}",
                )
        members = list(value.values())
    else:
        members = list(value) if isinstance(value, (list, tuple, set)) else [value]
    if not members and (drops_empty_lists or operator in _BOUNDS):
        raise ConfigurationError(
            f"{condition.name!r} in {place} is an empty list: the portal would drop it and return every row",
            method=method,
            next_step="skip the call where there is nothing to look for, or leave the condition out",
        )
    if operator in _OF_MANY and is_written_structure(value):
        raise ConfigurationError(
            f"{condition.name!r} in {place} is the text of a list, {preview(value)}",
            method=method,
            next_step="give the list itself; for templates, set render_template_as_native_obj=True",
        )
    for member in members:
        # A bound is a number or a time, so no spelling of these words is meant.
        text = member.strip().lower() if isinstance(member, str) else None
        is_search = "%" in operator or "?" in operator or is_search_field(condition.field, method)
        refused = _LOST_BOUNDS if operator in _BOUNDS else {""} if is_search else ()
        if is_missing(member) or text in refused:
            raise ConfigurationError(
                f"{condition.name!r} in {place} is {preview(member)}", method=method, next_step=nothing_hint(None)
            )
    _check_shape(condition, value, members, place, method)


def is_search_field(name: str, method: str) -> bool:
    """Whether an empty text under this name finds everything."""
    return name.lower() in _SEARCHES or name.lower() in _SEARCHES_OF.get(method.lower(), ())


def _intended(operator: str) -> str:
    intended = {"=>": ">=", "=<": "<=", "<>": "!=", "==": "=", "!==": "!=", "!>": "<=", "!<": ">=", "@!": "!@"}
    return f"did you mean {intended[operator]}? " if operator in intended else ""


def _check_shape(condition: Condition, value: Any, members: list[Any], place: str, method: str) -> None:
    """Refuse what portals cast to 0 or 1: a list or an object for one value, and a text for a list."""
    operator = condition.operator
    if isinstance(value, Iterator):
        raise ConfigurationError(
            f"{condition.name!r} in {place} is {preview(value)}, which can be read only once",
            method=method,
            next_step="write a list: list(…)",
        )
    # A list as PHP writes one has the keys 0, 1, 2.
    is_object = isinstance(value, Mapping) and [str(key) for key in value] != [str(n) for n in range(len(value))]
    is_list = isinstance(value, (Mapping, list, tuple, set))
    shapes = (list, tuple, set) if condition.field in _OF_OBJECTS else (Mapping, list, tuple, set)
    nested = [member for member in members if isinstance(native(member), shapes)]
    if is_object or nested or (is_list and operator in _ONE_BOUND):
        what = f"has {preview(nested[0])} inside, where one value belongs" if nested else f"is {preview(value)}"
        raise ConfigurationError(
            f"{condition.name!r} in {place} {what}",
            method=method,
            next_step=f"write one value{'' if operator in _ONE_BOUND else ', or a list of values'}",
        )
    if operator in _PAIRS and is_list and len(members) != 2:
        raise ConfigurationError(
            f"{condition.name!r} in {place} has {len(members)} bounds", method=method, next_step="write two: [1, 9]"
        )
    if not isinstance(value, str):
        return
    many = operator in _OF_MANY and "," in value
    if many or (operator in _EQUAL and condition.field.lower() == "id" and _NUMBERS_AS_TEXT.fullmatch(value)):
        values = [part.strip() for part in re.split("[,;]", value)]
        shown = [int(part) if _NUMBER.fullmatch(part) and part.isdecimal() else part for part in values]
        raise ConfigurationError(
            f"{condition.name!r} in {place} is the text {preview(value)}, which is one value",
            method=method,
            next_step=f"write a list: {preview(shown)}",
        )


def _check_windows(conditions: Iterable[Condition], place: str, method: str) -> None:
    lower: dict[str, list[tuple[Condition, Any]]] = defaultdict(list)
    upper: dict[str, list[tuple[Condition, Any]]] = defaultdict(list)
    for condition in conditions:
        field = condition.field.casefold()
        if condition.operator in (">", ">="):
            lower[field].append((condition, condition.value))
        elif condition.operator in ("<", "<="):
            upper[field].append((condition, condition.value))
        elif condition.operator == "><" and isinstance(condition.value, (list, tuple)) and len(condition.value) == 2:
            lower[field].append((condition, condition.value[0]))
            upper[field].append((condition, condition.value[1]))
    for low, least, high, most in _pairs(lower, upper):
        width = _difference(least, most)
        exclusive = low.operator == ">" or high.operator == "<"
        if width is not None and (width < 0 or (width == 0 and exclusive)):
            bounds = repr(low.name) if low is high else f"{low.name!r} and {high.name!r}"
            raise ConfigurationError(
                f"nothing lies between {preview(least)} and {preview(most)}, the bounds of {bounds} in {place}",
                method=method,
                next_step=_NO_WINDOW,
            )


def _pairs(
    lower: Mapping[str, list[tuple[Condition, Any]]], upper: Mapping[str, list[tuple[Condition, Any]]]
) -> Iterator[tuple[Condition, Any, Condition, Any]]:
    for field, lows in lower.items():
        for low, least in lows:
            for high, most in upper.get(field, ()):
                yield low, least, high, most


def _difference(least: Any, most: Any) -> Any:
    """How far ``most`` is above ``least``, both numbers or both times; None where they cannot be compared."""
    numbers = _number(least), _number(most)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[1] - numbers[0]
    times = _time(least), _time(most)
    if times[0] is None or times[1] is None or (times[0].tzinfo is None) != (times[1].tzinfo is None):
        return None
    return (times[1] - times[0]).total_seconds()


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float, Decimal)) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        return Decimal(str(value).strip())
    return None


def _time(value: Any) -> datetime.datetime | None:
    """A date counts from its midnight, in no zone."""
    moment = parse(value) if isinstance(value, str) else value
    if isinstance(moment, datetime.datetime):
        return moment
    return datetime.datetime.combine(moment, datetime.time()) if isinstance(moment, datetime.date) else None


def has_logic(conditions: Mapping[str, Any]) -> bool:
    """Whether a filter of an object says at its top how its conditions are connected."""
    return any(str(key).lower().lstrip(":") == "logic" for key in conditions)


def beside(conditions: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """
    A filter of ``crm.item.list`` in which both hold.

    Beside an OR, ``more`` would be one more alternative, and under a key of the author's it would replace his.
    """
    if has_logic(conditions) or conditions.keys() & more.keys():
        return {"0": dict(conditions), **more}
    return {**conditions, **more}
