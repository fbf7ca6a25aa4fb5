"""What happened to a CRM object: comments and stage history. Source: pages of the methods named below."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, DEAL, LEAD, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, array_or_nothing, integer
from airflow_provider_bitrix24.sandbox.methods.crm.items import description, invalid_list
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.values import file_of
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_ENTITY_TYPES = {"lead": LEAD, "deal": DEAL, "contact": CONTACT, "company": COMPANY}

_IMAGES = ("gif", "jpg", "jpeg", "png", "webp")
_COMMENT_SPECS = {spec.key: spec for spec in fields_of("timeline_comment")}
_COMMENT_FIELDS = {
    # Rows of this table have upper-case keys, but the id is where every table keeps it.
    name: Field("id" if name == "ID" else name, spec.kind)
    for name, spec in _COMMENT_SPECS.items()
    if name != "FILES"
}


def _files(portal: PortalState, row: Row) -> Row:
    """``FILES`` of a whole comment, by id."""
    files = {}
    for file_id in row.get("files", ()):
        name, content = portal.store.files.get(file_id) or ("", b"")
        address = f"{portal.url}/disk"
        files[str(file_id)] = {
            "id": file_id,
            "date": row["CREATED"],
            "type": "image" if name.rpartition(".")[2].lower() in _IMAGES else "file",
            "name": name,
            "size": len(content),
            "image": {"width": 1, "height": 1},
            "authorId": row["AUTHOR_ID"],
            "authorName": portal.users[row["AUTHOR_ID"]].name,
            "urlPreview": f"{address}/showFile/{file_id}/?preview=1",
            "urlShow": f"{address}/showFile/{file_id}/",
            "urlDownload": portal.download_url(file_id),
        }
    return {"FILES": files} if files else {}


def _kept_files(portal: PortalState, fields: dict[str, Any]) -> list[int]:
    """:raises Refusal: one of them is not ``["name", "base64"]``."""
    try:
        return [portal.store.files.add(*file_of(pair)) for pair in as_map(fields.get("FILES")).values()]
    except BadValue:
        raise Refusal("INVALID_ARG_VALUE", "Invalid file") from None


def _comment(row: Row) -> Row:
    return {name: None if row[field.key] is None else str(row[field.key]) for name, field in _COMMENT_FIELDS.items()}


@method("crm.timeline.comment.list", scope="crm", upper=True)
def comments(portal: PortalState, user: User, params: Params) -> Any:
    filter_ = as_map(array_or_none(params, "FILTER"))
    for name in ("ENTITY_ID", "ENTITY_TYPE"):
        if name not in {key.lstrip("=") for key in filter_}:
            raise Refusal("", f"The field {name} is required in filter.")
    if not user.may("read"):
        raise Refusal("", "Access denied.")
    matcher = Matcher(_COMMENT_FIELDS, refuse=None).read(filter_)
    order = read_order(array_or_none(params, "ORDER"), _COMMENT_FIELDS, None)
    select = {str(name) for name in as_map(array_or_none(params, "SELECT")).values()}
    page = page_of(portal.store.comments, matcher, order, params.get("start"), old=True)
    keep_all = not select or "*" in select
    whole = ({**_comment(row), **_files(portal, row)} for row in page.result)
    rows = [{name: value for name, value in row.items() if keep_all or name in select} for row in whole]
    return Page(rows, page.total, page.next)


@method("crm.timeline.comment.fields", scope="crm")
def comment_fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: description(spec, "old") for name, spec in _COMMENT_SPECS.items()}


@method("crm.timeline.comment.get", scope="crm", upper=True)
def get_comment(portal: PortalState, user: User, params: Params) -> Any:
    row = portal.store.comments.get(as_integer(params.get("ID")) or 0)
    if row is None:
        raise Refusal("", "Not found.")
    if not user.may("read"):
        raise Refusal("", "Access denied.")
    return {**_comment(row), **_files(portal, row)}


def _comment_to_change(portal: PortalState, user: User, params: Params) -> Row:
    row = portal.store.comments.get(integer(params, "id"))
    if row is None:
        raise Refusal("NOT_FOUND", "Not found.")
    # The page: `ownerTypeId` and `ownerId` say in which of several timelines; here a comment has one.
    owner = tuple(as_integer(params[name]) for name in ("ownerTypeId", "ownerId") if name in params)
    if owner not in ((), row["owner"]):
        raise Refusal("OWNER_NOT_FOUND", "Owner was not found")
    if not user.may("change"):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    return row


@method("crm.timeline.comment.update", scope="crm")
def update_comment(portal: PortalState, user: User, params: Params) -> Any:
    row, fields = _comment_to_change(portal, user, params), array(params, "fields")
    row["COMMENT"] = _comment_text(fields)
    if "FILES" in fields:
        row["files"] = _kept_files(portal, fields)
    portal.events.announce("ONCRMTIMELINECOMMENTUPDATE", {"ID": row["id"]})
    return row["id"]


@method("crm.timeline.comment.delete", scope="crm")
def delete_comment(portal: PortalState, user: User, params: Params) -> Any:
    row = _comment_to_change(portal, user, params)
    portal.store.comments.remove(row["id"])
    portal.events.announce("ONCRMTIMELINECOMMENTDELETE", {"ID": row["id"]})


def _comment_text(fields: dict[str, Any]) -> str:
    comment = fields.get("COMMENT")
    if not isinstance(comment, str) or not comment.strip():
        raise Refusal("INVALID_ARG_VALUE", "Empty comment message")
    return comment.strip()


@method("crm.timeline.comment.add", scope="crm")
def add_comment(portal: PortalState, user: User, params: Params) -> Any:
    # Only `fields` in lower case is read (crm 23.100.0 on).
    fields = array(params, "fields")
    entity_type = str(fields.get("ENTITY_TYPE", "")).lower()
    number = entity_type.removeprefix("dynamic_")
    entity_type_id = _ENTITY_TYPES.get(entity_type, as_integer(number) if number != entity_type else None)
    entity_id = as_integer(fields.get("ENTITY_ID"))
    table = portal.store.items.get(entity_type_id) if entity_type_id else None
    if table is None or entity_id is None or table.get(entity_id) is None:
        raise Refusal("OWNER_NOT_FOUND", "Owner was not found")
    comment = _comment_text(fields)
    if not user.may("change"):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    comment_id = portal.store.comments.add(
        {
            "owner": (entity_type_id, entity_id),
            "ENTITY_ID": entity_id,
            "ENTITY_TYPE": entity_type,
            "CREATED": portal.clock.iso(),
            "COMMENT": comment,
            "AUTHOR_ID": user.id,
            "files": _kept_files(portal, fields),
        }
    )
    # No `FIELDS` around it (page of the event).
    portal.events.announce("ONCRMTIMELINECOMMENTADD", {"ID": comment_id})
    return comment_id


@method("crm.stagehistory.list", scope="crm")
def stage_history(portal: PortalState, user: User, params: Params) -> Any:
    entity_type_id = integer(params, "entityTypeId")
    if entity_type_id in (CONTACT, COMPANY) or entity_type_id not in portal.store.items:
        raise Refusal("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {entity_type_id} is not supported")
    prefix = "STATUS" if entity_type_id == LEAD else "STAGE"
    fields = {
        "ID": Field("id", "integer"),
        **{name: Field(name, "integer") for name in ("TYPE_ID", "OWNER_ID", "CATEGORY_ID")},
        "CREATED_TIME": Field("CREATED_TIME", "datetime"),
        **{name: Field(name) for name in (f"{prefix}_ID", f"{prefix}_SEMANTIC_ID")},
    }
    matcher = Matcher(fields, refuse=invalid_list).read(params.get("filter"))
    matcher.checks.append(lambda row: row["entityTypeId"] == entity_type_id)
    order = read_order(params.get("order"), fields, invalid_list)
    page = page_of(portal.store.stage_history, matcher, order, params.get("start"), old=False)
    select = [str(name) for name in array_or_nothing(params.get("select"), "select").values()]
    names = [name for name in fields if not select or "*" in select or name in select]
    return Page(
        {"items": [{name: row[fields[name].key] for name in names} for row in page.result]}, page.total, page.next
    )
