"""
Values of a filter by the type of their field: an old list reads what is none as 0, or drops the condition.

Source: the server source behind ``crm.deal.list`` and its sisters; "value conventions"; page "user.get".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.conditions import OPERATORS
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import native

_WHOLE = frozenset(
    {"integer", "int", "user", "employee", "iblock_element", "iblock_section"}
    | {"crm_category", "crm_company", "crm_contact", "crm_deal", "crm_lead", "crm_quote"}
)
_NUMBERS = _WHOLE | {"double"}
_MOMENTS = frozenset({"date", "datetime"})
_FLAGS = frozenset({"char", "boolean"})

#: Methods that describe fields whose names are read in any case ("user.get" has both in its examples).
ANY_CASE = frozenset({"user.fields"})
#: Types of fields whose description has none ("user.get").
_NOT_DESCRIBED = {
    "user.fields": {
        **dict.fromkeys(("ID", "UF_DEPARTMENT"), "integer"),
        **dict.fromkeys(("TIMESTAMP_X", "DATE_REGISTER", "LAST_LOGIN", "LAST_ACTIVITY_DATE"), "local date"),
        **dict.fromkeys(("PERSONAL_BIRTHDAY", "UF_EMPLOYMENT_DATE"), "local date"),
        "ACTIVE": "true or false",
        "IS_ONLINE": "Y or N",
    }
}

#: The same of payments, by their lists ("crm.item.payment.list", "sale.payment.list").
_OF_PAYMENTS = {
    **dict.fromkeys(("id", "companyId", "empPaidId", "orderId", "paySystemId", "responsibleId"), "integer"),
    "sum": "double",
    **dict.fromkeys(("dateBill", "dateMarked", "datePaid", "datePayBefore", "payReturnDate"), "local date"),
    **dict.fromkeys(("externalPayment", "marked", "paid"), "Y or N in any case"),
}
_TYPES: dict[str, dict[str, str]] = {
    **_NOT_DESCRIBED,
    **dict.fromkeys(("crm.item.payment.list", "sale.payment.list"), _OF_PAYMENTS),
}

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
#: Of it a portal may read the first digits alone; 17.0 is a whole number.
_FRACTION_OR_EXPONENT = re.compile(r"(?!.*\.0*\s*$).*[.eE].*", re.DOTALL)
#: A day as a portal may write it, in whatever order, and a time behind it.
_LOCAL_DAY = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}(\s.*)?", re.ASCII)
#: Types, and what to write for one: what it is called, and an example.
_FORMS = {
    **dict.fromkeys(_WHOLE, ("a whole number", "write digits alone, e.g. 17; several as a list")),
    "double": ("a number", "write it with digits and a point, e.g. 12.5; several as a list"),
    **dict.fromkeys(_MOMENTS, ("a date", "write e.g. 2026-01-31 or 2026-01-31T10:00:00+03:00")),
    **dict.fromkeys(_FLAGS, ("a flag", "write Y or N")),
    "local date": ("a date", "write e.g. 2026-01-31T10:00:00+03:00"),
    "true or false": ("a flag", "write True or False"),
    **dict.fromkeys(("Y or N", "Y or N in any case"), ("a flag", "write Y or N")),
}


def check_values(method: Method, filter_: Any, description: Mapping[str, Any]) -> None:
    """
    :param method: a list.
    :param filter_: of its parameters.
    :param description: the fields by their names, as ``crm.deal.fields`` describes them.
    :raises ConfigurationError: a condition has a value that is none of its field's type.
    """
    fields_method = method.rows.fields_method if method.rows is not None else None
    types = _TYPES.get(str(fields_method or method.name.lower()), {})
    for name, operator, value in _conditions(filter_):
        spelled = name.upper() if fields_method in ANY_CASE else name
        field = description.get(spelled)
        # Text is searched for in every field.
        if "%" in operator or "?" in operator:
            continue
        type_ = str(field.get("type")) if isinstance(field, Mapping) else types.get(spelled, "")
        members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
        for member in members:
            if not (_is_of_type(type_, member) or has_reference(member)):
                what, form = _FORMS[type_]
                raise ConfigurationError(
                    f"{operator + name!r} in the filter is {preview(member)}, which is not {what}: the portal would "
                    "read it as 0 or drop it",
                    method=method.name,
                    next_step=form,
                )


def _conditions(filter_: Any) -> Iterator[tuple[str, str, Any]]:
    """Field, operator and value of each condition; groups are named as they are."""
    for name, value in filter_.items() if isinstance(filter_, Mapping) else ():
        field = OPERATORS.sub("", str(name), count=1)
        yield field, str(name).removesuffix(field), native(value)


def _is_of_type(type_: str, value: Any) -> bool:
    text = value.strip() if isinstance(value, str) else None
    if type_ not in _FORMS or text == "":
        return True
    if type_ in _WHOLE and _FRACTION_OR_EXPONENT.fullmatch(str(value)):
        return False
    if type_ in _NUMBERS:
        if text is None:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return _NUMBER.fullmatch(text) is not None
    if type_ in _MOMENTS:
        return text is not None and parse(text) is not None
    if type_ == "local date":
        day = _LOCAL_DAY.fullmatch(text or "")
        numbers = sorted(map(int, day.groups()[:2])) if day else [0, 0]
        return text is not None and (parse(text) is not None or (1 <= numbers[0] <= 12 and numbers[1] <= 31))
    if type_ == "true or false":
        return value in (True, False, "Y", "N", "true", "false", "1", "0")
    if type_ in ("Y or N", "Y or N in any case"):
        return (text.upper() if type_ != "Y or N" and text else text) in ("Y", "N")
    # Some flags have a third letter.
    return isinstance(value, (bool, int)) or (text is not None and len(text) == 1)
