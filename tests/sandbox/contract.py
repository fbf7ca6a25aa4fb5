"""The documentation's examples (``tests/contract``) made ready for a portal: its ids, its times, its keys."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import TASK_FIELDS

CONTRACT = Path(__file__).parent.parent / "contract"

#: Ids of the documentation's portal by place, and which object of ours stands in for them.
STAND_INS: dict[str, dict[str, str]] = {
    "crm.activity.todo.add": {"ownerId": "deal", "responsibleId": "user"},
    **{
        f"crm.activity.todo.{action}": {"ownerId": "deal", "id": "todo", "responsibleId": "user"}
        for action in ("update", "updateColor", "updateDeadline", "updateDescription", "updateResponsibleUser")
    },
    "batch.v3": {"0.query.id": "task", "1.query.id": "task"},
    **{
        f"crm.deal.contact.{action}": {"id": "deal"}
        for action in ("add", "delete", "items.delete", "items.get", "items.set")
    },
    "crm.activity.add": {"fields.OWNER_ID": "deal"},
    **{f"crm.activity.{action}": {"id": "todo"} for action in ("get", "update", "delete")},
    **{f"crm.requisite.{action}": {"id": "requisite"} for action in ("get", "update", "delete")},
    **{
        f"crm.{kind}.{action}": {"id": f"own {kind}", "ID": f"own {kind}"}
        for kind in ("company", "contact", "lead", "quote")
        for action in (
            *("get", "update", "delete", "productrows.get", "productrows.set"),
            *(f"contact.{part}" for part in ("add", "delete", "items.get", "items.set", "items.delete")),
            *(f"company.{part}" for part in ("add", "delete", "items.get", "items.set", "items.delete")),
        )
    },
    **{
        f"crm.{kind}.userfield.{action}": {"id": f"own field of {kind}"}
        for kind in ("company", "contact", "deal", "lead", "quote")
        for action in ("update", "delete")
    },
    **{f"crm.{kind}.userfield.get": {"id": f"text of {kind}"} for kind in ("company", "contact", "lead", "quote")},
    **{
        f"crm.{kind}.userfield.add": {"fields.FIELD_NAME": "new name"}
        for kind in ("company", "contact", "deal", "lead", "quote")
    },
    **{f"crm.status.{action}": {"id": "status"} for action in ("get", "update", "delete")},
    "crm.status.add": {"fields.ENTITY_ID": "directory", "fields.STATUS_ID": "new name"},
    **{f"userfieldconfig.{action}": {"id": "own field of deal"} for action in ("get", "update", "delete")},
    "userfieldconfig.add": {"field.entityId": "own entity", "field.fieldName": "own field name"},
    "crm.deal.get": {"ID": "deal"},
    "crm.deal.userfield.get": {"id": "user field"},
    "crm.deal.update": {"ID": "deal"},
    "crm.deal.delete": {"ID": "deal"},
    "crm.deal.productrows.get": {"id": "deal"},
    "crm.deal.productrows.set": {"id": "deal"},
    "crm.entity.mergeBatch": {
        "params.entityIds.0": "contact",
        "params.entityIds.1": "same contact",
        "params.entityIds.2": "third contact",
    },
    "crm.item.add": {"entityTypeId": "kind"},
    "crm.item.batchImport": {"entityTypeId": "kind"},
    "crm.item.delete": {"entityTypeId": "kind", "id": "smart item"},
    "crm.item.delivery.get": {"id": "delivery"},
    "crm.item.delivery.list": {"entityId": "deal", "filter.@id.0": "delivery", "filter.@id.1": "delivery"},
    "crm.item.fields": {"entityTypeId": "kind"},
    "crm.item.get": {"id": "lead"},
    "crm.item.import": {"entityTypeId": "kind"},
    "crm.item.payment.add": {"entityId": "deal"},
    "crm.item.payment.delete": {"id": "payment"},
    "crm.item.payment.delivery.add": {"paymentId": "payment", "deliveryId": "delivery"},
    "crm.item.payment.delivery.delete": {"id": "delivery item"},
    "crm.item.payment.delivery.list": {"paymentId": "payment", "filter.@id.0": "delivery item"},
    "crm.item.payment.delivery.setDelivery": {"id": "delivery item", "deliveryId": "delivery"},
    "crm.item.payment.get": {"id": "paid"},
    "crm.item.payment.list": {"entityId": "deal", "filter.@id.0": "paid", "filter.@id.1": "payment"},
    "crm.item.payment.pay": {"id": "payment"},
    "crm.item.payment.product.add": {"paymentId": "payment", "rowId": "product row"},
    "crm.item.payment.product.delete": {"id": "product item"},
    "crm.item.payment.product.list": {
        "paymentId": "payment",
        "filter.@id.0": "product item",
        "filter.@id.1": "product item",
    },
    "crm.item.payment.product.setQuantity": {"id": "product item"},
    "crm.item.payment.unpay": {"id": "paid"},
    "crm.item.payment.update": {"id": "payment"},
    "crm.item.productrow.add": {"fields.ownerId": "deal"},
    "crm.item.productrow.delete": {"id": "product row"},
    "crm.item.productrow.getAvailableForPayment": {"ownerId": "deal"},
    "crm.item.productrow.get": {"id": "product row"},
    "crm.item.productrow.list": {"filter.=ownerId": "deal"},
    "crm.item.productrow.set": {"ownerId": "deal"},
    "crm.item.productrow.update": {"id": "product row"},
    "crm.item.update": {"id": "deal"},
    "crm.lead.get": {"ID": "lead"},
    "crm.stagehistory.list": {"entityTypeId": "kind", "filter.OWNER_ID": "deal of the funnel"},
    "crm.timeline.comment.add": {"fields.ENTITY_ID": "deal"},
    "crm.timeline.comment.delete": {"id": "comment", "ownerId": "deal"},
    "crm.timeline.comment.get": {"id": "comment"},
    "crm.timeline.comment.update": {"id": "comment"},
    "crm.type.get": {"id": "type"},
    "crm.type.getByEntityTypeId": {"entityTypeId": "kind"},
    "event.offline.error": {"message_id.0": "queued"},
    "im.message.add": {"DIALOG_ID": "chat", "REPLY_ID": "message"},
    "im.message.update": {"MESSAGE_ID": "message"},
    "im.notify": {"USER_ID": "user"},
    "im.notify.answer": {"NOTIFY_ID": "notification"},
    "im.notify.confirm": {"NOTIFY_ID": "notification"},
    "im.notify.delete": {"ID": "notification"},
    "im.notify.personal.add": {"USER_ID": "user"},
    "im.notify.system.add": {"USER_ID": "user"},
    "rest-v3": {"id": "task", "0.query.id": "task", "1.query.id": "task"},
    "sale.payment.add": {"fields.orderId": "order"},
    "sale.payment.delete": {"id": "payment"},
    "sale.payment.get": {"id": "paid"},
    "sale.payment.update": {"id": "payment"},
    "sale.paysystem.list": {"FILTER.@ID.0": "pay system"},
    "salescenter.payment.getPublicUrl": {"id": "payment"},
    "tasks.task.add": {"fields.CREATED_BY": "user", "fields.RESPONSIBLE_ID": "user"},
    "tasks.task.add.v3": {"fields.creatorId": "user"},
    **{
        f"tasks.task.{action}": {"taskId": "task"}
        for action in ("complete", "defer", "delete", "pause", "renew", "start")
    },
    **{
        f"task.elapseditem.{action}": {"TASKID": "task", "ITEMID": "time entry"}
        for action in ("add", "delete", "get", "isActionAllowed", "update")
    },
    **{
        f"task.checklistitem.{action}": {
            "TASKID": "task",
            "ITEMID": "check list item",
            "AFTERITEMID": "check list",
            "FIELDS.PARENT_ID": "check list",
        }
        for action in ("add", "complete", "delete", "get", "isactionallowed", "moveafteritem", "renew", "update")
    },
    "crm.category.add": {"entityTypeId": "kind"},
    "crm.category.delete": {"id": "funnel"},
    "crm.category.get": {"id": "funnel"},
    "crm.category.update": {"entityTypeId": "kind", "id": "smart funnel"},
    "crm.address.add": {"fields.ENTITY_ID": "requisite", "fields.TYPE_ID": "new type of address"},
    **{
        f"crm.address.{action}": {"fields.ENTITY_TYPE_ID": "requisites", "fields.ENTITY_ID": "requisite"}
        for action in ("update", "delete")
    },
    "crm.address.list": {"filter.ENTITY_ID": "requisite"},
    **{
        f"crm.currency.{action}": {"id": "currency", "ID": "currency", "fields.CURRENCY": "new currency"}
        for action in ("add", "delete", "localizations.delete", "localizations.set", "update")
    },
    **{
        f"task.commentitem.{action}": {
            "TASKID": "task",
            "ITEMID": "task comment",
            "FIELDS.AUTHOR_ID": "user",
            "FIELDS.UF_FORUM_MESSAGE_DOC.0": "attached file",
            "FIELDS.UF_FORUM_MESSAGE_DOC.1": "attached file",
        }
        for action in ("add", "delete", "get", "isactionallowed", "update")
    },
    "task.commentitem.getlist": {"TASKID": "task", "FILTER.AUTHOR_ID": "administrator"},
    **{
        f"disk.file.{action}": {"id": "drive file", "targetFolderId": "other folder", "newName": "new file name"}
        for action in (
            *("copyTo", "delete", "get", "getExternalLink", "getVersions", "markDeleted", "moveTo", "rename"),
            "uploadVersion",
        )
    },
    **{
        f"disk.folder.{action}": {"id": "drive folder", "data.NAME": "new file name"}
        for action in (
            *("addSubFolder", "deleteTree", "get", "getChildren", "getExternalLink", "markDeleted", "uploadFile"),
        )
    },
    **{
        f"disk.storage.{action}": {"id": "storage", "data.NAME": "new file name"}
        for action in ("get", "getChildren", "uploadFile")
    },
    "im.chat.add": {"USERS.0": "user"},
    **{
        f"im.chat.{action}": {"CHAT_ID": "own chat", "USER_ID": "user", "USERS.0": "third user"}
        for action in ("leave", "updateTitle", "user.add", "user.delete", "user.list")
    },
    "im.dialog.messages.get": {"DIALOG_ID": "own dialog", "FIRST_ID": "first id"},
    "lists.add": {"IBLOCK_CODE": "new name"},
    **{
        f"lists.{action}": {"IBLOCK_ID": "own list", "FIELDS.CODE": "new name", "FIELD_ID": "list field"}
        for action in (
            "delete",
            "field.add",
            "field.delete",
            "field.get",
            "field.type.get",
            "field.update",
            "get.iblock.type.id",
            "update",
        )
    },
    **{
        f"lists.element.{action}": {
            "IBLOCK_ID": "own list",
            "ELEMENT_ID": "filled list element" if action == "get" else "list element",
            "ELEMENT_CODE": "new name",
            "FILTER.NAME": "any name",
            "FILTER.<=DATE_CREATE": "later",
            "SELECT.5": "list field",
        }
        for action in ("add", "delete", "get", "update")
    },
    **{
        f"lists.section.{action}": {
            "IBLOCK_ID": "own list",
            "SECTION_ID": "section",
            "FILTER.ID": "section",
            "FILTER.<=DATE_CREATE": "later",
        }
        for action in ("add", "delete", "get", "update")
    },
    "lists.element.get.file.url": {
        "IBLOCK_ID": "own list",
        "ELEMENT_ID": "element with file",
        "FIELD_ID": "file field",
    },
    **{
        f"crm.documentgenerator.document.{action}": {
            "id": "document",
            "templateId": "template",
            "entityId": "deal",
            "filter.entityId": "deal",
            "fields.entityId": "deal",
            **{f"fields.{name}Content": "base64" for name in ("file", "pdf", "image")},
        }
        for action in ("add", "delete", "enablepublicurl", "get", "list", "update", "upload")
    },
    **{
        f"crm.documentgenerator.template.{action}": {
            "id": "template",
            "fields.numeratorId": "numerator",
            "fields.file.1": "base64",
        }
        for action in ("add", "delete", "get", "update")
    },
    **{f"crm.documentgenerator.numerator.{action}": {"id": "numerator"} for action in ("delete", "get", "update")},
    **{f"crm.{kind}.productrows.get": {"id": f"{kind} with rows"} for kind in ("lead", "quote")},
    "crm.activity.list": {"filter.OWNER_ID": "contact"},
    "crm.timeline.comment.list": {"filter.ENTITY_ID": "deal"},
    "crm.deal.list": {"FILTER.CATEGORY_ID": "funnel of the deal", "FILTER.STAGE_ID": "first stage"},
    "disk.storage.getList": {"filter.NAME": "any drive"},
    "sale.basketitem.list": {"filter.@orderId.0": "order"},
    "sale.order.list": {"filter.<id": "any id", "filter.@personTypeId": "kinds of persons"},
    "crm.orderentity.list": {"filter.@ownerId.0": "deal"},
    "tasks.task.list.v3": {"filter.0.2": "first id"},
    "task.checklistitem.getlist": {"TASKID": "task"},
    "user.add": {"EMAIL": "new mail"},
    "user.update": {"ID": "user"},
    "tasks.task.update": {"taskId": "task", "fields.RESPONSIBLE_ID": "user"},
    "tasks.task.get": {"taskId": "task"},
    # The printed answer is of a whole task.
    "tasks.task.get.v3": {"id": "task", "select": "whole task"},
    "tasks.task.list": {"filter.RESPONSIBLE_ID": "user"},
}

_FILES = [[f"{number}.gif", "R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="] for number in (1, 2)]

#: Kinds of CRM objects that every portal has; another number is a smart process of the documentation's portal.
_EVERYWHERE = (1, 2, 3, 4, 7, 31)


#: Pages whose example has another method in its address.
_SLIPS = {"task.commentitem.update"}


def pages() -> dict[str, dict[str, Any]]:
    """The files by name without ``.json``; a request that does not say how it is signed is a webhook's."""
    found = {file.name.removesuffix(".json"): json.loads(file.read_text()) for file in sorted(CONTRACT.glob("*.json"))}
    for content in found.values():
        for request in content["requests"]:
            request.setdefault("auth", "webhook")
            if content["method"] in _SLIPS:
                request["method"] = content["method"]
    return found


