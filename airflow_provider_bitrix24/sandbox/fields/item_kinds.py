"""Kinds of CRM objects at one portal: the documented fields and the portal's own, under all their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec, fields_of

LEAD, DEAL, CONTACT, COMPANY, QUOTE, INVOICE = 1, 2, 3, 4, 7, 31

#: ``ENTITY_TYPE_ID`` of requisites, which belong to a company or a contact.
REQUISITE = 8

#: ``entityTypeId`` of the one smart process that every sandbox has.
SMART_PROCESS = 128

#: Funnel of smart invoices and of the smart process: these kinds number their own, from above 0.
INVOICE_CATEGORY, SMART_PROCESS_CATEGORY = 1, 10

#: Fields of one object under their keys; a field without a value is left out to save memory.
Row: TypeAlias = dict[str, Any]

MULTI_FIELD_TYPES = ("PHONE", "EMAIL", "WEB", "IM", "LINK")


#: ``id`` of the smart process's type, which is not its ``entityTypeId``.
SMART_PROCESS_TYPE_ID = 3


@dataclass(frozen=True)
class KindName:
    """What a kind is called: in the catalogue, in codes, in codes of bindings, and in titles."""

    catalogue: str
    code: str
    short: str
    title: str
    #: Prefix of the portal's own fields; empty where it is the code.
    own_fields: str = ""

    @property
    def user_field_entity(self) -> str:
        """``ENTITY_ID`` of the portal's own fields, ``CRM_DEAL``."""
        return self.own_fields or f"CRM_{self.code}"

    @property
    def user_field_prefix(self) -> str:
        return f"UF_{self.own_fields}_" if self.own_fields else "UF_CRM_"


NAMES: Mapping[int, KindName] = {
    LEAD: KindName("lead", "LEAD", "L", "Lead"),
    DEAL: KindName("deal", "DEAL", "D", "Deal"),
    CONTACT: KindName("contact", "CONTACT", "C", "Contact"),
    COMPANY: KindName("company", "COMPANY", "CO", "Company"),
    QUOTE: KindName("quote", "QUOTE", "Q", "Quote"),
    INVOICE: KindName("smart_invoice", "SMART_INVOICE", "SI", "Invoice"),
    SMART_PROCESS: KindName("smart_process", f"DYNAMIC_{SMART_PROCESS}", "T80", "Item", f"CRM_{SMART_PROCESS_TYPE_ID}"),
}

#: What has fields of the portal's own: these kinds, and requisites, which have methods of their own.
WITH_USER_FIELDS: Mapping[int, KindName] = {**NAMES, REQUISITE: KindName("requisite", "REQUISITE", "RQ", "Requisite")}

#: Kinds with methods of their own beside ``crm.item.*``: ``crm.deal.*`` and its sisters.
OLD_KINDS = {"deal": DEAL, "lead": LEAD, "contact": CONTACT, "company": COMPANY, "quote": QUOTE}

#: Objects that a field of this key names; see :mod:`…methods.crm.relations` for those in lists.
REFERENCES = {"contactId": CONTACT, "companyId": COMPANY, "leadId": LEAD, "quoteId": QUOTE, "dealId": DEAL}

#: An add without a value takes the first of the directory (pages of ``crm.deal.add`` and its sisters).
_FIRST_OF_DIRECTORY = {
    LEAD: ("sourceId",),
    DEAL: ("sourceId", "typeId"),
    CONTACT: ("sourceId", "typeId", "honorific"),
    COMPANY: ("typeId", "industry", "employees"),
    SMART_PROCESS: ("sourceId",),
    INVOICE: ("sourceId",),
}
_STATUS_TYPES = {
    (INVOICE, "stageId"): f"SMART_INVOICE_STAGE_{INVOICE_CATEGORY}",
    (SMART_PROCESS, "stageId"): f"DYNAMIC_{SMART_PROCESS}_STAGE_{SMART_PROCESS_CATEGORY}",
    (QUOTE, "stageId"): "QUOTE_STATUS",
}
_CATEGORIES = {INVOICE: INVOICE_CATEGORY, SMART_PROCESS: SMART_PROCESS_CATEGORY}


