"""
Names in ``filter`` and ``select``, and values of the filter, are checked by the portal's own list of fields where it
drops what it does not know.

Source: pages of ``crm.deal.list`` and its sisters; the server source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.field_descriptions import described, kept
from airflow_provider_bitrix24.rest.lists.filter_values import check_values
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.message_parts import did_you_mean

#: "All fields" and "all user fields"; multi-fields have no mask.
_MASKS = frozenset({"*", "UF_*"})
#: Kinds of multi-fields, which are selected by name.
_MULTIFIELDS = frozenset({"PHONE", "EMAIL", "WEB", "IM", "LINK"})
#: Described, but not in filters, and the hint ("crm.deal.list").
_NOT_FILTERED = {"crm.deal.fields": {"CONTACT_IDS": "use crm.item.list, whose field is contactIds"}}
#: Described, but not in rows, and the hint ("crm.deal.list", "crm.contact.fields").
_NOT_SELECTED = {
    **_NOT_FILTERED,
    "crm.contact.fields": {"COMPANY_IDS": "use crm.item.list, or crm.contact.company.items.get"},
}
#: Selected, though not described: the files of an activity, which come as FILES ("crm.activity.list").
_NOT_DESCRIBED = {"crm.activity.fields": frozenset({"STORAGE_ELEMENT_IDS"})}


class Fields:
    """
    What a method filters by and selects.

    :param source: the method that describes the fields, e.g. ``crm.deal.fields``.
    :param description: its result.
    """

    def __init__(self, source: str, description: Mapping[str, Any]) -> None:
        self._source, self._description = source, description
        multifields = _MULTIFIELDS if "PHONE" in description else frozenset()
        self._not_described: frozenset[str] = _MASKS | multifields | _NOT_DESCRIBED.get(source, frozenset())
        self._not_filtered, self._not_selected = _NOT_FILTERED.get(source, {}), _NOT_SELECTED.get(source, {})

    def accept(self, listing: Listing) -> bool:
        """Whether the method takes every name of the filter and of ``select``."""
        return not (self._unknown_in_filter(listing) or self._unknown_in_select(listing))

    def check(self, listing: Listing) -> None:
        """
        :raises ConfigurationError: the method does not take a name: a condition or a column would be lost.
        """
        for name in self._unknown_in_filter(listing):
            known: Iterable[str] = set(self._description).difference(self._not_filtered)
            raise self._refusal(listing, "the filter", name, known, "return every row")
        for name in self._unknown_in_select(listing):
            known = self._not_described.union(self._description).difference(self._not_selected)
            raise self._refusal(listing, str(listing.rows.select), name, known, "return rows without it")

    def _unknown_in_filter(self, listing: Listing) -> list[str]:
        return [name for name in listing.filter_names() if name not in self._description or name in self._not_filtered]

    def _unknown_in_select(self, listing: Listing) -> list[str]:
        return [name for name in _selected(listing) if not self._is_selected(name)]

    def _is_selected(self, name: str) -> bool:
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


def check_fields(conversation: Conversation, listing: Listing) -> None:
    """
    :raises ConfigurationError: the filter or ``select`` names a field that the method does not take, or a value of the
        filter is none of its field's type; the list was not asked for.
    """
    rows = listing.rows
    if not (rows.drops_unknown_filters and rows.fields_method and (listing.filter_names() or _selected(listing))):
        return
    description = kept(conversation.portal, rows.fields_method)
    if description is None or not _accepted(rows.fields_method, description, listing):
        # A field may be new: before a name is refused, the portal is asked again.
        description = described(conversation, rows.fields_method, fresh=True)
        if not description:
            raise IncompleteList(
                f"{rows.fields_method} describes no fields, so names in filter and select cannot be checked"
            )
        Fields(rows.fields_method, description).check(listing)
        check_values(listing, description)


def _accepted(source: str, description: Mapping[str, Any], listing: Listing) -> bool:
    """Whether the names and values are right by a description, which may be old."""
    if not Fields(source, description).accept(listing):
        return False
    try:
        check_values(listing, description)
    except ConfigurationError:
        return False
    return True


def _selected(listing: Listing) -> list[str]:
    """Names of ``select`` that may be unknown."""
    return [name for name in listing.select_names() if name not in _MASKS and name != listing.rows.id_key]