_WITH_DIRECTORIES = ("company", "deal", "lead", "quote")


def new_objects(portal: Sandbox, result: Any) -> dict[str, Any]:
    """A deal with all that may hang on it; ``result`` calls a method and gives back the answer's ``result``."""
    (deal,) = portal.add_deals(1)
    (smart_item,) = portal.add_items(128, 1)
    contacts = {"PHONE": [{"VALUE": "+15550000001"}], "EMAIL": [{"VALUE": "someone@example.com"}]}
    chat = {"IM": [{"VALUE_TYPE": "OPENLINE", "VALUE": "imol|livechat|1|67|21"}]}
    origin = dict.fromkeys(("COMMENTS", "SOURCE_DESCRIPTION", "UTM_SOURCE", "UTM_MEDIUM"), "Own")
    result("crm.deal.update", {"id": deal, "fields": {**origin, "PROBABILITY": 50, "ADDITIONAL_INFO": "Own"}})
    person = {**origin, **dict.fromkeys(("LAST_NAME", "SECOND_NAME", "POST"), "Own")}
    whole_lead = {**person, "TITLE": "Lead", "NAME": "Ada", "COMPANY_TITLE": "Own", "STATUS_DESCRIPTION": "Own"}
    lead = result("crm.lead.add", {"FIELDS": {**whole_lead, "OPPORTUNITY": 15000, **contacts, **chat}})
    result("crm.company.add", {"FIELDS": {"TITLE": "Company", **contacts}})
    twins = [result("crm.contact.add", {"FIELDS": {"NAME": "Ada"}}) for _ in range(3)]
    result("crm.contact.add", {"FIELDS": {"NAME": "Bob", "PHONE": [{"VALUE": "8976543"}]}})
    paid, payment = portal.add_payment(deal, paid=True, sum=10), portal.add_payment(deal)
    product_row, delivery = portal.add_product_row(deal, price=6000, quantity=10), portal.add_delivery(deal, price=7)
    funnel = {"entityTypeId": 2, "fields": {"name": "New"}}
    currency, new_currency = (f"{letter}{chr(65 + deal // 26 % 26)}{chr(65 + deal % 26)}" for letter in "XY")
    result("crm.currency.add", {"fields": {"CURRENCY": currency, "AMOUNT": 2, "LANG": {"en": {"FULL_NAME": "Own"}}}})
    requisite = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Organization", "XML_ID": "own"}
    names = ("COMPANY_NAME", "COMPANY_FULL_NAME", "COMPANY_REG_DATE", "DIRECTOR", "INN", "KPP", "OGRN", "OKVED")
    requisite |= {f"RQ_{name}": "Own" for name in names}
    todo = {"ownerTypeId": 2, "ownerId": deal, "deadline": "2026-05-05T12:00:00"}
    task = portal.tasks()[0]["id"]
    result("tasks.task.update", {"taskId": task, "fields": {"DEADLINE": "2030-01-01", "RESPONSIBLE_ID": 7}})
    check_list = result("task.checklistitem.add", {"TASKID": task, "FIELDS": {"TITLE": "List", "PARENT_ID": 0}})
    member = {"TITLE": "Item", "PARENT_ID": check_list, "IS_COMPLETE": "Y", "MEMBERS": {7: {"TYPE": "A"}}}
    folder = result("disk.folder.addSubFolder", {"id": 8901, "data": {"NAME": f"Test folder {deal}"}})["ID"]
    other_folder = result("disk.folder.addSubFolder", {"id": folder, "data": {"NAME": "Other"}})["ID"]
    upload = {"id": folder, "data": {"NAME": f"test {deal}.txt"}, "fileContent": [f"test {deal}.txt", "dGVzdA=="]}
    file = result("disk.folder.uploadFile", upload)["ID"]
    own_list = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": None}
    own_list["IBLOCK_ID"] = result(
        "lists.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": f"list_{deal}", "FIELDS": {"NAME": "Own"}}
    )
    field = {"NAME": "Status", "TYPE": "L", "CODE": "STATUS", "LIST": {"1": {"VALUE": "Planning"}}}
    field["SETTINGS"] = dict.fromkeys(("SHOW_ADD_FORM", "SHOW_EDIT_FORM", "SHOW_FIELD_PREVIEW"), "Y")
    field["SETTINGS"] |= dict.fromkeys(("ADD_READ_ONLY_FIELD", "EDIT_READ_ONLY_FIELD"), "N")
    list_field = result("lists.field.add", {**own_list, "FIELDS": field})
    element = {**own_list, "ELEMENT_CODE": f"own_{deal}", "FIELDS": {"NAME": "Test Element"}}
    filled = {**element, "ELEMENT_CODE": f"filled_{deal}"}
    filled["FIELDS"] = {"NAME": "Test Element", list_field: ["1", "2"]}
    section = {**own_list, "SECTION_CODE": "own", "FIELDS": {"NAME": "marketing", "EXTERNAL_ID": "ext"}}
    file_field = result(
        "lists.field.add", {**own_list, "FIELDS": {"NAME": "File", "TYPE": "S:DiskFile", "CODE": "FILE"}}
    )
    with_file = {**element, "ELEMENT_CODE": f"file_{deal}", "FIELDS": {"NAME": "With a file", file_field: file}}
    numerator = result("crm.documentgenerator.numerator.add", {"fields": {"name": "Own", "template": "{NUMBER}"}})
    template = {"name": "Offer", "numeratorId": numerator["numerator"]["id"], "region": "de", "entityTypeId": [2]}
    template = {"fields": {**template, "users": ["UA"], "file": ["offer.docx", "dGVzdA=="]}}
    template_id = int(result("crm.documentgenerator.template.add", template)["template"]["id"])
    made = {"templateId": template_id, "entityTypeId": 2, "entityId": deal}
    own_funnel = result("crm.category.add", funnel)["category"]["id"]
    complex_deal = {"TITLE": "Data", "CATEGORY_ID": own_funnel, "TYPE_ID": "COMPLEX", "OPPORTUNITY": 15_000}
    deal_of_funnel = result("crm.deal.add", {"fields": {**complex_deal, "IS_MANUAL_OPPORTUNITY": "Y"}})
    result("crm.quote.add", {"fields": {"TITLE": "Sent", "COMPANY_ID": 1, "STATUS_ID": "SENT"}})
    form = {"NAME": "Ida", "LAST_NAME": "Ilyina", "SOURCE_ID": "CRM_FORM"}
    result("crm.contact.add", {"fields": {**form, "EMAIL": [{"VALUE": "special-for@example.com"}]}})
    web_lead = {"title": "Web", "name": "Ada", "lastName": "Weber", "sourceId": "WEB", "opportunity": 9_000}
    result("crm.item.add", {"entityTypeId": 1, "fields": {**web_lead, "isManualOpportunity": "Y", "assignedById": 1}})
    call = {
        "TYPE_ID": 2,
        "OWNER_TYPE_ID": 3,
        "OWNER_ID": twins[0],
        "SUBJECT": "Call",
        "DIRECTION": 2,
        "RESPONSIBLE_ID": 1,
    }
    call["COMMUNICATIONS"] = [{"VALUE": "+15550000001", "TYPE": "PHONE", "ENTITY_TYPE_ID": 3, "ENTITY_ID": twins[0]}]
    result("crm.activity.add", {"fields": call})
    group = {"IBLOCK_TYPE_ID": "lists_socnet", "SOCNET_GROUP_ID": 33, "IBLOCK_CODE": f"group_{deal}"}
    result("lists.add", {**group, "FIELDS": {"NAME": "Group"}})
    people = {"AUDITORS": [portal.clerk.id], "ACCOMPLICES": [portal.clerk.id], "UF_CRM_TASK": [f"D_{deal}"]}
    result("tasks.task.update", {"taskId": task, "fields": people})
    own = {
        kind: result(f"crm.{kind}.add", {"FIELDS": {"TITLE": "Own", "NAME": "Own", **person, **contacts}})
        for kind in ("company", "contact", "lead", "quote")
    }
    for kind, object_id in own.items():
        bound = {"CONTACT_ID": twins[0]} if kind != "contact" else {"COMPANY_ID": 1}
        result(f"crm.{kind}.{'contact' if kind != 'contact' else 'company'}.add", {"id": object_id, "fields": bound})
    with_rows = {kind: result(f"crm.{kind}.add", {"FIELDS": {"TITLE": "Rows"}}) for kind in ("lead", "quote")}
    for kind, object_id in with_rows.items():
        row = {"PRODUCT_NAME": "Chair", "PRICE": 10, "QUANTITY": 2}
        result(f"crm.{kind}.productrows.set", {"id": object_id, "rows": [row]})
    own_chat = result("im.chat.add", {"USERS": [7], "MESSAGE": "Hi", "ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|1663"})
    comment = {"POST_MESSAGE": "Hi", "UF_FORUM_MESSAGE_DOC": [f"n{file}"]}
    product = {"paymentId": payment, "rowId": product_row, "quantity": 2}
    labelled = {"USER_TYPE_ID": "enumeration", "EDIT_FORM_LABEL": {"en": "Features", "de": "Merkmale"}}
    labelled["LIST"] = [{"VALUE": "One"}]
    strict = {"FIELD_NAME": f"STRICT_{deal}", "MULTIPLE": "Y", "MANDATORY": "Y"}
    directory = {**strict, "USER_TYPE_ID": "crm_status", "SETTINGS": {"ENTITY_TYPE": "INDUSTRY"}}
    address_field = {**strict, "USER_TYPE_ID": "address", "SETTINGS": {"SHOW_MAP": "Y"}}
    requisite_id = result("crm.requisite.add", {"fields": requisite})
    address = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 8, "ENTITY_ID": requisite_id, "CITY": "Springfield"}
    address |= dict.fromkeys(("ADDRESS_1", "ADDRESS_2", "POSTAL_CODE", "REGION", "PROVINCE", "COUNTRY"), "Own")
    result("crm.address.add", {"fields": address})
    return {
        "deal": deal,
        "own list": own_list["IBLOCK_ID"],
        "list field": list_field,
        "list element": result("lists.element.add", element),
        "filled list element": result("lists.element.add", filled),
        "section": result("lists.section.add", section),
        "element with file": result("lists.element.add", with_file),
        "file field": file_field.removeprefix("PROPERTY_"),
        "numerator": numerator["numerator"]["id"],
        "template": template_id,
        "document": result("crm.documentgenerator.document.add", made)["document"]["id"],
        "base64": "dGVzdA==",
        "any name": "%Test%",
        "later": "2035-12-31",
        "administrator": portal.admin.id,
        "task comment": result("task.commentitem.add", {"TASKID": task, "FIELDS": comment}),
        "attached file": f"n{file}",
        "drive file": file,
        "drive file name": f"test {deal}.txt",
        "drive folder": folder,
        "other folder": other_folder,
        "new file name": f"New {deal}.txt",
        "storage": 1,
        "own chat": own_chat,
        "own dialog": f"chat{own_chat}",
        "first id": 0,
        "third user": next(user_id for user_id in portal._state.users if user_id not in (1, 7)),
        "funnel": result("crm.category.add", funnel)["category"]["id"],
        "funnel of the deal": own_funnel,
        "first stage": f"C{own_funnel}:NEW",
        "deal of the funnel": deal_of_funnel,
        "any drive": "%drive%",
        "any id": 10**9,
        "kinds of persons": [1, 2, 3, 4],
        "smart funnel": result("crm.category.add", {**funnel, "entityTypeId": 128})["category"]["id"],
        "requisites": 8,
        "new type of address": 6,
        "currency": currency,
        "new currency": new_currency,
        "lead": lead,
        **dict(zip(("contact", "same contact", "third contact"), twins, strict=True)),
        "smart item": smart_item,
        "kind": 128,
        "type": 3,
        "user": portal.clerk.id,
        "new mail": f"new{deal}@example.com",
        **{f"own {kind}": object_id for kind, object_id in own.items()},
        **{f"{kind} with rows": object_id for kind, object_id in with_rows.items()},
        **{
            f"own field of {kind}": result(
                f"crm.{kind}.userfield.add", {"fields": {"FIELD_NAME": f"OWN_{deal}", **labelled}}
            )
            for kind in ("company", "contact", "deal", "lead", "quote")
        },
        **{
            f"text of {kind}": result(
                f"crm.{kind}.userfield.add", {"fields": {"FIELD_NAME": f"TEXT_{deal}", "USER_TYPE_ID": "string"}}
            )
            for kind in ("company", "contact", "lead", "quote")
        },
        **{
            f"strict field of {kind}": result(f"crm.{kind}.userfield.add", {"fields": field})
            for kind, field in (("contact", address_field), *((kind, directory) for kind in _WITH_DIRECTORIES))
        },
        "new name": f"NEW_{deal}",
        "own entity": "CRM_3",
        "own field name": f"UF_CRM_3_NEW_{deal}",
        "directory": "DEAL_STAGE_9",
        "status": result(
            "crm.status.add",
            {"fields": {"ENTITY_ID": "DYNAMIC_128_STAGE_10", "STATUS_ID": f"OWN_{deal}", "NAME": "Own", "SORT": 25}},
        ),
        "comment": result(
            "crm.timeline.comment.add",
            {"fields": {"ENTITY_ID": deal, "ENTITY_TYPE": "deal", "COMMENT": "New", "FILES": _FILES}},
        ),
        "requisite": requisite_id,
        "todo": result("crm.activity.todo.add", todo)["id"],
        "user field": 401,
        "task": task,
        "whole task": [*TASK_FIELDS, "responsible.name", "responsible.email"],
        "time entry": result(
            "task.elapseditem.add", {"TASKID": task, "ARFIELDS": {"SECONDS": 60, "COMMENT_TEXT": "x"}}
        ),
        "check list": check_list,
        "check list item": result("task.checklistitem.add", {"TASKID": task, "FIELDS": member}),
        "pay system": 6,
        "paid": paid,
        "payment": payment,
        "order": next(row["orderId"] for row in portal.payments() if row["id"] == payment),
        "queued": hashlib.md5(b"lead", usedforsecurity=False).hexdigest(),
        "chat": "chat1",
        "message": result("im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "First"}),
        "notification": result("im.notify", {"USER_ID": portal.admin.id, "MESSAGE": "Reminder"}),
        "product row": product_row,
        "delivery": delivery,
        "product item": result("crm.item.payment.product.add", product),
        "delivery item": result("crm.item.payment.delivery.add", {"paymentId": payment, "deliveryId": delivery}),
    }


#: Parameters of examples that the sandbox refuses by name, see ``methods/not_modelled.py``.
_REFUSED = {
    "crm.documentgenerator.document.add": (("fields",),),
    "tasks.task.list": (("params",), ("filter", "::SUBFILTER-PARAMS")),
}


def made_ready(page: str, params: Any, objects: dict[str, Any]) -> Any:
    """A printed request with ids that exist, and times where the page has placeholders."""
    ready = _with_times(copy.deepcopy(params))
    for *above, last in _REFUSED.get(page, ()):
        (ready[above[0]] if above else ready).pop(last, None)
    for place, name in STAND_INS.get(page, {}).items():
        *above, last = place.split(".")
        target = ready
        for key in above:
            target = target[int(key)] if isinstance(target, list) else target.get(key, {})
        if isinstance(target, list):
            if last.isdigit() and int(last) < len(target):
                target[int(last)] = objects[name]
        elif last in target and not (name == "kind" and target[last] in _EVERYWHERE):
            target[last] = objects[name]
    return ready


def _with_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_times(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_times(part) for part in value]
    if isinstance(value, str) and re.match(r"[A-Za-z0-9+/]{20,}\.\.\.", value):
        # The documentation shortens what is long.
        return "dGVzdA=="
    is_placeholder = isinstance(value, str) and re.search(r"\$\(date|formatDate\(|_date_here|_date_", value)
    return "2025-10-01T00:00:00+03:00" if is_placeholder else value
