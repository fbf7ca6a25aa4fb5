"""
Values of documented fields on their way in and out, by type and generation.

Source: ``tests/contract/fields/types.json``. New methods answer typed values, the old ones mostly text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import INTEGERS, NUMBERS, FieldSpec
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.methods.selection import Field
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_number, as_server_day, as_server_time
from airflow_provider_bitrix24.sandbox.state.files import Files

_FILES = frozenset({"file", "diskfile", "product_file", "disk_file", "attached_diskfile"})
_OBJECTS = frozenset(
    {"object", "array", "array<object>", "lang_map", "crm_activity_communication", "crm_activity_binding"}
)

#: What counts as yes where the server is strict, and where it is not (server source).
_YES, _YES_OLD = ("true", "Y", "y"), ("true", "Y", "y", "1", 1)


class IgnoredValue(Exception):
    """A value that the server drops silently, such as a date it cannot read."""


def list_field(field: FieldSpec, *, fallback: str | None = None) -> Field:
    """The field as filters and orders of lists see it."""
    kind = field.kind
    if kind == "boolean" and field.is_user_field:
        kind = "uf_boolean"
    return Field(field.key, kind, field.empty_in("new"), fallback)


# In


def stored_value(field: FieldSpec, value: Any, files: Files, *, strict: bool) -> Any:
    """
    A value as rows keep it.

    :param strict: as ``crm.item.*`` reads it; the old methods take more.
    :raises BadValue: it does not fit the field.
    :raises IgnoredValue: the server drops it.
    :raises Refusal: a multiple field is given one value.
    """
    if not field.multiple:
        return _single(field, value, files, strict=strict)
    if not isinstance(value, (dict, list)):
        if strict and value not in (None, ""):
            kind = "string" if isinstance(value, str) else "integer"
            raise Refusal("100", f"Expected iterable value for multiple field, but got {kind} instead")
        value = [] if value in (None, "") else [value]
    if field.kind in _FILES and as_map(value).keys() & {"id", "fileData"}:
        value = [value]
    return list(_several(field, as_map(value).values(), files, strict=strict))


def kept_values(specs: Mapping[str, FieldSpec], fields: Mapping[str, Any], files: Files) -> Row:
    """
    What rows keep of ``fields`` in the old methods: unknown names, read-only ones and wrong values are ignored.

    :param specs: the fields by the names that are sent.
    """
    row: Row = {}
    for name, value in fields.items():
        spec = specs.get(name)
        if spec is None or spec.read_only:
            continue
        try:
            row[name] = stored_value(spec, value, files, strict=False)
        except (BadValue, IgnoredValue):
            continue
    return row


def _several(field: FieldSpec, values: Iterable[Any], files: Files, *, strict: bool) -> Iterator[Any]:
    for value in values:
        if value in (None, "") and field.kind in NUMBERS:
            continue
        try:
            yield _single(field, value, files, strict=strict)
        except IgnoredValue:
            continue


def _single(field: FieldSpec, value: Any, files: Files, *, strict: bool) -> Any:
    kind = field.kind
    if kind in _OBJECTS:
        return value
    if kind in _FILES:
        return _file(value, files)
    if isinstance(value, (dict, list)):
        raise BadValue
    if kind in ("boolean", "char") and (kind == "boolean" or isinstance(value, bool)):
        yes = _YES if strict else _YES_OLD
        return "Y" if value is True or (not isinstance(value, bool) and value in yes) else "N"
    if value is None:
        return field.empty_in("new") if kind in NUMBERS else None
    if value == "":
        return field.empty_in("new") if kind in NUMBERS else None if kind in ("date", "datetime") else ""
    if kind in ("date", "datetime"):
        return _time(kind, value)
    if kind == "enumeration" and field.items and str(as_integer(value)) not in {item["ID"] for item in field.items}:
        raise IgnoredValue
    if kind in NUMBERS:
        number = as_number(value)
        if number is None:
            raise BadValue
        return int(number) if kind in INTEGERS or number.is_integer() else number
    return ("1" if value else "") if isinstance(value, bool) else str(value)


def _time(kind: str, value: Any) -> str:
    try:
        return as_server_day(value) if kind == "date" else as_server_time(value)
    except BadValue:
        raise IgnoredValue from None


def _file(value: Any, files: Files) -> int | None:
    """
    ``["name.ext", "base64"]``, ``{"fileData": […]}`` or ``{"id": 5}`` of one that is to stay; the id of the file.

    :raises BadValue: none of these.
    """
    if value in (None, "", [], {}):
        return None
    given = as_map(value)
    if "id" in given or "ID" in given:
        file_id = as_integer(given.get("id", given.get("ID"))) or 0
        if file_id not in files:
            raise BadValue
        return file_id
    return files.add(*file_of(given.get("fileData", value)))


def file_of(pair: Any) -> tuple[str, bytes]:
    """Name and bytes of ``["name.ext", "base64"]``. :raises BadValue: it is something else."""
    parts = list(as_map(pair).values())
    if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise BadValue
    try:
        return parts[0], base64.b64decode(parts[1], validate=True)
    except ValueError:
        # Not base64, or not even ASCII.
        raise BadValue from None


# Out


def new_value(field: FieldSpec, value: Any, url: str) -> Any:
    """A stored value as the new methods answer it; ``url`` is the portal's."""
    if field.kind in _FILES and value:
        return [_new_file(number, url) for number in value] if field.multiple else _new_file(value, url)
    return value


def _new_file(file_id: int, url: str) -> Row:
    address = f"{url}/bitrix/tools/crm_show_file.php?fileId={file_id}"
    return {"id": file_id, "url": address, "urlMachine": address}


def old_value(field: FieldSpec, value: Any) -> Any:
    """A stored value as the old methods answer it: text, money with two decimals."""
    if value is None:
        return field.empty_old if field.kind in ("date", "datetime") else None
    if field.multiple:
        return [old_single(field, item) for item in value]
    # Nothing has a form of its own: 0 means no company, and is null.
    return field.empty_old if value == field.empty_new else old_single(field, value)


def old_single(field: FieldSpec, value: Any) -> Any:
    kind = field.kind
    if kind == "string":
        return str(value)
    if kind in _OBJECTS:
        return value
    if kind in _FILES:
        path = f"/bitrix/components/bitrix/crm.item.show/show_file.php?fileId={value}"
        return {"id": value, "showUrl": path, "downloadUrl": path}
    if kind == "boolean" and field.is_user_field:
        return "1" if value == "Y" else "0"
    return f"{value:.2f}" if kind == "double" else str(value)
