"""
What a new portal's directories hold: stages, sources, types … by the ``ENTITY_ID`` of ``crm.status.list``.

Source: ``crm.status.list``, ``crm.status.entity.types`` and the values listed on the pages of ``crm.lead.add`` and its
sisters; names of employees and industries as new portals have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    DEAL,
    INVOICE,
    INVOICE_CATEGORY,
    LEAD,
    QUOTE,
    SMART_PROCESS,
    SMART_PROCESS_CATEGORY,
    Row,
)

#: Funnels of deals beside the general one, which is 0.
DEAL_CATEGORY = 9

_DEAL_STAGES = {
    "NEW": "New",
    "PREPARATION": "Document preparation",
    "PREPAYMENT_INVOICE": "Prepayment invoice",
    "EXECUTING": "In progress",
    "FINAL_INVOICE": "Final invoice",
    "WON": "Deal successful",
    "LOSE": "Deal failed",
    "APOLOGY": "Failure reason analysis",
}
_SMART_STAGES = {
    "NEW": "Start",
    "PREPARATION": "Preparation",
    "CLIENT": "With the client",
    "SUCCESS": "Success",
    "FAIL": "Failure",
}
_INVOICE_STAGES = {"N": "New", "S": "Sent to client", "P": "Paid", "D": "Unpaid"}

#: Directory -> its codes with their names, in order.
_CODES: Mapping[str, Mapping[str, str]] = {
    "STATUS": {
        "NEW": "Unprocessed",
        "IN_PROCESS": "In process",
        "PROCESSED": "Processed",
        "CONVERTED": "High-quality lead",
        "JUNK": "Low-quality lead",
    },
    "SOURCE": {
        "CALL": "Call",
        "EMAIL": "E-mail",
        "WEB": "Website",
        "ADVERTISING": "Advertising",
        "PARTNER": "Existing client",
        "RECOMMENDATION": "By recommendation",
        "TRADE_SHOW": "Trade show",
        "WEBFORM": "CRM form",
        "CALLBACK": "Callback",
        "RC_GENERATOR": "Sales generator",
        "STORE": "Online store",
        "OTHER": "Other",
    },
    "CONTACT_TYPE": {"CLIENT": "Clients", "SUPPLIER": "Suppliers", "PARTNER": "Partners", "OTHER": "Other"},
    "COMPANY_TYPE": {
        "CUSTOMER": "Client",
        "SUPPLIER": "Supplier",
        "COMPETITOR": "Competitor",
        "PARTNER": "Partner",
        "OTHER": "Other",
    },
    "EMPLOYEES": {
        "EMPLOYEES_1": "less than 50",
        "EMPLOYEES_2": "50-250",
        "EMPLOYEES_3": "250-500",
        "EMPLOYEES_4": "over 500",
    },
    "INDUSTRY": {
        "IT": "Information technology",
        "TELECOM": "Telecommunication",
        "MANUFACTURING": "Manufacturing",
        "BANKING": "Banking",
        "CONSULTING": "Consulting",
        "FINANCE": "Finance",
        "GOVERNMENT": "Government",
        "DELIVERY": "Delivery",
        "ENTERTAINMENT": "Entertainment",
        "NOTPROFIT": "Non-profit",
        "OTHER": "Other",
    },
    "DEAL_TYPE": {
        "SALE": "Sale",
        "COMPLEX": "Complex sale",
        "GOODS": "Sale of goods",
        "SERVICES": "Services",
        "SERVICE": "Service",
    },
    "DEAL_STAGE": _DEAL_STAGES,
    f"DEAL_STAGE_{DEAL_CATEGORY}": {f"C{DEAL_CATEGORY}:{code}": name for code, name in _DEAL_STAGES.items()},
    "QUOTE_STATUS": {
        "DRAFT": "New",
        "SENT": "Sent to client",
        "UNANSWERED": "Unanswered",
        "APPROVED": "Accepted",
        "DECLAINED": "Declined",
    },
    "HONORIFIC": {"HNR_EN_1": "Mr.", "HNR_EN_2": "Mrs.", "HNR_EN_3": "Ms.", "HNR_EN_4": "Dr."},
    "CALL_LIST": {
        "IN_WORK": "In progress",
        "SUCCESS": "Successful",
        "WRONG_NUMBER": "Wrong number",
        "STOP": "Do not call",
    },
    f"SMART_INVOICE_STAGE_{INVOICE_CATEGORY}": {
        f"DT{INVOICE}_{INVOICE_CATEGORY}:{code}": name for code, name in _INVOICE_STAGES.items()
    },
    f"DYNAMIC_{SMART_PROCESS}_STAGE_{SMART_PROCESS_CATEGORY}": {
        f"DT{SMART_PROCESS}_{SMART_PROCESS_CATEGORY}:{code}": name for code, name in _SMART_STAGES.items()
    },
}

#: Final stages by the code without its funnel; every other one is in process (``P``).
_FINAL = {
    **dict.fromkeys(("WON", "CONVERTED", "APPROVED", "SUCCESS"), "S"),
    **dict.fromkeys(("LOSE", "APOLOGY", "JUNK", "DECLAINED", "FAIL"), "F"),
}
_FINAL_INVOICE = {"P": "S", "D": "F"}

#: First codes, which an object has while none was written.
FIRST_CODES: Mapping[str, str] = {name: next(iter(codes)) for name, codes in _CODES.items()}

#: Words of ``EXTRA`` for the letters of ``SEMANTICS``.
MEANINGS = {"P": "process", "S": "success", "F": "failure"}
_COLOR = "#39A8EF"


def _prefix(entity_type_id: int, category_id: int) -> str:
    """What stands before the codes of a funnel's stages; nothing in the general funnel, and where there are none."""
    if entity_type_id == DEAL:
        return f"C{category_id}" if category_id else ""
    return f"DT{entity_type_id}_{category_id}" if entity_type_id in (INVOICE, SMART_PROCESS) else ""


