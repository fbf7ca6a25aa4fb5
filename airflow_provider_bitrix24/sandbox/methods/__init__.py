"""Every method of the portal, one file per family; importing this package fills the registry."""

from airflow_provider_bitrix24.sandbox.methods import (
    crm_items,
    crm_old,
    directories,
    events,
    messages,
    notifications,
    payment_items,
    payments,
    product_rows,
    sale,
    system,
    tasks,
    tasks_v3,
    timeline,
    users,
)
from airflow_provider_bitrix24.sandbox.methods.registry import METHODS, METHODS_V3, Method, Page, Refusal, Unchanged

__all__ = [
    "METHODS",
    "METHODS_V3",
    "Method",
    "Page",
    "Refusal",
    "Unchanged",
    "crm_items",
    "crm_old",
    "directories",
    "events",
    "messages",
    "notifications",
    "payment_items",
    "payments",
    "product_rows",
    "sale",
    "system",
    "tasks",
    "tasks_v3",
    "timeline",
    "users",
]
