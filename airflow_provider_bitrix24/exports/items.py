"""CRM items as operators return them: as the portal sends them, or typed, or with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.crm.fields import ItemFields
from airflow_provider_bitrix24.crm.items import LIST
from airflow_provider_bitrix24.exports.labels import Labels
from airflow_provider_bitrix24.exports.tables import Table, table_name
from airflow_provider_bitrix24.types import Row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: Items that are labelled together.
_ITEMS_AT_ONCE = 500


class ItemShape:
    """
    :param typed: each value is in the JSON type of its field.
    :param labels: see :func:`labels.labels_of`.
    :param select: names of the fields that items have; all of them where it is empty, and with ``"*"``.
    """

    def __init__(
        self,
        client: Client,
        fields: ItemFields,
        *,
        typed: bool,
        labels: bool | Sequence[str],
        select: Sequence[str] = (),
    ) -> None:
        self._fields = fields
        self._typed = typed
        kept = [field for field in fields.fields.values() if not select or {"*", field.name} & set(select)]
        name = table_name(client.method(LIST), {"entityTypeId": fields.entity_type_id})
        table = Table(name, LIST, tuple(field for field in kept if field.name != "fm"), fields.entity_type_id)
        self._labels = Labels(client, table, labels)

    @property
    def changes(self) -> bool:
        """Whether items are not left as they are."""
        return self._typed or bool(self._labels.labels)

    def of(self, items: Iterable[Row]) -> list[Row]:
        """Several items, for whose labels the portal is asked together."""
        several = self._labels.beside(items) if self._labels.labels else items
        return [self._fields.typed(item) if self._typed else dict(item) for item in several]

    def each(self, items: Iterable[Row]) -> Iterator[Row]:
        """Items one after the other."""
        left = iter(items)
        while several := list(islice(left, _ITEMS_AT_ONCE if self._labels.labels else 1)):
            yield from self.of(several)
