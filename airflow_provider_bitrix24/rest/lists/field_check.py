"""
Names in ``filter`` and ``select``, and values of the filter, are checked by the portal's own list of fields where it
drops what it does not know.

Source: pages of ``crm.deal.list`` and its sisters; the server source.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.methods import Method, Rows
from airflow_provider_bitrix24.rest.conditions import OPERATORS, upper_form
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.encoding import as_params, has_reference
from airflow_provider_bitrix24.rest.field_descriptions import described, kept
from airflow_provider_bitrix24.rest.lists.filter_values import ANY_CASE, check_values
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.own_parameters import check_paging, not_a_parameter
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, is_slip, preview
from airflow_provider_bitrix24.rest.missing_values import is_written_structure
from airflow_provider_bitrix24.rest.positional import by_name
from airflow_provider_bitrix24.types import Params

log = logging.getLogger(__name__)

#: "All fields" and "all user fields"; multi-fields have no mask.
_MASKS = frozenset({"*", "UF_*"})
#: Kinds of multi-fields, which are selected by name.
_MULTIFIELDS = frozenset({"PHONE", "EMAIL", "WEB", "IM", "LINK"})
#: Described, but not in filters, and the hint ("crm.deal.list", "crm.status.list").
_NOT_FILTERED = {
    "crm.deal.fields": {"CONTACT_IDS": "use crm.item.list, whose field is contactIds"},
    "crm.status.fields": {"EXTRA": "filter by SEMANTICS or COLOR, which it repeats"},
}
#: Described, but not in rows, and the hint ("crm.deal.list", "crm.contact.fields").
_NOT_SELECTED = {
    **_NOT_FILTERED,
    "crm.contact.fields": {"COMPANY_IDS": "use crm.item.list, or crm.contact.company.items.get"},
}
#: Selected, though not described: the files of an activity, which come as FILES ("crm.activity.list").
_NOT_DESCRIBED = {"crm.activity.fields": frozenset({"STORAGE_ELEMENT_IDS"})}


#: Filtered by, though not described ("tasks.task.list"; MEMBER by the server's source; "user.get").
_ALSO_FILTERED = {
    "tasks.task.getFields": frozenset(
        {"TAG", "REAL_STATUS", "ACCOMPLICE", "AUDITOR", "DEPENDS_ON", "ONLY_ROOT_TASKS", "MEMBER", "DOER"}
    ),
    "user.fields": frozenset({"NAME_SEARCH", "IS_ONLINE", "USER_TYPE", "UF_PHONE_INNER"}),
}
#: Sorted by, though not described ("tasks.task.list").
_ALSO_SORTED = {"tasks.task.getFields": frozenset({"REAL_STATUS", "STATUS_COMPLETE", "CREATED_BY_LAST_NAME",
                                                   "RESPONSIBLE_LAST_NAME"})}  # fmt: skip
#: Selected by the names of their answers too, and by names that nothing describes: refused are slips of the pen alone.
#: The names are those of the answers on the pages ("tasks.task.list", "tasks.task.get"), in upper case.
_SELECTS_MORE = {
    "tasks.task.getFields": frozenset(
        {
            "ACCOMPLICES_DATA", "ACTION", "AUDITORS_DATA", "CHAT_ID", "CHECK_LIST_CAN_ADD", "CHECK_LIST_TREE",
            "COUNTER", "COUNTERS", "CREATOR", "DESCRIPTION_IN_BBCODE", "GROUP", "LENGTH_DEADLINE", "PARSED_DESCRIPTION",
            "RESPONSIBLE", "SUB_STATUS", "TAGS", "TASK_HAS_OPEN_RESULT", "TASK_HAS_RESULT", "TASK_REQUIRE_RESULT",
            "TIME_ELAPSED", "TIMER_IS_RUNNING_FOR_CURRENT_USER"
        }
    )
}  # fmt: skip
#: Filtered with groups of conditions too ("tasks.task.list").
_WITH_GROUPS = frozenset({"tasks.task.getFields"})


#: A direction; old lists may say where empty values go.
_DIRECTION = re.compile(r"(nulls,)?(asc|desc)(,nulls)?", re.IGNORECASE)


class Fields:
    """
    What a method filters by, selects and sorts by.

    :param source: the method that describes the fields, e.g. ``crm.deal.fields``.
    :param description: its result.
    """

    def __init__(self, source: str, description: Mapping[str, Any]) -> None:
        self._source, self._description = source, description
        multifields = _MULTIFIELDS if "PHONE" in description else frozenset()
        self._not_described: frozenset[str] = _MASKS | multifields | _NOT_DESCRIBED.get(source, frozenset())
        self._not_filtered, self._not_selected = _NOT_FILTERED.get(source, {}), _NOT_SELECTED.get(source, {})
        self._also_filtered = _ALSO_FILTERED.get(source, frozenset())

    def accept(self, listing: Listing, order: Iterable[str] = ()) -> bool:
        """Whether the method takes every name of the filter, of ``select`` and of an order."""
        names = (
            self._unknown_in_filter(listing),
            self._unknown_in_select(listing),
            self._unknown_in_order(order),
        )
        return not any(names)

    def check(self, listing: Listing, order: Iterable[str] = ()) -> None:
        """
        :param order: names that a caller sorts by.
        :raises ConfigurationError: the method does not take a name: a condition, a column or the order would be lost.
        """
        for name in self._unknown_in_filter(listing):
            known: Iterable[str] = self._also_filtered.union(self._description).difference(self._not_filtered)
            raise self._refusal(listing, "the filter", name, known, "return every row")
        for name in self._unknown_in_select(listing):
            known = self._not_described.union(self._description).difference(self._not_selected)
            raise self._refusal(listing, str(listing.rows.select), name, known, "return rows without it")
        for name in self._unknown_in_order(order):
            known = _ALSO_SORTED.get(self._source, frozenset()).union(self._description)
            raise self._refusal(listing, str(listing.rows.order), name, known, "sort by something else")

    def _unknown_in_filter(self, listing: Listing) -> list[str]:
        return [name for name in listing.filter_names() if not self._is_filtered(name)]

    def _is_filtered(self, name: str) -> bool:
        if name.startswith("::") and self._source in _WITH_GROUPS:
            return True
        spelled = name.upper() if self._source in ANY_CASE else name
        return (spelled in self._description or spelled in self._also_filtered) and spelled not in self._not_filtered

    def _unknown_in_order(self, names: Iterable[str]) -> list[str]:
        also = _ALSO_SORTED.get(self._source, frozenset())
        return [name for name in names if name.upper() not in self._description and name.upper() not in also]

    def _unknown_in_select(self, listing: Listing) -> list[str]:
        return [name for name in _selected(listing) if not self._is_selected(name)]

    def warn(self, listing: Listing) -> None:
        """Say of which selected names nobody knows whether the method takes them."""
        if self._source in _SELECTS_MORE:
            for name in (name for name in _selected(listing) if not self._is_described(name)):
                log.warning(
                    "%s: %s names %r, which %s does not describe: rows may come without it",
                    listing.name,
                    listing.rows.select,
                    name,
                    self._source,
                )

    def _is_described(self, name: str) -> bool:
        spelled = upper_form(name)
        return spelled in self._description or spelled in _SELECTS_MORE[self._source]

    def _is_selected(self, name: str) -> bool:
        if self._source in _SELECTS_MORE:
            given, known = _plain(name), map(_plain, self._description)
            return self._is_described(name) or not any(is_slip(given, meant) for meant in known)
        if (name in self._description or name in self._not_described) and name not in self._not_selected:
            return True
        # The server reads the names of system fields with one value in any case.
        field = self._description.get(name.upper())
        return isinstance(field, Mapping) and not (field.get("isMultiple") or field.get("isDynamic"))

    def _refusal(self, listing: Listing, place: str, name: str, known: Iterable[str], loss: str) -> ConfigurationError:
        hint = did_you_mean(name.upper(), sorted(known), f"see {self._source} for the names")
        return ConfigurationError(
            f"{place} names {name!r}, which is not a field here: the portal would silently drop it and {loss}",
            method=listing.name,
            next_step=self._not_selected.get(name, hint),
        )


def check_fields(conversation: Conversation, listing: Listing, order: Iterable[str] = ()) -> None:
    """
    :param order: names that a caller sorts by.
    :raises ConfigurationError: the filter, ``select`` or the order names a field that the method does not take, or a
        value of the filter is none of its field's type; the list was not asked for.
    """
    rows = listing.rows
    names = (*listing.filter_names(), *_selected(listing), *order)
    if not (names_are_known(listing.method) and rows.fields_method and names):
        _check_values(listing, {})
        return
    description = _fields_in(kept(conversation.portal, rows.fields_method))
    if description is None or not _accepted(rows.fields_method, description, listing, order):
        # A field may be new: before a name is refused, the portal is asked again.
        description = _fields_in(described(conversation, rows.fields_method, fresh=True))
        if not description:
            raise IncompleteList(
                f"{rows.fields_method} describes no fields, so names in filter and select cannot be checked"
            )
        Fields(rows.fields_method, description).check(listing, order)
        _check_values(listing, description)
    Fields(rows.fields_method, description).warn(listing)


def names_are_known(method: Method) -> bool:
    """Whether it is a list that drops names which it does not know, and the portal describes those that it knows."""
    return method.rows is not None and method.rows.drops_unknown_filters and method.rows.fields_method is not None


def check_call(conversation: Conversation, method: Method, params: Params | None) -> None:
    """
    The same of a call of a list by itself, or in a batch: how its pages are asked for is the caller's own.

    :raises ConfigurationError: see :func:`check_fields`; or a parameter is wrong, see :class:`Listing`.
    """
    rows = method.rows
    if rows is None:
        return
    given = by_name(as_params(params, method=method.name), method=method.name)
    paging = {str(name).lower() for name in ("start", "order", rows.sort, rows.limit, rows.cursor, "auth")}
    own = {
        name: _without_references(value) if name.lower() == str(rows.filter).lower() else _known(value)
        for name, value in given.items()
        if name.lower() not in paging and not has_reference(name)
    }
    check_paging(method, given)
    _check_beside_filter(method, given)
    order = next((value for name, value in given.items() if name.lower() == str(rows.order).lower()), None)
    sort = next((value for name, value in given.items() if rows.sort and name.lower() == rows.sort.lower()), None)
    _check_directions(method, order)
    names = list(map(str, order)) if isinstance(order, Mapping) else [sort] if isinstance(sort, str) and sort else []
    check_fields(conversation, Listing(method, own), [name for name in names if not has_reference(name)])


def _check_beside_filter(method: Method, params: Mapping[str, Any]) -> None:
    """:raises ConfigurationError: ``user.get`` has fields beside its filter, and reads those only where it has none."""
    rows = method.rows
    if rows is None or not rows.sort or not rows.filter or not names_are_known(method):
        return
    filter_ = next((value for name, value in params.items() if name.lower() == rows.filter.lower()), None)
    others = _beside_filter(rows, params)
    for name in others:
        if OPERATORS.match(name)[0]:  # type: ignore[index]
            raise not_a_parameter(name, method)
    if filter_ and others:
        raise not_a_parameter(others[0], method, f" if there is a {rows.filter}")


def _beside_filter(rows: Rows, params: Mapping[str, Any]) -> list[str]:
    """Names of parameters that are none of a list's own."""
    own = {str(name).lower() for name in (rows.filter, rows.order, rows.sort, rows.select, rows.limit, rows.cursor)}
    own |= {"filter", "order", "select", "start", "limit", "auth", "halt", "admin_mode", "image_resize"}
    return [name for name in params if name.lower() not in own]


