"""
Names that writing methods take, by their pages and by what the portal describes: it silently drops all others.

A name on the page of the method is taken. Any other is looked for in what the portal describes, asked once, and it
is refused only where it is surely unknown: the method takes nothing else, or it is a slip of the pen of a name that is
missing. Fields that people have made (``UF_…``, ``PROPERTY_…``) are described by some methods only.

The table is ``written_fields.txt``; its head names the source.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitrix24.crm.exact_texts import has_float, with_exact_texts
from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.short_numbers import check_digits
from airflow_provider_bitrix24.crm.typed_values import (
    check_type,
    described_type,
    holds_members,
    names_an_id,
)
from airflow_provider_bitrix24.crm.unwritable import check_is_list, unwritable, why_unwritable
from airflow_provider_bitrix24.exceptions import ConfigurationError, Forbidden, Invalid, NotFound
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, is_slip, preview

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

#: Families of fields that people make, and parts of tasks that only their own pages describe.
_FAMILY = re.compile(r"UF_\w+|uf[A-Z_]\w*|PARENT_ID_\d+|parentId\d+|PROPERTY_\w+|property\d+|SE_\w+", re.ASCII)
_PROPERTY = re.compile(r"PROPERTY_\d+")
_NOTHING: Mapping[str, Any] = {}
#: How names are taken where their case counts.
_BY_LETTER = frozenset({"exact", "letters"})
#: Parameters that the server takes for itself, in every method.
_OF_THE_SERVER = frozenset({"auth", "start", "halt", "id"})
#: Parameters that hold one object.
_OBJECTS = frozenset({"fields", "field", "arfields"})
#: Parameters that hold rows.
_ROWS = frozenset({"rows", "items", "productRows"})
#: What a description needs to know, of the parameters of the call.
_ASKED_WITH = {
    "crm.category.fields": ("entityTypeId",),
    "lists.field.get": ("IBLOCK_TYPE_ID", "IBLOCK_ID", "IBLOCK_CODE", "SOCNET_GROUP_ID"),
}


class Taken(NamedTuple):
    """What one parameter of a method takes: a line of the table."""

    #: The parameter; ``-``: the parameters themselves.
    place: str
    #: The method that describes the fields, with their key in its result; ``-``: there is none.
    source: str
    #: ``exact``, ``letters``, ``any-case`` or ``near``.
    names: str
    documented: tuple[str, ...]
    #: Those of ``documented`` that are lists, as names are compared.
    lists: frozenset[str] = frozenset()
    #: As names are compared: the documented ones, and those described as read-only beside the portal's own description.
    spelled: frozenset[str] = frozenset()
    spelled_read_only: frozenset[str] = frozenset()
    #: What the table calls the types of values, by names as they are compared.
    types: Mapping[str, str] = {}

    def spell(self, name: str) -> str:
        """A name as this method compares it."""
        return name if self.names in _BY_LETTER else plain_name(name)


class WrittenFields:
    """The names of one method. The portal is asked when the first name comes that is not on the method's page."""

    def __init__(self, client: Client, method: str) -> None:
        self._client, self._method = client, method
        self._taken = _table().get(method.lower(), ())
        self._described: dict[str, Mapping[str, Any]] = {}
        #: By the identity of a description, which lives as long as this.
        self._spelled: dict[int, Mapping[str, Any]] = {}
        self._updates = method.lower().endswith((".update", ".updatecatalogproduct"))

    def check(self, params: Mapping[str, Any]) -> None:
        """:raises ConfigurationError: a name that the portal would drop, or no fields: it would add an empty object."""
        self._check(params, self._taken)

    def check_parameters(self, params: Mapping[str, Any]) -> None:
        """The same for the parameters themselves, where what is in them is checked elsewhere."""
        self._check(params, [taken for taken in self._taken if taken.place == "-"])

    def check_parameter_names(self, names: Collection[str]) -> None:
        """The same for names of parameters whose values are not known yet."""
        params = dict.fromkeys(names, "")
        for taken in self._taken:
            self._check_has_fields(params, taken)
            for name in names if taken.place == "-" else ():
                if not self._is_taken(name, taken, {}):
                    self._refuse_unknown(name, taken, params, {})

    def _check_has_fields(self, params: Mapping[str, Any], taken: Taken) -> None:
        if taken.place == "fields" and taken.names == "exact" and _at(params, taken.place) is None:
            raise ConfigurationError(
                "the params have no fields, and the portal would lose all values",
                method=self._method,
                next_step=f'write {{"fields": {{"{taken.documented[0] if taken.documented else "NAME"}": …}}}}',
            )

    def _check(self, params: Mapping[str, Any], all_taken: Iterable[Taken]) -> None:
        for taken in all_taken:
            self._check_has_fields(params, taken)
            given = _at(params, taken.place)
            if taken.place.lower() in _OBJECTS and given and not (isinstance(given, Mapping) or _is_reference(given)):
                raise ConfigurationError(
                    f"{taken.place} is not an object, but {preview(given)}, and the portal would lose it",
                    method=self._method,
                    next_step=f'write {{"{taken.place}": {{…}}}}',
                )
            for values in _objects(params, taken.place):
                for name, value in ((str(name), value) for name, value in values.items()):
                    if not self._is_taken(name, taken, params):
                        self._refuse_unknown(name, taken, values, params)
                    elif why := self._why_unwritable(name, taken, params):
                        raise unwritable(_subject(taken), name, why, self._method)
                    check_digits(name, value, self._method)
                    is_list = taken.spell(name) in taken.lists
                    if is_list and taken.place != "-":
                        check_is_list(name, value, self._method)
                    kind = self._type(name, taken, params)
                    if not (kind or is_list) and isinstance(value, (list, tuple, set, Mapping, bytes)) and value:
                        # The portal is asked only for what may be no text.
                        kind = self._described_text(name, taken, params)
                    check_type(name, kind, value, self._method, is_list=is_list)

    def exact(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Params with floats as text where the portal describes a field of text, see :func:`with_exact_texts`."""
        made = dict(params)
        for taken in self._taken:
            for place, given in made.items():
                if str(place).lower() == taken.place.lower():
                    made[place] = self._exact(given, taken, params)
        return made

    def with_lists(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Params with an empty list for the ``False`` that a portal answers in its place."""
        made = dict(params)
        for taken in self._taken:
            if taken.place == "-":
                made = _with_lists(made, taken)
            for place, given in made.items():
                if str(place).lower() == taken.place.lower() and isinstance(given, Mapping):
                    made[place] = _with_lists(given, taken)
        return made

    def _exact(self, given: Any, taken: Taken, params: Mapping[str, Any]) -> Any:
        if not has_float(given):
            return given
        if isinstance(given, (list, tuple)):
            return [self._exact(member, taken, params) for member in given]
        if not isinstance(given, Mapping):
            return given
        described = self._spelled_description(taken, params)
        values = {}
        for name, value in given.items():
            field = described.get(taken.spell(str(name)))
            kind = str(field.get("type") or field.get("TYPE") or "") if isinstance(field, Mapping) else ""
            values[name] = with_exact_texts(value, kind.lower(), str(name))
        return values

    def _why_unwritable(self, name: str, taken: Taken, params: Mapping[str, Any]) -> str:
        spelled = taken.spell(name)
        if spelled in taken.spelled_read_only:
            return "is read-only" if plain_name(name) != "iblockid" else "can only be set when the object is added"
        # What the page of the method has may be written, whatever the portal says. A row may name the one that it is.
        if spelled in taken.spelled or (taken.place in _ROWS and name.lower() == "id"):
            return ""
        return why_unwritable(self._spelled_description(taken, params).get(spelled), updates=self._updates)

    def _type(self, name: str, taken: Taken, params: Mapping[str, Any]) -> str:
        """What the table calls the type of a value: by the page of the method, or else by the portal."""
        spelled = taken.spell(name)
        if spelled in taken.types or spelled in taken.spelled or taken.source == "-":
            return taken.types.get(spelled, "")
        return described_type(self._spelled_description(taken, params).get(spelled))

    def _described_text(self, name: str, taken: Taken, params: Mapping[str, Any]) -> str:
        kind = described_type(self._spelled_description(taken, params).get(taken.spell(name)))
        return kind if kind == "text" else ""

    def _is_taken(self, name: str, taken: Taken, params: Mapping[str, Any]) -> bool:
        spelled = taken.spell(name)
        if spelled in taken.spelled or spelled in taken.spelled_read_only:
            return True
        if taken.place == "-" and name.lower() in _OF_THE_SERVER:
            return True
        if _FAMILY.fullmatch(name) and not (taken.names == "exact" or _PROPERTY.fullmatch(name)):
            return True
        described = self._spelled_description(taken, params)
        return spelled in described if described else _FAMILY.fullmatch(name) is not None

    def _spelled_description(self, taken: Taken, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the portal describes, as names are compared."""
        described = self._description(taken, params)
        if taken.names in _BY_LETTER:
            return described
        if (spelled := self._spelled.get(id(described))) is None:
            spelled = self._spelled[id(described)] = {plain_name(name): field for name, field in described.items()}
        return spelled

    def _refuse_unknown(self, name: str, taken: Taken, values: Mapping[Any, Any], params: Mapping[str, Any]) -> None:
        described = self._description(taken, params)
        known = [*taken.documented, *described]
        source = f"{taken.source.partition(':')[0]} gives the names"
        if described and _PROPERTY.fullmatch(name):
            hint = source
        elif described and taken.names != "near":
            hint = did_you_mean(_as_spelled(name, known), known, source)
        elif (meant := _meant(name, known, values)) is not None:
            hint = f"did you mean {meant}?"
        else:
            return
        raise ConfigurationError(
            f"{_subject(taken)} {name!r}, which the portal would silently drop", method=self._method, next_step=hint
        )

    def _description(self, taken: Taken, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the portal describes, by name; empty where it does not tell, or nothing describes it."""
        if taken.source == "-":
            return _NOTHING
        method, _, key = taken.source.partition(":")
        given = {name: value for name in _ASKED_WITH.get(method, ()) if (value := _at(params, name)) is not None}
        asked = f"{method} {given}"
        if asked not in self._described:
            try:
                answer = self._client.described(method, given or None, fresh=True)
                self._described[asked] = dict(_fields(answer.get(key) if key else answer))
            except (Forbidden, Invalid, NotFound) as error:
                log.warning("The names of fields are not checked: %s", error)
                self._described[asked] = {}
        return self._described[asked]


def _with_lists(given: Mapping[str, Any], taken: Taken) -> dict[str, Any]:
    lists = {*taken.lists, *(name for name, kind in taken.types.items() if holds_members(kind))}
    return {name: [] if value is False and taken.spell(str(name)) in lists else value for name, value in given.items()}


def _fields(answer: Any) -> Iterator[tuple[str, Any]]:
    for name, field in answer.items() if isinstance(answer, Mapping) else ():
        yield str(name), field
        # Fields of a list are described under their id, or under their type where one is asked for.
        if isinstance(field, Mapping) and isinstance(field.get("FIELD_ID"), str):
            yield field["FIELD_ID"], field


def _is_reference(value: Any) -> bool:
    """What an earlier command of the batch answers."""
    return isinstance(value, str) and has_reference(value)


def _subject(taken: Taken) -> str:
    return "the params name" if taken.place == "-" else f"{taken.place} names"


def _at(params: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in params.items() if str(key).lower() == name.lower()), None)


def _objects(params: Mapping[str, Any], place: str) -> Iterator[Mapping[Any, Any]]:
    given = params if place == "-" else _at(params, place)
    for value in given if isinstance(given, (list, tuple)) else (given,):
        if isinstance(value, Mapping):
            yield value


def _as_spelled(name: str, known: Collection[str]) -> str:
    """A name in the case of the known ones, so that it can be compared with them."""
    if any(other.isupper() for other in known):
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).upper()
    return name


