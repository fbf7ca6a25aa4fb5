"""Rows of a list as Arrow record batches with the types of their fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exports.casts import cast, without_nul
from airflow_provider_bitrix24.exports.columns import Column, columns_of
from airflow_provider_bitrix24.exports.labels import Labels
from airflow_provider_bitrix24.exports.misfits import BAD, Misfits
from airflow_provider_bitrix24.exports.tables import field_of_values, unknown_names, values_of
from airflow_provider_bitrix24.types import Row


@dataclass(frozen=True)
class TypedBatch:
    """
    Rows as a record batch.

    :param batch: its last column, ``_bad``, is JSON: the values of a row that do not fit their columns, by the column's
        name; null where all fit.
    """

    batch: Any
    misfits: Misfits

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return int(self.batch.nbytes)

    @property
    def types(self) -> dict[str, str]:
        """The types of its columns, by their names and in their order."""
        return {field.name: str(field.type) for field in self.batch.schema}


class TypedBatches:
    """
    Record batches of rows, one after the other.

    A name that no field has gets a column of its own, in the batch where it comes first: ``columns`` grows.

    :param fields: what is known before the first row.
    :param takes_unknown: whether names that no field has are taken; they are left out where the author chose columns.
    :param takes_nul: whether a text with the character U+0000 fits.
    :param labels: of the fields that are known before the first row; they stand after all other columns.
    """

    def __init__(
        self,
        fields: Sequence[ItemField],
        *,
        takes_unknown: bool = True,
        takes_nul: bool = True,
        labels: Labels | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self._own = columns_of(fields)
        self._labels = labels
        #: Columns of names that no field has.
        self.found: list[str] = []
        self._takes_unknown, self._takes_nul = takes_unknown, takes_nul

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, in their order."""
        return (*self._own, *(self._labels.columns if self._labels is not None else ()))

    def batch(self, rows: Sequence[Row]) -> TypedBatch:
        """
        One batch.

        :raises Bitrix24Error: what the labels say cannot be read.
        """
        if self._takes_unknown:
            self._take_unknown(rows)
        labels = {} if self._labels is None else self._labels.of(rows)
        arrays = {}
        misfits = Misfits(unlabelled={name: label.missing for name, label in labels.items() if label.missing})
        bad: dict[int, dict[str, Any]] = {}
        for column in self.columns:
            label = labels.get(column.name)
            values = values_of(column, rows) if label is None else label.texts
            done = cast(column, values)
            if not self._takes_nul:
                done = without_nul(done)
            arrays[column.name] = done.array
            misfits.values[column.name] = len(values) - done.array.null_count + len(done.misfits)
            if done.rounded:
                misfits.rounded[column.name] = done.rounded
            if done.misfits:
                misfits.bad[column.name] = len(done.misfits)
            for position in done.misfits:
                bad.setdefault(position, {})[column.name] = values[position]
        texts = [json.dumps(bad[position]) if position in bad else None for position in range(len(rows))]
        return TypedBatch(pa.RecordBatch.from_pydict({**arrays, BAD: pa.array(texts, pa.string())}), misfits)

    def _take_unknown(self, rows: Sequence[Row]) -> None:
        names = unknown_names(self.fields, rows)
        if not names:
            return
        fields = [field_of_values(name, [row.get(name) for row in rows]) for name in names]
        self.fields = (*self.fields, *fields)
        found = columns_of(fields, self.columns)[len(self.columns) :]
        self.found += [column.name for column in found]
        self._own = (*self._own, *found)
