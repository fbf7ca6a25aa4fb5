from __future__ import annotations


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
