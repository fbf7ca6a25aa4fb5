"""Errors that the documentation prints can be had from the sandbox."""

from __future__ import annotations

import dataclasses

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.sandbox import contract

PAGES = contract.pages()
GONE = 999_999

#: What is asked for to get the error printed on a page.
ASKED = {
    **{f"crm.{kind}.add": {"fields": "text"} for kind in ("company", "contact", "quote")},
    "crm.lead.add": {"fields": {}},
    **{f"crm.{kind}.update": {"id": GONE, "fields": {}} for kind in ("company", "contact", "quote")},
    **{f"crm.{kind}.{action}": {"id": 0} for kind in ("contact", "lead") for action in ("delete",)},
    "crm.contact.get": {"id": 0},
    "crm.lead.update": {"id": 0, "fields": {}},
    "crm.company.delete": {"id": 1},
    "crm.company.fields": {},
    **{f"crm.{kind}.get": {"id": GONE} for kind in ("company", "quote")},
    "crm.quote.delete": {"id": GONE},
    **{
        f"crm.{family}.{action}": {"id": 0, "fields": {}}
        for family in ("company.contact", "contact.company")
        for action in ("add", "delete", "items.delete", "items.get")
    },
    **{f"crm.{family}.items.set": {"id": 1} for family in ("company.contact", "contact.company")},
    **{
        f"crm.lead.contact.{action}": {"id": GONE, "fields": {}, "items": []}
        for action in ("add", "delete", "items.delete", "items.get", "items.set")
    },
    **{
        f"crm.quote.contact.{action}": {"id": GONE, "fields": {}, "items": []}
        for action in ("add", "delete", "items.set")
    },
    **{f"crm.quote.contact.items.{action}": {"id": 0} for action in ("get", "delete")},
    "crm.lead.productrows.get": {"id": 0},
    "crm.quote.productrows.get": {"id": 1},
    "crm.quote.productrows.set": {"id": GONE, "rows": []},
    **{
        f"crm.{kind}.userfield.add": {"fields": {"FIELD_NAME": "X"}}
        for kind in ("company", "contact", "deal", "lead", "quote")
    },
    **{
        f"crm.{kind}.userfield.{action}": {"id": 401, "fields": {}}
        for kind in ("company", "contact", "deal", "lead", "quote")
        for action in ("delete", "update")
    },
    **{f"crm.{kind}.userfield.get": {"id": 0} for kind in ("company", "contact", "lead", "quote")},
    **{f"crm.{kind}.userfield.list": {"filter": "text"} for kind in ("company", "contact", "lead", "quote")},
    "crm.timeline.comment.list": {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}},
    "userfieldconfig.add": {"moduleId": "crm", "field": {"entityId": "CRM_DEAL"}},
    "userfieldconfig.get": {"moduleId": "crm", "id": 401},
    **{f"crm.address.{action}": {"fields": {"TYPE_ID": 1, "ENTITY_TYPE_ID": 8}} for action in ("add", "update")},
    "crm.address.delete": {"fields": {"TYPE_ID": 1, "ENTITY_TYPE_ID": 8, "ENTITY_ID": GONE}},
    **{f"crm.category.{action}": {"entityTypeId": 2, "id": GONE} for action in ("delete", "get")},
    **{f"crm.category.{action}": {"entityTypeId": GONE} for action in ("add", "fields", "update")},
    **{f"crm.currency.{action}": {} for action in ("add", "base.set", "delete", "fields", "get", "list", "update")},
    **{f"crm.currency.localizations.{action}": {} for action in ("delete", "fields", "get", "set")},
    "voximplant.statistic.get": {},
    "catalog.product.list": {},
    **{
        f"disk.file.{action}": {}
        for action in ("copyTo", "delete", "get", "getExternalLink", "getVersions", "markDeleted", "moveTo", "rename")
    },
    "disk.file.search": {},
    "disk.file.uploadVersion": {},
    "disk.folder.addSubFolder": {"id": 8901},
    **{f"disk.storage.{action}": {} for action in ("get", "getChildren")},
    **{f"im.chat.{action}": {"TITLE": "x"} for action in ("leave", "user.add", "user.list")},
    "im.chat.updateTitle": {"CHAT_ID": 1},
    "im.chat.add": {},
    "im.chat.get": {},
    "im.dialog.messages.get": {},
    "task.commentitem.getlist": {"TASKID": 1, "FILTER": {">=POST_DATE": "2025-01-01"}},
    "lists.delete": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": GONE},
    "lists.update": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": GONE, "FIELDS": {"NAME": "x"}},
    "crm.documentgenerator.document.add": {"templateId": GONE, "entityTypeId": GONE, "entityId": 1},
    "crm.documentgenerator.document.delete": {},
    **{f"crm.documentgenerator.document.{action}": {"id": GONE} for action in ("enablepublicurl", "get", "update")},
    "crm.documentgenerator.document.list": {},
    "crm.documentgenerator.document.upload": {"fields": ""},
    "crm.documentgenerator.numerator.add": {"fields": {"name": "x"}},
    **{
        f"crm.documentgenerator.numerator.{action}": {"id": GONE, "fields": {}}
        for action in ("delete", "get", "update")
    },
    "crm.documentgenerator.template.add": {"fields": {"name": "x", "region": "de", "entityTypeId": [2]}},
    **{
        f"crm.documentgenerator.template.{action}": {"id": GONE, "fields": {}} for action in ("delete", "get", "update")
    },
    **{f"crm.documentgenerator.{rows}.list": {} for rows in ("numerator", "template")},
    **{f"lists.element.{action}": {"IBLOCK_TYPE_ID": "lists"} for action in ("delete", "get", "get.file.url")},
    **{f"lists.section.{action}": {"IBLOCK_TYPE_ID": "lists"} for action in ("add", "delete", "get", "update")},
    "crm.status.add": {"fields": {"ENTITY_ID": "SOURCE"}},
    "crm.status.get": {"id": GONE},
    **{f"crm.status.{action}": {"id": 0} for action in ("delete", "update")},
    **{f"userfieldconfig.{action}": {"moduleId": "crm", "id": GONE} for action in ("delete", "list", "update")},
    "crm.activity.todo.add": {"ownerTypeId": 2, "ownerId": GONE, "deadline": "2026-05-05"},
    **{
        f"crm.activity.todo.{action}": {"ownerTypeId": 2, "ownerId": 1, "id": GONE}
        for action in ("update", "updateColor", "updateDeadline", "updateDescription", "updateResponsibleUser")
    },
    "crm.activity.add": {"fields": {}},
    "crm.activity.delete": {"id": 1},
    "crm.activity.fields": {},
    "crm.activity.get": {"id": 1},
    "crm.activity.update": {"id": 1, "fields": {}},
    "crm.category.list": {"entityTypeId": GONE},
    "crm.company.list": {},
    "crm.contact.list": {},
    "crm.deal.add": {"fields": "text"},
    "crm.deal.contact.add": {"id": GONE, "fields": {}},
    "crm.deal.contact.delete": {"id": GONE, "fields": {}},
    **{f"crm.deal.contact.items.{action}": {"id": GONE} for action in ("delete", "get", "set")},
    "crm.deal.delete": {"id": 0},
    "crm.deal.list": {"filter": "text"},
    "crm.deal.productrows.get": {"id": 0},
    "crm.deal.userfield.get": {"id": 0},
    "crm.deal.userfield.list": {"filter": "text"},
    "crm.deal.update": {"id": 1, "fields": "text"},
    "crm.duplicate.findbycomm": {},
    "crm.entity.mergeBatch": {"params": {"entityTypeId": 3, "entityIds": [1]}},
    "crm.item.add": {"entityTypeId": GONE, "fields": {}},
    "crm.item.batchImport": {"entityTypeId": GONE, "data": [{}]},
    "crm.item.delete": {"entityTypeId": 2, "id": GONE},
    "crm.item.delivery.get": {"id": GONE},
    "crm.item.delivery.list": {"entityTypeId": 2, "entityId": 1},
    "crm.item.fields": {"entityTypeId": GONE},
    "crm.item.get": {"entityTypeId": 2, "id": GONE},
    "crm.item.import": {"entityTypeId": GONE, "fields": {}},
    "crm.item.list": {"entityTypeId": 2, "filter": {"FIELD": 1}},
    "crm.item.payment.add": {"entityTypeId": 2, "entityId": 13_123_000},
    "crm.item.payment.delete": {"id": GONE},
    "crm.item.payment.delivery.add": {"paymentId": GONE, "deliveryId": 1},
    "crm.item.payment.delivery.delete": {"id": GONE},
    "crm.item.payment.delivery.list": {"paymentId": GONE},
    "crm.item.payment.delivery.setDelivery": {"id": GONE, "deliveryId": 1},
    "crm.item.payment.get": {"id": GONE},
    "crm.item.payment.list": {"entityTypeId": 2, "entityId": 1},
    "crm.item.payment.pay": {"id": GONE},
    "crm.item.payment.product.add": {"paymentId": GONE, "rowId": 1, "quantity": 1},
    "crm.item.payment.product.delete": {"id": GONE},
    "crm.item.payment.product.list": {"paymentId": GONE},
    "crm.item.payment.product.setQuantity": {"id": GONE, "quantity": 1},
    "crm.item.payment.unpay": {"id": GONE},
    "crm.item.payment.update": {"id": GONE, "fields": {"paid": "Y"}},
    "crm.item.productrow.add": {"fields": {"ownerType": "D", "ownerId": GONE}},
    "crm.item.productrow.delete": {"id": GONE},
    "crm.item.productrow.getAvailableForPayment": {"ownerType": "D", "ownerId": 1},
    "crm.item.productrow.get": {"id": GONE},
    "crm.item.productrow.list": {"filter": {"=ownerType": "D", "=ownerId": 1}},
    "crm.item.productrow.set": {"ownerType": "D", "ownerId": GONE, "productRows": []},
    "crm.item.productrow.update": {"id": GONE, "fields": {}},
    "crm.item.update": {"entityTypeId": GONE, "id": 1, "fields": {}},
    "crm.lead.get": {"id": GONE},
    "crm.lead.list": {},
    "crm.orderentity.list": {},
    "crm.quote.list": {},
    "crm.requisite.add": {"fields": {}},
    "crm.requisite.get": {"id": 27},
    **{f"crm.requisite.{action}": {"id": 57, "fields": {}} for action in ("update", "delete")},
    "crm.requisite.list": {},
    "crm.requisite.bankdetail.add": {"fields": {}},
    **{f"crm.requisite.bankdetail.{action}": {"id": 357, "fields": {}} for action in ("delete", "get", "update")},
    "crm.requisite.bankdetail.list": {},
    **{f"crm.requisite.userfield.{action}": {"id": 235, "fields": {}} for action in ("delete", "get", "update")},
    "crm.requisite.userfield.list": {},
    "crm.status.entity.items": {},
    "crm.requisite.preset.add": {"fields": {}},
    **{f"crm.requisite.preset.{action}": {"id": 347, "fields": {}} for action in ("delete", "get", "update")},
    "crm.requisite.preset.list": {},
    "crm.requisite.preset.field.add": {"preset": {"ID": 3}, "fields": {"FIELD_NAME": "RQ_NAME"}},
    "crm.requisite.preset.field.availabletoadd": {"preset": {"ID": GONE}},
    "crm.requisite.preset.field.delete": {"id": 27, "preset": {"ID": 1}},
    "crm.requisite.preset.field.list": {"preset": {"ID": 27}},
    "crm.requisite.preset.field.update": {"id": 27, "preset": {"ID": 1}, "fields": {}},
    "crm.requisite.link.get": {"entityTypeId": 2, "entityId": 1},
    "crm.requisite.link.list": {},
    "crm.requisite.link.register": {
        "fields": {
            "ENTITY_TYPE_ID": 2,
            "ENTITY_ID": GONE,
            "REQUISITE_ID": 0,
            "BANK_DETAIL_ID": 0,
            **dict.fromkeys(("MC_REQUISITE_ID", "MC_BANK_DETAIL_ID"), 0),
        }
    },
    "crm.requisite.link.unregister": {"entityTypeId": 2},
    **{
        f"crm.activity.binding.{action}": {"activityId": GONE, "entityTypeId": 2, "entityId": 1}
        for action in ("add", "delete", "list", "move")
    },
    "crm.activity.communication.fields": {},
    "crm.status.list": {"filter": "text"},
    "crm.timeline.comment.get": {"id": GONE},
    **{f"crm.timeline.comment.{action}": {"id": GONE, "fields": {}} for action in ("delete", "update")},
    "crm.type.get": {"id": GONE},
    "crm.type.getByEntityTypeId": {"entityTypeId": GONE},
    "crm.type.list": {},
    "event.bind": {"event": "ONNOTHING", "handler": "https://example.com/"},
    **{f"event.offline.{action}": {"process_id": "none"} for action in ("clear", "error", "get", "list")},
    "event.unbind": {"event": "ONCRMLEADADD", "event_type": "offline"},
    "feature.get": {},
    "im.message.add": {"DIALOG_ID": "chat1"},
    "im.message.update": {},
    "im.notify": {"MESSAGE": "Text"},
    "im.notify.answer": {"NOTIFY_ID": 1},
    "im.notify.confirm": {"NOTIFY_ID": 1},
    "im.notify.delete": {},
    "im.notify.get": {"LAST_ID": 1},
    "im.notify.history.search": {"SEARCH_TEXT": "in"},
    "im.notify.personal.add": {"MESSAGE": "Text"},
    "im.notify.read": {},
    "im.notify.read.all": {},
    "im.notify.read.list": {"IDS": 1},
    "im.notify.schema.get": {},
    "im.notify.system.add": {"MESSAGE": "Text"},
    "sale.payment.add": {"fields": {"orderId": 1, "paySystemId": 1}},
    "sale.payment.delete": {"id": GONE},
    "sale.payment.get": {"id": GONE},
    "sale.payment.update": {"id": GONE, "fields": {"paySystemId": 1}},
    "sale.paysystem.list": {},
    "salescenter.payment.getPublicUrl": {"id": GONE},
    "tasks.task.add": {"fields": {}},
    "task.elapseditem.get": {"TASKID": GONE, "ITEMID": 1},
    "task.elapseditem.getlist": {"TASKID": GONE},
    "task.elapseditem.delete": {"TASKID": GONE, "ITEMID": 1},
    "task.elapseditem.update": {"TASKID": GONE, "ITEMID": 1, "ARFIELDS": {}},
    "task.checklistitem.add": {"TASKID": GONE, "FIELDS": {"TITLE": "x"}},
    **{f"task.checklistitem.{action}": {"TASKID": 1} for action in ("complete", "get", "renew")},
    "task.checklistitem.delete": {"TASKID": GONE, "ITEMID": 1},
    "task.checklistitem.getlist": {"TASKID": GONE},
    "task.checklistitem.moveafteritem": {"TASKID": GONE, "ITEMID": 1, "AFTERITEMID": 1},
    "task.checklistitem.update": {"TASKID": GONE, "ITEMID": 1, "FIELDS": {}},
    "user.add": {},
    "user.update": {"ID": GONE},
    "tasks.task.add.v3": {"fields": {"title": "T", "creatorId": 1, "responsibleId": 1, "deadline": "text"}},
    **{
        f"tasks.task.{action}": {"taskId": GONE}
        for action in ("complete", "defer", "delete", "pause", "renew", "start")
    },
    "tasks.task.update": {"taskId": 1, "fields": {"PARENT_ID": 1}},
    "tasks.task.get": {"taskId": 1, "select": "text"},
    "tasks.task.get.v3": {"id": 2_000_000},
    "tasks.task.list": {"order": {"NONSENSE": "asc"}},
    "tasks.task.list.v3": {"pagination": {"limit": "abc"}},
}

