"""The fields of one kind of CRM item: their names in every spelling of Bitrix24, and what is sent under them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_bitrix24.crm import multifields, values
from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, NotFound

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

METHOD = "crm.item.fields"
FIND_KIND = "crm.type.list gives entityTypeId of each smart process (its id is another number)"

#: What old methods (``crm.deal.list``) call fields that ``crm.item.*`` has under another name.
_OLD_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "COMPANY_TYPE": "typeId",
}
#: Documented as writable, whatever the portal says of them («crm.item.add», «crm.item.update»).
_WRITABLE = frozenset({"leadId", "quoteId"})
#: What administrators may set in an import («crm.item.batchImport»).
_IMPORTED = frozenset({"createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy", "movedBy"})

_FILTER_KEY = re.compile(r"(!=%|!%=|!><|><|=%|%=|!%|!@|>=|<=|!=|[%@><=!])?(.*)", re.DOTALL)
#: The operators that take a list of values («crm.item.list», and the server's source).
_LIST_OPERATORS = frozenset({"", "=", "!=", "!", "@", "!@"})

#: An upsert is ready for either: what only an add or only an update takes is left out when it is known which.
Purpose = Literal["add", "update", "upsert", "import"]


@dataclass(frozen=True)
class FieldValues:
    """
    Fields that are ready to be sent.

    :param fields: by the portal's names.
    :param entries: multi-fields, apart: how they are sent depends on what the item has.
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
        return FieldValues(self.fields, multifields.not_there_yet(self.entries, item))

    @property
    def adds_entries(self) -> bool:
        return any("id" not in entry for entry in self.entries)


