"""
What the documentation's catalogue of methods does not have, each with its reason.

Which lists may be read by a growing id, where the documentation is wrong or silent, and what happens when a call that
writes is sent twice. ``make_methods_table.py`` makes the table from this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Correction(NamedTuple):
    """Columns that replace those made from the documentation, and why."""

    methods: str
    columns: Mapping[str, str]
    reason: str


OLD_CRM = ("activity", "company", "contact", "deal", "lead", "quote")

CORRECTIONS = [
    *(
        Correction(
            f"crm.{kind}.list",
            {
                "filter": "filter:ID",
                "paging": "keyset",
                "fields": f"crm.{kind}.fields",
                "also": "any-case,drops-filters",
            },
            "start=-1 skips the count; a filter key that is not a field in UPPER_CASE is dropped (server source)",
        )
        for kind in OLD_CRM
    ),
    *(
        Correction(
            f"crm.{kind}.list",
            {"fields": f"crm.{kind}.fields", "also": also},
            "an old list, whose filter keys that are not fields in UPPER_CASE are dropped (server source)",
        )
        for kind, also in {
            "address": "any-case,drops-filters,no-total",
            "product": "drops-filters",
            "productsection": "drops-filters",
            "requisite": "any-case,drops-filters",
            "requisite.bankdetail": "any-case,drops-filters",
            "status": "drops-filters",
            "timeline.comment": "drops-filters",
        }.items()
    ),
    Correction(
        "crm.item.list",
        {"filter": "filter:id", "paging": "keyset", "fields": "crm.item.fields"},
        "the documentation's own example of reading large volumes",
    ),
    Correction(
        "crm.type.list",
        {"filter": "filter:id", "paging": "keyset"},
        "filters and sorts by every field of a type; ID is refused (Unknown field definition I_D)",
    ),
    Correction(
        "crm.stagehistory.list",
        {"filter": "filter:ID", "paging": "keyset"},
        "UPPER_CASE fields under items, although it is one of the newer methods",
    ),
    Correction(
        "tasks.task.list",
        {
            "filter": "filter:ID",
            "order": "order:ID",
            "paging": "keyset",
            "fields": "tasks.task.getFields",
            "also": "drops-filters",
        },
        "takes ID and answers id; with another spelling of the key the filter is dropped and page 1 repeats. Its "
        "filter knows more keys than tasks.task.getFields (TAG, ::SUBFILTER-…): rest/lists/field_check.py has them",
    ),
    Correction(
        "user.get",
        {
            "filter": "FILTER:ID",
            "order": "order:ID",
            "sort": "sort",
            "paging": "keyset",
            "fields": "user.fields",
            "also": "any-case,drops-filters",
        },
        "start=-1 is documented; sort takes the field and order only the direction",
    ),
    Correction(
        "task.elapseditem.getlist",
        {"order": "ORDER:ID", "cursor": "PARAMS", "paging": "nav-params"},
        "sorts by ID, and pages by NAV_PARAMS in PARAMS; the documentation's answer counts the rows",
    ),
    Correction(
        "user.search",
        {"order": "order:ID", "sort": "sort", "also": "any-case"},
        "as user.get, but no page says that it can be filtered by id",
    ),
    Correction(
        "department.get",
        {"order": "order:ID", "sort": "sort", "also": "any-case"},
        "sort and order are scalars; the documentation writes START, the server reads only start",
    ),
    Correction(
        "voximplant.statistic.get",
        {"order": "ORDER:ID", "sort": "SORT", "also": "any-case"},
        "SORT and ORDER are scalars, and order counts only when both are given (server source)",
    ),
    Correction("voximplant.sip.get", {"sort": "SORT", "also": "any-case"}, "SORT and ORDER are scalars"),
    *(
        Correction(
            f"catalog.{kind}.list",
            {"filter": "filter:id", "paging": "keyset"},
            "a controller that filters and sorts by every field of its object; large enough to be worth it",
        )
        for kind in (
            *("document", "document.element", "price", "product", "product.offer", "product.service", "product.sku"),
            *("productPropertyEnum", "ratio", "section", "storeproduct"),
        )
    ),
    *(
        Correction(
            f"sale.{kind}.list",
            {"filter": "filter:id", "paging": "keyset"},
            "a controller that filters and sorts by every field of its object; large enough to be worth it",
        )
        for kind in (
            *("basketitem", "basketproperties", "order", "payment", "paymentitembasket", "paymentItemShipment"),
            *("propertyvalue", "shipment", "shipmentitem", "shipmentpropertyvalue"),
        )
    ),
    Correction(
        "crm.address.list",
        {"id": "-", "order": "order:-"},
        "an address has no id of its own; total is always 50",
    ),
    Correction(
        "crm.requisite.link.list",
        {"id": "-", "order": "order:-", "also": "any-case"},
        "a link is named by ENTITY_TYPE_ID and ENTITY_ID together",
    ),
    Correction("crm.timeline.bindings.list", {"id": "-"}, "a binding is named by ENTITY_TYPE and ENTITY_ID together"),
    Correction(
        "crm.deal.recurring.list", {"order": "order:-"}, "rows mix id and ACTIVE; the key to sort by is not documented"
    ),
    Correction("crm.category.list", {"paging": "single"}, "the whole directory in one answer, with a total"),
    Correction("crm.status.list", {"paging": "single"}, "the whole directory in one answer, with a total"),
    Correction("event.get", {"paging": "single"}, "not paged (server source)"),
    Correction("calendar.event.get", {"paging": "single"}, "not paged: bounded by from and to"),
    Correction(
        "tasks.task.list v3",
        {"filter": "filter:id", "order": "order:id"},
        "the page filters by id, sorts by id",
    ),
    Correction("main.eventlog.list v3", {"order": "order:id"}, "sorts by every field of the log"),
]

#: Not lists, whatever the documentation's catalogue says.
NOT_LISTS = {"event.offline.get": "a queue: it takes what it returns, see the calls"}

#: Families whose lists are known to sort by the id of their rows.
SORTED_BY_ID = (
    "crm.",
    "catalog.",
    "sale.",
    "tasks.",
    "documentgenerator.",
    "lists.element.",
    "entity.",
    "event.offline.",
)

#: Old modules ignore the case of their parameters' names (for most of them the documentation disagrees with itself).
#: Controllers read names exactly; where nothing is documented, so do we.
ANY_CASE = (
    *(
        "bizproc.task.",
        "bizproc.workflow.",
        "department.",
        "entity.",
        "lists.",
        "sonet_group.",
        "user.get",
        "user.search",
    ),
    *("crm.requisite.list", "crm.requisite.bankdetail.list", "crm.requisite.preset.list", "voximplant."),
)


class Call(NamedTuple):
    """One line of ``[calls]``."""

    methods: str
    repeat: str
    scope: str = "-"
    lookup: str = "-"
    done: str = "-"
    also: str = "-"
    version: int = 2


#: These read, whatever their name says, or need no scope. Source: their pages.
READERS = [
    Call("profile scope server.time methods method.get app.info feature.get access.name events", "read"),
    Call("user.admin user.access", "read"),
    Call("user.current", "read", "user"),
    Call("user.fields", "read", "user"),
    Call("crm.type.getByEntityTypeId", "read", "crm"),
    Call("crm.duplicate.findbycomm", "read", "crm", also="max-values:values=20,max-hits:20"),
    Call("crm.enum.ownertype crm.enum.addresstype crm.enum.contenttype", "read", "crm"),
    Call("crm.enum.activitytype crm.enum.activitystatus crm.enum.activitypriority", "read", "crm"),
    Call("crm.enum.activitydirection crm.enum.activitynotifytype crm.enum.getorderownertypes", "read", "crm"),
    Call("crm.status.entity.types", "read", "crm"),
    Call("tasks.task.getFields tasks.task.getAccess", "read", "task"),
    Call("timeman.status timeman.settings", "read", "timeman"),
    Call("calendar.event.getbyid", "read", "calendar"),
    Call("catalog.product.getFieldsByFilter", "read", "catalog"),
    Call("telephony.externalCall.searchCrmEntities", "read", "telephony"),
    Call(
        "crm.item.get crm.item.fields crm.item.payment.get crm.item.delivery.get crm.item.productrow.get", "read", "crm"
    ),
    Call("crm.type.get crm.deal.recurring.get crm.deal.userfield.get crm.timeline.comment.get", "read", "crm"),
    Call(" ".join(f"crm.{kind}.get crm.{kind}.fields" for kind in OLD_CRM), "read", "crm"),
    Call("sale.payment.get sale.order.get", "read", "sale"),
    Call("tasks.task.get", "read", "task"),
    Call("tasks.task.get", "read", "tasks", version=3),
    Call("rest.documentation.openapi documentation", "read", version=3),
    # Methods with these endings return a description, in every family that has them.
    Call("*.fields *.getFields *.getManifest *.isActionAllowed", "read"),
    Call("*.get *.fields", "read", version=3),
]

#: Methods whose names have a misleading ending.
TRAPS = [
    # Deletes what it returns (clear=1), or reserves it under a process_id that is lost with the answer (clear=0).
    Call("event.offline.get", "never", also="queue"),
    # Marks messages as read, although it ends like a list.
    Call("im.notify.read.list", "harmless", "im"),
    Call("im.notify.read im.notify.delete", "harmless", "im"),
    Call("im.notify.read.all", "harmless", "im"),
    # Confirms the events below ``offset``; the same call returns the same events again.
    Call("imbot.v2.Event.get", "harmless", "imbot"),
    Call("im.v2.Event.get", "harmless", "im"),
    # Makes a short link if there is none.
    Call("salescenter.payment.getPublicUrl", "harmless", "salescenter"),
    # Items of a list that have no ID are added every time.
    Call("crm.deal.userfield.update", "never", "crm"),
]

PAYMENTS = [
    Call("crm.item.payment.delete", "harmless", "crm", "crm.item.payment.get", "true", "must-be-true"),
    Call("crm.item.payment.pay crm.item.payment.unpay crm.item.payment.update", "harmless", "crm", also="must-be-true"),
    Call(
        "crm.item.payment.product.delete crm.item.payment.product.setQuantity", "harmless", "crm", also="must-be-true"
    ),
    Call(
        "crm.item.payment.delivery.delete crm.item.payment.delivery.setDelivery", "harmless", "crm", also="must-be-true"
    ),
    Call("crm.item.payment.add crm.item.payment.product.add crm.item.payment.delivery.add", "never", "crm"),
    Call("sale.payment.update sale.order.update", "harmless", "sale"),
    Call("sale.payment.delete", "harmless", "sale", "sale.payment.get", "true", "must-be-true"),
    Call("sale.order.delete", "harmless", "sale", "sale.order.get", "true", "must-be-true"),
    Call("sale.payment.add sale.order.add", "never", "sale"),
]

#: Values are absolute in all these updates, and ``set`` replaces the whole list. Phones and e-mails are the exception:
#: one without an id is added.
CRM = [
    Call("crm.item.delete", "harmless", "crm", "crm.item.get", done="[]"),
    Call("crm.item.update", "harmless", "crm", also="multifields"),
    Call("crm.item.add crm.item.import crm.item.batchImport", "never", "crm"),
    Call("crm.item.productrow.delete", "harmless", "crm", "crm.item.productrow.get", done="null"),
    Call("crm.item.productrow.update crm.item.productrow.set", "harmless", "crm"),
    Call("crm.item.productrow.add", "never", "crm"),
    *(Call(f"crm.{kind}.delete", "harmless", "crm", f"crm.{kind}.get", "true", "must-be-true") for kind in OLD_CRM),
    Call("crm.company.update crm.contact.update crm.lead.update", "harmless", "crm", also="multifields"),
    Call("crm.deal.update crm.quote.update", "harmless", "crm"),
    Call(" ".join(f"crm.{kind}.add" for kind in OLD_CRM), "never", "crm"),
    Call(
        "crm.deal.productrows.set crm.lead.productrows.set crm.quote.productrows.set",
        "harmless",
        "crm",
    ),
    Call("crm.deal.contact.delete", "harmless", "crm"),
    Call("crm.deal.contact.items.set", "harmless", "crm"),
    Call("crm.deal.recurring.update", "harmless", "crm"),
    Call("crm.deal.recurring.delete", "harmless", "crm", "crm.deal.recurring.get", "true"),
    Call("crm.deal.userfield.delete", "harmless", "crm", "crm.deal.userfield.get", "true"),
    Call(
        " ".join(
            f"crm.{kind}.details.configuration.{action}"
            for kind in ("deal", "item")
            for action in ("set", "reset", "forceCommonScopeForAll")
        ),
        "harmless",
        "crm",
    ),
    *(
        Call(f"crm.activity.todo.{verb}", "harmless", "crm")
        for verb in ("update", "updateDeadline", "updateColor", "updateDescription", "updateResponsibleUser")
    ),
    Call("crm.timeline.comment.update", "harmless", "crm"),
    Call("crm.timeline.comment.delete", "harmless", "crm", "crm.timeline.comment.get", done="null"),
    Call("crm.activity.todo.add", "never", "crm"),
    Call(
        "crm.timeline.comment.add crm.deal.recurring.add crm.deal.recurring.expose",
        "never",
        "crm",
    ),
    Call("crm.documentgenerator.document.add", "never", "crm"),
]

#: A failure of these comes in a good answer. Source: "Returned Data" of their pages.
FAILURES = [
    Call("crm.entity.mergeBatch", "never", "crm", also="fails-if:STATUS!=SUCCESS"),
    Call("humanresources.node.member.remove", "never", "humanresources", also="fails-if:failed", version=3),
]

#: Deletes whose object another method reads by the same parameters. Sources: both pages, with what the reading one
#: answers where there is no such object; what it answers there is in ``error_codes.py``, or an empty list.
#:
#: Not here, since no such method is documented, or not what it answers where there is no object:
#:
#: - it takes other parameters, or answers the children of something: ``crm.activity.binding.delete``,
#:   ``crm.address.delete``, ``crm.automation.trigger.delete``, ``crm.currency.localizations.delete``,
#:   ``crm.requisite.preset.field.delete`` (an object names the preset), ``im.chat.user.delete``,
#:   ``lists.section.delete``, ``task.stages.delete``, ``tasks.task.result.delete`` (3), ``user.userfield.delete``,
#:   ``telephony.externalLine.delete``, ``crm.item.payment.product.delete`` and ``.delivery.delete``;
#: - there is none: ``crm.tracking.trace.delete``, ``im.message.delete``, ``im.notify.delete``,
#:   ``task.dependence.delete``, ``crm.*.contact.delete``, ``crm.contact.company.delete``;
#: - it answers the same for what is missing and what must not be seen, as an error: ``task.checklistitem.delete``,
#:   ``task.commentitem.delete``;
#: - nothing says what it answers: ``calendar.event.delete``, ``catalog.product.delete`` (a generic code whose text the
#:   portal may translate), ``crm.dealcategory.delete``, ``crm.invoice.delete``, ``crm.product.delete``,
#:   ``lists.field.delete``, ``task.elapseditem.delete``, ``userfieldconfig.delete``.
LOOKED_UP = [
    Call(readers, "read", scope)
    for readers, scope in {
        "biconnector.connector.get biconnector.dataset.get biconnector.source.get": "biconnector",
        "catalog.price.get catalog.section.get": "catalog",
        "crm.category.get crm.currency.get crm.status.get crm.requisite.get crm.requisite.bankdetail.get": "crm",
        "crm.requisite.preset.get crm.requisite.userfield.get crm.timeline.logmessage.get crm.timeline.note.get": "crm",
        "crm.documentgenerator.document.get crm.documentgenerator.numerator.get": "crm",
        "crm.documentgenerator.template.get": "crm",
        " ".join(f"crm.{kind}.userfield.get" for kind in ("company", "contact", "lead", "quote")): "crm",
        "disk.file.get": "disk",
        "sale.basketitem.get": "sale",
        "task.item.userfield.get": "task",
    }.items()
]
LOOKED_UP += [
    Call(f"{family}.delete", "harmless", scope, f"{family}.get", done)
    for families, scope, done in (
        ("biconnector.connector biconnector.dataset biconnector.source", "biconnector", "true"),
        ("catalog.price catalog.section", "catalog", "true"),
        ("crm.currency crm.status crm.requisite crm.requisite.bankdetail crm.requisite.preset", "crm", "true"),
        ("crm.requisite.userfield crm.timeline.logmessage crm.timeline.note", "crm", "true"),
        (" ".join(f"crm.{kind}.userfield" for kind in ("company", "contact", "lead", "quote")), "crm", "true"),
        ("crm.category crm.documentgenerator.document crm.documentgenerator.numerator", "crm", "null"),
        ("crm.documentgenerator.template", "crm", "null"),
        ("crm.type", "crm", "[]"),
        ("disk.file", "disk", "true"),
        ("sale.basketitem", "sale", "true"),
        ("task.item.userfield", "task", "true"),
    )
    for family in families.split()
]
#: The same where the reading method answers an empty list: also to a user who must not see the object.
LOOKED_UP += [
    Call(f"{family}.delete", "harmless", scope, f"{family}.get", "true", "empty-lookup")
    for family, scope in {
        **{f"crm.{kind}.contact.items": "crm" for kind in ("company", "deal", "lead", "quote")},
        "crm.contact.company.items": "crm",
        "department": "department",
        "lists": "lists",
        "lists.element": "lists",
        "log.blogpost": "log",
        "sonet_group": "sonet_group",
    }.items()
]
#: They answer ``false`` where it was so already.
LOOKED_UP.append(
    Call(
        "crm.company.contact.delete crm.contact.company.delete crm.lead.contact.delete crm.quote.contact.delete",
        "harmless",
        "crm",
    )
)

OTHERS = [
    # tasks.task.get: "an empty array if the task does not exist or the user does not have access to it".
    Call("tasks.task.delete", "harmless", "task", "tasks.task.get", done='{"task":true}', also="empty-lookup"),
    Call("tasks.task.delete", "harmless", "tasks", "tasks.task.get", done='{"result":true}', version=3),
    Call("tasks.task.update", "harmless", "task"),
    Call("tasks.task.update", "harmless", "tasks", version=3),
    Call("tasks.task.add", "never", "task"),
    Call("tasks.task.add", "never", "tasks", version=3),
    Call("im.notify im.notify.personal.add im.notify.system.add", "never", "im"),
    Call("im.notify.answer im.notify.confirm", "never", "im"),
    Call("im.message.add", "never", "im"),
    Call("im.message.update", "harmless", "im"),
    Call("task.commentitem.update", "harmless", "task"),
    Call("user.update", "harmless", "user"),
    Call("user.add", "never", "user"),
    Call("event.unbind event.offline.clear event.offline.error", "harmless"),
    Call("event.bind", "never"),
]

CALLS = [*READERS, *TRAPS, *PAYMENTS, *CRM, *FAILURES, *LOOKED_UP, *OTHERS]