def _meant(name: str, known: Collection[str], given: Mapping[Any, Any]) -> str | None:
    """The known name that this one is a slip of the pen of; only names that are not given beside it."""
    beside = {plain_name(str(other)) for other in given}
    for other in dict.fromkeys(known):
        if plain_name(other) not in beside and is_slip(plain_name(name), plain_name(other)):
            return other
    return None


@cache
def _table() -> dict[str, tuple[Taken, ...]]:
    """The table by name of the method; read on first use."""
    table: dict[str, tuple[Taken, ...]] = {}
    for line in Path(__file__).with_name("written_fields.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            method, place, source, names, *marked = line.split()
            types = dict(name.replace("[]", "").split(":") for name in marked if ":" in name)
            marked = [name.partition(":")[0] for name in marked]
            documented = tuple(name.removesuffix("[]") for name in marked if not name.endswith("!"))
            taken = Taken(place, source, names, documented)
            taken = taken._replace(
                lists=frozenset(taken.spell(name.removesuffix("[]")) for name in marked if name.endswith("[]")),
                types={taken.spell(name): kind for name, kind in types.items()},
            )
            read_only = (taken.spell(name.removesuffix("!")) for name in marked if name.endswith("!"))
            taken = taken._replace(
                spelled=frozenset(map(taken.spell, documented)), spelled_read_only=frozenset(read_only)
            )
            table[method.lower()] = (*table.get(method.lower(), ()), taken)
    return table


def documented(method: str) -> frozenset[str]:
    """The names in ``fields`` that the page of a method has."""
    return frozenset(
        name for taken in _table().get(method.lower(), ()) if taken.place == "fields" for name in taken.documented
    )


@cache
def object_ids(method: str) -> Mapping[str, bool]:
    """
    Parameters, in lower case, that are documented as whole numbers and called as ids, of a method or of the update of
    its family; with whether they name the object itself, whose id is above 0.
    """
    family, _, verb = method.lower().rpartition(".")
    names = [
        name
        for known in (f"{family}.{verb}", f"{family}.update") if verb in ("update", "delete", "get")
        for taken in _table().get(known, ())
        if taken.place == "-"
        for name in taken.documented
        if taken.types.get(taken.spell(name)) == "whole" and names_an_id(name)
    ]  # fmt: skip
    own = {name.lower() for name in names}
    return {name: name in ("id", "taskid") or len(own) == 1 for name in own}
