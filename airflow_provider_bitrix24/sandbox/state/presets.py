"""
Templates of requisites: which fields a requisite of a country shows.

Source: pages of ``crm.requisite.preset.*``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row

#: ``ID`` of a country -> its code and title. The page calls the first one "United States", as it does the ninth.
COUNTRIES: Mapping[int, tuple[str, str]] = {
    1: ("RU", "Russia"),
    4: ("BY", "Belarus"),
    6: ("KZ", "Kazakhstan"),
    14: ("UA", "Ukraine"),
    34: ("BR", "Brazil"),
    46: ("DE", "Germany"),
    77: ("CO", "Colombia"),
    110: ("PL", "Poland"),
    122: ("US", "United States"),
    132: ("FR", "France"),
}
#: The country of the first templates: the only one of which the pages say what fields its templates may have.
COUNTRY = 1

FIELD_NAMES = tuple(
    f"RQ_{name}"
    for name in (
        *("NAME", "FIRST_NAME", "LAST_NAME", "SECOND_NAME", "COMPANY_NAME", "COMPANY_FULL_NAME", "COMPANY_REG_DATE"),
        *("DIRECTOR", "ACCOUNTANT", "ADDR", "CONTACT", "EMAIL", "PHONE", "FAX", "IDENT_DOC", "IDENT_DOC_SER"),
        *("IDENT_DOC_NUM", "IDENT_DOC_DATE", "IDENT_DOC_ISSUED_BY", "IDENT_DOC_DEP_CODE", "INN", "KPP", "IFNS"),
        *("OGRN", "OGRNIP", "OKPO", "OKTMO", "OKVED", "ST_CERT_SER", "ST_CERT_NUM", "ST_CERT_DATE", "SIGNATURE"),
        "STAMP",
    )
)
_OF_ORGANIZATIONS = (
    *("INN", "COMPANY_NAME", "COMPANY_FULL_NAME", "OGRN", "KPP", "COMPANY_REG_DATE", "OKPO", "OKTMO", "DIRECTOR"),
    *("ACCOUNTANT", "ADDR", "SIGNATURE", "STAMP"),
)
_OF_PEOPLE = ("NAME", "FIRST_NAME", "LAST_NAME", "SECOND_NAME", "INN", "ADDR", "SIGNATURE")

_FIRST: Mapping[str, tuple[str, ...]] = {
    "Organization": _OF_ORGANIZATIONS,
    "Sole Proprietorship": (*_OF_PEOPLE, "OGRNIP", "STAMP"),
    "Individual": _OF_PEOPLE,
    "Organization (additional)": _OF_ORGANIZATIONS,
}


def first_presets() -> Iterator[Row]:
    for number, (name, fields) in enumerate(_FIRST.items()):
        shown = [
            {
                "ID": place,
                "FIELD_NAME": f"RQ_{field}",
                "FIELD_TITLE": "",
                "IN_SHORT_LIST": "N",
                "SORT": 500 + 10 * place,
            }
            for place, field in enumerate(fields, start=1)
        ]
        yield {
            "ENTITY_TYPE_ID": REQUISITE,
            "COUNTRY_ID": COUNTRY,
            "NAME": name,
            "DATE_CREATE": "2025-06-01T12:00:00+03:00",
            "CREATED_BY_ID": 1,
            "SORT": 500 + 10 * number,
            "XML_ID": f"#CRM_REQUISITE_PRESET_DEF_{number + 1}#",
            "fields": shown,
            "lastFieldId": len(shown),
        }
