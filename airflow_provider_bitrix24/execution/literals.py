"""Checks of arguments that may be templates, when the DAG is parsed: of values that surely are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    conditions,
    ids,
    names,
    parameters,
    positive_id,
    query,
    required,
    some_fields,
)
from airflow_provider_bitrix24.execution.storage import check_address
from airflow_provider_bitrix24.rest.message_parts import preview

#: Takes a value and the name of its argument, that of an id a hint too, and raises a ConfigurationError.
Check = Callable[..., Any]

_TEMPLATE = re.compile(r"\{[{%#]")


def is_literal(value: Any) -> bool:
    """Whether a value stays as it is: it is neither a template nor anything that stands for another task's result."""
    if isinstance(value, str):
        return _TEMPLATE.search(value) is None
    if isinstance(value, Mapping):
        return all(is_literal(key) and is_literal(member) for key, member in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_literal, value))
    return value is None or isinstance(value, (int, float, Decimal))


def is_json_text(text: str) -> bool:
    """Whether a text of rows is the rows themselves, and not an address; it may begin as a file does."""
    return text.strip(" \t\r\n\ufeff").startswith(("[", "{"))


def _method(value: Any, name: str) -> None:
    if not isinstance(required(value, name), str):
        raise ConfigurationError(
            f"{name} is {preview(value)}, which is not the name of a method", next_step="write e.g. crm.deal.list"
        )


def _method_params(value: Any, name: str) -> None:
    # Some methods take a list.
    if not isinstance(value, (list, tuple)) and not str(value).lstrip().startswith("["):
        parameters(value, name)


def _rows(value: Any, name: str) -> None:
    if isinstance(value, (int, float, Decimal)):
        raise ConfigurationError(f"{name} is not a list", next_step="give a list of objects, or the address of a file")
    if isinstance(value, str) and not is_json_text(value):
        check_address(value, name)


def _fields(value: Any, name: str) -> None:
    some_fields(value)


def _item_filter(value: Any, name: str) -> None:
    # Only an operator with a filter needs it.
    from airflow_provider_bitrix24.rest.conditions import check_conditions

    check_conditions(conditions(value, name), name, drops_empty_lists=True)


def _condition(value: Any, name: str) -> None:
    # Only a sensor needs it.
    from airflow_provider_bitrix24.triggers.condition import Condition

    Condition.of(value, name)


#: By the name of the argument, which means the same in every operator.
CHECKS: Mapping[str, Check] = {
    "bitrix24_conn_id": required,
    "condition": _condition,
    "destination": check_address,
    "fail_when": _condition,
    "fields": _fields,
    "item_filter": _item_filter,
    "key": names,
    "mapping": parameters,
    "method": _method,
    "method_params": _method_params,
    "payment_filter": conditions,
    "report": check_address,
    "rows": _rows,
    "select": names,
    "sql": query,
    "sql_conn_id": required,
    **dict.fromkeys(("entity_ids", "payment_ids"), ids),
    **dict.fromkeys(
        (
            "delivery_id",
            "entity_id",
            "item_id",
            "limit",
            "max_deletions",
            "pay_system_id",
            "payment_id",
            "quantity",
            "row_id",
        ),
        positive_id,
    ),
}