def _check_directions(method: Method, order: Any) -> None:
    """:raises ConfigurationError: an order goes neither up nor down: the portal would choose."""
    if method.rows is None or not names_are_known(method) or order in (None, "", [], {}) or has_reference(order):
        return
    if is_written_structure(order):
        # It is refused as such where all parameters are.
        return
    by_name_of_field = isinstance(order, Mapping) and not method.rows.sort
    for direction in order.values() if by_name_of_field else [order]:
        if not isinstance(direction, str) or not (_DIRECTION.fullmatch(direction.strip()) or has_reference(direction)):
            example = '"ASC"' if method.rows.sort else '{"ID": "ASC"}'
            raise ConfigurationError(
                f"{method.rows.order} has {preview(direction)}, which is neither ASC nor DESC",
                method=method.name,
                next_step=f"write e.g. {example}",
            )


def _known(value: Any) -> Any:
    """A field of ``user.get`` beside its filter, empty in place of what an earlier command answers."""
    return "" if isinstance(value, str) and has_reference(value) else value


def _without_references(conditions: Any) -> Any:
    """A filter with empty texts in place of what earlier commands answer, which is not known yet."""
    if not isinstance(conditions, Mapping):
        return conditions
    known = {name: value for name, value in conditions.items() if not has_reference(value)}
    return known | {f"={OPERATORS.sub('', str(name), count=1)}": "" for name in conditions if name not in known}


def _fields_in(described: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The fields by their names, which ``tasks.task.getFields`` has one key further in."""
    inner = described.get("fields") if described is not None and len(described) == 1 else None
    return inner if isinstance(inner, Mapping) else described


def _accepted(source: str, description: Mapping[str, Any], listing: Listing, order: Iterable[str]) -> bool:
    """Whether the names and values are right by a description, which may be old."""
    if not Fields(source, description).accept(listing, order):
        return False
    try:
        _check_values(listing, description)
    except ConfigurationError:
        return False
    return True


def _check_values(listing: Listing, description: Mapping[str, Any]) -> None:
    check_values(listing.method, listing.params.get(listing.rows.filter or ""), description)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _selected(listing: Listing) -> list[str]:
    """Names of ``select`` that may be unknown."""
    return [name for name in listing.select_names() if name not in _MASKS and name != listing.rows.id_key]
