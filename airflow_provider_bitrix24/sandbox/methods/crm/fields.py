"""
Fields of CRM objects under their three names: ``crm.item`` (``createdTime``), its ``upperName`` (``CREATED_TIME``) and
the old methods' name (``DATE_CREATE``).

Source: ``crm.item.fields``, ``crm.deal.fields`` and the examples of the other kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from airflow_provider_bitrix24.sandbox.methods.selection import Field
from airflow_provider_bitrix24.sandbox.state.store import COMPANY, CONTACT, DEAL, INVOICE, LEAD, QUOTE, SMART_PROCESS

# name, upperName, old name (- for none), kind, default (- for null), flags: r read-only, m multiple
_COMMON = """
id               ID               ID               integer  -  r
createdTime      CREATED_TIME     DATE_CREATE      datetime -  r
updatedTime      UPDATED_TIME     DATE_MODIFY      datetime -  r
createdBy        CREATED_BY       CREATED_BY_ID    user     1  r
updatedBy        UPDATED_BY       MODIFY_BY_ID     user     1  r
assignedById     ASSIGNED_BY_ID   ASSIGNED_BY_ID   user     1
opened           OPENED           OPENED           boolean  Y
lastActivityBy   LAST_ACTIVITY_BY LAST_ACTIVITY_BY user     1  r
lastActivityTime LAST_ACTIVITY_TIME LAST_ACTIVITY_TIME datetime - r
sourceId         SOURCE_ID        SOURCE_ID        crm_status -
sourceDescription SOURCE_DESCRIPTION SOURCE_DESCRIPTION text -
comments         COMMENTS         COMMENTS         text     -
originatorId     ORIGINATOR_ID    ORIGINATOR_ID    string   -
originId         ORIGIN_ID        ORIGIN_ID        string   -
utmSource        UTM_SOURCE       UTM_SOURCE       string   -
utmMedium        UTM_MEDIUM       UTM_MEDIUM       string   -
utmCampaign      UTM_CAMPAIGN     UTM_CAMPAIGN     string   -
utmContent       UTM_CONTENT      UTM_CONTENT      string   -
utmTerm          UTM_TERM         UTM_TERM         string   -
webformId        WEBFORM_ID       -                integer  -
observers        OBSERVERS        -                user     -  m
"""

_MONEY = """
title            TITLE            TITLE            string   -
stageId          STAGE_ID         STAGE_ID         crm_status NEW
opportunity      OPPORTUNITY      OPPORTUNITY      double   0
currencyId       CURRENCY_ID      CURRENCY_ID      crm_currency USD
isManualOpportunity IS_MANUAL_OPPORTUNITY IS_MANUAL_OPPORTUNITY boolean Y
taxValue         TAX_VALUE        TAX_VALUE        double   0
companyId        COMPANY_ID       COMPANY_ID       crm_company 0
contactId        CONTACT_ID       CONTACT_ID       crm_contact 0
contactIds       CONTACT_IDS      -                crm_contact - m
begindate        BEGINDATE        BEGINDATE        date     -
closedate        CLOSEDATE        CLOSEDATE        date     -
movedTime        MOVED_TIME       MOVED_TIME       datetime -  r
movedBy          MOVED_BY         MOVED_BY_ID      user     1  r
categoryId       CATEGORY_ID      CATEGORY_ID      crm_category 0
"""

_PERSON = """
name             NAME             NAME             string   -
secondName       SECOND_NAME      SECOND_NAME      string   -
lastName         LAST_NAME        LAST_NAME        string   -
birthdate        BIRTHDATE        BIRTHDATE        date     -
post             POST             POST             string   -
companyId        COMPANY_ID       COMPANY_ID       crm_company 0
hasPhone         HAS_PHONE        HAS_PHONE        boolean  N  r
hasEmail         HAS_EMAIL        HAS_EMAIL        boolean  N  r
"""

_DEAL = """
typeId           TYPE_ID          TYPE_ID          crm_status SALE
stageSemanticId  STAGE_SEMANTIC_ID STAGE_SEMANTIC_ID string P  r
probability      PROBABILITY      PROBABILITY      integer  -
closed           CLOSED           CLOSED           boolean  N
isNew            IS_NEW           IS_NEW           boolean  N  r
isRecurring      IS_RECURRING     IS_RECURRING     boolean  N
isReturnCustomer IS_RETURN_CUSTOMER IS_RETURN_CUSTOMER boolean N
isRepeatedApproach IS_REPEATED_APPROACH IS_REPEATED_APPROACH boolean N
locationId       LOCATION_ID      LOCATION_ID      location -
leadId           LEAD_ID          LEAD_ID          crm_lead -  r
quoteId          QUOTE_ID         QUOTE_ID         crm_quote - r
additionalInfo   ADDITIONAL_INFO  ADDITIONAL_INFO  text     -
ufCrm_MY_FIELD   UF_CRM_MY_FIELD  UF_CRM_MY_FIELD  string   -
ufCrm_1700000001 UF_CRM_1700000001 UF_CRM_1700000001 uf_boolean N
ufCrm_1700000002 UF_CRM_1700000002 UF_CRM_1700000002 double -
ufCrm_1700000003 UF_CRM_1700000003 UF_CRM_1700000003 string - m
ufCrm_1700000004 UF_CRM_1700000004 UF_CRM_1700000004 enumeration -
ufCrm_1700000005 UF_CRM_1700000005 UF_CRM_1700000005 enumeration - m
ufCrm_1700000006 UF_CRM_1700000006 UF_CRM_1700000006 money -
ufCrm_1700000007 UF_CRM_1700000007 UF_CRM_1700000007 datetime -
"""

_EXTERNAL = """
xmlId            XML_ID           -                string   -
contacts         CONTACTS         -                crm_contact - m
previousStageId  PREVIOUS_STAGE_ID -               crm_status -  r
mycompanyId      MYCOMPANY_ID     -                crm_company -
"""

_LEAD = """
title            TITLE            TITLE            string   -
stageId          STAGE_ID         STATUS_ID        crm_status NEW
stageSemanticId  STAGE_SEMANTIC_ID STATUS_SEMANTIC_ID string P r
opportunity      OPPORTUNITY      OPPORTUNITY      double   0
currencyId       CURRENCY_ID      CURRENCY_ID      crm_currency USD
isManualOpportunity IS_MANUAL_OPPORTUNITY IS_MANUAL_OPPORTUNITY boolean Y
companyTitle     COMPANY_TITLE    COMPANY_TITLE    string   -
contactId        CONTACT_ID       CONTACT_ID       crm_contact 0
contactIds       CONTACT_IDS      -                crm_contact - m
movedTime        MOVED_TIME       MOVED_TIME       datetime -  r
movedBy          MOVED_BY         MOVED_BY_ID      user     1  r
honorific        HONORIFIC        HONORIFIC        crm_status -
statusDescription STATUS_DESCRIPTION STATUS_DESCRIPTION text -
isReturnCustomer IS_RETURN_CUSTOMER IS_RETURN_CUSTOMER boolean N r
hasImol          HAS_IMOL         HAS_IMOL         boolean  N  r
dateClosed       DATE_CLOSED      DATE_CLOSED      datetime -  r
address          ADDRESS          ADDRESS          string   -
"""

_COMPANY = """
title            TITLE            TITLE            string   -
typeId           TYPE_ID          COMPANY_TYPE     crm_status CUSTOMER
industry         INDUSTRY         INDUSTRY         crm_status OTHER
revenue          REVENUE          REVENUE          double   0
hasPhone         HAS_PHONE        HAS_PHONE        boolean  N  r
hasEmail         HAS_EMAIL        HAS_EMAIL        boolean  N  r
"""

_CONTACT = """
typeId           TYPE_ID          TYPE_ID          crm_status CLIENT
export           EXPORT           EXPORT           boolean  Y
"""

_TABLES: Mapping[int, tuple[str, ...]] = {
    LEAD: (_COMMON, _LEAD, _PERSON),
    DEAL: (_COMMON, _MONEY, _DEAL),
    CONTACT: (_COMMON, _PERSON, _CONTACT),
    COMPANY: (_COMMON, _COMPANY),
    # Old quote methods say STATUS_ID where all others say STAGE_ID.
    QUOTE: (_COMMON, _MONEY.replace("STAGE_ID         crm", "STATUS_ID        crm")),
    INVOICE: (_COMMON, _MONEY, _EXTERNAL),
    SMART_PROCESS: (_COMMON, _MONEY, _EXTERNAL),
}

#: Values of every user field of type enumeration, by id.
CHOICES: Mapping[int, str] = {45: "Red", 46: "Green", 47: "Blue"}

#: Kinds of objects that have phones and e-mails.
WITH_CONTACTS = (LEAD, CONTACT, COMPANY)
MULTI_FIELDS = ("PHONE", "EMAIL")


_ADDRESS_PARTS = ("2", "CITY", "POSTAL_CODE", "REGION", "PROVINCE", "COUNTRY", "COUNTRY_CODE", "LOC_ADDR_ID")

#: Further fields that only the old methods have.
UNLISTED_OLD: Mapping[int, Mapping[str, Any]] = {LEAD: {f"ADDRESS_{part}": None for part in _ADDRESS_PARTS}}

_ALWAYS_EMPTY = ("dateCreateShort", "dateModifyShort", "productId", "searchContent")
_EMPTY_IN_DEALS = (
    *("begindateShort", "closedateShort", "eventDate", "eventDateShort", "eventId", "eventDescription", "orderStage"),
    *("isWork", "isWon", "isLose", "receivedAmount", "lostAmount", "hasProducts"),
)

#: What one whole object of ``crm.item.*`` has beside its fields, as printed for ``crm.item.add`` and ``crm.item.get``.
UNLISTED: Mapping[int, Mapping[str, Any]] = {
    DEAL: dict.fromkeys((*_ALWAYS_EMPTY, *_EMPTY_IN_DEALS)),
    LEAD: dict.fromkeys((*_ALWAYS_EMPTY, "isConvert", "shortName", "login", "skype", "icq")),
}

#: Texts of leads that repeat the first phone and e-mail of a type.
FLAT_MULTI_FIELDS = {
    **{f"phone{place.title()}": ("PHONE", place) for place in ("MOBILE", "WORK", "MAILING")},
    **{f"email{place.title()}": ("EMAIL", place) for place in ("HOME", "WORK", "MAILING")},
    "phone": ("PHONE", ""),
    "email": ("EMAIL", ""),
    "imol": ("IM", "OPENLINE"),
}

#: Lists of statuses that fields of type ``crm_status`` take their values from, where they are not the stages.
_STATUS_TYPES = {"sourceId": "SOURCE", "honorific": "HONORIFIC", "industry": "INDUSTRY"}
_STAGES = {LEAD: "STATUS", DEAL: "DEAL_STAGE", QUOTE: "QUOTE_STATUS", INVOICE: "SMART_INVOICE_STAGE_1"}
_TYPES = {CONTACT: "CONTACT_TYPE", COMPANY: "COMPANY_TYPE"}
_PARENTS = {"crm_lead": LEAD, "crm_company": COMPANY, "crm_quote": QUOTE}


def details(entity_type_id: int, field: ItemField) -> dict[str, Any]:
    """What the ``fields`` methods say of some fields only."""
    if field.kind == "crm_status":
        if field.name in ("stageId", "previousStageId"):
            return {"statusType": _STAGES.get(entity_type_id, f"DYNAMIC_{entity_type_id}_STAGE_0")}
        if field.name == "typeId":
            return {"statusType": _TYPES.get(entity_type_id, "DEAL_TYPE")}
        return {"statusType": _STATUS_TYPES[field.name]}
    if field.name == "mycompanyId":
        return {"settings": {"isMyCompany": True, "parentEntityTypeId": COMPANY, "isEmbeddedEditorEnabled": True}}
    if field.kind in _PARENTS:
        return {"settings": {"parentEntityTypeId": _PARENTS[field.kind]}}
    return {"isDeprecated": True} if field.name == "contactId" else {}


#: Times that are those of the creation until something happens.
SINCE_CREATION = ("movedTime", "lastActivityTime")


@dataclass(frozen=True, slots=True)
class ItemField:
    name: str
    upper_name: str
    old_name: str | None
    kind: str
    default: Any
    read_only: bool
    multiple: bool

    @property
    def is_user_field(self) -> bool:
        return self.upper_name.startswith("UF_")

    @property
    def for_filter(self) -> Field:
        fallback = "createdTime" if self.name in SINCE_CREATION else None
        return Field(self.name, self.kind, self.default, fallback)


@cache
def fields_of(entity_type_id: int) -> tuple[ItemField, ...]:
    return tuple(_parsed(line) for table in _TABLES[entity_type_id] for line in table.strip().splitlines())


def _parsed(line: str) -> ItemField:
    name, upper_name, old_name, kind, default, *flags = line.split()
    value: Any = None if default == "-" else int(default) if default.isdigit() else default
    multiple = "m" in flags
    return ItemField(
        name,
        upper_name,
        None if old_name == "-" else old_name,
        kind,
        [] if multiple else value,
        "r" in flags,
        multiple,
    )


@cache
def by_item_name(entity_type_id: int, original_uf_names: bool = False) -> Mapping[str, ItemField]:
    """Fields under the names that ``crm.item.*`` uses; ``useOriginalUfNames`` keeps ``UF_CRM_…``."""
    return {
        field.upper_name if original_uf_names and field.is_user_field else field.name: field
        for field in fields_of(entity_type_id)
    }


@cache
def by_old_name(entity_type_id: int) -> Mapping[str, ItemField]:
    """Fields under the names that ``crm.deal.*`` and its sisters use."""
    return {field.old_name: field for field in fields_of(entity_type_id) if field.old_name is not None}
