"""The columns of an export: what they are called in the target, and of which type they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.values import ItemField

#: ``json`` is text that holds a JSON document; a ``datetime`` is in UTC.
Kind = Literal["integer", "decimal", "boolean", "date", "datetime", "text", "json"]
#: A value in the portal can be more than one in a table.
Part = Literal["", "amount", "currency"]

#: Postgres cuts longer names, silently.
MOST_BYTES_OF_A_NAME = 63
#: The portal keeps its own amounts with four decimals. Fields that its users made have as many as they like.
_SCALE, _USER_SCALE = 4, 10

#: Files, of which only the ids are kept: their addresses have tokens.
FILES = frozenset({"file", "diskfile", "attached_diskfile", "disk_file", "product_file"})

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("integer", "int", "enumeration", *FILES), "integer"),
    **dict.fromkeys(("user", "employee", "crm_category", "crm_company", "crm_contact", "crm_lead"), "integer"),
    **dict.fromkeys(("crm_deal", "crm_quote", "crm_entity", "iblock_element", "iblock_section"), "integer"),
    **dict.fromkeys(("crm_enum_ownertype", "crm_enum_activitytype", "crm_enum_activitystatus"), "integer"),
    **dict.fromkeys(("crm_enum_activitypriority", "crm_enum_activitynotifytype"), "integer"),
    **dict.fromkeys(("crm_enum_activitydirection", "crm_enum_contenttype"), "integer"),
    "double": "decimal",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    **dict.fromkeys(("string", "text", "char", "url", "crm", "crm_status", "crm_currency", "enum"), "text"),
}

#: Ids of objects for which 0 is the portal's word for none. The funnel 0 is the first one.
REFERENCES = frozenset(
    {"user", "employee", "crm_company", "crm_contact", "crm_lead", "crm_deal", "crm_quote", "crm_entity"} | FILES
)


@dataclass(frozen=True)
class Column:
    """
    One column.

    :param name: in the target: the original name of the field in lower case, ``uf_crm_1700000001``, whichever method
        the rows come from.
    :param field: the field of the portal that it holds.
    :param part: which part of an amount with its currency it holds.
    :param scale: the decimals of a ``decimal``.
    """

    name: str
    kind: Kind
    field: ItemField
    part: Part = ""
    scale: int = _SCALE

    @property
    def is_reference(self) -> bool:
        """Whether 0 means that there is none."""
        return self.field.type in REFERENCES


def columns_of(fields: Iterable[ItemField], present: Iterable[Column] = ()) -> tuple[Column, ...]:
    """
    The columns of fields, in their order: two for an amount with its currency, four for phones and the like.

    A name that is too long for Postgres, or that an earlier column has, ends in eight letters of its hash.

    :param present: columns that stand before them.
    """
    columns = {column.name: column for column in present}
    for field in fields:
        for suffix, kind, part, described in _parts(field):
            name = column_name(described.upper_name, suffix, columns)
            columns[name] = Column(name, kind, described, part, _USER_SCALE if field.is_user_field else _SCALE)
    return tuple(columns.values())


def _parts(field: ItemField) -> Iterable[tuple[str, Kind, Part, ItemField]]:
    if field.type == "crm_multifield":
        for word in multifields.TYPES:
            yield "", "json", "", ItemField(field.name, word, field.type, word.capitalize(), is_multiple=True)
    elif field.is_multiple:
        yield "", "json", "", field
    elif field.type == "money":
        yield "", "decimal", "amount", field
        yield "_currency", "text", "currency", field
    else:
        # What a portal's applications add has a shape of its own.
        yield "", _KINDS.get(field.type, "json"), "", field


def column_name(upper_name: str, suffix: str, taken: Iterable[str]) -> str:
    """The name of a field's column, which ends in eight letters of its hash where it is too long or taken."""
    # Some objects have only a name such as accountNumber.
    words = upper_name if upper_name.isupper() else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", upper_name)
    name = f"{words.lower()}{suffix}"
    return (
        name_with_hash(name, f"{upper_name}{suffix}") if name in taken else fitting_name(name, f"{upper_name}{suffix}")
    )


def fitting_name(name: str, hashed: str) -> str:
    """A name, or where it is too long for Postgres its beginning and eight letters of the hash of a text."""
    return name if len(name.encode()) <= MOST_BYTES_OF_A_NAME else name_with_hash(name, hashed)


def name_with_hash(name: str, hashed: str) -> str:
    """The beginning of a name, and eight letters of the hash of a text."""
    digest = hashlib.sha256(hashed.encode()).hexdigest()[:8]
    return f"{name.encode()[: MOST_BYTES_OF_A_NAME - 9].decode(errors='ignore')}_{digest}"
