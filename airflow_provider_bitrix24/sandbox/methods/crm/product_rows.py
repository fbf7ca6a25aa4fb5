"""Product rows of deals and invoices, in the new and the old form. Source: ``crm.item.productrow.*`` and
``crm.deal.productrows.*``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, as_integer, as_number, integer, required
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.crm.items import invalid_list
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied, found_old
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import BadValue, Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import DEAL, INVOICE, LEAD, QUOTE, SMART_PROCESS, Row
from airflow_provider_bitrix24.sandbox.state.users import User

#: ``ownerType`` on the wire -> kind of object.
OWNERS = {"L": LEAD, "D": DEAL, "Q": QUOTE, "SI": INVOICE, "T80": SMART_PROCESS}

_INTEGERS = ("id", "ownerId", "productId", "discountTypeId", "measureCode", "sort", "type", "storeId")
_DOUBLES = ("price", "quantity", "discountRate", "discountSum", "taxRate")
_TEXTS = ("ownerType", "productName", "taxIncluded", "customized", "measureName", "xmlId")
_FIELDS: Mapping[str, Field] = {
    **{name: Field(name, "integer") for name in _INTEGERS},
    **{name: Field(name, "double") for name in _DOUBLES},
    **{name: Field(name) for name in _TEXTS},
}
_WRITABLE = frozenset(_FIELDS) - {"id", "ownerId", "ownerType"}


def _number(value: Any) -> float | int:
    number = as_number(value)
    if number is None:
        raise BadValue
    return int(number) if number.is_integer() else number


def new_row(owner_type: str, owner_id: int, fields: Mapping[str, Any]) -> Row:
    row: Row = {
        "ownerId": owner_id,
        "ownerType": owner_type,
        "productId": 0,
        "productName": "",
        "price": 0,
        "quantity": 1,
        "discountTypeId": 2,
        "discountRate": 0,
        "discountSum": 0,
        "taxRate": None,
        "taxIncluded": "N",
        "customized": "Y",
        "measureCode": 796,
        "measureName": "pcs",
        "sort": 10,
        "xmlId": "",
        "type": 4,
        "storeId": None,
        "owner": (OWNERS[owner_type], owner_id),
    }
    _write(row, fields)
    return row


def _write(row: Row, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name not in _WRITABLE:
            continue
        try:
            row[name] = value if name in _TEXTS or value is None else _number(value)
        except BadValue:
            raise invalid_list("value", name, value) from None


def _shown(row: Row) -> Row:
    shown = {name: value for name, value in row.items() if name != "owner"}
    for name in ("priceAccount", "priceExclusive", "priceNetto", "priceBrutto"):
        shown[name] = row["price"]
    return shown


def _owner(portal: PortalState, user: User, owner_type: Any, owner_id: Any, right: str) -> tuple[str, int]:
    entity_type_id = OWNERS.get(str(owner_type))
    if entity_type_id is None:
        raise Refusal("ENTITY_TYPE_NOT_SUPPORTED", "Working with this type of objects is not supported")
    number = as_integer(owner_id) or 0
    owner = portal.store.items[entity_type_id].get(number)
    if owner is None:
        raise Refusal("OWNER_NOT_FOUND", "Owner was not found")
    if not user.may(right) or not changes.sees(user, owner):
        raise Refusal("ACCESS_DENIED", portal.text("access_denied"))
    return str(owner_type), number


def _found(portal: PortalState, user: User, params: Params, right: str) -> Row:
    row = portal.store.product_rows.get(integer(params, "id"))
    if row is None:
        raise Refusal("NOT_FOUND", portal.text("item_not_found"))
    _owner(portal, user, row["ownerType"], row["ownerId"], right)
    return row


@method("crm.item.productrow.list", scope="crm")
def list_(portal: PortalState, user: User, params: Params) -> Any:
    filter_ = array(params, "filter")
    bare = {name.lstrip("="): value for name, value in filter_.items()}
    owner_type, owner_id = required(bare, "ownerType"), required(bare, "ownerId")
    _owner(portal, user, owner_type, owner_id, "read")
    matcher = Matcher(_FIELDS, refuse=invalid_list).read(filter_)
    order = read_order(params.get("order"), _FIELDS, invalid_list)
    page = page_of(portal.store.product_rows, matcher, order, params.get("start"), old=False)
    return Page({"productRows": [_shown(row) for row in page.result]}, page.total, page.next)


@method("crm.item.productrow.get", scope="crm")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return {"productRow": _shown(_found(portal, user, params, "read"))}


@method("crm.item.productrow.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    owner = _owner(portal, user, required(fields, "ownerType"), required(fields, "ownerId"), "change")
    row = new_row(*owner, fields)
    portal.store.product_rows.add(row)
    return {"productRow": _shown(row)}


@method("crm.item.productrow.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    row = _found(portal, user, params, "change")
    fields = array(params, "fields")
    for name in fields:
        if name not in _WRITABLE:
            raise Refusal("INVALID_ARG_VALUE", f"Field '{name}' is unknown or not available for update")
    _write(row, fields)
    return {"productRow": _shown(row)}


@method("crm.item.productrow.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    portal.store.product_rows.remove(_found(portal, user, params, "change")["id"])


@method("crm.item.productrow.set", scope="crm")
def set_(portal: PortalState, user: User, params: Params) -> Any:
    owner = _owner(portal, user, required(params, "ownerType"), required(params, "ownerId"), "change")
    rows = [new_row(*owner, as_map(fields)) for fields in array(params, "productRows").values()]
    _replace(portal, owner, rows)
    return {"productRows": [_shown(row) for row in rows]}


@method("crm.item.productrow.getAvailableForPayment", scope="crm")
def available_for_payment(portal: PortalState, user: User, params: Params) -> Any:
    owner = _owner(portal, user, required(params, "ownerType"), required(params, "ownerId"), "read")
    rows = [row for row in portal.store.product_rows if (row["ownerType"], row["ownerId"]) == owner]
    left = [(row, _number(row["quantity"] - portal.store.quantity_in_payments(row["id"]))) for row in rows]
    return {"productRows": [{**_shown(row), "quantity": quantity} for row, quantity in left if quantity > 0]}


#: What ``fields`` says of the owner and of what follows from other fields.
_REQUIRED, _READ_ONLY = ("ownerId", "ownerType", "productId"), ("id", "type", "storeId")
_RECKONED = ("priceExclusive", "priceNetto", "priceBrutto")
_TITLES = {
    "id": "ID",
    "ownerId": "Owner ID",
    "ownerType": "Owner Type",
    "productId": "Product",
    "productName": "Product Name",
    "price": "Price",
    "priceExclusive": "Discounted price excluding tax",
    "priceNetto": "PRICE_NETTO",
    "priceBrutto": "PRICE_BRUTTO",
    "quantity": "Quantity",
    "discountTypeId": "Discount Type",
    "discountRate": "Discount Amount",
    "discountSum": "Discount Total",
    "taxRate": "Tax",
    "taxIncluded": "Tax included in price",
    "customized": "Modified",
    "sort": "Sorting",
    "measureCode": "Unit of Measure Code",
    "measureName": "Unit of Measure",
    "type": "TYPE",
    "storeId": "STORE_ID",
}


@method("crm.item.productrow.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    kinds = {name: field.kind for name, field in _FIELDS.items()}
    kinds |= {**dict.fromkeys(("taxIncluded", "customized"), "char"), **dict.fromkeys(_RECKONED, "double")}
    return {
        "fields": {
            name: {
                "type": kinds[name],
                "isRequired": name in _REQUIRED,
                "isReadOnly": name in _READ_ONLY or name in _RECKONED,
                "isImmutable": name in ("ownerId", "ownerType"),
                "isMultiple": False,
                "isDynamic": False,
                "title": title,
            }
            for name, title in _TITLES.items()
        }
    }


def _replace(portal: PortalState, owner: tuple[str, int], rows: list[Row]) -> None:
    table = portal.store.product_rows
    for row_id in [row["id"] for row in table if (row["ownerType"], row["ownerId"]) == owner]:
        table.remove(row_id)
    for row in rows:
        table.add(row)


_OLD_NAMES = {
    "PRODUCT_ID": "productId",
    "PRODUCT_NAME": "productName",
    "PRICE": "price",
    "QUANTITY": "quantity",
    "DISCOUNT_TYPE_ID": "discountTypeId",
    "DISCOUNT_RATE": "discountRate",
    "DISCOUNT_SUM": "discountSum",
    "TAX_RATE": "taxRate",
    "TAX_INCLUDED": "taxIncluded",
    "CUSTOMIZED": "customized",
    "MEASURE_CODE": "measureCode",
    "MEASURE_NAME": "measureName",
    "SORT": "sort",
}


@method("crm.deal.productrows.get", scope="crm", upper=True)
def old_get(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params)
    rows = [row for row in portal.store.product_rows if row["owner"] == (DEAL, deal["id"])]
    return [
        {
            "ID": str(row["id"]),
            "OWNER_ID": str(deal["id"]),
            "OWNER_TYPE": "D",
            **{old: row[new] for old, new in _OLD_NAMES.items()},
            "ORIGINAL_PRODUCT_NAME": row["productName"],
            "PRODUCT_DESCRIPTION": None,
            "PRICE_EXCLUSIVE": row["price"],
            "PRICE_NETTO": row["price"],
            "PRICE_BRUTTO": row["price"],
            "PRICE_ACCOUNT": f"{row['price']:.2f}",
            "XML_ID": row["xmlId"],
            "TYPE": row["type"],
            "STORE_ID": row["storeId"],
            "RESERVE_ID": None,
            "DATE_RESERVE_END": None,
            "RESERVE_QUANTITY": None,
        }
        for row in rows
    ]


@method("crm.deal.productrows.set", scope="crm", upper=True)
def old_set(portal: PortalState, user: User, params: Params) -> Any:
    deal = _deal(portal, user, params)
    if not isinstance(params.get("ROWS"), (dict, list)):
        raise Refusal("", "The parameter rows must be array.")
    if not user.may("change"):
        raise denied()
    rows = []
    for entry in as_map(params["ROWS"]).values():
        named = as_map(entry)
        if as_integer(named.get("DISCOUNT_TYPE_ID")) == 1 and "DISCOUNT_SUM" not in named:
            problem = "Discount Sum (DISCOUNT_SUM) is required if Monetary Discount Type (DISCOUNT_TYPE_ID) is defined"
            raise Refusal("ERROR_CORE", f"{problem}<br>")
        fields = {new: named[old] for old, new in _OLD_NAMES.items() if old in named}
        rows.append(new_row("D", deal["id"], fields))
    _replace(portal, ("D", deal["id"]), rows)
    return True


def _deal(portal: PortalState, user: User, params: Params) -> Row:
    if (as_integer(params.get("ID")) or 0) < 1:
        raise Refusal("", "The parameter id is invalid or not defined.")
    return found_old(portal, user, DEAL, params)
