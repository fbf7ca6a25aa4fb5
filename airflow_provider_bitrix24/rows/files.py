"""Rows in files of object storage: JSON lines, CSV and Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.storage import storage_path
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.rest.scalars import json_number
from airflow_provider_bitrix24.rows.lookalikes import HEAD, check_looks
from airflow_provider_bitrix24.rows.row_names import TextRow

#: Rows of a Parquet file that are read at once, and bytes of one of its columns: without the second, a whole row group
#: is read, and that may be the whole file.
_GROUP, _BUFFER = 100, 256 * 1024
#: Bytes of a text file that are read at once.
_CHUNK = 64 * 1024
_DECIMALS = (".", ",")
#: Types of Parquet whose floats are narrower than Python's, as numpy names them.
_NARROW = {"float": "float32", "halffloat": "float16"}
_KINDS = (".csv", ".jsonl", ".ndjson", ".parquet")
#: What DOS ends a text file with, and programs since then.
_END_MARK = "\x1a"
_LINE_BLANKS = f" \t{_END_MARK}"
#: Columns that a message names.
_MOST_NAMES = 5


@dataclass(frozen=True)
class CsvFormat:
    """
    How a CSV file is written.

    :param delimiter: one character between values.
    :param decimal: a point or a comma, in numbers.
    :param encoding: as Python names it, ``cp1251``.
    """

    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"

    @classmethod
    def of(cls, given: Mapping[str, str] | None) -> CsvFormat:
        """
        :raises ConfigurationError: a setting that there is not, or a value that cannot be.
        """
        if given is None:
            return cls()
        example = 'write e.g. {"delimiter": ";", "decimal": ",", "encoding": "cp1251"}'
        if not isinstance(given, Mapping):
            raise ConfigurationError(f"csv is not an object, but {preview(given)}", next_step=example)
        known = ("delimiter", "decimal", "encoding")
        for name, value in given.items():
            if name not in known:
                raise ConfigurationError(f"csv has {name!r}", next_step=did_you_mean(str(name), known, example))
            if not isinstance(value, str):
                raise ConfigurationError(f"{name} of csv is {preview(value)}", next_step=example)
        made = cls(**given)
        if len(made.delimiter) != 1 or made.delimiter in '"\r\n ':
            raise ConfigurationError(f"delimiter of csv is {made.delimiter!r}", next_step="write one sign, such as ;")
        if made.decimal not in _DECIMALS:
            raise ConfigurationError(f"decimal of csv is {made.decimal!r}", next_step="write . or ,")
        if not _is_charset(made.encoding):
            raise ConfigurationError(
                f"encoding of csv is {made.encoding!r}", next_step="write one that Python knows, such as cp1251"
            )
        return made


def _is_charset(name: str) -> bool:
    """Whether Python has it for text; its other codecs, such as hex, are for bytes."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True


def rows_in_file(address: str, csv_format: Mapping[str, str] | None, columns: list[str]) -> Iterator[dict[str, Any]]:
    """
    The rows of a file; whether there is such a file is seen at once.

    :param csv_format: settings of :class:`CsvFormat`; None for a file with commas in UTF-8.
    :param columns: gets the names of the columns before the first row, where the file has them apart from its rows.
    :raises ConfigurationError: no file, one of another kind, or while reading: it cannot be read further.
    """
    path = storage_path(address, "rows")
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise ConfigurationError(
            f"rows names a file {f'that ends in {path.suffix}' if path.suffix else 'without an ending'}",
            next_step=f"give one of: {', '.join(_KINDS)}",
        )
    if csv_format is not None and kind != ".csv":
        raise ConfigurationError(f"csv is given for a {kind} file", next_step="leave it out")
    settings = CsvFormat.of(csv_format)
    # Not is_file() alone: of a store that does not answer it says that there is no file.
    if not path.exists():
        raise ConfigurationError("the file that rows names does not exist", next_step=f"look for {path}")
    if path.is_dir() and not path.is_file():
        raise ConfigurationError(f"rows names a folder, {path}", next_step="give the address of one file in it")
    if kind == ".csv":
        return _csv(path, settings, columns)
    return _parquet(path, columns) if kind == ".parquet" else _json_lines(path)