class ItemFields:
    """
    What ``crm.item.fields`` tells of one kind of item.

    Names are never computed: ``UF_CRM_3_DIGIT`` is ``ufCrm3Digit``, ``UF_CRM_1742`` is ``ufCrm_1742``, and on a clash a
    field keeps its original name. The portal tells both, ``upperName`` being the original one.
    """

    def __init__(self, entity_type_id: int, described: Mapping[str, Any]) -> None:
        self.entity_type_id = entity_type_id
        self.fields = {str(name): _item_field(str(name), one) for name, one in described.items()}
        self._spellings: dict[str, set[str]] = {}
        for known in self.fields.values():
            for spelling in (known.name, known.upper_name):
                self._spellings.setdefault(spelling.lower(), set()).add(known.name)

    @classmethod
    def ask(cls, client: Client, entity_type_id: int) -> ItemFields:
        """
        :raises NotFound: there is no such kind of item.
        """
        try:
            result = client.call(METHOD, {"entityTypeId": entity_type_id})
        except NotFound as error:
            raise error.advise(FIND_KIND) from None
        described = result.get("fields") if isinstance(result, dict) else None
        if not isinstance(described, dict) or not described:
            raise Bitrix24Error("the answer names no fields", method=METHOD, next_step="see what the portal answers")
        return cls(entity_type_id, described)

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
        names = {known.name for known in self.fields.values() if known.upper_name == name}
        names = names or self._spellings.get(name.lower(), set())
        if len(names) == 1:
            return self.fields[next(iter(names))]
        if not names and _OLD_NAMES.get(name.upper()) in self.fields:
            return self.fields[_OLD_NAMES[name.upper()]]
        near = sorted(names) or self._nearest(name)
        raise ConfigurationError(
            f"{place} names {name!r}, which is no field of a {self.kind}",
            next_step=f"did you mean {' or '.join(near)}?" if near else f"{METHOD} gives the names",
        )

    def _nearest(self, name: str) -> list[str]:
        titles = {known.title.lower(): {known.name} for known in self.fields.values() if known.title}
        places = {**titles, **self._spellings}
        found = [near for one in difflib.get_close_matches(name.lower(), places, n=3) for near in sorted(places[one])]
        return list(dict.fromkeys(found))

    def prepare(self, given: Mapping[str, Any], purpose: Purpose, *, place: str = "fields") -> FieldValues:
        """
        ``given`` by the portal's names, with values as their fields want them.

        :raises ConfigurationError: a name that is no field, is said twice or cannot be written, or a value that does
            not fit: the portal would drop it without a word.
        """
        fields: dict[str, Any] = {}
        spelled: dict[str, str] = {}
        entries: list[dict[str, Any]] = []
        for name, value in given.items():
            if self.entity_type_id in multifields.OWNERS and multifields.is_multifield(name):
                entries += self._entries(name, value, purpose)
                continue
            known = self.find(name, place)
            if known.name in spelled:
                raise ConfigurationError(
                    f"{place} has {spelled[known.name]!r} and {name!r}, which are one field", next_step="keep one"
                )
            spelled[known.name] = name
            self._check_writable(known, place, purpose)
            ready = values.to_write(known, value)
            if ready != [] or purpose in ("update", "upsert"):
                # A new item has nothing to clear, and an empty list has no form in a batch.
                fields[known.name] = ready
        return FieldValues(fields, entries)

    def _entries(self, name: str, value: Any, purpose: Purpose) -> list[dict[str, Any]]:
        entries = multifields.entries_of(name, value)
        if purpose == "update" and not entries and value is not None:
            raise ConfigurationError(
                f"{name} is empty, and an update changes only the entries that it names",
                next_step='to remove one, write {"fm": {"101": {"value": ""}}} with its id; leave it out otherwise',
            )
        if purpose != "update" and any("id" in entry for entry in entries):
            raise ConfigurationError(
                f"{name} names ids of entries that are part of another item", next_step="leave the ids out"
            )
        return entries

    def _check_writable(self, known: ItemField, place: str, purpose: Purpose) -> None:
        if known.is_read_only and not (known.name in _WRITABLE or (purpose == "import" and known.name in _IMPORTED)):
            raise ConfigurationError(
                f"{place} has {known.name}, which is read only: the portal would drop it without a word",
                next_step="leave it out",
            )
        if known.is_immutable and purpose == "update":
            raise ConfigurationError(
                f"{place} has {known.name}, which can only be set when the item is added", next_step="leave it out"
            )

    def filter(self, given: Mapping[str, Any], *, place: str = "item_filter") -> dict[str, Any]:
        """
        A filter by the portal's names, with values as filters want them; ``logic`` and groups as deep as they are.

        :raises ConfigurationError: a name that is no field, or a value that does not fit.
        """
        made: dict[str, Any] = {}
        for key, value in given.items():
            if key.isdecimal():
                made[key] = self._group(value, place)
                continue
            if key.lower() == "logic":
                made[key] = value
                continue
            match = _FILTER_KEY.fullmatch(key)
            operator, name = (match[1] or "", match[2]) if match else ("", key)
            known = self.find(name, place)
            made[f"{operator}{known.name}"] = _condition(known, operator, value, place)
        return made

    def _group(self, value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            return self.filter(value, place=place)
        if isinstance(value, (list, tuple)):
            return [self._group(one, place) for one in value]
        raise ConfigurationError(
            f"{place} has a group that is no object", next_step='write e.g. {"0": {"logic": "OR", "0": {…}, "1": {…}}}'
        )

    def select(self, names: Iterable[str], *, place: str = "select") -> list[str]:
        """
        Names as the portal spells them: it leaves out, without a word, what it does not know.

        :raises ConfigurationError: a name that is no field; phones and e-mails, which come only with ``*``.
        """
        chosen = []
        for name in names:
            if name == "*":
                return ["*"]
            if self.entity_type_id in multifields.OWNERS and multifields.is_multifield(name):
                raise ConfigurationError(
                    f"{place} names {name!r}: multi-fields cannot be selected by name", next_step='write ["*"]'
                )
            chosen.append(self.find(name, place).name)
        return list(dict.fromkeys(chosen))

    def typed(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item with each value in the type of its field, see :func:`crm_values.typed`; what is no field stays."""
        known = self.fields
        return {name: values.typed(known[name], value) if name in known else value for name, value in item.items()}

    def not_taken(self, sent: FieldValues, item: Mapping[str, Any]) -> list[str]:
        """Names of what was sent and is not in the item that was read back."""
        missing = [
            name
            for name, value in sent.fields.items()
            if name not in item or not values.same(self.fields[name], value, item[name])
        ]
        return missing + multifields.not_taken(sent.entries, item)


def _condition(known: ItemField, operator: str, value: Any, place: str) -> Any:
    if isinstance(value, (list, tuple, set)):
        if operator not in _LIST_OPERATORS:
            raise ConfigurationError(
                f"{place} has a list under {operator}{known.name}", next_step="only =, !=, @ and !@ take a list"
            )
        if not value:
            raise ConfigurationError(
                f"{place} has an empty list under {operator}{known.name}",
                next_step="leave the condition out, or skip the task when there is nothing to look for",
            )
        return [values.to_filter(known, one) for one in value]
    if "%" in operator:
        return str(value)
    return values.to_filter(known, value)


def _item_field(name: str, described: Any) -> ItemField:
    told = described if isinstance(described, Mapping) else {}
    items = told.get("items")
    several = items.values() if isinstance(items, Mapping) else items if isinstance(items, list) else ()
    choices = {str(one["ID"]): str(one.get("VALUE", "")) for one in several if isinstance(one, Mapping) and "ID" in one}
    return ItemField(
        name=name,
        upper_name=str(told.get("upperName") or name),
        type=str(told.get("type") or "string").lower(),
        title=str(told.get("title") or ""),
        is_read_only=told.get("isReadOnly") in (True, "Y"),
        is_immutable=told.get("isImmutable") in (True, "Y"),
        is_multiple=told.get("isMultiple") in (True, "Y"),
        is_user_field=told.get("isDynamic") in (True, "Y"),
        choices=choices,
    )
