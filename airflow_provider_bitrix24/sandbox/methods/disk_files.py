"""``disk.file.*``: files of the drive, with their versions. Source: pages under ``disk/file``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.disk import (
    NEW,
    argument,
    check_name,
    check_right,
    new_object,
    object_answer,
    object_of,
    patterns,
    way_to,
)
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher
from airflow_provider_bitrix24.sandbox.methods.values import file_of
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DRIVE, Table
from airflow_provider_bitrix24.sandbox.state.users import User

_VERSIONS = {
    "ID": Field("id", "integer"),
    "NAME": Field("NAME"),
    "CREATE_TIME": Field("CREATE_TIME", "datetime"),
    **{name: Field(name, "integer") for name in ("SIZE", "CREATED_BY")},
}
_MIN_QUERY, _MAX_QUERY = 3, 255


@method("disk.file.get", scope="disk", upper=True)
def file(portal: PortalState, user: User, params: Params) -> Any:
    return object_answer(portal, object_of(portal, params, "file"))


@method("disk.file.rename", scope="disk", upper=True)
def rename(portal: PortalState, user: User, params: Params) -> Any:
    row = object_of(portal, params, "file")
    name = str(params.get("NEWNAME") or "")
    if not name:
        raise Refusal("0", "Empty name")
    check_right(user)
    check_name(portal, row["PARENT_ID"], name)
    row.update(NAME=name, UPDATE_TIME=portal.clock.iso(), UPDATED_BY=user.id)
    return object_answer(portal, row)


def _to_folder(portal: PortalState, user: User, params: Params) -> tuple[Row, Row]:
    row, target = object_of(portal, params, "file"), object_of(portal, params, "folder", "targetFolderId", 1)
    check_right(user)
    check_name(portal, target["id"], row["NAME"])
    return row, target


@method("disk.file.copyTo", scope="disk", upper=True)
def copy(portal: PortalState, user: User, params: Params) -> Any:
    row, target = _to_folder(portal, user, params)
    copied = new_object(portal, user, target, "file", row["NAME"])
    copied["versions"] = row["versions"][-1:]
    return object_answer(portal, copied, NEW)


@method("disk.file.moveTo", scope="disk", upper=True)
def move(portal: PortalState, user: User, params: Params) -> Any:
    row, target = _to_folder(portal, user, params)
    row.update(PARENT_ID=target["id"], UPDATE_TIME=portal.clock.iso(), UPDATED_BY=user.id)
    return object_answer(portal, row, ("PARENT_ID",))


@method("disk.file.uploadVersion", scope="disk", upper=True)
def upload_version(portal: PortalState, user: User, params: Params) -> Any:
    row = object_of(portal, params, "file")
    try:
        name, content = file_of(argument(params, "fileContent", 1))
    except BadValue:
        raise Refusal("DISK_FILE_22002", "Could not save file") from None
    check_right(user)
    row["versions"].append(portal.store.files.add(name, content))
    row.update(NAME=name, UPDATE_TIME=portal.clock.iso(), UPDATED_BY=user.id)
    return object_answer(portal, row, ("GLOBAL_CONTENT_VERSION",))


@method("disk.file.getVersions", scope="disk", upper=True)
def versions(portal: PortalState, user: User, params: Params) -> Any:
    row = object_of(portal, params, "file")
    table = Table()
    for number, file_id in enumerate(row["versions"], start=1):
        name, content = portal.store.files.get(file_id) or ("", b"")
        version = {"id": file_id, "NAME": name, "CREATE_TIME": row["UPDATE_TIME"], "CREATED_BY": row["CREATED_BY"]}
        table.add({**version, "SIZE": len(content), "number": number})
    matcher = Matcher(_VERSIONS, refuse=None).read(patterns(params.get("FILTER")))
    page = page_of(table, matcher, [(_VERSIONS["ID"], True)], params.get("start"), old=True)
    rows = [
        {
            "ID": str(version["id"]),
            "OBJECT_ID": str(row["id"]),
            "SIZE": str(version["SIZE"]),
            "NAME": version["NAME"],
            "GLOBAL_CONTENT_VERSION": str(version["number"]),
            "CREATE_TIME": version["CREATE_TIME"],
            "CREATED_BY": str(version["CREATED_BY"]),
            "DOWNLOAD_URL": portal.download_url(version["id"]),
        }
        for version in page.result
    ]
    return Page(rows, page.total, page.next)


@method("disk.file.search", scope="disk", upper=True)
def search(portal: PortalState, user: User, params: Params) -> Any:
    query = " ".join(str(params.get("QUERY") or "").split())
    if not _MIN_QUERY <= len(query) <= _MAX_QUERY:
        raise Refusal("INVALID_QUERY", "Search query is invalid. (INVALID_QUERY).")
    kind = str(params.get("TYPE") or "file")
    if kind not in ("file", "folder", "all"):
        raise Refusal("INVALID_TYPE", "Search result type is invalid. (INVALID_TYPE).")
    scope = array_or_nothing(params.get("FILTER"), "FILTER")
    if scope.keys() - {"STORAGE_ID", "FOLDER_ID"}:
        raise Refusal("INVALID_FILTER", "Search filter contains an unknown field. (INVALID_FILTER).")
    folder_id = as_integer(scope.get("FOLDER_ID"))
    is_unknown = folder_id is not None and portal.store.drive.get(folder_id) is None
    if is_unknown or as_integer(scope.get("STORAGE_ID", DRIVE)) != DRIVE:
        raise Refusal("NOT_FOUND", "Search scope was not found. (NOT_FOUND).")
    found = [
        row
        for row in portal.store.drive
        if row["PARENT_ID"]
        and not row["DELETED_TYPE"]
        and kind in ("all", row["TYPE"])
        and query.lower() in row["NAME"].lower()
        and (folder_id is None or folder_id in {row["PARENT_ID"], *(part["id"] for part in way_to(portal, row))})
    ]
    # The page: so many objects are passed over, not pages.
    first = as_integer(params.get("start")) or 0
    return [object_answer(portal, row) for row in found[first : first + 50]]
