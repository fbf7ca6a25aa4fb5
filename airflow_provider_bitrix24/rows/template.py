"""What a row is put into: an object with the names of columns in it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.crm.multifields import OLD_FIELDS
from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.shapes import REPLACED
from airflow_provider_bitrix24.crm.values import as_text
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import has_lost_digits, native
from airflow_provider_bitrix24.rows.cells import BLANK, is_blank

#: ``$$`` a dollar sign, ``$name`` and ``${any name}`` the value of a column; a dollar sign before anything else is one.
_PLACEHOLDER = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>\w+)|\{(?P<braced>[^}]+)\})")
#: Lists whose entries are objects of their own.
_ADDED = {"fm", *map(plain_name, OLD_FIELDS)}


class RowTemplate:
    """
    Puts the values of a row where a mapping names its columns.

    A text that is a placeholder alone, ``"$name"``, becomes the value as it is; in a longer one, ``"K-$id"``, the
    values become text. A cell without a value becomes ``BLANK``, and so does a text whose placeholders have none.

    :param mapping: None puts each column under its own name.
    :raises ConfigurationError: a column stands where a name does, which is not filled in, or a ``${`` is not closed.
    """

    def __init__(self, mapping: Mapping[str, Any] | None) -> None:
        self.mapping = mapping
        for name in _names_in(mapping):
            if any(not match["dollar"] for match in _PLACEHOLDER.finditer(name)):
                raise ConfigurationError(
                    f"mapping has {preview(name)} as a name, and columns are filled in only as values",
                    next_step="write the name as it is; where it differs from row to row, make the objects before and "
                    "leave mapping out",
                )
        self._texts = list(_texts_in(mapping))
        for text in self._texts:
            # Sent as it stands, it would be the same text in every row, and as a key one item for all of them.
            if "${" in _PLACEHOLDER.sub("", text):
                raise ConfigurationError(
                    f"mapping has {preview(text)}, in which ${{ is not followed by the name of a column and a }}",
                    next_step="write ${name}, or $${ where a dollar sign and a brace are meant",
                )

        #: Texts without a placeholder, which are the same in every row.
        self._constants = {text for text in self._texts if not _may_name_a_column(text)}

    def fill(self, row: Mapping[str, Any], *, whole: bool = False) -> dict[str, Any]:
        """
        :param whole: refuse a text in which one of several columns has no value.
        :raises ConfigurationError: the row has no such column, or a value that cannot be part of a text; or a text is
            the name of a column whose dollar sign was forgotten.
        """
        if whole:
            self.check_whole(row, lambda _: True, 'with blank="keep" the text is written without it')
        if self.mapping is None:
            return {name: _cell(value, entries=_has_entries(name)) for name, value in row.items()}
        if self._constants:
            self._check_constants(row)
        return {name: _filled(value, row, entries=_has_entries(name)) for name, value in self.mapping.items()}

    @property
    def place(self) -> str:
        """Where the names stand that :meth:`names_of` gives, for messages."""
        return "the source" if self.mapping is None else "mapping"

    def names_of(self, columns: Sequence[str]) -> list[str]:
        """
        Names that rows with these columns give values to.

        :raises ConfigurationError: the mapping names a column that is not among them.
        """
        row = dict.fromkeys(columns)
        for text in self._texts:
            _check_has(row, _columns_of(text, row), "the source")
        self._check_constants(row)
        return list(columns if self.mapping is None else self.mapping)

    @property
    def lists(self) -> frozenset[str]:
        """Names, see :func:`plain_name`, of lists that the mapping makes of cells and that replace others."""
        return frozenset(_lists_in(self.mapping))

    def _check_constants(self, row: Mapping[str, Any]) -> None:
        """:raises ConfigurationError: the name of a column would be written into every row in place of its value."""
        for text in self._constants & row.keys():
            if not any(text in _columns_of(other, row) for other in self._texts):
                raise ConfigurationError(
                    f"mapping has the text {preview(text)}, which is the name of a column, and would write it as it is",
                    next_step=f"write ${text} for the value of the column, or leave the column out of the source where "
                    "the text is meant"
                    if text.isidentifier()
                    else "write ${" + text + "} for the value of the column, or leave the column out of the source",
                )

    def fill_some(self, row: Mapping[str, Any], wanted: Callable[[str], bool]) -> dict[str, Any]:
        """The same of the names that are wanted, as far as the row has values for them."""
        if self.mapping is None:
            return {name: value for name, value in row.items() if wanted(name) and not is_blank(value)}
        filled = {}
        for name, shape in self.mapping.items():
            with suppress(ConfigurationError):
                if wanted(name) and not is_blank(value := _filled(shape, row)):
                    filled[name] = value
        return filled

    def check_whole(self, row: Mapping[str, Any], wanted: Callable[[str], bool], why: str) -> None:
        """
        :param wanted: names whose texts are looked at.
        :param why: what else, for the message.
        :raises ConfigurationError: in a text, one column has a value, and another has none.
        """
        for name, shape in (self.mapping or {}).items():
            for text in _texts_in(shape):
                columns = [column for column in _columns_of(text, row) if column in row]
                blank = [column for column in columns if is_blank(row[column])]
                if 0 < len(blank) < len(columns) and wanted(name):
                    raise ConfigurationError(
                        f"the row has no value in the column {blank[0]!r}, which is a part of {name} ({preview(text)})",
                        next_step=f"give it one; {why}",
                    )

    def takes_a_value(self, row: Mapping[str, Any]) -> bool:
        """Whether a column that the mapping names has a value; a mapping that names none needs none."""
        names = [name for text in self._texts for name in _columns_of(text, row)]
        return not names or not all(is_blank(row.get(name)) for name in names)

    def is_same_in_every_row(self, name: str) -> bool:
        """Whether the mapping has this name, and what stands there names no column."""
        return name in (self.mapping or {}) and not any(map(_may_name_a_column, _texts_in((self.mapping or {})[name])))

    def literals_of_nothing(self) -> list[str]:
        """Names under which the mapping itself has no value."""
        return [name for name, value in (self.mapping or {}).items() if is_blank(value)]


def _texts_in(shape: Any) -> Iterator[str]:
    if isinstance(shape, str):
        yield shape
    members = shape.values() if isinstance(shape, Mapping) else shape if isinstance(shape, (list, tuple)) else ()
    for member in members:
        yield from _texts_in(member)


def _names_in(shape: Any) -> Iterator[str]:
    if isinstance(shape, Mapping):
        yield from map(str, shape)
    members = shape.values() if isinstance(shape, Mapping) else shape if isinstance(shape, (list, tuple)) else ()
    for member in members:
        yield from _names_in(member)


def _may_name_a_column(text: str) -> bool:
    # Also a column whose name has blanks or signs in it.
    is_column = text.startswith("$") and not text.startswith("$$")
    return is_column or any(not match["dollar"] for match in _PLACEHOLDER.finditer(text))


def _columns_of(text: str, row: Mapping[str, Any]) -> list[str]:
    """Columns that a text names."""
    if text.startswith("$") and not text.startswith("$$") and text[1:] in row:
        # Also a column whose name has blanks or signs in it; one that begins with a dollar sign is written ${$name}.
        return [text[1:]]
    return [match["name"] or match["braced"] for match in _PLACEHOLDER.finditer(text) if not match["dollar"]]


def _has_entries(name: Any) -> bool:
    """Whether cells are looked for in the entries of lists too; those of rows are checked with their shape."""
    return str(name).lower() not in REPLACED


def _cell(value: Any, *, entries: bool = True) -> Any:
    """A value with ``BLANK`` where it, or a part of it, has none: an entry without its value removes a phone."""
    if isinstance(value, Mapping) and value:
        return {name: _cell(member, entries=entries) for name, member in value.items()}
    if is_blank(value):
        return BLANK
    value = native(value)
    if entries and isinstance(value, (list, tuple)):
        # Members without a value are another question: among ids they are refused.
        return [_cell(member) if isinstance(member, (Mapping, list, tuple)) else member for member in value]
    return value


def _filled(shape: Any, row: Mapping[str, Any], *, entries: bool = True) -> Any:
    if isinstance(shape, str):
        return _text(shape, row, entries=entries)
    if isinstance(shape, Mapping):
        return {name: _filled(value, row, entries=entries) for name, value in shape.items()}
    if isinstance(shape, (list, tuple)):
        return [_filled(member, row, entries=entries) for member in shape]
    return shape


def _check_has(row: Mapping[str, Any], names: Iterable[str], place: str) -> None:
    """:raises ConfigurationError: one of these columns is missing."""
    for name in names:
        if name not in row:
            raise ConfigurationError(
                f"{place} has no column {name!r}",
                next_step=f"it has: {', '.join(sorted(row)) or 'none'}; a dollar sign is written $$",
            )


def _text(shape: str, row: Mapping[str, Any], *, entries: bool = True) -> Any:
    names = _columns_of(shape, row)
    _check_has(row, names, "the row")
    if len(names) == 1 and shape in (f"${names[0]}", f"${{{names[0]}}}"):
        return _cell(row[names[0]], entries=entries)
    if names and all(is_blank(row[name]) for name in names):
        return BLANK
    return _PLACEHOLDER.sub(lambda match: "$" if match["dollar"] else _as_text(match, row), shape)


def _as_text(match: re.Match[str], row: Mapping[str, Any]) -> str:
    name = match["name"] or match["braced"]
    value = native(row[name])
    if is_blank(value):
        return ""
    if isinstance(value, (float, Decimal)) or has_lost_digits(value):
        return str(as_text(value, f"the column {name!r}"))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigurationError(
            f"the column {name!r} has {preview(value)}, which cannot be part of a text",
            next_step="put it into a value of its own, or write it as text in the source",
        )
    return str(value)


def _lists_in(shape: Any) -> Iterator[str]:
    for name, value in shape.items() if isinstance(shape, Mapping) else ():
        if isinstance(value, (list, tuple)) and any(_may_name_a_column(text) for text in _texts_in(value)):
            # Phones and the like are added to those that are there.
            if plain_name(name) not in _ADDED:
                yield plain_name(name)
        else:
            yield from _lists_in(value)
