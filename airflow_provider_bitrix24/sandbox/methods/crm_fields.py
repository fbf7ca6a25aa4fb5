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
from airflow_provider_bitrix24.sandbox.store import COMPANY, CONTACT, DEAL, INVOICE, LEAD, QUOTE, SMART_PROCESS

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
movedTime        MOVED_TIME       MOVED_TIME       datetime -  r
movedBy          MOVED_BY         MOVED_BY_ID      user     1  r
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
