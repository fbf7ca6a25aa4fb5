"""Which object of the portal stands in for an id that the documentation's examples have from a portal of their own."""

from __future__ import annotations

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
        f"crm.requisite.bankdetail.{action}": {"id": "bank detail", "fields.ENTITY_ID": "requisite"}
        for action in ("add", "get", "update", "delete")
    },
    **{f"crm.requisite.userfield.{action}": {"id": "own field of requisite"} for action in ("get", "delete")},
    **{f"crm.requisite.preset.{action}": {"id": "preset"} for action in ("get", "update", "delete")},
    **{
        f"crm.requisite.preset.field.{action}": {"ID": "preset field", "preset.ID": "preset"}
        for action in ("add", "availabletoadd", "delete", "get", "list", "update")
    },
    **{
        f"crm.requisite.link.{action}": {"entityTypeId": "quotes", "entityId": "linked quote"}
        for action in ("get", "unregister")
    },
    "crm.requisite.link.register": {
        "fields.ENTITY_TYPE_ID": "quotes",
        "fields.ENTITY_ID": "other quote",
        "fields.REQUISITE_ID": "requisite",
        "fields.BANK_DETAIL_ID": "bank detail",
        "fields.MC_REQUISITE_ID": "own requisite",
        "fields.MC_BANK_DETAIL_ID": "own bank detail",
    },
    **{
        f"crm.activity.binding.{action}": {
            "activityId": "activity",
            "entityId": "other deal" if action == "add" else "bound deal",
            "sourceEntityId": "bound deal",
            "targetEntityId": "other deal",
        }
        for action in ("add", "delete", "list", "move")
    },
    "crm.requisite.userfield.update": {"id": "choices of requisite"},
    "crm.requisite.userfield.add": {"fields.FIELD_NAME": "new name"},
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
