"""
Names in ``filter`` and ``select`` are checked by the portal's own list of fields where it drops what it does not know.

Source: pages of ``crm.deal.list`` and its sisters; the server source, which drops them without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.rest.lists.listing import Listing

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: «All fields» and «all user fields»; multi-fields have no mask.
_MASKS = frozenset({"*", "UF_*"})
#: Kinds of multi-fields, which are selected by name.
_MULTIFIELDS = frozenset({"PHONE", "EMAIL", "WEB", "IM", "LINK"})
#: Described, yet not in filters, and what is («crm.deal.list»).
_NOT_FILTERED = {"crm.deal.fields": {"CONTACT_IDS": "use crm.item.list, whose field is contactIds"}}
#: Described, yet in no row, and what tells it («crm.deal.list», «crm.contact.fields»).
_NOT_SELECTED = {
    **_NOT_FILTERED,
    "crm.contact.fields": {"COMPANY_IDS": "use crm.item.list, or crm.contact.company.items.get"},
}
#: Selected, though not described: the files of an activity, which come as FILES («crm.activity.list»).
_NOT_DESCRIBED = {"crm.activity.fields": frozenset({"STORAGE_ELEMENT_IDS"})}


@dataclass(frozen=True)
class Fields:
    """
    What a method filters by and selects.

    :param source: the method that described the fields.
    :param filtered: names that a filter takes.
    :param selected: names that ``select`` takes.
    :param any_case: names that ``select`` takes in any case: those of system fields with one value.
    """

    source: str
    filtered: frozenset[str]
    selected: frozenset[str]
    any_case: frozenset[str]

    @classmethod
    def described(cls, source: str, fields: Mapping[str, Any]) -> Fields:
        """From the result of a method such as ``crm.deal.fields``."""
        names = frozenset(fields)
        plain = {
            name
            for name in names
            if isinstance(told := fields[name], Mapping) and not (told.get("isMultiple") or told.get("isDynamic"))
        }
        multifields = _MULTIFIELDS if "PHONE" in names else frozenset()
        selected = names | _MASKS | multifields | _NOT_DESCRIBED.get(source, frozenset())
        return cls(
            source,
            names.difference(_NOT_FILTERED.get(source, ())),
            selected.difference(_NOT_SELECTED.get(source, ())),
            frozenset(plain),
        )

    def know(self, listing: Listing) -> bool:
        """Whether the method takes every name of the filter and of ``select``."""
        return not (self._strange_in_filter(listing) or self._strange_in_select(listing))

    def check(self, listing: Listing) -> None:
        """
        :raises ConfigurationError: the method does not take a name: a condition or a column would be lost.
        """
        for name in self._strange_in_filter(listing):
            raise self._refusal(listing, "the filter", name, self.filtered, "return every row")
        for name in self._strange_in_select(listing):
            raise self._refusal(listing, str(listing.rows.select), name, self.selected, "return rows without it")

    def _strange_in_filter(self, listing: Listing) -> list[str]:
        return [name for name in listing.filter_names() if name not in self.filtered]

    def _strange_in_select(self, listing: Listing) -> list[str]:
        return [name for name in _selected(listing) if name not in self.selected and name.upper() not in self.any_case]

    def _refusal(self, listing: Listing, place: str, name: str, known: Iterable[str], loss: str) -> ConfigurationError:
        near = difflib.get_close_matches(name.upper(), known, n=3, cutoff=0.6)
        cure = f"did you mean {' or '.join(near)}?" if near else f"see {self.source} for the names"
        return ConfigurationError(
            f"{place} names {name!r}, which it does not take: the portal would drop it without a word and {loss}",
            method=listing.method,
            next_step=_NOT_SELECTED.get(self.source, {}).get(name, cure),
        )


#: By portal, user and the method that describes the fields; asked for once per process.
_known: dict[tuple[str, str, str], Fields] = {}


def check_fields(client: Client, listing: Listing) -> None:
    """
    :raises ConfigurationError: the filter or ``select`` names a field that the method does not take; the list was not
        asked for.
    """
    rows = listing.rows
    if not (rows.drops_unknown_filters and rows.fields_method and (listing.filter_names() or _selected(listing))):
        return
    key = (client.portal.address, client.portal.credentials.identity, rows.fields_method)
    # A field may be new: before a name is refused, the fields are asked for once more.
    if key not in _known or not _known[key].know(listing):
        _known[key] = _ask_for(client, rows.fields_method)
    _known[key].check(listing)


def _selected(listing: Listing) -> list[str]:
    """Names of ``select`` that may be unknown."""
    return [name for name in listing.select_names() if name not in _MASKS and name != listing.rows.id_key]


def _ask_for(client: Client, method: str) -> Fields:
    result = client.call(method)
    if not isinstance(result, dict):
        raise IncompleteList(f"{method} told no fields to check the names by")
    return Fields.described(method, result)
