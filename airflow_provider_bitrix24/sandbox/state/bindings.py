"""Contacts of an object, and companies of a contact: one primary and any number of others, under two keys of a row."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row


@dataclass(frozen=True)
class Binding:
    """
    Which objects of another kind an object has.

    :param primary: key of the primary one, 0 for none; deprecated in the documentation, and everywhere in use.
    :param all: key of all of them in order; without it in a row, the primary one is the only one.
    :param sorts: key of ``{id: sort}``, where somebody has set sorts.
    """

    primary: str
    all: str
    sorts: str

    def ids(self, row: Row) -> list[int]:
        if self.all in row:
            return list(row[self.all])
        return [row[self.primary]] if row.get(self.primary) else []

    def primary_id(self, row: Row) -> int:
        ids = self.ids(row)
        return int(row.get(self.primary) or (ids[0] if ids else 0))

    def settle(self, new: Row) -> None:
        """
        Make what is about to be written say the same under both keys.

        The list wins, and its first is the primary one unless another of it is named; one alone replaces all.
        """
        if self.all in new:
            ids = [number for number in dict.fromkeys(new[self.all]) if number]
            primary = new.get(self.primary)
            new[self.primary] = primary if primary in ids else ids[0] if ids else 0
            new[self.all] = ids
        elif self.primary in new:
            new[self.all] = [new[self.primary]] if new[self.primary] else []
        else:
            return
        new[self.sorts] = {}

    def set(self, row: Row, sorts: dict[int, int], primary_id: int | None) -> None:
        """Bind these and no others; without a primary one it is the first."""
        ids = list(sorts)
        row[self.all], row[self.sorts] = ids, dict(sorts)
        row[self.primary] = primary_id if primary_id in ids else ids[0] if ids else 0

    def sorted_ids(self, row: Row) -> list[tuple[int, int]]:
        """Ids with their sorts, in order; those that came by a field are numbered, the primary one first."""
        primary = self.primary_id(row)
        ids = [primary, *(number for number in self.ids(row) if number != primary)] if primary else []
        sorts = row.get(self.sorts, {})
        return sorted(
            ((number, sorts.get(number, 100 * (1 + place))) for place, number in enumerate(ids)),
            key=lambda entry: entry[1],
        )


CONTACTS = Binding("contactId", "contactIds", "contactSorts")
COMPANIES = Binding("companyId", "companyIds", "companySorts")
