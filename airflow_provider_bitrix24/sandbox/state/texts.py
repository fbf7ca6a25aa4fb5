"""
Descriptions of refusals that the server translates to the portal's language.

What is not here is English on every portal ("Payment has not been found"). Clients must go by the code: these
sentences only have to be real text in the right language.
"""

from __future__ import annotations

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "access_denied": "Access denied",
        "access_denied_item": "You do not have permission to view this item",
        "insufficient_permissions": "Insufficient permissions",
        "insufficient_permissions_old": "Insufficient permissions.",
        "payment_is_paid": "Payment is paid and cannot be deleted",
        "entity_unknown_type": "Unknown entity type: {type}.",
        "entity_without_payments": "Cannot create payment for this entity.",
        "entity_missing": "Entity ID #{id} does not exist.",
        "quantity_not_positive": "Product quantity must be greater than zero.",
        "product_missing": "Product was not found.",
        "product_stock": "Insufficient product stock.",
        "delivery_missing": "Shipment was not found",
        "item_not_found": "Item not found",
        "smart_process_not_found": "Smart process not found",
        "field_required": 'The "{field}" field is required',
        "field_invalid": 'Invalid value for field "{field}"',
    },
    "ru": {
        "access_denied": "Доступ запрещен",
        "access_denied_item": "У вас нет прав на просмотр этого элемента",
        "insufficient_permissions": "Недостаточно прав",
        "insufficient_permissions_old": "Недостаточно прав.",
        "payment_is_paid": "Оплата уже проведена, удалить её нельзя",
        "entity_unknown_type": "Неизвестный тип сущности: {type}.",
        "entity_without_payments": "Для этой сущности нельзя создать оплату.",
        "entity_missing": "Сущность с ID #{id} не существует.",
        "quantity_not_positive": "Количество товара должно быть больше нуля.",
        "product_missing": "Товар не найден.",
        "product_stock": "Недостаточно товара.",
        "delivery_missing": "Отгрузка не найдена",
        "item_not_found": "Элемент не найден",
        "smart_process_not_found": "Смарт-процесс не найден",
        "field_required": "Поле «{field}» обязательно для заполнения",
        "field_invalid": "Недопустимое значение поля «{field}»",
    },
}

LANGUAGES = tuple(_TEXTS)


def text(language: str, key: str, **values: object) -> str:
    return _TEXTS[language][key].format(**values)