#: Pages that print what a user without any right gets.
WITHOUT_RIGHTS = {
    "userfieldconfig.list",
    "userfieldconfig.get",
    *(f"crm.currency.{action}" for action in ("add", "base.set", "delete", "fields", "list", "update")),
    "crm.currency.localizations.fields",
    "voximplant.statistic.get",
    "catalog.product.list",
    *("crm.company.delete", "crm.company.fields", "crm.lead.add", "crm.quote.productrows.get"),
    "crm.timeline.comment.list",
    *(
        f"crm.{kind}.userfield.{action}"
        for kind in ("company", "contact", "deal", "lead", "quote")
        for action in ("delete", "update")
    ),
    *(f"crm.activity.{action}" for action in ("add", "delete", "fields", "get", "update")),
    *(
        "crm.company.list",
        "crm.requisite.list",
        "crm.requisite.bankdetail.list",
        "crm.requisite.preset.list",
        "crm.requisite.link.list",
        "crm.activity.communication.fields",
        "crm.requisite.userfield.list",
        "crm.contact.list",
        "crm.lead.list",
        "crm.orderentity.list",
        "crm.quote.list",
        "crm.type.list",
        "sale.payment.add",
    ),
    *(f"crm.documentgenerator.document.{action}" for action in ("get", "list", "update")),
    *(f"crm.documentgenerator.{rows}.list" for rows in ("numerator", "template")),
    *("crm.item.delivery.list", "crm.item.payment.list", "crm.item.productrow.list", "event.unbind"),
    *("crm.item.productrow.getAvailableForPayment", "sale.paysystem.list"),
    *(f"event.offline.{action}" for action in ("clear", "error", "get", "list")),
}

