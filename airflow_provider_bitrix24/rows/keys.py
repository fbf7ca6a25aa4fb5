"""Keys of items, as what is looked up and what is stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.crm.fields import ItemFields
from airflow_provider_bitrix24.crm.short_numbers import shortened
from airflow_provider_bitrix24.crm.values import decimal_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.missing_values import NOTHING, UNSEEN
from airflow_provider_bitrix24.rest.scalars import holds_shortened
from airflow_provider_bitrix24.rows.row_names import as_named

#: Types of fields that can tell one item from another.
_TYPES = frozenset({"string", "text", "url", "integer", "double"})
_EDGES = re.compile(rf"^[\s{UNSEEN}]+|[\s{UNSEEN}]+$")
#: A number whose last zeros say nothing: ``5.00``, ``5.``.
_WITH_ZEROS = re.compile(r"[+-]?\d+\.(\d*0)?")
_INNER = re.compile(rf"[\s{UNSEEN}]+")
#: Longest text of CRM's own fields, columns of ``varchar(255)``; user fields hold more.
_LONGEST = 255

Key = tuple[str, ...]


class ItemKey:
    """
    The fields by which an upsert tells items apart.

    :param names: in any spelling.
    :raises ConfigurationError: a name is not a field, or one that cannot tell items apart.
    """

    def __init__(self, fields: ItemFields, names: Sequence[str]) -> None:
        self._all = fields
        #: Names of fields by the spellings that rows have.
        self._parts: dict[str, str] = {}
        self.names = list(dict.fromkeys(fields.find(name, "key").name for name in names))
        self._fields = {name: fields.fields[name] for name in self.names}
        for name, field in self._fields.items():
            if field.type not in _TYPES or field.is_multiple or name == "id":
                raise ConfigurationError(
                    f"key names {name}, which cannot be a key here",
                    next_step="name a field of text or numbers, such as originId, xmlId or a UF_… field; by id, update",
                )
        if not self.names:
            raise ConfigurationError("key is empty", next_step="name a field, such as originId")

    def of_row(self, values: Mapping[str, Any]) -> Key:
        """
        The key in fields that are about to be sent.

        :raises ConfigurationError: a part of it is missing, so that every item without it would be meant; or is longer
            than what the portal stores.
        """
        key = self.of_item({name: values.get(name, "") for name in self.names})
        for (name, field), value in zip(self._fields.items(), key, strict=True):
            if value in NOTHING:
                raise ConfigurationError(
                    f"the fields have no value for the key {name}{f', but the text {value!r}' if value else ''}",
                    next_step="give each item its own",
                )
            if len(value) > _LONGEST and not field.is_user_field:
                raise ConfigurationError(
                    f"the key {name} has {len(value)} characters, and the portal would store {_LONGEST} of them",
                    next_step="shorten it, or use a user field as the key",
                )
        return key

    def of_item(self, item: Mapping[str, Any]) -> Key:
        """
        The key of an item of the portal.

        Texts are without blanks around them, and in one normal form (an accent is part of its letter); ``77.50`` and
        ``77.5`` are one number.
        """
        return tuple(self._part(name, item.get(name)) for name in self.names)

    def stored(self, values: Mapping[str, Any], key: Key) -> dict[str, Any]:
        """Fields with the key as it is looked up: another spelling of it would not be found again."""
        texts = {
            name: part
            for (name, field), part in zip(self._fields.items(), key, strict=True)
            if field.type not in ("integer", "double")
        }
        return {**values, **texts}

    def _part(self, name: str, value: Any) -> str:
        text = _EDGES.sub("", unicodedata.normalize("NFC", str(value)))
        if self._fields[name].type == "double" and (number := decimal_of(text)) is not None:
            return _plain(number)
        return text

    def has(self, name: str) -> bool:
        """Whether a name, in any spelling, is that of a part of the key."""
        if name not in self._parts:
            self._parts[name] = ""
            with suppress(ConfigurationError):
                self._parts[name] = self._all.find(str(name), "key").name
        return self._parts[name] in self._fields

    def check_is_among(self, names: Sequence[str], place: str) -> None:
        """
        :param names: in any spelling, each that of a field.
        :param place: where they stand, for the message.
        :raises ConfigurationError: they do not have each part of the key.
        """
        given = {self._parts[name] for name in names if self.has(name)}
        if missing := [name for name in self.names if name not in given]:
            raise ConfigurationError(
                f"{place} has no {missing[0]}, which is the key",
                next_step=f"it has: {', '.join(sorted(names))}; add it, or name another field as the key",
            )

    def check_digits(self, values: Mapping[str, Any]) -> None:
        """
        :param values: by names in any spelling.
        :raises ConfigurationError: a text of the key holds a number that a spreadsheet has shortened.
        """
        for name, value in values.items():
            if isinstance(value, str) and self.has(name) and holds_shortened(value):
                part = self._parts[name]
                if self._fields[part].type not in ("integer", "double"):
                    raise shortened(f"the key {part}", value)

    def given_in(self, values: Mapping[str, Any]) -> dict[str, str]:
        """
        The parts of the key that a row gives, as it gives them.

        :param values: by names in any spelling.
        """
        return {
            self._parts[name]: self._part(self._parts[name], as_named(number_as_text(value)))
            for name, value in values.items()
            if self.has(name)
        }

    def with_numbers_as_text(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """
        Fields with the numbers of the key in one form.

        :param values: by names in any spelling.
        """
        return {name: number_as_text(value) if self.has(name) else value for name, value in values.items()}

    def by_field(self, key: Key) -> dict[str, str]:
        return dict(zip(self.names, key, strict=True))

    def __str__(self) -> str:
        return ", ".join(self.names)

    def as_text(self, key: Key) -> str:
        """``originId 'K-1'``, for messages."""
        return ", ".join(f"{name} {value!r}" for name, value in zip(self.names, key, strict=True))


def number_as_text(value: Any) -> Any:
    """
    A ``Decimal`` as the text that an int or a float of the same number gets; anything else as it is.

    A key does not depend on which of them a database, a Parquet file or a data frame gives: the portal would store 5
    and 5.0 as the same text, and it cannot be sent a ``Decimal`` at all.
    """
    return _plain(value) if isinstance(value, Decimal) and value.is_finite() else value


def _plain(number: Decimal) -> str:
    """All digits, without an exponent and without zeros that say nothing; zero has no sign."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def other_spelling(part: str) -> str:
    """``5`` of the text ``5.00``; the text itself where there is none: a number would have been stored so."""
    number = decimal_of(part) if _WITH_ZEROS.fullmatch(part) else None
    return part if number is None else _plain(number)


def folded(key: Key) -> Key:
    """The same for keys that differ only in case, blanks, the form of their letters or zeros behind a point."""
    return tuple(_INNER.sub("", other_spelling(unicodedata.normalize("NFKC", part))).casefold() for part in key)
