"""
Objects whose methods are all of the old form: ``fields``, ``list``, ``get``, ``add``, ``update``, ``delete``.

The fields come from the documentation; what is special about a kind stands in its :class:`OldKind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec, fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.values import kept_values, list_field, old_value
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Store, Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Given a portal, a user and what is about to be stored: completes it, or raises a refusal.
Prepare = Callable[[PortalState, User, Row], None]


@dataclass(frozen=True)
class OldKind:
    """
    One kind of objects.

    :param word: ``activity`` of ``crm.activity.*``.
    :param catalogue: its name in the catalogue.
    :param table: where its rows are.
    :param prepare: completes and checks a new row.
    :param created: keys of the moment and the author of a new row.
    :param changed: the same of every change.
    :param missing: what a get of an id that nothing has is refused with.
    :param event: word of its events, ``ACTIVITY`` of ``ONCRMACTIVITYADD``; ``None`` without.
    """

    word: str
    catalogue: str
    table: Callable[[Store], Table]
    prepare: Prepare
    created: tuple[str, str]
    changed: tuple[str, str]
    missing: str = "Not found"
    event: str | None = None
    #: Code of a list's refusal of those who may not read.
    list_denied: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    #: Whether a new row has been changed when it was made.
    changed_when_made: bool = False
    #: Removes a row together with what belongs to it; without one the row goes alone.
    remove: Callable[[Store, Row], None] | None = None
    #: Fields of the catalogue that its own pages do not have.
    without: frozenset[str] = frozenset()
    #: ``entityTypeId`` under which the portal may have fields of its own for it.
    own_fields: int | None = None

    @cached_property
    def documented(self) -> Mapping[str, FieldSpec]:
        return {spec.key: spec for spec in fields_of(self.catalogue) if spec.key not in self.without}

    def fields(self, store: Store) -> Mapping[str, FieldSpec]:
        own = store.own_fields(self.own_fields) if self.own_fields is not None else []
        return {**self.documented, **{spec.names["old"]: spec for spec in own}} if own else self.documented

    def filter_fields(self, store: Store) -> Mapping[str, Field]:
        documented = {
            name: Field("id" if name == "ID" else name, spec.kind, self.defaults.get(name, spec.empty_old))
            for name, spec in self.documented.items()
            if not spec.multiple
        }
        own = {name: spec for name, spec in self.fields(store).items() if spec.is_user_field}
        return {**documented, **{name: replace(list_field(spec), key=name) for name, spec in own.items()}}

    def answer(self, store: Store, row: Row, names: frozenset[str] | None) -> Row:
        full = {"ID": str(row["id"])}
        for name, spec in self.fields(store).items():
            # Lists of a row are answered only where they are named.
            if name == "ID" or (spec.multiple and not spec.is_user_field and (names is None or name not in names)):
                continue
            value = row.get(name, self.defaults.get(name))
            full[name] = spec.empty_in("old") if value is None and not spec.multiple else old_value(spec, value)
        return full if names is None else {name: value for name, value in full.items() if name in names}

    def written(self, store: Store, fields: Mapping[str, Any]) -> Row:
        """What is stored of ``fields``; unknown and read-only names are ignored, and values that do not fit."""
        return kept_values(self.fields(store), fields, store.files)


def _fields(kind: OldKind) -> Handler:
    def fields(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise denied()
        return {name: description(spec, "old") for name, spec in kind.fields(portal.store).items()}

    return fields


def _list(kind: OldKind) -> Handler:
    def list_(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise Refusal(kind.list_denied, "Access denied.")
        fields = kind.filter_fields(portal.store)
        matcher = Matcher(fields, refuse=None).read(array_or_none(params, "FILTER"))
        order = read_order(array_or_none(params, "ORDER"), fields, None)
        names = {str(name) for name in as_map(array_or_none(params, "SELECT")).values()}
        if "*" in names:
            names |= set(fields)
        page = page_of(kind.table(portal.store), matcher, order, params.get("start"), old=True)
        chosen = frozenset(names) if names else None
        return Page([kind.answer(portal.store, row, chosen) for row in page.result], page.total, page.next)

    return list_


def _existing(kind: OldKind, portal: PortalState, user: User, params: Params, right: str) -> Row:
    object_id = as_integer(params.get("ID")) or 0
    if object_id <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    if not user.may(right):
        raise denied()
    row = kind.table(portal.store).get(object_id)
    if row is None:
        raise Refusal("", kind.missing.format(id=object_id))
    return row


def _get(kind: OldKind) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        row = _existing(kind, portal, user, params, "read")
        return kind.answer(portal.store, row, None)

    return get


def _given(params: Params) -> dict[str, Any]:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    return as_map(params["FIELDS"])


def _add(kind: OldKind) -> Handler:
    def add(portal: PortalState, user: User, params: Params) -> Any:
        fields = _given(params)
        if not user.may("change"):
            raise denied()
        row = kind.written(portal.store, fields)
        kind.prepare(portal, user, row)
        row |= {kind.created[0]: portal.clock.iso(), kind.created[1]: user.id}
        if kind.changed_when_made:
            row |= {kind.changed[0]: portal.clock.iso(), kind.changed[1]: user.id}
        kind.table(portal.store).add(row)
        _announce(kind, portal, row, "ADD")
        return row["id"]

    return add


def _update(kind: OldKind) -> Handler:
    def update(portal: PortalState, user: User, params: Params) -> Any:
        row, fields = _existing(kind, portal, user, params, "change"), _given(params)
        immutable = {name for name, spec in kind.documented.items() if spec.immutable}
        new = kind.written(portal.store, fields)
        row.update({name: value for name, value in new.items() if name not in immutable})
        row |= {kind.changed[0]: portal.clock.iso(), kind.changed[1]: user.id}
        _announce(kind, portal, row, "UPDATE")
        return True

    return update


def _delete(kind: OldKind) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        row = _existing(kind, portal, user, params, "change")
        if kind.remove is None:
            kind.table(portal.store).remove(row["id"])
        else:
            kind.remove(portal.store, row)
        _announce(kind, portal, row, "DELETE")
        return True

    return delete


def _announce(kind: OldKind, portal: PortalState, row: Row, change: str) -> None:
    if kind.event:
        portal.events.announce(f"ONCRM{kind.event}{change}", {"FIELDS": {"ID": row["id"]}})


_METHODS: Mapping[str, Callable[[OldKind], Handler]] = {
    "fields": _fields,
    "list": _list,
    "get": _get,
    "add": _add,
    "update": _update,
    "delete": _delete,
}


def offer(kind: OldKind) -> None:
    """Its six methods, as methods of the portal."""
    for action, make in _METHODS.items():
        method(f"crm.{kind.word}.{action}", scope="crm", upper=True)(make(kind))