#: Printed errors that cannot be had, and why.
IMPOSSIBLE = {
    **dict.fromkeys(
        ("lists.get", "lists.field.get", "lists.field.type.get", "lists.field.delete"),
        "prints `X` in place of the parameter",
    ),
    **dict.fromkeys(
        ("lists.add", "lists.field.add", "lists.field.update", "lists.element.add", "lists.element.update"),
        "needs a list: see `test_lists.py`",
    ),
    **{
        f"disk.folder.{action}": "prints the error of the second parameter, and has one: see `disk.file.*`"
        for action in ("deleteTree", "get", "getChildren", "getExternalLink", "markDeleted")
    },
    **dict.fromkeys(("disk.folder.uploadFile", "disk.storage.uploadFile"), "prints `X` in place of the id"),
    **{
        f"task.commentitem.{action}": "prints the code `ERROR_CODE`, or a full stop behind the text: its table does not"
        for action in ("add", "delete", "get", "isactionallowed", "update")
    },
    "crm.requisite.preset.field.get": "needs a template without fields: see `test_requisite_presets.py`",
    "crm.requisite.userfield.add": "needs a field of the same name: see `test_requisites.py`",
    "im.chat.user.delete": "a missing chat is refused first, as on the sister pages",
    "crm.address.list": "prints `error`, without saying when",
    "crm.currency.base.get": "prints an answer that its own server did not expect",
    **dict.fromkeys(("sale.order.list", "sale.basketitem.list"), "prints `error`, without saying when"),
    "crm.lead.productrows.set": "prices of discounts are not reckoned",
    "userfieldconfig.getTypes": "the sandbox offers types of the module crm alone, whose scope is asked for first",
    "task.elapseditem.add": "prints the code `ERROR_CODE`; the sister pages have `ERROR_CORE` for the same words",
    "task.checklistitem.isactionallowed": "prints its text without the `<br>` of its sister pages",
    "crm.timeline.comment.fields": "prints `error` alone, for whatever may go wrong in a server",
    "batch": "prints errors of single commands, which stand inside a result: see `test_batch.py`",
    "app.info": "current servers answer a webhook (server source)",
    "crm.activity.list": "plain HTTP is refused for all methods alike",
    "crm.deal.get": "prints the error of `crm.deal.add`",
    "crm.deal.productrows.set": "prices of discounts are not reckoned",
    "crm.timeline.comment.add": "a missing owner is `OWNER_NOT_FOUND` by the page's own table",
    "crm.stagehistory.list": "there are no store documents",
    "crm.item.productrow.fields": "prints `some error`, without saying when",
    "sale.payment.getFields": "prints `error`, without saying when",
    "sale.payment.list": "prints `error`, without saying when",
}

