"""Filters are checked by the portal's own list of fields where it drops, without a word, what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.listing import Listing

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: Field names by portal, user and ``*.fields`` method; asked for once per process.
_fields: dict[tuple[str, str, str], frozenset[str]] = {}


def check_filter(client: Client, listing: Listing) -> None:
    """
    :raises ConfigurationError: the filter names a field that the method does not have; the list was not asked for.
    """
    rows = listing.rows
    if not (rows.drops_unknown_filters and rows.fields_method and listing.filter_names()):
        return
    key = (client.portal.address, client.portal.credentials.identity, rows.fields_method)
    # A field may be new: before a name is refused, the fields are asked for once more.
    if key not in _fields or not set(listing.filter_names()) <= _fields[key]:
        _fields[key] = _ask_for(client, rows.fields_method)
    listing.check_filter(_fields[key])


def _ask_for(client: Client, method: str) -> frozenset[str]:
    result = client.call(method)
    if not isinstance(result, dict):
        raise IncompleteList(f"{method} told no fields to check the filter by")
    return frozenset(result)
