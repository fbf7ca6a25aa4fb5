"""
The documented fields of the portal's objects, read from ``fields.json``: names in every spelling, types, flags.

``ci/make_sandbox_fields.py`` makes that file from the documentation; adding a kind of object is adding data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

#: ``new``: camelCase methods; ``old``: UPPER_CASE methods; ``v3``: REST 3.0.
Generation: TypeAlias = Literal["new", "old", "v3"]

#: Kinds of values that are kept as whole numbers.
INTEGERS = frozenset(
    {
        *("integer", "int", "user", "employee", "enumeration", "location", "crm_enum_ownertype"),
        *("crm_enum_activitytype", "crm_enum_activitystatus", "crm_enum_activitypriority"),
        *("crm_enum_activitynotifytype", "crm_enum_contenttype", "crm_enum_activitydirection"),
        *("crm_company", "crm_contact", "crm_lead", "crm_quote", "crm_deal", "crm_category", "crm_entity"),
    }
)
NUMBERS = INTEGERS | {"double"}

#: Documented without an empty value: what most fields of a type have when nothing was ever written.
_EMPTY_NEW: Mapping[str, Any] = {"double": 0, "crm_company": 0, "crm_contact": 0, "crm_category": 0, "boolean": "N"}
_EMPTY_OLD: Mapping[str, Any] = {"double": "0.00", "crm_category": "0", "date": "", "datetime": "", "char": "N"}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One documented field: ``key`` is its name in the portal's own rows, the new one where there is one."""

    key: str
    names: Mapping[str, str]
    types: Mapping[str, str]
    title: str
    read_only: bool = False
    required: bool = False
    immutable: bool = False
    multiple: bool = False
    deprecated: bool = False
    #: Shown in whole items of ``crm.item.*``, and nowhere listed.
    answer_only: bool = False
    #: Taken by the old methods, and never answered by them.
    write_only_old: bool = False
    default: Any = None
    empty: Mapping[str, Any] | None = None
    status_type: str | None = None
    settings: Mapping[str, Any] | None = None
    #: The values there are, where the documentation lists them: with their meanings, or alone.
    values: Mapping[str, str] | Sequence[str] | None = None
    #: ``{"ID": …, "VALUE": …}`` of each choice of an enumeration.
    items: tuple[Mapping[str, Any], ...] = ()
    #: How its values are kept: by the type of the generation that says more, the new one.
    kind: str = field(init=False)
    #: One of the portal's own.
    is_user_field: bool = field(init=False)
    #: What the answers of the new and of the old methods show while nothing was written.
    empty_new: Any = field(init=False)
    empty_old: Any = field(init=False)

    def __post_init__(self) -> None:
        # Lists ask for these of every value.
        for name, value in (
            ("kind", self.type_in("new")),
            ("is_user_field", self.key.startswith("ufCrm")),
            ("empty_new", self.empty_in("new")),
            ("empty_old", self.empty_in("old")),
        ):
            object.__setattr__(self, name, value)

    @property
    def new(self) -> str | None:
        return self.names.get("new")

    @property
    def old(self) -> str | None:
        return self.names.get("old")

    @property
    def upper(self) -> str:
        """``upperName`` of ``crm.item.fields``: ``createdTime`` is ``CREATED_TIME``."""
        return self.names["old"] if self.is_user_field else upper_name(self.new or self.key)

    def type_in(self, generation: Generation) -> str:
        return self.types.get(generation) or next(iter(self.types.values()), "string")

    def empty_in(self, generation: Generation) -> Any:
        """What answers show while nothing was written."""
        if self.multiple:
            return [] if generation == "new" else None
        if self.empty is not None and generation in self.empty:
            return self.empty[generation]
        kind = self.type_in(generation)
        if self.default is not None and kind in ("boolean", "char"):
            return self.default
        return (_EMPTY_NEW if generation == "new" else _EMPTY_OLD).get(kind)


def upper_name(name: str) -> str:
    """``createdTime`` -> ``CREATED_TIME``; what is in upper case already stays."""
    return name if name.isupper() else re.sub("([A-Z])", r"_\1", name).upper()


@cache
def _records() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("fields.json").read_text(encoding="utf-8"))
    return content


@cache
def fields_of(kind: str) -> tuple[FieldSpec, ...]:
    """The fields of an object by its documented word: ``deal``, ``task``, ``requisite`` …"""
    return tuple(spec for record in _records()[kind] for spec in _fields(record))


def _fields(record: Mapping[str, Any]) -> list[FieldSpec]:
    types = record.get("type", {})
    if isinstance(types, str):
        types = dict.fromkeys(("new", "old", "v3"), types)
    names = {generation: record[generation] for generation in ("new", "old", "v3") if generation in record}
    if types.get("old") == "crm_multifield" and {"new", "old"} <= names.keys():
        # The old methods have all phones under one name, items of the new ones the first of them as a text.
        parts = [({"new": names["new"]}, {**record, "multiple": False}), ({"old": names["old"]}, record)]
        return [_field(part_names, types, part) for part_names, part in parts]
    return [_field(names, types, record)]


def _field(names: Mapping[str, str], types: Mapping[str, str], record: Mapping[str, Any]) -> FieldSpec:
    key = names.get("new") or names.get("old") or names["v3"]
    return FieldSpec(
        key=key,
        names=names,
        types=types,
        title=record.get("title") or upper_name(key).replace("_", " ").capitalize(),
        read_only=record.get("readOnly", False),
        required=record.get("required", False),
        immutable=record.get("immutable", False),
        multiple=record.get("multiple", False),
        deprecated=record.get("deprecated", False),
        answer_only=record.get("answerOnly", False) and "new" in names,
        write_only_old=record.get("writeOnlyOld", False),
        default=record.get("default"),
        empty=record.get("empty"),
        status_type=record.get("statusType"),
        settings=record.get("settings"),
        values=record.get("values"),
    )
