"""
``crm.documentgenerator.document.*``: documents of CRM objects, made of a template or uploaded.

A document that is made has its number, its values and the bytes of its template: nothing is filled in, and there is
neither a PDF nor an image. Source: pages under ``crm/document-generator/documents``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.arguments import array, optional_array, select_of
from airflow_provider_bitrix24.sandbox.methods.crm.document_templates import (
    check_right,
    new_template,
    next_number,
    required_fields,
    row_of,
    template_of,
    unknown_field,
)
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_PREFIX = "crm.documentgenerator.document."
#: Files of a document: the action that shows it, and the action that downloads it.
_FILES = {"download": ("file", "download"), "pdf": ("pdf", "getPdf"), "image": ("image", "getImage")}
_INTEGERS = ("id", "templateId", "fileId", "imageId", "pdfId", "createdBy", "updatedBy", "entityId", "entityTypeId")
_LISTED = {
    **{name: Field(name, "integer") for name in _INTEGERS},
    **{name: Field(name) for name in ("title", "number")},
    **{name: Field(name, "datetime") for name in ("createTime", "updateTime")},
}


def _document(portal: PortalState, params: Params) -> Row:
    without = r"Bitrix\DocumentGenerator\Document"
    return row_of(portal.store.documents, params, without, Refusal("0", "Document not found"))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _urls(portal: PortalState, row: Row) -> Row:
    """Addresses of the files that there are: for people who are signed in, and for programs."""
    urls: Row = {}
    for name, (kind, action) in _FILES.items():
        if row[f"{kind}Id"] is not None:
            page = f"{portal.url}/bitrix/services/main/ajax.php?action={_PREFIX}{action}"
            urls[f"{name}Url"] = f"{page}&SITE_ID=s1&id={row['id']}"
            urls[f"{name}UrlMachine"] = portal.download_url(row[f"{kind}Id"], f"{_PREFIX}{action}")
    return urls


def _answer(portal: PortalState, row: Row) -> Row:
    rows = [own for own in portal.store.product_rows if own["owner"] == (row["entityTypeId"], row["entityId"])]
    owner = portal.store.items[row["entityTypeId"]].get(row["entityId"]) or {}
    total = sum(own["price"] * own["quantity"] for own in rows)
    return {
        **dict.fromkeys(("changeStampsEnabled", "changeQrCodeEnabled", "qrCodeEnabled"), False),
        "changeStampsDisabledReason": "No seals or signatures in the template",
        "changeQrCodeDisabledReason": "No QR code in the template",
        "products": {"currencyId": owner.get("currencyId", "USD"), "totalSum": f"{total:.2f}", "totalRows": len(rows)},
        **_urls(portal, row),
        **{name: row[name] for name in ("publicUrl", "title", "number", "createTime", "updateTime", "stampsEnabled")},
        **{name: str(row[name]) for name in ("id", "templateId", "entityId", "entityTypeId")},
        **{name: _text(row[name]) for name in ("createdBy", "updatedBy")},
        "isTransformationError": False,
        "values": row["values"],
        "pullTag": f"TRANSFORMDOCUMENT{row['id']}",
        # No copy for e-mails is put on the drive.
        "emailDiskFile": None,
    }


def _new(portal: PortalState, user: User, template: Row, entity: tuple[int, int], fields: Row) -> Row:
    now = portal.clock.iso()
    row: Row = {
        "templateId": template["id"],
        "entityTypeId": entity[0],
        "entityId": entity[1],
        "createTime": now,
        "updateTime": now,
        "createdBy": user.id,
        "updatedBy": None,
        **dict.fromkeys(("publicUrl", "pdfId", "imageId")),
        "stampsEnabled": False,
        "values": {"productsTableVariant": "", "_creationMethod": "rest"},
        **fields,
    }
    portal.store.documents.add(row)
    return row


def _write_values(row: Row, values: Row, stamps: Any, *, default: int) -> None:
    stamped = (default if stamps is None else as_integer(stamps)) == 1
    row["values"] = {**row["values"], "stampsEnabled": stamped, **values}
    row["stampsEnabled"] = stamped
    for name, key in (("number", "DocumentNumber"), ("title", "DocumentTitle")):
        if values.get(key) not in (None, ""):
            row[name] = str(values[key])


@method("crm.documentgenerator.document.add", scope="crm")
def add_document(portal: PortalState, user: User, params: Params) -> Any:
    kind, object_id = as_integer(params.get("entityTypeId")), as_integer(params.get("entityId"))
    if kind not in portal.store.items:
        raise Refusal("0", "No provider for entityTypeId")
    if not object_id:
        raise Refusal("0", 'Empty required parameter "value"')
    template = template_of(portal, {"id": params.get("templateId")})
    if template["isDeleted"] == "Y":
        raise Refusal("0", "Cannot create document on deleted template")
    check_right(user)
    if portal.store.items[kind].get(object_id) is None:
        raise Refusal("DOCGEN_ACCESS_ERROR", "Access denied")
    values = optional_array(params, "values")
    number = str(values.get("DocumentNumber") or "") or next_number(portal, template)
    made = {"fileId": template["file"], "number": number, "title": f"{template['name']} {number}"}
    row = _new(portal, user, template, (kind, object_id), made)
    _write_values(row, values, params.get("stampsEnabled"), default=0)
    return {"document": {**_answer(portal, row), "id": row["id"], "createdBy": user.id}}


@method("crm.documentgenerator.document.upload", scope="crm")
def upload_document(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    required_fields(fields, ("entityTypeId", "fileContent", "region", "entityId", "title", "number"))
    kind, object_id = as_integer(fields["entityTypeId"]), as_integer(fields["entityId"])
    if kind is None:
        raise Refusal("0", 'Wrong "entityTypeId" field value')
    if kind not in portal.store.items:
        raise Refusal("0", "No provider for entityTypeId")
    if object_id is None or portal.store.items[kind].get(object_id) is None:
        raise Refusal("0", 'Wrong "entityId" field value')
    check_right(user)
    title = str(fields["title"])
    files = {
        f"{kind_of_file}Id": _saved(portal, f"{title}.{ending}", fields.get(name))
        for kind_of_file, ending, name in (
            ("file", "docx", "fileContent"),
            ("pdf", "pdf", "pdfContent"),
            ("image", "jpg", "imageContent"),
        )
    }
    # A template of its own, which no list shows.
    template = new_template(portal, {"name": title, "region": fields["region"]}, module="rest")
    template["file"] = files["fileId"]
    row = _new(portal, user, template, (kind, object_id), {**files, "title": title, "number": str(fields["number"])})
    return {"document": _answer(portal, row)}


def _saved(portal: PortalState, name: str, content: Any) -> int | None:
    if content in (None, ""):
        return None
    try:
        return portal.store.files.add(name, base64.b64decode(str(content), validate=True))
    except (binascii.Error, ValueError):
        raise Refusal("0", "Could not save file") from None


@method("crm.documentgenerator.document.get", scope="crm")
def document(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("DOCGEN_ACCESS_ERROR", "Access denied")
    return {"document": _answer(portal, _document(portal, params))}


@method("crm.documentgenerator.document.update", scope="crm")
def update_document(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    row = _document(portal, params)
    _write_values(row, optional_array(params, "values"), params.get("stampsEnabled"), default=1)
    row.update(updateTime=portal.clock.iso(), updatedBy=user.id)
    return {"document": {**_answer(portal, row), "updatedBy": user.id}}


@method("crm.documentgenerator.document.delete", scope="crm")
def delete_document(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    row = _document(portal, params)
    portal.store.documents.remove(row["id"])


@method("crm.documentgenerator.document.enablepublicurl", scope="crm")
def public_url(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    row = _document(portal, params)
    is_on = as_integer(params.get("status", 1)) == 1
    row["publicUrl"] = f"{portal.url}/~{row['id']:05x}" if is_on else None
    return {"publicUrl": row["publicUrl"]}


@method("crm.documentgenerator.document.list", scope="crm")
def documents(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("read"):
        raise Refusal("ACCESS_DENIED", "Access denied")
    refuse = unknown_field("Document")
    order = read_order(optional_array(params, "order"), _LISTED, refuse)
    matcher = Matcher(_LISTED, refuse=refuse).read(optional_array(params, "filter"))
    page = page_of(portal.store.documents, matcher, order, params.get("start"), old=False)
    names = select_of(params) or [*_LISTED, "values"]
    for name in names:
        if name not in _LISTED and name != "values":
            raise refuse("select", name, None)
    rows = []
    for row in page.result:
        always = {"stampsEnabled": row["stampsEnabled"], **_urls(portal, row)}
        own = {name: row[name] if name in ("title", "number", "values") else _text(row[name]) for name in names}
        rows.append({**own, **always, **{name: str(row[name]) for name in ("entityId", "entityTypeId")}})
    return Page({"documents": rows}, page.total, page.next)