#: Texts that differ from the printed ones, and why.
OTHER_TEXTS = {
    **dict.fromkeys(
        (
            *("lists.element.delete", "lists.element.get", "lists.element.get.file.url"),
            *(f"lists.section.{action}" for action in ("add", "delete", "get", "update")),
        ),
        ("Required parameter `IBLOCK_ID` is missing", "with the parameter, as in the page's own table"),
    ),
    "task.commentitem.getlist": (
        "TASKS_ERROR_EXCEPTION_#256; Param #1 (arOrder) for method ctaskcommentitem::getlist() must not contain key "
        '">=POST_DATE".; 256/TE/WRONG_ARGUMENTS<br>',
        "without a full stop at its end, as in the page's own table",
    ),
    **dict.fromkeys(
        ("crm.category.add", "crm.category.fields"),
        ("Smart process not found", "so on the sister pages and in the server"),
    ),
    "crm.deal.contact.items.delete": ("Not found.", "with a full stop, as on the sister pages"),
    "crm.item.get": ("Item not found", "so in the page's own table of errors"),
    "crm.item.payment.add": ("Entity ID #13123000 does not exist.", "a text that the server translates"),
    "sale.payment.delete": ("payment is not exists", "so in the server source"),
    "sale.payment.get": ("payment is not exists", "so in the server source"),
    "sale.payment.update": ("payment is not exists", "so in the server source"),
}


