"""
Names of events, by the scope that shows them to an application.

Source: Bitrix24 REST docs, "Get a List of Available Events", and the pages of the sale module's events.
"""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, DEAL, LEAD, QUOTE, SMART_PROCESS

_CHANGES = ("ADD", "UPDATE", "DELETE")
_USER_FIELD = tuple(f"USERFIELD{change}" for change in (*_CHANGES, "SETENUMVALUES"))
_RECURRING = tuple(f"RECURRING{change}" for change in (*_CHANGES, "EXPOSE"))

_CRM_CHANGES: dict[str, tuple[str, ...]] = {
    "INVOICE": (*_CHANGES, "SETSTATUS", *_USER_FIELD, *_RECURRING),
    "LEAD": (*_CHANGES, *_USER_FIELD),
    "DEAL": (*_CHANGES, "MOVETOCATEGORY", *_USER_FIELD, *_RECURRING),
    "COMPANY": (*_CHANGES, *_USER_FIELD),
    "CONTACT": (*_CHANGES, *_USER_FIELD),
    "QUOTE": (*_CHANGES, *_USER_FIELD),
    "REQUISITE": (*_CHANGES, *_USER_FIELD),
    "ADDRESS": ("REGISTER", "UNREGISTER"),
    "DYNAMICITEM": (*_CHANGES, *(f"{change}_{SMART_PROCESS}" for change in _CHANGES)),
    **dict.fromkeys(("CURRENCY", "PRODUCT", "PRODUCTPROPERTY", "PRODUCTSECTION", "ACTIVITY", "BANKDETAIL"), _CHANGES),
    **dict.fromkeys(("MEASURE", "TIMELINECOMMENT", "TYPE", "DOCUMENTGENERATORDOCUMENT"), _CHANGES),
}
_SALE_ENTITIES = ("PAYMENT", "ORDER", "SHIPMENT", "PROPERTYVALUE")

#: Sent when something waits in the offline queue; it cannot wait there itself.
QUEUE_NOT_EMPTY = "ONOFFLINEEVENT"

#: By scope; those under ``""`` are there for every application.
EVENTS: dict[str, tuple[str, ...]] = {
    "": (
        *("ONAPPUNINSTALL", "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPPAYMENT", "ONAPPTEST", "ONAPPMETHODCONFIRM"),
        QUEUE_NOT_EMPTY,
    ),
    "user": ("ONUSERADD",),
    "crm": tuple(f"ONCRM{kind}{change}" for kind, changes in _CRM_CHANGES.items() for change in changes),
    "sale": (
        *(f"ON{entity}{change}" for entity in _SALE_ENTITIES for change in ("ENTITYSAVED", "DELETED")),
        *("ONSALEORDERSAVED", "ONSALEBEFOREORDERDELETE"),
    ),
    "task": (*(f"ONTASK{change}" for change in _CHANGES), *(f"ONTASKCOMMENT{change}" for change in _CHANGES)),
}

PAYMENT_SAVED, PAYMENT_DELETED = "ONPAYMENTENTITYSAVED", "ONPAYMENTDELETED"
DEAL_MOVED_TO_CATEGORY = "ONCRMDEALMOVETOCATEGORY"

_OLD_KINDS = {LEAD: "LEAD", DEAL: "DEAL", CONTACT: "CONTACT", COMPANY: "COMPANY", QUOTE: "QUOTE"}


def of_item(entity_type_id: int, change: str) -> tuple[str, ...]:
    """Events of a CRM object that was changed (``ADD``, ``UPDATE``, ``DELETE``); a smart process has two."""
    if entity_type_id in _OLD_KINDS:
        return (f"ONCRM{_OLD_KINDS[entity_type_id]}{change}",)
    general = f"ONCRMDYNAMICITEM{change}"
    of_type = f"{general}_{entity_type_id}"
    return (general, of_type) if of_type in EVENTS["crm"] else (general,)