@dataclass(frozen=True)
class Directory:
    """
    What ``crm.status.entity.types`` says of one directory.

    :param kind: of the objects whose stages it has, in the funnel ``category_id``; ``None`` for any other directory.
    :param prefix: what stands before its codes.
    """

    name: str
    kind: int | None = None
    category_id: int = 0
    prefix: str = ""


def stages_of(entity_type_id: int, category_id: int) -> str:
    """``ENTITY_ID`` of the stages of a funnel."""
    if entity_type_id == DEAL:
        return f"DEAL_STAGE_{category_id}" if category_id else "DEAL_STAGE"
    names = {LEAD: "STATUS", QUOTE: "QUOTE_STATUS", INVOICE: f"SMART_INVOICE_STAGE_{category_id}"}
    return names.get(entity_type_id, f"DYNAMIC_{entity_type_id}_STAGE_{category_id}")


def _stages(name: str, entity_type_id: int, category_id: int) -> tuple[str, Directory]:
    directory = Directory(name, entity_type_id, category_id, _prefix(entity_type_id, category_id))
    return stages_of(entity_type_id, category_id), directory


#: Directories of a new portal by their ``ENTITY_ID``.
DIRECTORIES: Mapping[str, Directory] = dict(
    (
        _stages("Lead stages", LEAD, 0),
        ("SOURCE", Directory("Sources")),
        ("CONTACT_TYPE", Directory("Contact type")),
        ("COMPANY_TYPE", Directory("Company type")),
        ("EMPLOYEES", Directory("Number of employees")),
        ("INDUSTRY", Directory("Industry")),
        ("DEAL_TYPE", Directory("Deal type")),
        _stages("General deal stages", DEAL, 0),
        _stages("Wholesale deal stages", DEAL, DEAL_CATEGORY),
        _stages("Quote stages", QUOTE, 0),
        ("HONORIFIC", Directory("Inquiries")),
        ("CALL_LIST", Directory("Call statuses")),
        _stages("Invoice stages", INVOICE, INVOICE_CATEGORY),
        _stages("Delivery (General)", SMART_PROCESS, SMART_PROCESS_CATEGORY),
    )
)