def user_field(
    name: str,
    type_id: str,
    *,
    multiple: bool,
    required: bool,
    title: str,
    items: Iterable[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> FieldSpec:
    """
    A field of the portal's own.

    :param name: the original one, ``UF_CRM_1700000001``; ``crm.item.*`` calls it ``ufCrm_1700000001``.
    """
    new_name = _new_user_field_name(name)
    # No page prints an empty one; a yes/no field of a portal's own is "no" until it is set.
    empty = {"new": "N", "old": "0"} if type_id == "boolean" else {"new": None, "old": None}
    return FieldSpec(
        key=new_name,
        names={"new": new_name, "old": name},
        types={"new": type_id, "old": type_id},
        title=title,
        multiple=multiple,
        required=required,
        empty=empty,
        items=tuple(items),
        settings=settings,
    )


def _new_user_field_name(name: str) -> str:
    """
    ``UF_CRM_3_COLOR`` -> ``ufCrm3Color``, ``UF_CRM_3_1747309727`` -> ``ufCrm3_1747309727``; without a number of a
    smart process, or with letters and digits mixed, only the prefix changes (page on names of fields).
    """
    match = re.fullmatch(r"UF_CRM_(\d+)_(.+)", name)
    if match is None or (re.search(r"\d", match[2]) and not match[2].isdigit()):
        return "ufCrm" + name.removeprefix("UF_CRM")
    words = match[2].split("_")
    return f"ufCrm{match[1]}" + (f"_{match[2]}" if match[2].isdigit() else "".join(map(str.title, words)))


class ItemKind:
    """
    The fields of one kind of CRM objects.

    :param user_fields: those of the portal's own.
    :param directories: first code of each directory of statuses, by its ``ENTITY_ID``.
    """

    def __init__(self, entity_type_id: int, user_fields: Iterable[FieldSpec], directories: Mapping[str, str]) -> None:
        self.entity_type_id = entity_type_id
        self.name = NAMES[entity_type_id]
        self.fields = (*(self._adapted(field, directories) for field in fields_of(self.name.catalogue)), *user_fields)

    def _adapted(self, field: FieldSpec, directories: Mapping[str, str]) -> FieldSpec:
        status_type = _STATUS_TYPES.get((self.entity_type_id, field.key), field.status_type)
        if field.key == "previousStageId":
            status_type = _STATUS_TYPES[self.entity_type_id, "stageId"]
        first: Any = None
        if field.key == "stageId" or field.key in _FIRST_OF_DIRECTORY.get(self.entity_type_id, ()):
            first = directories.get(status_type or "")
        elif field.key == "categoryId":
            first = _CATEGORIES.get(self.entity_type_id, 0)
        elif field.key == "currencyId":
            first = "USD"
        elif field.key == "stageSemanticId":
            first = "P"
        elif field.kind == "user" and not field.multiple:
            first = 1
        if first is not None:
            field = replace(field, empty={"new": first, "old": str(first)})
        return replace(field, status_type=status_type)

    @cached_property
    def by_key(self) -> Mapping[str, FieldSpec]:
        return {field.key: field for field in self.fields}

    @cached_property
    def listed(self) -> Mapping[str, FieldSpec]:
        """What ``crm.item.fields`` lists, under the names of ``crm.item.*``."""
        return {field.new: field for field in self.fields if field.new and not field.answer_only}

    @cached_property
    def listed_original(self) -> Mapping[str, FieldSpec]:
        """The same with ``useOriginalUfNames``: ``UF_CRM_…`` stay as they are."""
        return {field.upper if field.is_user_field else name: field for name, field in self.listed.items()}

    @cached_property
    def by_any_name(self) -> Mapping[str, FieldSpec]:
        """Also under the UPPER_CASE names, which ``crm.item.*`` takes like the others (server source)."""
        return {**{field.upper: field for field in self.listed.values()}, **self.listed}

    @cached_property
    def by_old_name(self) -> Mapping[str, FieldSpec]:
        """What the old methods know, multi-fields aside."""
        return {field.old: field for field in self.fields if field.old and field.type_in("old") != "crm_multifield"}

    @cached_property
    def multi_fields(self) -> tuple[str, ...]:
        """``PHONE``, ``EMAIL`` …; none at all for most kinds."""
        return tuple(field.old for field in self.fields if field.old and field.type_in("old") == "crm_multifield")

    @cached_property
    def empty_new(self) -> Mapping[str, Any]:
        """Every listed field without a value, by key."""
        return {field.key: field.empty_in("new") for field in self.listed.values() if field.key != "fm"}

    @cached_property
    def empty_answer_only(self) -> Mapping[str, Any]:
        """What one whole item has beside its listed fields."""
        return {field.key: field.empty_in("new") for field in self.fields if field.answer_only}

    @cached_property
    def empty_old(self) -> Mapping[str, Any]:
        return {name: field.empty_in("old") for name, field in self.by_old_name.items() if not field.write_only_old}

    @cached_property
    def old_names(self) -> Mapping[str, tuple[str, FieldSpec]]:
        """Key in a row -> its name in the answers of the old methods."""
        return {field.key: (name, field) for name, field in self.by_old_name.items() if not field.write_only_old}
