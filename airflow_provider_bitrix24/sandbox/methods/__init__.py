"""Every method of the portal, one file a family; importing this package fills the registry."""

from airflow_provider_bitrix24.sandbox.methods import events, system, users
from airflow_provider_bitrix24.sandbox.methods.crm import (
    bindings,
    directories,
    duplicates,
    items,
    old,
    old_kinds,
    product_rows,
    timeline,
    todos,
    user_fields,
)
from airflow_provider_bitrix24.sandbox.methods.im import messages, notifications
from airflow_provider_bitrix24.sandbox.methods.registry import METHODS, METHODS_V3, Method, NoEffect, Page, Refusal
from airflow_provider_bitrix24.sandbox.methods.sale import (
    order_entities,
    pay_systems,
    payment_items,
    payments,
    sale_payments,
)
from airflow_provider_bitrix24.sandbox.methods.tasks import (
    check_lists,
    documentation_v3,
    tasks,
    tasks_v3,
    time_entries,
)

__all__ = [
    "METHODS",
    "METHODS_V3",
    "Method",
    "NoEffect",
    "Page",
    "Refusal",
    "bindings",
    "check_lists",
    "directories",
    "documentation_v3",
    "duplicates",
    "events",
    "items",
    "messages",
    "notifications",
    "old",
    "old_kinds",
    "order_entities",
    "pay_systems",
    "payment_items",
    "payments",
    "product_rows",
    "sale_payments",
    "system",
    "tasks",
    "tasks_v3",
    "time_entries",
    "timeline",
    "todos",
    "user_fields",
    "users",
]
