"""The formats of typed files: Parquet, JSON lines, CSV and Arrow, written batch by batch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from airflow_provider_bitrix24.exports.columns import Column
from airflow_provider_bitrix24.exports.misfits import BAD
from airflow_provider_bitrix24.exports.part_files import BatchWriter
from airflow_provider_bitrix24.exports.typed_batches import TypedBatch, TypedBatches
from airflow_provider_bitrix24.types import Row

log = logging.getLogger(__name__)


class TypedFiles:
    """
    Rows as typed columns, in files of one format.

    :param format_: a key of ``FORMATS``.
    """

    def __init__(self, format_: str, batches: TypedBatches) -> None:
        self.ending = format_
        self._batches = batches

    def batch(self, rows: Sequence[Row]) -> TypedBatch:
        known = len(self._batches.found)
        batch = self._batches.batch(rows)
        if found := self._batches.found[known:]:
            log.warning("Columns for names that the fields do not have: %s", ", ".join(found))
        return batch

    def writer(self, stream: IO[bytes], batch: TypedBatch) -> BatchWriter[TypedBatch]:
        columns = {column.name: column for column in self._batches.columns}
        return FORMATS[self.ending](stream, batch.batch.schema, columns)


class _Parquet:
    """One row group to a batch; Zstandard."""

    def __init__(self, stream: IO[bytes], schema: Any, columns: Mapping[str, Column]) -> None:
        self._writer = parquet.ParquetWriter(stream, schema, compression="zstd")

    def write(self, batch: TypedBatch) -> None:
        self._writer.write_batch(batch.batch)

    def close(self) -> None:
        self._writer.close()


class _JsonLines:
    """
    An object to a line. JSON columns stand as JSON; a decimal as a number, or as text where a number would lose digits.
    """

    def __init__(self, stream: IO[bytes], schema: Any, columns: Mapping[str, Column]) -> None:
        self._stream = stream
        self._json = {name for name, column in columns.items() if column.kind == "json"} | {BAD}

    def write(self, batch: TypedBatch) -> None:
        for row in batch.batch.to_pylist():
            for name in self._json:
                if row[name] is not None:
                    row[name] = json.loads(row[name])
            self._stream.write(json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n")

    def close(self) -> None:
        """Every line is written."""


def exact_number(value: Decimal) -> float | str:
    """A number, or text where a number would lose digits."""
    number = float(value)
    if Decimal(repr(number)) == value:
        return number
    # Not normalize(), which rounds to the 28 digits of the default context.
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: Any) -> Any:
    return exact_number(value) if isinstance(value, Decimal) else value.isoformat()


class _Csv:
    """With a head line, commas and UTF-8; texts stand in quotes, and a cell without them and without text is null."""

    def __init__(self, stream: IO[bytes], schema: Any, columns: Mapping[str, Column]) -> None:
        self._writer = csv.CSVWriter(stream, pa.schema([(field.name, _csv_type(field.type)) for field in schema]))

    def write(self, batch: TypedBatch) -> None:
        arrays = [_csv_cells(array) for array in batch.batch.columns]
        self._writer.write(pa.RecordBatch.from_arrays(arrays, names=batch.batch.schema.names))

    def close(self) -> None:
        self._writer.close()


def _csv_type(type_: Any) -> Any:
    return pa.string() if pa.types.is_timestamp(type_) or pa.types.is_decimal(type_) else type_


def _csv_cells(array: Any) -> Any:
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array.cast(pa.timestamp("s", "UTC")), format="%Y-%m-%dT%H:%M:%S+00:00")
    return array.cast(pa.string()) if pa.types.is_decimal(array.type) else array


class _Arrow:
    """Arrow's own file, which is read again without being parsed: what a database is given."""

    def __init__(self, stream: IO[bytes], schema: Any, columns: Mapping[str, Column]) -> None:
        self._writer = pa.ipc.new_file(stream, schema)

    def write(self, batch: TypedBatch) -> None:
        self._writer.write_batch(batch.batch)

    def close(self) -> None:
        self._writer.close()


#: By the ending of the file's name.
FORMATS: dict[str, Callable[[IO[bytes], Any, Mapping[str, Column]], BatchWriter[TypedBatch]]] = {
    "parquet": _Parquet,
    "jsonl": _JsonLines,
    "csv": _Csv,
    "arrow": _Arrow,
}
