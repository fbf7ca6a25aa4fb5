from __future__ import annotations


def test_the_sale_module_shows_the_order_and_takes_a_sum(portal, ask):
    payment_id = portal.add_payment(1)
    payment = ask(portal, "sale.payment.get", {"id": payment_id}).json()["result"]["payment"]
    assert payment["orderId"] == portal.payment(payment_id)["orderId"]
    update = {"id": payment_id, "fields": {"paySystemId": 10, "sum": "12.50", "paid": "Y"}}
    changed = ask(portal, "sale.payment.update", update).json()["result"]["payment"]
    assert (changed["sum"], changed["paid"], portal.payment(payment_id)["sum"]) == (12.5, "Y", 12.5)
    add = {"fields": {"orderId": payment["orderId"], "paySystemId": 6}}
    new = ask(portal, "sale.payment.add", add).json()["result"]["payment"]
    assert portal.payment(new["id"])["dealId"] == 1
    assert ask(portal, "sale.payment.delete", {"id": new["id"]}).json()["result"] is True
    assert ask(portal, "sale.payment.delete", {"id": payment_id}).json()["error"] == "SALE_PAYMENT_DELETE_EXIST_PAID"


def test_payments_of_all_orders_are_listed_in_pages(portal, ask):
    for _ in range(60):
        portal.add_payment(1)
    answer = ask(portal, "sale.payment.list", {"select": ["id"], "filter": {">id": 0}, "order": {"id": "desc"}}).json()
    assert (len(answer["result"]["payments"]), answer["next"], answer["total"]) == (50, 50, len(portal.payments()))
    assert answer["result"]["payments"][0] == {"id": portal.payments()[-1]["id"]}


def test_missing_and_denied_have_their_own_numbers(portal, ask):
    payment_id = portal.add_payment(1)
    missing = ask(portal, "sale.payment.get", {"id": 5}).json()
    assert missing == {"error": "200640400001", "error_description": "payment is not exists"}
    assert ask(portal, "sale.payment.get", {"id": payment_id}, portal.clerk).json()["error"] == "200040300010"
    assert ask(portal, "sale.payment.delete", {"id": payment_id}, portal.clerk).json()["error"] == "200040300020"


def test_fields_of_a_payment_are_described(portal, ask):
    fields = ask(portal, "sale.payment.getFields").json()["result"]["payment"]
    assert [name for name, field in fields.items() if field["isRequired"]] == ["orderId", "paySystemId"]
    assert (fields["sum"]["type"], fields["paid"]["type"], fields["currency"]["isReadOnly"]) == ("double", "char", True)
    assert ask(portal, "sale.payment.getFields", user=portal.clerk).json()["error"] == "200040300010"


def test_the_owner_of_an_order_is_found(portal, ask):
    order_id = portal.payment(portal.add_payment(7))["orderId"]

    def listed(**params):
        return ask(portal, "crm.orderentity.list", params).json()

    assert listed(filter={"=orderId": order_id})["result"]["orderEntity"] == [
        {"orderId": order_id, "ownerId": 7, "ownerTypeId": 2}
    ]
    found = listed(filter={"=ownerTypeId": 2, "@ownerId": [7]}, select=["orderId"])
    assert (found["result"]["orderEntity"], found["total"]) == ([{"orderId": order_id}], 1)
    assert listed(filter={"nonsense": 1})["error"] == "INVALID_ARG_VALUE"
