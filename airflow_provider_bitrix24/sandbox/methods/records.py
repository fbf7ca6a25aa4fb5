"""Rows with the documented fields of one kind: what lists find, what answers show, what a write keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec, Generation, fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, Refuse, read_order
from airflow_provider_bitrix24.sandbox.methods.values import kept_values, old_value
from airflow_provider_bitrix24.sandbox.state.store import Store, Table


@dataclass(frozen=True)
class Records:
    """
    One kind of rows, kept under the names of its fields; the id is ``id`` in every row.

    :param word: its name in the catalogue.
    :param id_name: the field of the id.
    :param without: documented fields of other methods.
    """

    word: str
    generation: Generation
    id_name: str
    without: frozenset[str] = frozenset()

    @cached_property
    def specs(self) -> Mapping[str, FieldSpec]:
        named = {spec.names.get(self.generation): spec for spec in fields_of(self.word)}
        return {name: spec for name, spec in named.items() if name and name not in self.without}

    @cached_property
    def filter_fields(self) -> Mapping[str, Field]:
        return {
            name: Field("id" if name == self.id_name else name, spec.kind, spec.empty_in(self.generation))
            for name, spec in self.specs.items()
            if not spec.multiple
        }

    def answer(self, row: Row, names: Iterable[str] = ()) -> Row:
        """The row as answers show it: the chosen fields, or all."""
        chosen = set(names)
        shown = self.specs if not chosen or "*" in chosen else [name for name in self.specs if name in chosen]
        return {name: self._value(name, row) for name in shown}

    def _value(self, name: str, row: Row) -> Any:
        spec = self.specs[name]
        value = row["id"] if name == self.id_name else row.get(name)
        if value is None:
            return spec.empty_in(self.generation)
        return old_value(spec, value) if self.generation == "old" else value

    def written(self, store: Store, fields: Any) -> Row:
        """What is kept of ``fields``; unknown and read-only names are ignored, and values that do not fit."""
        return kept_values(self.specs, as_map(fields), store.files)

    def page(
        self,
        rows: Iterable[Row],
        *,
        filter: Any = None,
        order: Any = None,
        select: Any = None,
        start: Any = None,
        refuse: Refuse | None = None,
        ranges: bool = False,
    ) -> Page:
        """One page of the rows that match. Lists without ``refuse`` drop what they do not know."""
        table = Table()
        table.rows = {row["id"]: row for row in rows}
        table.ids = sorted(table.rows)
        matcher = Matcher(self.filter_fields, refuse=refuse, ranges=ranges).read(filter)
        pairs = read_order(order, self.filter_fields, refuse)
        page = page_of(table, matcher, pairs, start, old=refuse is None)
        names = [str(name) for name in array_or_nothing(select, "select").values()]
        return Page([self.answer(row, names) for row in page.result], page.total, page.next)
