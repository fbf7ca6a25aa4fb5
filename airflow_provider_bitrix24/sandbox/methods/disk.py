"""
``disk.storage.*`` and ``disk.folder.*``: one shared drive with folders, and what its objects have in common.

``DOWNLOAD_URL`` of a file answers its content and ``uploadUrl`` takes it, see ``protocol/rest.py``. Source: pages under
``disk``; the form of an ``uploadUrl`` is on the page of ``telephony.externalCall.attachRecord``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.values import file_of
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DRIVE, Table
from airflow_provider_bitrix24.sandbox.state.users import User

_INTEGERS = ("STORAGE_ID", "PARENT_ID", "CREATED_BY", "UPDATED_BY", "DELETED_BY", "DELETED_TYPE")
_MOMENTS = ("CREATE_TIME", "UPDATE_TIME", "DELETE_TIME")
_FILTERED = {
    "ID": Field("id", "integer"),
    **{name: Field(name) for name in ("NAME", "TYPE", "CODE")},
    **{name: Field(name, "integer") for name in _INTEGERS},
    **{name: Field(name, "datetime") for name in _MOMENTS},
}
#: The field of the form in which a file is sent to an address.
UPLOAD_FIELD = "file"
#: In a bin, by itself.
_IN_BIN = 3


def _typed(kind: str, *, filtered: bool = True) -> Row:
    return {"TYPE": kind, "USE_IN_FILTER": filtered, "USE_IN_SHOW": True}


_FIELDS = {
    "ID": _typed("integer"),
    "NAME": _typed("string"),
    "TYPE": _typed("enum"),
    "CODE": _typed("string"),
    "STORAGE_ID": _typed("integer"),
    "PARENT_ID": _typed("integer"),
    **{name: _typed("datetime") for name in _MOMENTS},
    **{name: _typed("integer", filtered=False) for name in ("CREATED_BY", "UPDATED_BY", "DELETED_BY")},
    "DELETED_TYPE": _typed("enum"),
}
_FILE_FIELDS = {name: _typed("integer", filtered=False) for name in ("GLOBAL_CONTENT_VERSION", "FILE_ID", "SIZE")}


#: What an answer has as numbers where the object has just been made, and as texts ever after (examples of the pages).
NEW = ("ID", "REAL_OBJECT_ID", "DELETED_TYPE", "GLOBAL_CONTENT_VERSION", "FILE_ID")


def object_answer(portal: PortalState, row: Row, numbers: Iterable[str] = ()) -> Row:
    is_file = row["TYPE"] == "file"
    answer = {
        "ID": str(row["id"]),
        "NAME": row["NAME"],
        "CODE": None,
        "STORAGE_ID": str(DRIVE),
        "TYPE": row["TYPE"],
        **({} if is_file else {"REAL_OBJECT_ID": str(row["id"])}),
        "PARENT_ID": str(row["PARENT_ID"]),
        "DELETED_TYPE": str(row["DELETED_TYPE"]),
        **({"GLOBAL_CONTENT_VERSION": str(len(row["versions"])), **_content(portal, row)} if is_file else {}),
        **{name: row[name] for name in _MOMENTS},
        **{name: str(row[name]) for name in ("CREATED_BY", "UPDATED_BY", "DELETED_BY")},
    }
    if is_file:
        answer["DOWNLOAD_URL"] = portal.download_url(row["versions"][-1])
    path = "/".join([*(part["NAME"] for part in way_to(portal, row)), row["NAME"]])
    answer["DETAIL_URL"] = f"{portal.url}/docs/{'file' if is_file else 'path'}/{path}"
    return {name: int(value) if name in numbers else value for name, value in answer.items()}


def _content(portal: PortalState, row: Row) -> Row:
    file_id = row["versions"][-1]
    _, content = portal.store.files.get(file_id) or ("", b"")
    return {"FILE_ID": str(file_id), "SIZE": str(len(content))}


def way_to(portal: PortalState, row: Row) -> list[Row]:
    """The folders above, from the top; the drive itself is none of them."""
    way: list[Row] = []
    parent = portal.store.drive.get(row["PARENT_ID"])
    while parent is not None and parent["PARENT_ID"]:
        way.insert(0, parent)
        parent = portal.store.drive.get(parent["PARENT_ID"])
    return way


def argument(params: Params, name: str, position: int = 0) -> Any:
    value = params.get(name.upper())
    if value is None or value == "":
        raise Refusal("ERROR_ARGUMENT", f"Invalid value of parameter {{Parameter #{position}}}")
    return value


def object_of(portal: PortalState, params: Params, kind: str, name: str = "id", position: int = 0) -> Row:
    number = as_integer(argument(params, name, position)) or 0
    row = portal.store.drive.get(number)
    if row is None or row["TYPE"] != kind:
        raise Refusal("ERROR_NOT_FOUND", f"Could not find entity with id `{number}`")
    return row


def check_right(user: User) -> None:
    if not user.may("change"):
        raise Refusal("ACCESS_DENIED", "Access denied")


def new_object(portal: PortalState, user: User, folder: Row, kind: str, name: str) -> Row:
    now = portal.clock.iso()
    row: Row = {
        "NAME": name,
        "TYPE": kind,
        "STORAGE_ID": DRIVE,
        "PARENT_ID": folder["id"],
        "DELETED_TYPE": 0,
        "CREATE_TIME": now,
        "UPDATE_TIME": now,
        "DELETE_TIME": None,
        "CREATED_BY": user.id,
        "UPDATED_BY": user.id,
        "DELETED_BY": 0,
    }
    portal.store.drive.add(row)
    return row


def _is_taken(portal: PortalState, folder_id: int, name: str) -> bool:
    return any(row["PARENT_ID"] == folder_id and row["NAME"] == name for row in portal.store.drive)


def check_name(portal: PortalState, folder_id: int, name: str, word: str = "file") -> None:
    if _is_taken(portal, folder_id, name):
        raise Refusal("DISK_OBJ_22000", f"A {word} with this name already exists")


def _children(portal: PortalState, folder: Row) -> list[Row]:
    return [row for row in portal.store.drive if row["PARENT_ID"] == folder["id"] and not row["DELETED_TYPE"]]


def _listed(portal: PortalState, rows: list[Row], params: Params) -> Page:
    table = Table()
    table.rows = {row["id"]: row for row in rows}
    table.ids = sorted(table.rows)
    matcher = Matcher(_FILTERED, refuse=None).read(patterns(params.get("FILTER")))
    page = page_of(table, matcher, read_order(params.get("ORDER"), _FILTERED, None), params.get("start"), old=True)
    return Page([object_answer(portal, row) for row in page.result], page.total, page.next)


def patterns(filter_: Any) -> Row:
    """A name with ``%`` in it is a pattern (examples of the pages)."""
    given = array_or_nothing(filter_, "filter")
    is_pattern = isinstance(given.get("NAME"), str) and "%" in given["NAME"]
    return {("=%NAME" if name == "NAME" and is_pattern else name): value for name, value in given.items()}


# Storages


def _storage(portal: PortalState) -> Row:
    root = str(portal.store.drive.ids[0])
    names = {"ID": str(DRIVE), "NAME": "Company drive", "CODE": None, "MODULE_ID": "disk"}
    return {**names, "ENTITY_TYPE": "common", "ENTITY_ID": "shared_files_s1", "ROOT_OBJECT_ID": root}


def _existing_storage(portal: PortalState, params: Params) -> Row:
    number = as_integer(argument(params, "id")) or 0
    if number != DRIVE:
        raise Refusal("ERROR_NOT_FOUND", f"Could not find entity with id `{number}`")
    return portal.store.drive.rows[portal.store.drive.ids[0]]


@method("disk.storage.getList", scope="disk", upper=True)
def storages(portal: PortalState, user: User, params: Params) -> Any:
    storage = _storage(portal)
    fields = {name: Field("id" if name == "ID" else name) for name in storage}
    row = {**storage, "id": DRIVE}
    # There is one: an order has to be right and changes nothing, and there is no second page.
    read_order(params.get("ORDER"), fields, None)
    rows = [storage] if Matcher(fields, refuse=None).read(patterns(params.get("FILTER"))).accepts(row) else []
    return Page(rows, len(rows))


@method("disk.storage.get", scope="disk", upper=True)
def storage(portal: PortalState, user: User, params: Params) -> Any:
    _existing_storage(portal, params)
    return _storage(portal)


@method("disk.storage.getChildren", scope="disk", upper=True)
def storage_children(portal: PortalState, user: User, params: Params) -> Any:
    return _listed(portal, _children(portal, _existing_storage(portal, params)), params)


@method("disk.storage.uploadFile", scope="disk", upper=True)
def upload_to_storage(portal: PortalState, user: User, params: Params) -> Any:
    return _upload(portal, user, _existing_storage(portal, params), params)


# Folders


@method("disk.folder.get", scope="disk", upper=True)
def folder(portal: PortalState, user: User, params: Params) -> Any:
    return object_answer(portal, object_of(portal, params, "folder"))


@method("disk.folder.getChildren", scope="disk", upper=True)
def children(portal: PortalState, user: User, params: Params) -> Any:
    return _listed(portal, _children(portal, object_of(portal, params, "folder")), params)


@method("disk.folder.getFields", "disk.file.getFields", scope="disk")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {**_FIELDS, "REAL_OBJECT_ID": _typed("integer", filtered=False), **_FILE_FIELDS}


@method("disk.folder.addSubFolder", scope="disk", upper=True)
def add_folder(portal: PortalState, user: User, params: Params) -> Any:
    parent = object_of(portal, params, "folder")
    name = str(as_map(argument(params, "data", 1)).get("NAME") or "")
    if not name:
        raise Refusal("ERROR_ARGUMENT", "Invalid value of parameter {Parameter #1}")
    check_right(user)
    check_name(portal, parent["id"], name, "folder")
    return object_answer(portal, new_object(portal, user, parent, "folder", name), NEW)


@method("disk.folder.uploadFile", scope="disk", upper=True)
def upload(portal: PortalState, user: User, params: Params) -> Any:
    folder = object_of(portal, params, "folder")
    if params.get("FILECONTENT") is not None:
        return _upload(portal, user, folder, params)
    check_right(user)
    awaited = {"folder": folder["id"], "user": user.id, "params": params}
    return {"field": UPLOAD_FIELD, "uploadUrl": portal.upload_url(portal.store.uploads.add(awaited))}


def _upload(portal: PortalState, user: User, parent: Row, params: Params) -> Any:
    check_right(user)
    try:
        own_name, content = file_of(params.get("FILECONTENT"))
    except BadValue:
        raise Refusal("ERROR_COULD_NOT_SAVE_FILE", "Could not save file") from None
    name = str(as_map(params.get("DATA")).get("NAME") or "")
    if not name:
        raise Refusal("DISK_BASE_SERVICE_22001", "Error: required parameter NAME (DISK_BASE_SERVICE_22001)")
    return _save(portal, user, parent, params, (name, own_name), content)


def receive(portal: PortalState, awaited: Row, own_name: str, content: bytes) -> Row:
    """
    The file that was announced and has now been sent; its own name is taken where none was announced.

    :raises Refusal: the folder is gone, or it has a file of this name.
    """
    params, user = awaited["params"], portal.users[awaited["user"]]
    parent = object_of(portal, {"ID": awaited["folder"]}, "folder")
    name = str(as_map(params.get("DATA")).get("NAME") or own_name)
    return _save(portal, user, parent, params, (name, own_name), content)


def _save(portal: PortalState, user: User, parent: Row, params: Params, names: tuple[str, str], content: bytes) -> Row:
    name, own_name = names
    if params.get("GENERATEUNIQUENAME") not in (None, False, "false", "N", "0", 0):
        name = _free_name(portal, parent["id"], name)
    check_name(portal, parent["id"], name)
    row = new_object(portal, user, parent, "file", name)
    row["versions"] = [portal.store.files.add(own_name, content)]
    row["rights"] = params.get("RIGHTS")
    return object_answer(portal, row, NEW)


def _free_name(portal: PortalState, folder_id: int, name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    free, number = name, 0
    while _is_taken(portal, folder_id, free):
        number += 1
        free = f"{stem or name} ({number}){dot}{extension if stem else ''}"
    return free


# Both


def _marked(kind: str) -> Handler:
    def mark(portal: PortalState, user: User, params: Params) -> Any:
        row = object_of(portal, params, kind)
        check_right(user)
        _check_root(row)
        row.update(DELETED_TYPE=_IN_BIN, DELETE_TIME=portal.clock.iso(), DELETED_BY=user.id)
        return object_answer(portal, row, ("DELETED_TYPE",) if kind == "folder" else ())

    return mark


def _check_root(row: Row) -> None:
    if not row["PARENT_ID"]:
        raise Refusal("DISK_OBJ_22000", "Could not delete root folder")


def _removed(kind: str) -> Handler:
    def remove(portal: PortalState, user: User, params: Params) -> Any:
        row = object_of(portal, params, kind)
        check_right(user)
        _check_root(row)
        portal.store.drive.remove_tree(row["id"])
        return True

    return remove


def _linked(kind: str) -> Handler:
    def link(portal: PortalState, user: User, params: Params) -> Any:
        return f"{portal.url}/~{object_of(portal, params, kind)['id']:05x}"

    return link


_BOTH: dict[str, tuple[Callable[[str], Handler], str, str]] = {
    "markDeleted": (_marked, "markDeleted", "markDeleted"),
    "getExternalLink": (_linked, "getExternalLink", "getExternalLink"),
    "delete": (_removed, "deleteTree", "delete"),
}
for _make, _of_folder, _of_file in _BOTH.values():
    method(f"disk.folder.{_of_folder}", scope="disk", upper=True)(_make("folder"))
    method(f"disk.file.{_of_file}", scope="disk", upper=True)(_make("file"))
