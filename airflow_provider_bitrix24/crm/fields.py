"""The fields of one kind of CRM item: their names in every spelling of Bitrix24, and what is sent under them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_bitrix24.crm import multifields, values
from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.conditions import check_conditions, two_spellings
from airflow_provider_bitrix24.rest.message_parts import did_you_mean
from airflow_provider_bitrix24.rest.scalars import native

METHOD = "crm.item.fields"

#: What old methods (``crm.deal.list``) call fields that ``crm.item.*`` has under another name.
OLD_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "COMPANY_TYPE": "typeId",
}
#: Documented as writable, whatever the portal says of them ("crm.item.add", "crm.item.update").
_WRITABLE = frozenset({"leadId", "quoteId"})
#: What administrators may set in an import ("crm.item.batchImport").
_IMPORTED = frozenset({"createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy", "movedBy"})

_FILTER_KEY = re.compile(r"(!=%|!%=|!><|><|=%|%=|!%|!@|>=|<=|!=|[%@><=!])?(.*)", re.DOTALL)
#: The operators that take a list of values ("crm.item.list", and the server's source).
_LIST_OPERATORS = frozenset({"", "=", "!=", "!", "@", "!@"})

#: An upsert is ready for either: what only an add or only an update takes is left out when it is known which.
Purpose = Literal["add", "update", "upsert", "import"]


@dataclass(frozen=True)
class FieldValues:
    """
    Values that are ready to be sent.

    :param fields: by the portal's names.
    :param entries: entries of multi-fields, apart: how they are sent depends on what the item has.
    """

    fields: dict[str, Any]
    entries: list[dict[str, Any]]

    def params(self, purpose: Purpose) -> dict[str, Any]:
        """``fields`` of the method."""
        if not self.entries:
            return dict(self.fields)
        if purpose == "import":
            return {**self.fields, **multifields.as_import(self.entries)}
        return {**self.fields, "fm": multifields.as_fm(self.entries)}

    def for_item(self, item: Mapping[str, Any]) -> FieldValues:
        """The same without new phones and the like that an item has already."""
        return FieldValues(self.fields, multifields.missing_in(item, self.entries))

    @property
    def cleared(self) -> FieldValues:
        """
        What is sent empty: a portal may answer with success, and keep the value or put another in its place.

        Sources: an issue of the documentation, bitrix-tools/b24-rest-docs#269, on lists (enumerations); an item is
        never without a stage, nor without somebody who is responsible for it.
        """
        return FieldValues({name: value for name, value in self.fields.items() if value in ("", [])}, [])

    @property
    def adds_entries(self) -> bool:
        """Whether an item must be read before the update: the portal would add a phone that it has once more."""
        return any("id" not in entry for entry in self.entries)


class ItemFields:
    """
    What ``crm.item.fields`` says of one kind of item.

    Names are never computed: ``UF_CRM_3_DIGIT`` is ``ufCrm3Digit``, ``UF_CRM_1742`` is ``ufCrm_1742``, and on a clash a
    field keeps its original name. The portal names both, ``upperName`` being the original one.
    """

    def __init__(self, entity_type_id: int, descriptions: Mapping[str, Any]) -> None:
        self.entity_type_id = entity_type_id
        self.fields = {str(name): item_field(str(name), text) for name, text in descriptions.items()}
        self._spellings: dict[str, set[str]] = {}
        for field in self.fields.values():
            for spelling in (field.name, field.upper_name):
                self._spellings.setdefault(spelling.lower(), set()).add(field.name)

    @property
    def kind(self) -> str:
        """``deal``, ``smart process 128``."""
        words = {number: word for word, number in ENTITY_TYPES.items()}
        return words.get(self.entity_type_id, f"smart process {self.entity_type_id}")

    def find(self, name: str, place: str) -> ItemField:
        """
        The field of a name in any spelling: ``assignedById``, ``ASSIGNED_BY_ID``, ``ufCrm_1742``, ``UF_CRM_1742``.

        :param place: the argument, for the message.
        :raises ConfigurationError: there is none; the message has the nearest names.
        """
        name = name.strip()
        if name in self.fields:
            return self.fields[name]
        names = {field.name for field in self.fields.values() if field.upper_name == name}
        names = names or self._spellings.get(name.lower(), set())
        if len(names) == 1:
            return self.fields[next(iter(names))]
        if not names and OLD_NAMES.get(name.upper()) in self.fields:
            return self.fields[OLD_NAMES[name.upper()]]
        titles = {field.title.lower(): [field.name] for field in self.fields.values() if field.title}
        spellings = {spelling: sorted(meant) for spelling, meant in self._spellings.items()}
        raise ConfigurationError(
            f"{place} names {name!r}, which is not a field of a {self.kind}",
            next_step=did_you_mean(name.lower(), {**titles, **spellings}, f"{METHOD} gives the names"),
        )

    def check_names(self, names: Iterable[str], place: str) -> None:
        """:raises ConfigurationError: a name is neither that of a field nor of multi-fields, see :meth:`find`."""
        for name in names:
            if not (self.entity_type_id in multifields.OWNERS and multifields.is_multifield(name)):
                self.find(name, place)

    def prepare(self, given: Mapping[str, Any], purpose: Purpose, *, place: str = "fields") -> FieldValues:
        """
        Values under the portal's names, each as its field wants it.

        :param given: values by field, in any spelling.
        :param place: the argument, for messages.
        :raises ConfigurationError: a name that is not a field, is given twice or cannot be written, or a value that
            does not fit: the portal would silently drop it.
        """
        fields: dict[str, Any] = {}
        spellings: dict[str, str] = {}
        entries: list[dict[str, Any]] = []
        for name, value in given.items():
            if self.entity_type_id in multifields.OWNERS and multifields.is_multifield(name):
                entries += self._entries(name, value, purpose)
                continue
            field = self.find(name, place)
            if field.name in spellings:
                raise ConfigurationError(
                    f"{place} has {spellings[field.name]!r} and {name!r}, which are the same field",
                    next_step="keep one",
                )
            spellings[field.name] = name
            self.check_writable(field, place, purpose)
            ready = values.to_write(field, value)
            if ready not in ("", []) or purpose in ("update", "upsert"):
                # A new item has nothing to clear, and a field of it without a value has the portal's default.
                fields[field.name] = ready
        if purpose in ("add", "import") and not fields and not entries:
            raise ConfigurationError(
                f"{place} has no value, and an empty {self.kind} would be added", next_step="give a field a value"
            )
        return FieldValues(fields, entries)

    def _entries(self, name: str, value: Any, purpose: Purpose) -> list[dict[str, Any]]:
        entries = multifields.entries_of(name, value)
        if purpose in ("update", "upsert") and not entries and value is not None:
            remove = 'to remove an entry, update the item with {"fm": {"101": {"value": ""}}} and the entry\'s id'
            raise ConfigurationError(
                f"{name} is empty, and an update changes only the entries that it names",
                next_step=f"{remove}; else leave it out",
            )
        if purpose != "update" and any("id" in entry for entry in entries):
            raise ConfigurationError(
                f"{name} has ids of entries, which belong to an item that exists", next_step="leave the ids out"
            )
        return entries

    def check_writable(self, field: ItemField, place: str, purpose: Purpose) -> None:
        """:raises ConfigurationError: the portal would silently drop the field's value."""
        if field.is_read_only and not (field.name in _WRITABLE or (purpose == "import" and field.name in _IMPORTED)):
            raise ConfigurationError(
                f"{place} has {field.name}, which is read-only: the portal would silently drop it",
                next_step=_what_to_do_about_ids(place)
                if field.name == "id" and purpose in ("add", "import")
                else "leave it out",
            )
        if field.is_immutable and purpose == "update":
            raise ConfigurationError(
                f"{place} has {field.name}, which can only be set when the item is added", next_step="leave it out"
            )

    def filter(self, given: Mapping[str, Any], *, place: str = "item_filter") -> dict[str, Any]:
        """
        A filter under the portal's names, with values as filters want them; groups under ``logic`` to any depth.

        :raises ConfigurationError: a name that is not a field, or a value that does not fit or means nothing, see
            :func:`check_conditions`.
        """
        check_conditions(given, place, drops_empty_lists=True)
        return self._filter(given, place)

    def _filter(self, given: Mapping[Any, Any], place: str) -> dict[str, Any]:
        conditions: dict[str, Any] = {}
        spellings: dict[str, str] = {}
        for key, value in ((str(key), value) for key, value in given.items()):
            if key.isdecimal():
                conditions[key] = self._group(value, place)
                continue
            if key.lower() == "logic":
                conditions[key] = value
                continue
            match = _FILTER_KEY.fullmatch(key)
            operator, name = (match[1] or "", match[2]) if match else ("", key)
            field = self.find(name, place)
            known = f"{operator}{field.name}"
            if spellings.setdefault(known, key) != key:
                raise two_spellings(spellings[known], key, place)
            try:
                conditions[known] = _condition(field, operator, value)
            except ConfigurationError as error:
                raise error.but(reason=f"{key!r} in {place}: {error.reason}") from None
        return conditions

    def _group(self, value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            return self._filter(value, place)
        if isinstance(value, (list, tuple)):
            return [self._group(member, place) for member in value]
        raise ConfigurationError(
            f"{place} has a group that is not an object",
            next_step='write e.g. {"0": {"logic": "OR", "0": {…}, "1": {…}}}',
        )

    def select(self, names: Iterable[str], *, place: str = "select") -> list[str]:
        """
        Names as the portal spells them: it silently leaves out what it does not know.

        :raises ConfigurationError: a name that is not a field; phones and e-mails, which come only with ``*``.
        """
        selected = []
        for name in names:
            if name == "*":
                return ["*"]
            if self.entity_type_id in multifields.OWNERS and multifields.is_multifield(name):
                raise ConfigurationError(
                    f"{place} names {name!r}: multi-fields cannot be selected by name", next_step='write ["*"]'
                )
            selected.append(self.find(name, place).name)
        return list(dict.fromkeys(selected))

    def typed(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item with each value in the type of its field, see :func:`values.typed`; anything else as it is."""
        fields = self.fields
        return {name: values.typed(fields[name], value) if name in fields else value for name, value in item.items()}

    def not_taken(self, sent: FieldValues, item: Mapping[str, Any]) -> list[str]:
        """Names of what was sent and is not in the item that was read back."""
        missing = [
            name
            for name, value in sent.fields.items()
            if name not in item or not values.same(self.fields[name], value, item[name])
        ]
        return missing + multifields.not_taken(sent.entries, item)


def _what_to_do_about_ids(place: str) -> str:
    if place == "the row":
        return (
            "to change the items with these ids, update them; to add new ones, leave the column out of the source, or "
            "give mapping the fields to send"
        )
    return "leave it out; to change items that are there, update them"


def _condition(field: ItemField, operator: str, value: Any) -> Any:
    value = native(value)
    if isinstance(value, (list, tuple, set)):
        if operator not in _LIST_OPERATORS:
            raise ConfigurationError("it is a list", next_step="only =, !=, @ and !@ take a list")
        return [values.to_filter(field, member) for member in value]
    if "%" in operator:
        return values.as_text(value, f"{operator}{field.name}")
    return values.to_filter(field, value)


def item_field(name: str, description: Any) -> ItemField:
    """The field that a ``*.fields`` method describes."""
    described = description if isinstance(description, Mapping) else {}
    items = described.get("items")
    several = items.values() if isinstance(items, Mapping) else items if isinstance(items, list) else ()
    choices = {
        str(choice["ID"]): str(choice.get("VALUE", ""))
        for choice in several
        if isinstance(choice, Mapping) and "ID" in choice
    }
    settings = described.get("settings")
    # Fields of users have it among their settings.
    own = settings.get("ENTITY_TYPE") if isinstance(settings, Mapping) else None
    return ItemField(
        name=name,
        upper_name=str(described.get("upperName") or name),
        type=str(described.get("type") or "string").lower(),
        title=str(described.get("title") or ""),
        is_read_only=described.get("isReadOnly") in (True, "Y"),
        is_immutable=described.get("isImmutable") in (True, "Y"),
        is_multiple=described.get("isMultiple") in (True, "Y"),
        is_user_field=described.get("isDynamic") in (True, "Y"),
        choices=choices,
        directory=str(described.get("statusType") or own or ""),
    )
