"""One object of everything that the documentation's examples speak of, and more than one where a list needs it."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import TASK_FIELDS

_FILES = [[f"{number}.gif", "R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="] for number in (1, 2)]

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
    bank_detail = {"ENTITY_ID": requisite_id, "COUNTRY_ID": 1, "NAME": "Own", "XML_ID": "own"}
    bank_detail |= dict.fromkeys(("RQ_BANK_NAME", "RQ_BANK_ADDR", "RQ_BIK", "RQ_ACC_NUM", "RQ_ACC_CURRENCY"), "Own")
    field_of_requisite = {"FIELD_NAME": f"OWN_{deal}", "USER_TYPE_ID": "string", "EDIT_FORM_LABEL": "Own"}
    flag_of_requisite = {**field_of_requisite, "FIELD_NAME": f"FLAG_{deal}", "USER_TYPE_ID": "boolean"}
    result("crm.requisite.userfield.add", {"fields": flag_of_requisite})
    bank_detail_id = result("crm.requisite.bankdetail.add", {"fields": {**bank_detail, "RQ_COR_ACC_NUM": "Own"}})
    own_company = result("crm.company.add", {"fields": {"TITLE": "Own", "IS_MY_COMPANY": "Y"}})
    own_requisite = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": own_company, "PRESET_ID": 1, "NAME": "Own"}
    own_requisite_id = result("crm.requisite.add", {"fields": own_requisite})
    own_bank_detail = {"ENTITY_ID": own_requisite_id, "NAME": "Own"}
    quotes = [result("crm.quote.add", {"fields": {"TITLE": "Linked", "COMPANY_ID": 1}}) for _ in range(2)]
    link = {"REQUISITE_ID": requisite_id, "BANK_DETAIL_ID": bank_detail_id, "MC_REQUISITE_ID": own_requisite_id}
    link["MC_BANK_DETAIL_ID"] = result("crm.requisite.bankdetail.add", {"fields": own_bank_detail})
    result("crm.requisite.link.register", {"fields": {**link, "ENTITY_TYPE_ID": 7, "ENTITY_ID": quotes[0]}})
    preset = {"ENTITY_TYPE_ID": 8, "COUNTRY_ID": 1, "NAME": "Own", "XML_ID": "OWN"}
    preset_id = result("crm.requisite.preset.add", {"fields": preset})
    preset_field = {"preset": {"ID": preset_id}, "fields": {"FIELD_NAME": "RQ_INN", "FIELD_TITLE": "Own"}}
    preset_field_id = result("crm.requisite.preset.field.add", preset_field)
    activity = result("crm.activity.todo.add", todo)["id"]
    others = portal.add_deals(2)
    result("crm.activity.binding.add", {"activityId": activity, "entityTypeId": 2, "entityId": others[0]})
    return {
        "quotes": 7,
        "linked quote": quotes[0],
        "other quote": quotes[1],
        "own requisite": own_requisite_id,
        "own bank detail": link["MC_BANK_DETAIL_ID"],
        "preset": preset_id,
        "preset field": preset_field_id,
        "activity": activity,
        "bound deal": others[0],
        "other deal": others[1],
        "deal": deal,
        "bank detail": bank_detail_id,
        "choices of requisite": result(
            "crm.requisite.userfield.add",
            {"fields": {"FIELD_NAME": f"LIST_{deal}", "USER_TYPE_ID": "enumeration", "LIST": [{"VALUE": "One"}]}},
        ),
        "own field of requisite": result("crm.requisite.userfield.add", {"fields": field_of_requisite}),
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
