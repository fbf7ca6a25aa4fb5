"""
Names in ``fields`` of methods that add and update: the portal silently drops what it does not know.

Source: pages "crm.deal.add", "crm.deal.fields", "crm.item.add", and the server's source: the old methods
(``crm.deal.add`` and its sisters) take exactly the names that their ``*.fields`` gives, in upper case, and ``TRACE`` in
an add.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.exact_texts import MULTIFIELD, as_day, with_exact_texts
from airflow_provider_bitrix24.crm.id_lists import check_ids, is_id
from airflow_provider_bitrix24.crm.items import fields_of
from airflow_provider_bitrix24.crm.raw_values import check_fits, check_moments_and_flags
from airflow_provider_bitrix24.crm.short_numbers import check_digits, shortened
from airflow_provider_bitrix24.crm.typed_values import check_type
from airflow_provider_bitrix24.crm.unwritable import (
    check_is_list,
    is_imported,
    needs_import,
    unwritable,
    why_unwritable,
)
from airflow_provider_bitrix24.crm.values import check_names_object, is_number_without_digits
from airflow_provider_bitrix24.crm.written_fields import WrittenFields, documented, object_ids
from airflow_provider_bitrix24.exceptions import ConfigurationError, Forbidden, Invalid, NotFound
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.rest.missing_values import is_missing, nothing_hint
from airflow_provider_bitrix24.rest.positional import by_name
from airflow_provider_bitrix24.rest.scalars import has_exponent

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields, Purpose
    from airflow_provider_bitrix24.crm.values import ItemField
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

_OLD_METHOD = re.compile(r"crm\.(company|contact|deal|lead|quote)\.(add|update)")
#: Methods of items that name one by its id.
_OF_ITEMS = frozenset({"crm.item.update", "crm.item.get", "crm.item.delete"})
_ITEM_METHOD = re.compile(r"crm\.item\.(add|update|import)")
#: Taken although the portal may not name it: parents (the page's own example has ``PARENT_ID_1220``, its list none).
_UNLISTED = re.compile(r"PARENT_ID_[0-9]+|TRACE")


class FieldNames:
    """
    What a method takes in ``fields``. The portal is asked when the first row comes, once for each kind of item.

    Methods that are not described here or in ``written_fields``, and kinds whose fields the portal does not name, take
    any name.
    """

    def __init__(self, client: Client, method: str) -> None:
        self._client, self._method = client, method
        self._old = _OLD_METHOD.fullmatch(method.lower())
        self._is_item = _ITEM_METHOD.fullmatch(method.lower()) is not None
        self._old_fields: Mapping[str, Any] | None = None
        self._items: dict[str, ItemFields | None] = {}
        self._others = WrittenFields(client, method)
        self._ids = {"id": True} if method.lower() in _OF_ITEMS else object_ids(method)

    def check(self, params: Mapping[str, Any]) -> None:
        """
        :raises ConfigurationError: a name that the portal would drop, or no ``fields``.
        """
        for name, value in params.items():
            check_digits(str(name), value, self._method)
            self._check_id(str(name), value)
            if str(name).lower() == "id" and has_exponent(value):
                raise shortened(str(name), value, self._method)
        if self._old:
            self._check_old(params, self._old[1])
        elif not self._is_item:
            # Values that are given by position are checked under their names.
            self._others.check(by_name(params, method=self._method))
        elif isinstance(fields := params.get("fields"), (Mapping, list)):
            if isinstance(fields, list) and fields:
                raise self._not_an_object()
            self._check_item(fields, str(params.get("entityTypeId")))

    def _check_id(self, name: str, value: Any) -> None:
        """:raises ConfigurationError: the parameter is documented as an id, and the value is none."""
        if (names_object := self._ids.get(name.lower())) is None or _is_reference(value):
            return
        check_type(name, "whole", value, self._method)
        is_no_number = isinstance(value, str) and re.fullmatch(r"[0-9]+", value.strip(), re.ASCII) is None
        if names_object and not is_missing(value) and (is_no_number or not is_id(_stripped(value))):
            raise ConfigurationError(
                f"{name} is {preview(value)}, which is not an id above 0",
                method=self._method,
                next_step=nothing_hint(value) or "give the id, e.g. 17",
            )

    def check_parameter_names(self, names: Collection[str]) -> None:
        """
        :param names: of the parameters, whose values are not known yet.
        :raises ConfigurationError: one that the portal would drop, or no ``fields``.
        """
        if (self._old or self._is_item) and not any(name.lower() in ("fields", "arfields") for name in names):
            raise self._not_an_object("the params have no fields")
        self._others.check_parameter_names(names)

    def exact(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """
        Checked params with floats as text where a field of CRM or of a task holds text, see :func:`with_exact_texts`,
        and with midnights as days where a field of CRM holds days.

        :raises ConfigurationError: a float that has lost digits.
        """
        # A text with blanks around it, also no-break spaces, would be another id or none.
        params = {name: _stripped(value) if str(name).lower() in self._ids else value for name, value in params.items()}
        if self._old or self._is_item:
            return {
                name: {field: self._exact(value, str(field), params) for field, value in values.items()}
                if name.lower() in ("fields", "arfields") and isinstance(values, Mapping)
                else values
                for name, values in params.items()
            }
        made = self._others.with_lists(params)
        return self._others.exact(made) if self._method.lower().startswith(("crm.", "tasks.")) else made

    def _exact(self, value: Any, name: str, params: Mapping[str, Any]) -> Any:
        kind = self._kind_of(name, params)
        return as_day(value, name) if kind == "date" else with_exact_texts(value, kind, name)

    def _kind_of(self, name: str, params: Mapping[str, Any]) -> str:
        """The type of a field; empty where the portal does not tell."""
        if self._old:
            field = (self._old_fields or {}).get(name)
            is_own = name in multifields.OLD_FIELDS and ENTITY_TYPES[self._old[1]] in multifields.OWNERS
            return MULTIFIELD if is_own else str(field.get("type") or "") if isinstance(field, Mapping) else ""
        if multifields.is_multifield(name):
            return MULTIFIELD
        fields = self._items.get(str(params.get("entityTypeId")))
        return fields.find(name, "fields").type if fields else ""

    def _check_old(self, params: Mapping[str, Any], kind: str) -> None:
        # Old methods read the names of parameters in any case.
        self._others.check_parameters(params)
        given = _at_fields(params)
        if not isinstance(given, Mapping) and given != []:
            raise self._not_an_object("the params have no fields" if given is None else "fields is not an object")
        if self._old_fields is None:
            self._old_fields = self._fields_of(f"crm.{kind}.fields")
        own = multifields.OLD_FIELDS if ENTITY_TYPES[kind] in multifields.OWNERS else frozenset()
        values = given.items() if isinstance(given, Mapping) and self._old_fields else ()
        for name, value in ((str(name), value) for name, value in values):
            if name in own:
                multifields.check_digits(name, value, self._method)
                multifields.check_values(name, value, self._method)
                continue
            if name not in self._old_fields and _UNLISTED.fullmatch(name):
                check_digits(name, value, self._method)
                continue
            if name not in self._old_fields:
                raise self._unknown(name, f"crm.{kind}.fields", {*self._old_fields, *own})
            self._check_old_field(name, self._old_fields[name], value, params)

    def _not_an_object(self, wrong: str = "fields is not an object") -> ConfigurationError:
        return ConfigurationError(
            f"{wrong}, and the portal would lose all values",
            method=self._method,
            next_step='write {"fields": {"TITLE": "…"}}, and for an update an "id" beside it',
        )

    def _check_old_field(self, name: str, field: Any, value: Any, params: Mapping[str, Any]) -> None:
        updates = self._method.lower().endswith(".update")
        why = why_unwritable(field, updates=updates)
        # What the page of the method has may be written, whatever the portal says of it; some of it in an import only.
        is_documented = why != "" and name in documented(self._method) and not needs_import(name)
        if why and not is_documented and (updates or not is_imported(name, params)):
            raise unwritable("fields names", name, why, self._method)
        if isinstance(field, Mapping) and field.get("isMultiple") in (True, "Y"):
            check_is_list(name, value, self._method)
        check_fits(name, field, value, self._method)

    def _fields_of(self, method: str) -> Mapping[str, Any]:
        """The fields that a ``*.fields`` gives; none where the portal does not give them."""
        try:
            return self._client.described(method, fresh=True)
        except (Forbidden, Invalid, NotFound) as error:
            log.warning("The names of fields are not checked: %s", error)
            return {}

    def _unknown(self, name: str, source: str, known: set[str]) -> ConfigurationError:
        spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).upper()
        return ConfigurationError(
            f"fields names {name!r}, which the portal would silently drop",
            method=self._method,
            next_step=did_you_mean(spelled, known, f"{source} gives the names"),
        )

    def _check_item(self, values: Any, kind: str) -> None:
        if kind not in self._items:
            described = None
            if kind.isascii() and kind.isdecimal():
                try:
                    described = fields_of(self._client, int(kind))
                except (Forbidden, Invalid, NotFound) as error:
                    log.warning("The names of fields are not checked: %s", error)
            self._items[kind] = described
        if fields := self._items[kind]:
            purpose = cast("Purpose", self._method.lower().rpartition(".")[2])
            spellings: dict[str, str] = {}
            for name, value in ((str(name), value) for name, value in dict(values).items()):
                if (
                    fields.entity_type_id in multifields.OWNERS
                    and multifields.is_multifield(name)
                    and (name.lower() == "fm" or purpose == "import")
                ):
                    self._check_entries(name, value)
                    continue
                field = fields.find(name, "fields")
                if field.name in spellings:
                    raise ConfigurationError(
                        f"fields has {spellings[field.name]!r} and {name!r}, which are the same field",
                        method=self._method,
                        next_step="keep one",
                    )
                spellings[field.name] = name
                fields.check_writable(field, "fields", purpose)
                if field.is_multiple:
                    check_is_list(name, value, self._method)
                else:
                    check_names_object(name, field.type, value, self._method)
                check_moments_and_flags(name, field.type, value, self._method)
                self._check_digits(name, field, value)
                if field.holds_ids:
                    # Fields that people have made are cleared by [""] too.
                    check_ids(name, value, self._method, allowed=("",) if field.is_user_field else ())

    def _check_digits(self, name: str, field: ItemField, value: Any) -> None:
        for member in value if isinstance(value, (list, tuple)) else (value,):
            check_digits(name, member, self._method)
            if is_number_without_digits(field.type, member):
                raise shortened(name, member, self._method)

    def _check_entries(self, name: str, value: Any) -> None:
        members = list(value.values()) if isinstance(value, Mapping) else value
        if value and not (isinstance(members, (list, tuple)) and all(isinstance(entry, Mapping) for entry in members)):
            form = (
                '{"VALUE": "…", "VALUE_TYPE": "WORK"}' if name.lower() != "fm" else '{"typeId": "PHONE", "value": "…"}'
            )
            raise ConfigurationError(
                f"{name} is {preview(value)}, which the portal would silently drop",
                method=self._method,
                next_step=f'write {{"{name}": [{form}]}}',
            )
        multifields.check_digits(name, value, self._method)
        multifields.check_values(name, value, self._method)
        known = multifields.FM_NAMES if name.lower() == "fm" else multifields.OLD_NAMES
        for entry in members or () if value else ():
            multifields.check_names(name, entry, known, self._method)


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and has_reference(value)


def _at_fields(params: Mapping[str, Any]) -> Any:
    """``fields``, whose name old methods read in any case; None where there is none."""
    return next((value for name, value in params.items() if name.lower() in ("fields", "arfields")), None)
