from __future__ import annotations

import pytest


def rows_of(ask, portal, owner_id=1, **filter_):
    params = {"filter": {"=ownerType": "D", "=ownerId": owner_id, **filter_}, "order": {"price": "desc"}}
    return ask(portal, "crm.item.productrow.list", params).json()


def test_rows_are_set_listed_changed_and_deleted(portal, ask):
    rows = [{"productName": "Door", "price": "100.5", "quantity": 2}, {"productName": "Lock", "price": 7}]
    params = {"ownerType": "D", "ownerId": 1, "productRows": rows}
    for _ in range(2):
        assert len(ask(portal, "crm.item.productrow.set", params).json()["result"]["productRows"]) == 2
    listed = rows_of(ask, portal)
    assert [(row["price"], row["quantity"]) for row in listed["result"]["productRows"]] == [(100.5, 2), (7, 1)]
    assert listed["total"] == 2
    assert len(rows_of(ask, portal, **{">price": 50})["result"]["productRows"]) == 1
    first = listed["result"]["productRows"][0]["id"]
    update = {"id": first, "fields": {"quantity": 3}}
    assert ask(portal, "crm.item.productrow.update", update).json()["result"]["productRow"]["quantity"] == 3
    assert ask(portal, "crm.item.productrow.delete", {"id": first}).json()["result"] is None
    assert ask(portal, "crm.item.productrow.get", {"id": first}).json()["error"] == "NOT_FOUND"
    added = {"ownerType": "D", "ownerId": 1, "productName": "Key", "price": 1}
    assert ask(portal, "crm.item.productrow.add", {"fields": added}).json()["result"]["productRow"]["price"] == 1
    assert rows_of(ask, portal)["total"] == 2


def test_owner_and_fields_are_checked(portal, ask):
    assert rows_of(ask, portal, owner_id=999)["error"] == "OWNER_NOT_FOUND"
    assert ask(portal, "crm.item.productrow.list", {"filter": {"id": 1}}).json()["error"] == "100"
    wrong = {"ownerType": "XX", "ownerId": 1, "productRows": []}
    assert ask(portal, "crm.item.productrow.set", wrong).json()["error"] == "ENTITY_TYPE_NOT_SUPPORTED"
    denied = {"ownerType": "D", "ownerId": 1, "productRows": []}
    assert ask(portal, "crm.item.productrow.set", denied, portal.clerk).json()["error"] == "ACCESS_DENIED"


def test_the_old_methods_show_the_same_rows(portal, ask):
    rows = [{"PRODUCT_NAME": "Door", "PRICE": 100, "QUANTITY": 2}]
    assert ask(portal, "crm.deal.productrows.set", {"id": 2, "rows": rows}).json()["result"] is True
    row = ask(portal, "crm.deal.productrows.get", {"id": 2}).json()["result"][0]
    assert (row["OWNER_ID"], row["PRODUCT_NAME"], row["PRICE"], row["QUANTITY"]) == ("2", "Door", 100, 2)
    assert rows_of(ask, portal, owner_id=2)["total"] == 1
    missing_sum = [{"DISCOUNT_TYPE_ID": 1, "PRICE": 5}]
    refusal = ask(portal, "crm.deal.productrows.set", {"id": 2, "rows": missing_sum}).json()
    assert refusal["error"] == "ERROR_CORE"
    assert refusal["error_description"].endswith("<br>")
    assert ask(portal, "crm.deal.productrows.get", {"id": 999}).json()["error_description"] == "Not found"


def test_what_is_in_a_payment_is_no_longer_available_for_one(portal, ask):
    door, lock = (portal.add_product_row(1, price=10, quantity=3) for _ in range(2))
    payment = portal.add_payment(1)
    for row_id, quantity in ((door, 2), (lock, 3)):
        ask(portal, "crm.item.payment.product.add", {"paymentId": payment, "rowId": row_id, "quantity": quantity})
    owner = {"ownerType": "D", "ownerId": 1}
    (left,) = ask(portal, "crm.item.productrow.getAvailableForPayment", owner).json()["result"]["productRows"]
    assert (left["id"], left["quantity"]) == (door, 1)
    portal.remove_payment(payment)
    rows = ask(portal, "crm.item.productrow.getAvailableForPayment", owner).json()["result"]["productRows"]
    assert [row["quantity"] for row in rows] == [3, 3]