def from_json_text(text: str) -> Any:
    """
    JSON text, in which no object has a name twice: only the last value would be kept. Numbers with more digits than a
    float holds are a Decimal.

    :raises ConfigurationError: one has, or a number is beyond what any field holds.
    :raises ValueError: it is not JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_number)
    except RecursionError:
        raise ConfigurationError("JSON is nested too deep", next_step="write flatter objects") from None


def check_columns(columns: Iterable[str], place: str) -> None:
    """
    :raises ConfigurationError: a column is there twice, and only one of them could be written.
    """
    for column, times in Counter(columns).items():
        if times > 1 and column:
            raise ConfigurationError(
                f"{place} has the column {preview(column)} more than once, and only one of them could be written",
                next_step="give each column a name of its own",
            )


def _number(text: str) -> float | Decimal:
    number = json_number(text)
    if math.isinf(number) or (number == 0 and text.lower().partition("e")[0].strip("-0.")):
        raise ConfigurationError(
            f"the number {preview(text)} is beyond what a field holds", next_step="write it as text"
        )
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_columns([name for name, _ in pairs], "an object")
    return dict(pairs)


def _opened(path: Any) -> Any:
    """:raises ConfigurationError: it must not be read."""
    try:
        return path.open("rb")
    except PermissionError as error:
        failure = ConfigurationError(
            f"the file that rows names cannot be read ({error.strerror or type(error).__name__})",
            next_step=f"give the user that Airflow's tasks run as the right to read {path}",
        )
    raise failure


def _lines(path: Any, kind: str, encoding: str = "utf-8") -> Iterator[str]:
    """
    Lines with their ends; a file may begin with a byte order mark, and end with the mark of DOS.

    :param kind: what the file is to be, ``.csv``.
    """
    last: str | None = None
    for line in _decoded(path, kind, encoding):
        if last is not None:
            yield last
        last = line
    if last is not None and _END_MARK in last[-3:]:
        last = last.rstrip(f"{_END_MARK}\r\n")
    if last:
        yield last


def _decoded(path: Any, kind: str, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    number, rest, is_first = 0, "", True
    with _opened(path) as stream:
        while True:
            chunk = stream.read(_CHUNK)
            if is_first:
                check_looks(chunk, path.name, kind, encoding)
                is_first = False
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                at = number + 1 + chunk[: getattr(error, "start", 0)].count(b"\n")
                raise ConfigurationError(
                    f"line {at} of {path.name} is not {encoding.upper()}",
                    next_step='write the file in UTF-8 (Excel: save as "CSV UTF-8"), or name its encoding with csv',
                ) from None
            lines = (rest + text).split("\n")
            rest = lines.pop()
            for line in lines:
                yield f"{line.removeprefix(chr(0xFEFF)) if number == 0 else line}\n"
                number += 1
            if not chunk:
                break
    if rest:
        yield rest.removeprefix("\ufeff") if number == 0 else rest


def _json_lines(path: Any) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(path, ".jsonl"), 1):
        if not line.strip():
            continue
        try:
            row = from_json_text(line)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"line {number} of {path.name}: {error.reason}", next_step=error.next_step
            ) from None
        except ValueError:
            raise ConfigurationError(
                f"line {number} of {path.name} is not JSON", next_step="write one object to a line"
            ) from None
        if not isinstance(row, dict):
            raise ConfigurationError(
                f"line {number} of {path.name} is not an object", next_step='rows look like {"name": "Acme"}'
            )
        yield TextRow(row, number)


def _csv(path: Any, settings: CsvFormat, columns: list[str]) -> Iterator[dict[str, Any]]:
    lines = _lines(path, ".csv", settings.encoding)
    first = next(lines, None)
    if first is None:
        raise _no_header(path.name, "is empty")
    delimiter = _separator(first, settings, path.name)
    skipped = 0 if delimiter is None else 1
    delimiter = delimiter or settings.delimiter
    reader = csv.reader(lines if skipped else _and(first, lines), delimiter=delimiter, strict=True)
    yield from _read_csv(reader, path.name, skipped, delimiter, columns)


def _and(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _separator(line: str, settings: CsvFormat, name: str) -> str | None:
    """The delimiter that Excel writes into a first line of its own, ``sep=;``; None where there is no such line."""
    text = line.strip("\r\n").strip('"')
    if not text.lower().startswith("sep=") or len(text) != 5:
        return None
    if settings.delimiter not in (",", text[4]):
        raise ConfigurationError(
            f"the first line of {name} says {text!r}, and csv says the delimiter {settings.delimiter!r}",
            next_step="leave the delimiter of csv out",
        )
    return text[4]


def _read_csv(reader: Any, name: str, skipped: int, delimiter: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    """
    :param skipped: lines of the file before those of the reader.
    :param columns: gets the names in the header.
    """
    header: list[str] = []
    read = 0
    try:
        header = next(reader, [])
        if not any(column.strip(_LINE_BLANKS) for column in header):
            raise _no_header(name, "has no header in its first line")
        _check_header(header, name)
        columns += header
        read = reader.line_num
        for values in reader:
            if not values or (len(values) == 1 < len(header) and not values[0].strip(_LINE_BLANKS)):
                # A line of blanks, or the mark that DOS ends a file with.
                read = reader.line_num
                continue
            if len(values) != len(header):
                raise _uneven(f"line {read + skipped + 1} of {name}", header, values, delimiter)
            if len(header) > 1 and [value.removeprefix("\ufeff") for value in values] == header:
                # In one column, the name may be a value as well.
                raise ConfigurationError(
                    f"line {read + skipped + 1} of {name} is its header again, and not a row",
                    next_step="take that line out; of files that are joined, only the first keeps its header",
                )
            row = TextRow(dict(zip(header, values, strict=True)), read + skipped + 1)
            if "" in row:
                # Of several columns without a name, one with a value is what a reader must hear of.
                row[""] = next(
                    (value for column, value in zip(header, values, strict=True) if not column and value), ""
                )
            yield row
            read = reader.line_num
    except csv.Error as error:
        failure = ConfigurationError(
            f"{name} cannot be read as CSV: the row that begins in line {read + skipped + 1} ({error})",
            next_step=_hint_for(error),
        )
    else:
        return
    raise failure


def _uneven(line: str, header: list[str], values: list[str], delimiter: str) -> ConfigurationError:
    """A line with more or fewer values than there are columns."""
    if len(values) > len(header):
        return ConfigurationError(
            f"{line} has {len(values)} values, and its header {len(header)}, "
            f"so that {preview(values[len(header)])} has no column",
            next_step=f'put values with a {delimiter!r} or line breaks in quotes: "Acme{delimiter} Ltd"',
        )
    lost = [preview(column) for column in header[len(values) :]]
    if len(lost) > _MOST_NAMES + 1:
        lost[_MOST_NAMES:] = [f"{len(lost) - _MOST_NAMES} more"]
    several = f"those of {', '.join(lost[:-1])} and {lost[-1]} are" if len(lost) > 1 else f"that of {lost[0]} is"
    return ConfigurationError(
        f"{line} has {len(values)} of {len(header)} values: {several} missing",
        next_step=f"end it with a {delimiter!r} for each value that is empty, and put line breaks in quotes",
    )


def _no_header(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} {what}, and nothing says what its columns are",
        next_step="look whether it was written to its end; a CSV file of no rows has its header alone",
    )


def _hint_for(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "end its lines with LF or CRLF, not with CR alone, and put values with line breaks in quotes"
    hint = 'look for a quote that is not closed or not doubled there: "12"" pipe"'
    return f"{hint}; longer values are read from JSON lines" if "field limit" in str(error) else hint


def _check_header(header: list[str], name: str) -> None:
    place = f"the header of {name}"
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise ConfigurationError(
            f"{place} is one column, {preview(header[0])}",
            next_step=f'write the file with commas in place of {separator!r}, or csv={{"delimiter": {separator!r}}}',
        )
    check_columns(header, place)


def _parquet(path: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, default_memory_pool
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ConfigurationError(
            "reading Parquet needs the package pyarrow", next_step="pip install 'airflow-provider-bitrix24[parquet]'"
        ) from None
    try:
        with _opened(path) as stream:
            file = ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
            check_columns(file.schema_arrow.names, path.name)
            columns += file.schema_arrow.names
            types = {column.name: _NARROW.get(str(column.type)) for column in file.schema_arrow}
            narrow = {column: kind for column, kind in types.items() if kind}
            # Threads read ahead.
            for group in file.iter_batches(batch_size=_GROUP, use_threads=False):
                several = group.to_pylist()
                # It keeps what was freed, many times what it needs.
                default_memory_pool().release_unused()
                yield from _narrowed(several, narrow) if narrow else several
    except ArrowException as error:
        failure = ConfigurationError(
            f"{path.name} cannot be read as Parquet ({error})", next_step="check whether it was written whole"
        )
    else:
        return
    with path.open("rb") as stream:
        check_looks(stream.read(HEAD), path.name, ".parquet")
    raise failure


def _narrowed(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """
    Rows with floats of 16 and 32 bits as such.

    :param columns: the type of numpy by the name of the column.

    As the floats of 64 bits that pyarrow makes of them, 0.1 would be 0.10000000149011612, and nobody would see that the
    phone 79161230001 has lost digits.
    """
    try:
        import numpy
    except ImportError:
        raise ConfigurationError(
            f"the column {next(iter(columns))} has floats of 16 or 32 bits, which need the package numpy",
            next_step="pip install numpy, or write the column as text or double",
        ) from None
    types = {name: getattr(numpy, kind) for name, kind in columns.items()}
    return [{**row, **{name: kind(row[name]) for name, kind in types.items() if row[name] is not None}} for row in rows]
