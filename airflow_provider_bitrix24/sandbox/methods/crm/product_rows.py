"""
Product rows of CRM objects, in the new and the old form: ``crm.item.productrow.*``, ``crm.deal.productrows.*`` and its
sisters. Source: the pages of the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec, fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import DEAL, LEAD, NAMES, QUOTE, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, integer, required
from airflow_provider_bitrix24.sandbox.methods.crm import changes, sums
from airflow_provider_bitrix24.sandbox.methods.crm.items import description, invalid_list
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied, existing_old
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.values import IgnoredValue, stored_value
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer, as_number
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User

#: ``ownerType`` on the wire -> kind of object.
OWNERS = {name.short: entity_type_id for entity_type_id, name in NAMES.items()}

_FIELDS: Mapping[str, FieldSpec] = {field.key: field for field in fields_of("product_row")}
_NEW = {name: field for name, field in _FIELDS.items() if field.new}
_OLD = {field.old: field for field in _FIELDS.values() if field.old}
_FOLLOWING = frozenset({"priceAccount", "priceExclusive", "priceNetto", "priceBrutto"})
_WRITABLE = {name: field for name, field in _NEW.items() if not field.read_only and not field.immutable} | {
    "xmlId": _FIELDS["xmlId"]
}

_NO_DISCOUNT_SUM = "Discount Sum (DISCOUNT_SUM) is required if Monetary Discount Type (DISCOUNT_TYPE_ID) is defined<br>"

#: A filter takes the names in both spellings (the PHP SDK's tests against live portals order by ``ID``).
_FILTER_FIELDS = {name: Field(field.key, field.kind) for field in _NEW.values() for name in (field.key, field.upper)}

_DEFAULTS: Row = {
    "productId": 0,
    "productName": "",
    "price": 0,
    "quantity": 1,
    "discountTypeId": sums.PER_CENT,
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
}


def new_row(store: Store, owner_type: str, owner_id: int, fields: Mapping[str, Any]) -> Row:
    """:raises Refusal: a value does not fit its field."""
    row: Row = {"ownerId": owner_id, "ownerType": owner_type, **_DEFAULTS, "owner": (OWNERS[owner_type], owner_id)}
    _write(store, row, fields, _WRITABLE)
    return row


def _write(store: Store, row: Row, fields: Mapping[str, Any], known: Mapping[str, FieldSpec]) -> None:
    for name, value in fields.items():
        field = known.get(name)
        if field is None or field.key not in _WRITABLE:
            continue
        try:
            stored = stored_value(field, value, store.files, strict=False)
        except (BadValue, IgnoredValue):
            raise invalid_list("value", name, value) from None
        row[field.key] = _DEFAULTS[field.key] if stored is None else stored
    product = store.products.get(row["productId"])
    if product is not None and not row["productName"]:
        row["productName"] = product["name"]
    sums.complete(row)


def add_rows(store: Store, rows: Iterable[Row], owner: tuple[int, int]) -> None:
    """Put rows of one owner into the table; its amount follows."""
    for row in rows:
        store.product_rows.add(row)
    store.with_product_rows.add(owner)
    _settle(store, owner)


def _settle(store: Store, owner: tuple[int, int]) -> None:
    item = store.items[owner[0]].get(owner[1])
    if item is not None:
        sums.settle(store, owner[0], item)


def _answer(row: Row) -> Row:
    return {name: row[name] for name in ("id", *(name for name in _NEW if name != "id"))}


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


def _existing(portal: PortalState, user: User, params: Params, right: str) -> Row:
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
    matcher = Matcher(_FILTER_FIELDS, refuse=invalid_list).read(filter_)
    order = read_order(params.get("order"), _FILTER_FIELDS, invalid_list)
    page = page_of(portal.store.product_rows, matcher, order, params.get("start"), old=False)
    return Page({"productRows": [_answer(row) for row in page.result]}, page.total, page.next)


@method("crm.item.productrow.get", scope="crm")
def get(portal: PortalState, user: User, params: Params) -> Any:
    return {"productRow": _answer(_existing(portal, user, params, "read"))}


@method("crm.item.productrow.add", scope="crm")
def add(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    owner = _owner(portal, user, required(fields, "ownerType"), required(fields, "ownerId"), "change")
    row = new_row(portal.store, *owner, fields)
    add_rows(portal.store, [row], row["owner"])
    return {"productRow": _answer(row)}


@method("crm.item.productrow.update", scope="crm")
def update(portal: PortalState, user: User, params: Params) -> Any:
    row = _existing(portal, user, params, "change")
    fields = array(params, "fields")
    for name in fields:
        if name not in _WRITABLE:
            raise Refusal("INVALID_ARG_VALUE", f"Field '{name}' is unknown or not available for update")
    _write(portal.store, row, fields, _WRITABLE)
    _settle(portal.store, row["owner"])
    return {"productRow": _answer(row)}


@method("crm.item.productrow.delete", scope="crm")
def delete(portal: PortalState, user: User, params: Params) -> Any:
    row = _existing(portal, user, params, "change")
    portal.store.product_rows.remove(row["id"])
    _settle(portal.store, row["owner"])


@method("crm.item.productrow.set", scope="crm")
def set_(portal: PortalState, user: User, params: Params) -> Any:
    owner = _owner(portal, user, required(params, "ownerType"), required(params, "ownerId"), "change")
    rows = [new_row(portal.store, *owner, as_map(fields)) for fields in array(params, "productRows").values()]
    _replace(portal.store, (OWNERS[owner[0]], owner[1]), rows)
    return {"productRows": [_answer(row) for row in rows]}


@method("crm.item.productrow.getAvailableForPayment", scope="crm")
def available_for_payment(portal: PortalState, user: User, params: Params) -> Any:
    owner = _owner(portal, user, required(params, "ownerType"), required(params, "ownerId"), "read")
    rows = [row for row in portal.store.product_rows if (row["ownerType"], row["ownerId"]) == owner]
    left = [(row, sums.plain(row["quantity"] - portal.store.quantity_in_payments(row["id"]))) for row in rows]
    return {"productRows": [{**_answer(row), "quantity": quantity} for row, quantity in left if quantity > 0]}


@method("crm.item.productrow.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    # Neither the amount in the portal's currency nor the external id stands on the page.
    described = {name: field for name, field in _NEW.items() if name not in ("priceAccount", "xmlId")}
    return {"fields": {name: description(field, "new") for name, field in described.items()}}


def _replace(store: Store, owner: tuple[int, int], rows: list[Row]) -> None:
    table = store.product_rows
    for row_id in [row["id"] for row in table if row["owner"] == owner]:
        table.remove(row_id)
    add_rows(store, rows, owner)


# The old form


def _old_get(entity_type_id: int) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        owner = _old_owner(portal, user, entity_type_id, params)
        return [_old_answer(portal, row) for row in portal.store.product_rows if row["owner"] == owner]

    return get


def _old_answer(portal: PortalState, row: Row) -> Row:
    product = portal.store.products.get(row["productId"])
    beside = {
        "ID": str(row["id"]),
        "OWNER_ID": str(row["ownerId"]),
        "ORIGINAL_PRODUCT_NAME": product["name"] if product else row["productName"],
        "PRODUCT_DESCRIPTION": product["detailText"] if product else None,
        "PRICE_ACCOUNT": f"{row['price']:.2f}",
    }
    return {name: beside[name] if name in beside else row.get(field.key) for name, field in _OLD.items()}


def _old_set(entity_type_id: int) -> Handler:
    def set_(portal: PortalState, user: User, params: Params) -> Any:
        owner = _old_owner(portal, user, entity_type_id, params)
        if not isinstance(params.get("ROWS"), (dict, list)):
            raise Refusal("", "The parameter rows must be array.")
        if not user.may("change"):
            raise denied()
        rows = []
        for entry in as_map(params["ROWS"]).values():
            named = as_map(entry)
            if as_integer(named.get("DISCOUNT_TYPE_ID")) == sums.MONEY and "DISCOUNT_SUM" not in named:
                raise Refusal("ERROR_CORE", _NO_DISCOUNT_SUM)
            row = new_row(portal.store, NAMES[entity_type_id].short, owner[1], {})
            _write(portal.store, row, named, _OLD)
            _check_computed(row, named)
            rows.append(row)
        _replace(portal.store, owner, rows)
        return True

    return set_


#: Prices that follow from the others.
_COMPUTED = ("PRICE_EXCLUSIVE", "PRICE_NETTO", "PRICE_BRUTTO")


def _check_computed(row: Row, named: Mapping[str, Any]) -> None:
    for name in _COMPUTED:
        own = row.get(_OLD[name].key)
        if named.get(name) is not None and as_number(named[name]) != own:
            problem = (
                f"The sandbox reckons {name} from PRICE, discount and tax: it is {own} here, and not what was sent"
            )
            raise not_modelled(problem)


def _old_owner(portal: PortalState, user: User, entity_type_id: int, params: Params) -> tuple[int, int]:
    if (as_integer(params.get("ID")) or 0) < 1:
        raise Refusal("", "The parameter id is invalid or not defined.")
    if entity_type_id == QUOTE and portal.store.items[QUOTE].get(as_integer(params["ID"]) or 0) is None:
        raise Refusal("", "Not found.")
    return entity_type_id, int(existing_old(portal, user, entity_type_id, params)["id"])


_OLD_METHODS: Mapping[str, Callable[[int], Handler]] = {"get": _old_get, "set": _old_set}
for _word, _entity_type_id in (("deal", DEAL), ("lead", LEAD), ("quote", QUOTE)):
    for _action, _make in _OLD_METHODS.items():
        method(f"crm.{_word}.productrows.{_action}", scope="crm", upper=True)(_make(_entity_type_id))