def test_fields_of_a_row_are_described(portal, ask):
    fields = ask(portal, "crm.item.productrow.fields").json()["result"]["fields"]
    assert [name for name, field in fields.items() if field["isRequired"]] == ["ownerId", "ownerType", "productId"]
    assert (fields["price"]["type"], fields["taxIncluded"]["type"]) == ("double", "char")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # The examples of the pages.
        (
            {"price": 80000, "discountRate": 20, "taxRate": 20, "taxIncluded": "Y"},
            {"priceExclusive": 66666.67, "priceNetto": 83333.34, "priceBrutto": 100000.01, "discountSum": 16666.67},
        ),
        (
            {"price": 90000, "discountRate": 10, "taxRate": 10},
            {"priceExclusive": 81818.18, "priceNetto": 90909.09, "priceBrutto": 100000, "discountSum": 9090.91},
        ),
        ({"price": 5550}, {"priceExclusive": 5550, "priceNetto": 5550, "priceBrutto": 5550, "discountSum": 0}),
        (
            {"price": 1000, "discountTypeId": 1, "discountSum": 100},
            {"priceExclusive": 1000, "priceNetto": 1100, "priceBrutto": 1100, "discountRate": 9.09},
        ),
    ],
)
def test_prices_follow_from_discount_and_tax(portal, ask, row, expected):
    fields = {"ownerType": "D", "ownerId": 1, **row}
    answer = ask(portal, "crm.item.productrow.add", {"fields": fields}).json()["result"]["productRow"]
    assert {name: answer[name] for name in expected} == expected


def test_the_amount_is_the_sum_of_the_rows_unless_set_by_hand(portal, ask):
    def amount(deal):
        item = ask(portal, "crm.item.get", {"entityTypeId": 2, "id": deal}).json()["result"]["item"]
        return item["opportunity"], item["taxValue"]

    def change(deal, **fields):
        ask(portal, "crm.item.update", {"entityTypeId": 2, "id": deal, "fields": fields})

    deal = ask(portal, "crm.deal.add", {"fields": {"OPPORTUNITY": 5}}).json()["result"]
    assert amount(deal) == (5, 0)
    rows = [{"PRICE": 110, "QUANTITY": 2, "TAX_RATE": 10}, {"PRICE": 7.5}]
    ask(portal, "crm.deal.productrows.set", {"id": deal, "rows": rows})
    assert amount(deal) == (227.5, 20)
    change(deal, opportunity=1)
    assert amount(deal) == (227.5, 20)
    change(deal, opportunity=1, isManualOpportunity="Y")
    assert amount(deal)[0] == 1
    portal.add_product_row(deal, price=1000)
    assert amount(deal)[0] == 1
    change(deal, isManualOpportunity="N")
    assert amount(deal)[0] == 1227.5
    ask(portal, "crm.deal.productrows.set", {"id": deal, "rows": []})
    assert amount(deal) == (0, 0)


@pytest.mark.parametrize("kind", ["lead", "quote"])
def test_leads_and_quotes_have_rows_too(portal, ask, kind):
    rows = [{"PRODUCT_NAME": "Door", "PRICE": 100}]
    assert ask(portal, f"crm.{kind}.productrows.set", {"id": 1, "rows": rows}).json()["result"] is True
    (row,) = ask(portal, f"crm.{kind}.productrows.get", {"id": 1}).json()["result"]
    assert (row["OWNER_TYPE"], row["PRODUCT_NAME"], row["PRICE"]) == (kind[0].upper(), "Door", 100)
