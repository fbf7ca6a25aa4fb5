"""
What a new portal's directories hold: stages, sources, types … by the ``ENTITY_ID`` of ``crm.status.list``.

Source: ``crm.status.list``, ``crm.status.entity.types`` and the values listed on the pages of ``crm.lead.add`` and its
sisters; names of employees and industries as new portals have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
_DIRECTORIES: Mapping[str, Mapping[str, str]] = {
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
FIRST_CODES: Mapping[str, str] = {name: next(iter(codes)) for name, codes in _DIRECTORIES.items()}

#: Words of ``EXTRA`` for the letters of ``SEMANTICS``.
MEANINGS = {"P": "process", "S": "success", "F": "failure"}
_COLOR = "#39A8EF"

#: What the directories are called; the stages follow from their kind.
NAMES = {
    "STATUS": "Lead stages",
    "SOURCE": "Sources",
    "CONTACT_TYPE": "Contact type",
    "COMPANY_TYPE": "Company type",
    "EMPLOYEES": "Number of employees",
    "INDUSTRY": "Industry",
    "DEAL_TYPE": "Deal type",
    "DEAL_STAGE": "General deal stages",
    f"DEAL_STAGE_{DEAL_CATEGORY}": "Wholesale deal stages",
    "QUOTE_STATUS": "Quote stages",
    "HONORIFIC": "Inquiries",
    "CALL_LIST": "Call statuses",
    f"SMART_INVOICE_STAGE_{INVOICE_CATEGORY}": "Invoice stages",
    f"DYNAMIC_{SMART_PROCESS}_STAGE_{SMART_PROCESS_CATEGORY}": "Delivery (General)",
}

#: Directory of stages -> its kind of objects, its funnel, and what stands before its codes.
STAGE_DIRECTORIES: Mapping[str, tuple[int, int, str]] = {
    "STATUS": (LEAD, 0, ""),
    "DEAL_STAGE": (DEAL, 0, ""),
    f"DEAL_STAGE_{DEAL_CATEGORY}": (DEAL, DEAL_CATEGORY, f"C{DEAL_CATEGORY}"),
    "QUOTE_STATUS": (QUOTE, 0, ""),
    f"SMART_INVOICE_STAGE_{INVOICE_CATEGORY}": (INVOICE, INVOICE_CATEGORY, f"DT{INVOICE}_{INVOICE_CATEGORY}"),
    f"DYNAMIC_{SMART_PROCESS}_STAGE_{SMART_PROCESS_CATEGORY}": (
        SMART_PROCESS, SMART_PROCESS_CATEGORY, f"DT{SMART_PROCESS}_{SMART_PROCESS_CATEGORY}",
    ),
}  # fmt: skip


def semantics_of(code: str) -> str:
    """``S``, ``F`` or ``P`` of a stage's code."""
    funnel, _, stage = code.rpartition(":")
    if funnel.startswith(f"DT{INVOICE}_"):
        return _FINAL_INVOICE.get(stage, "P")
    return _FINAL.get(stage, "P")


def statuses() -> Iterator[Row]:
    """Rows of ``crm.status.list`` as they are kept, without ids."""
    for entity_id, codes in _DIRECTORIES.items():
        for position, (code, name) in enumerate(codes.items()):
            stage = code.rpartition(":")[2]
            is_end = entity_id in STAGE_DIRECTORIES and semantics_of(code) != "P" and stage != "APOLOGY"
            yield status_row(entity_id, code, name, sort=10 * (1 + position), is_system=position == 0 or is_end)


def status_row(entity_id: str, code: str, name: str, *, sort: int, is_system: bool = False, **extra: Any) -> Row:
    is_stage = entity_id in STAGE_DIRECTORIES
    semantics = semantics_of(code) if is_stage else "P"
    category_id = STAGE_DIRECTORIES[entity_id][1] if is_stage else 0
    return {
        "ENTITY_ID": entity_id,
        "STATUS_ID": code,
        "NAME": name,
        "NAME_INIT": name if is_system else "",
        "SORT": sort,
        "SYSTEM": "Y" if is_system else "N",
        "CATEGORY_ID": category_id or None,
        "COLOR": _COLOR if is_stage else "",
        "SEMANTICS": None if semantics == "P" else semantics,
        **extra,
    }


def first_stage(entity_type_id: int, category_id: int) -> str:
    """Where a new object begins; in a funnel of the portal's own, as in the general one."""
    for entity_id, (kind, category, _) in STAGE_DIRECTORIES.items():
        if (kind, category) == (entity_type_id, category_id):
            return FIRST_CODES[entity_id]
    prefix = _prefix(entity_type_id, category_id)
    first = next(FIRST_CODES[name] for name, (kind, _, _) in STAGE_DIRECTORIES.items() if kind == entity_type_id)
    return f"{prefix}:{first.rpartition(':')[2]}" if prefix else first


def _prefix(entity_type_id: int, category_id: int) -> str:
    """What stands before the codes of a funnel's stages; nothing in the general funnel, and where there are none."""
    if entity_type_id == DEAL:
        return f"C{category_id}" if category_id else ""
    return f"DT{entity_type_id}_{category_id}" if entity_type_id in (INVOICE, SMART_PROCESS) else ""


def own_stages(entity_type_id: int, category_id: int) -> Iterator[Row]:
    """The stages of a new funnel: those of the first funnel of its kind, under codes of its own."""
    name = next(name for name, (kind, _, _) in STAGE_DIRECTORIES.items() if kind == entity_type_id)
    base = name.rpartition("_")[0] if name[-1].isdigit() else name
    for row in statuses():
        if row["ENTITY_ID"] == name:
            code = f"{_prefix(entity_type_id, category_id)}:{row['STATUS_ID'].rpartition(':')[2]}"
            yield {**row, "ENTITY_ID": f"{base}_{category_id}", "STATUS_ID": code, "CATEGORY_ID": category_id}


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
