"""Commands of batches over deals of the sandbox."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox

GET, ADD, UPDATE, DELETE = "crm.item.get", "crm.item.add", "crm.item.update", "crm.item.delete"
PAYMENT_DELETE = "crm.item.payment.delete"
DEAL = 2


def get(number: int) -> tuple[str, dict[str, Any]]:
    return GET, {"entityTypeId": DEAL, "id": number}


def add(title: str) -> tuple[str, dict[str, Any]]:
    return ADD, {"entityTypeId": DEAL, "fields": {"title": title}}


def update(number: int, title: str) -> tuple[str, dict[str, Any]]:
    return UPDATE, {"entityTypeId": DEAL, "id": number, "fields": {"title": title}}


def delete(number: int) -> tuple[str, dict[str, Any]]:
    return DELETE, {"entityTypeId": DEAL, "id": number}


def titles(portal: Sandbox) -> list[str]:
    return [str(deal["title"]) for deal in portal.items(DEAL)]