@pytest.fixture(scope="module")
def servers():
    """A current server, and one of 2024: most pages of payments print what that says."""
    with Sandbox(seed=1) as current, Sandbox(seed=1, generation="middle") as middle:
        for portal in (current, middle):
            portal.clerk.rights = set()
        yield {"current": current, "middle": middle}


def test_every_printed_error_is_asked_for():
    printed = {page for page, content in PAGES.items() if content.get("errors")}
    assert printed == set(ASKED) | set(IMPOSSIBLE)


@pytest.mark.parametrize("page", ASKED)
def test_a_printed_error_can_be_had(page, servers, ask, http):
    printed = PAGES[page]["errors"][0]["body"]
    portal = servers["middle" if printed.get("error_description") == "Insufficient permissions" else "current"]
    user = portal.clerk if page in WITHOUT_RIGHTS else portal.admin
    if printed["error"] == "INVALID_CREDENTIALS":
        user = dataclasses.replace(user, code="wrong")
    if page.endswith(".v3"):
        http.verify = portal.ca_file
        url = portal.webhook(user).replace("/rest/", "/rest/api/") + page.removesuffix(".v3")
        answer = http.post(url, json=ASKED[page], timeout=10)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, printed["error"]["code"])
        return
    if page.startswith("event."):
        # For applications only.
        params = {**ASKED[page], "auth": portal.application(user).grant()["access_token"]}
        http.verify = portal.ca_file
        answer = http.post(f"{portal.url}/rest/{page}", json=params, timeout=10)
    else:
        answer = ask(portal, page, ASKED[page], user=user)
    text, _ = OTHER_TEXTS.get(page, (printed["error_description"], ""))
    assert answer.status_code >= 400
    # Numbers are printed, and text is sent; `zero_code=0` sends numbers.
    assert (answer.json()["error"], answer.json()["error_description"]) == (str(printed["error"]), text)