def semantics_of(code: str) -> str:
    """``S``, ``F`` or ``P`` of the code of a stage that a new portal has."""
    funnel, _, stage = code.rpartition(":")
    if funnel.startswith(f"DT{INVOICE}_"):
        return _FINAL_INVOICE.get(stage, "P")
    return _FINAL.get(stage, "P")


def statuses() -> Iterator[Row]:
    """Rows of ``crm.status.list`` as they are kept, without ids."""
    for entity_id, codes in _CODES.items():
        for position, (code, name) in enumerate(codes.items()):
            stage = code.rpartition(":")[2]
            is_end = DIRECTORIES[entity_id].kind is not None and semantics_of(code) != "P" and stage != "APOLOGY"
            yield status_row(
                DIRECTORIES[entity_id],
                entity_id,
                code,
                name,
                sort=10 * (1 + position),
                is_system=position == 0 or is_end,
            )


def status_row(
    directory: Directory, entity_id: str, code: str, name: str, *, sort: int, is_system: bool = False
) -> Row:
    is_stage = directory.kind is not None
    semantics = semantics_of(code) if is_stage else "P"
    return {
        "ENTITY_ID": entity_id,
        "STATUS_ID": code,
        "NAME": name,
        "NAME_INIT": name if is_system else "",
        "SORT": sort,
        "SYSTEM": "Y" if is_system else "N",
        "CATEGORY_ID": directory.category_id or None,
        "COLOR": _COLOR if is_stage else "",
        "SEMANTICS": None if semantics == "P" else semantics,
    }


def own_stages(entity_type_id: int, category_id: int, name: str) -> tuple[str, Directory, list[Row]]:
    """The directory of a new funnel, and its stages: those of the first funnel of its kind, under codes of its own."""
    entity_id, directory = _stages(f"{name} stages", entity_type_id, category_id)
    first = next(entity for entity, other in DIRECTORIES.items() if other.kind == entity_type_id)
    return entity_id, directory, [
        {
            **row,
            "ENTITY_ID": entity_id,
            "STATUS_ID": f"{directory.prefix}:{row['STATUS_ID'].rpartition(':')[2]}",
            "CATEGORY_ID": category_id,
        }
        for row in statuses()
        if row["ENTITY_ID"] == first
    ]  # fmt: skip


def funnels() -> Iterator[Row]:
    """Rows of ``crm.category.list`` as they are kept."""
    names = {DEAL: {0: "General", DEAL_CATEGORY: "Wholesale"}, QUOTE: {0: "General"}}
    names |= {INVOICE: {INVOICE_CATEGORY: "General"}, SMART_PROCESS: {SMART_PROCESS_CATEGORY: "General"}}
    for kind, own in names.items():
        for position, (number, name) in enumerate(own.items()):
            yield {
                "id": number,
                "name": name,
                "sort": 100 * (1 + position),
                "entityTypeId": kind,
                "isDefault": "N" if position else "Y",
                "originId": "",
                "originatorId": "",
            }


#: Code -> its name, how sums are written, and its rate to the base currency, which is the first.
_CURRENCIES = {
    "USD": ("US Dollar", "$#", 1.0),
    "EUR": ("Euro", "€#", 1.08),
    "GBP": ("British Pound", "£#", 1.27),
}


def currencies() -> Iterator[Row]:
    """Rows of ``crm.currency.list`` as they are kept, without ids."""
    for position, (code, (name, template, rate)) in enumerate(_CURRENCIES.items()):
        own = {"FULL_NAME": name, "FORMAT_STRING": template, "DEC_POINT": ".", "DECIMALS": 2}
        yield {
            "CURRENCY": code,
            "AMOUNT_CNT": 1,
            "AMOUNT": rate,
            "SORT": 100 * (1 + position),
            "BASE": "N" if position else "Y",
            "LID": "en",
            "DATE_UPDATE": "2025-06-01T12:00:00+03:00",
            "LANG": {
                language: {**own, "THOUSANDS_SEP": None, "THOUSANDS_VARIANT": variant, "HIDE_ZERO": "Y"}
                for language, variant in (("en", "C"), ("de", "B"))
            },
        }
