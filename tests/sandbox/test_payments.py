from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

DOCUMENTED_FIELDS = {
    "id",
    "accountNumber",
    "paid",
    "datePaid",
    "empPaidId",
    "paySystemId",
    "sum",
    "currency",
    "paySystemName",
}
CHANGES = ("crm.item.payment.delete", "crm.item.payment.pay", "crm.item.payment.unpay")


def body(response):
    answer = response.json()
    answer.pop("time", None)
    return response.status_code, answer


def test_a_deleted_payment_is_gone(portal, ask):
    payment_id = portal.add_payment(1)
    assert body(ask(portal, "crm.item.payment.delete", {"id": str(payment_id)})) == (200, {"result": True})
    assert portal.payment(payment_id) is None
    assert portal.executed("crm.item.payment.delete") == 1


def test_a_deal_lists_its_payments_and_no_other(portal, ask):
    ids = [portal.add_payment(2, sum=100), portal.add_payment(2, paid=True, sum=250.5)]
    rows = ask(portal, "crm.item.payment.list", {"entityId": 2, "entityTypeId": 2}).json()["result"]
    assert [row["id"] for row in rows] == ids
    assert set(rows[0]) == DOCUMENTED_FIELDS
    assert rows[1] | {"datePaid": None} == {
        "id": ids[1],
        "accountNumber": rows[0]["accountNumber"].replace("/1", "/2"),
        "paid": "Y",
        "datePaid": None,
        "empPaidId": 1,
        "paySystemId": 6,
        "sum": 250.5,
        "currency": "USD",
        "paySystemName": "Cash",
    }


def test_a_payment_list_filters_and_sorts(portal, ask):
    ids = [portal.add_payment(2, sum=amount) for amount in (10, 30, 20)]
    params = {"entityId": 2, "entityTypeId": 2, "filter": {"@id": ids, ">=sum": 20}, "order": {"sum": "desc"}}
    rows = ask(portal, "crm.item.payment.list", params).json()["result"]
    assert [row["sum"] for row in rows] == [30, 20]
    params["filter"] = {"nonsense": 1}
    assert ask(portal, "crm.item.payment.list", params).json()["error"] == "100"


@pytest.mark.parametrize(("entity_type_id", "entity_id"), [(2, 999_999), (4, 1), (77, 1)])
def test_an_object_without_payments_lists_none(portal, ask, entity_type_id, entity_id):
    params = {"entityId": entity_id, "entityTypeId": entity_type_id}
    assert body(ask(portal, "crm.item.payment.list", params)) == (200, {"result": []})


def test_a_payment_is_added_paid_and_made_unpaid(portal, ask):
    payment_id = ask(portal, "crm.item.payment.add", {"entityId": 2, "entityTypeId": 2}).json()["result"]
    assert body(ask(portal, "crm.item.payment.pay", {"id": payment_id})) == (200, {"result": True})
    assert portal.payment(payment_id)["paid"] == "Y"
    assert portal.payment(payment_id)["dealId"] == 2
    ask(portal, "crm.item.payment.unpay", {"id": payment_id})
    ask(portal, "crm.item.payment.update", {"id": payment_id, "fields": {"paySystemId": 110, "sum": 5}})
    payment = portal.payment(payment_id)
    assert (payment["paid"], payment["paySystemName"], payment["sum"]) == ("N", "Card", 0)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_paid_payment_cannot_be_deleted(ask, language):
    with Sandbox(language=language) as portal:
        payment_id = portal.add_payment(1, paid=True)
        status, answer = body(ask(portal, "crm.item.payment.delete", {"id": payment_id}))
        assert (status, answer["error"]) == (400, "SALE_PAYMENT_DELETE_EXIST_PAID")
        assert answer["error_description"].isascii() == (language == "en")
        assert portal.payment(payment_id) is not None
        assert portal.executed("crm.item.payment.delete") == 0


@pytest.mark.parametrize(
    ("generation", "language", "missing", "denied"),
    [
        ("current", "ru", (400, "0", "Payment has not been found"), (403, "ACCESS_DENIED", "Access denied")),
        ("middle", "en", (400, "0", "Insufficient permissions"), (400, "0", "Insufficient permissions")),
        ("middle", "ru", (400, "0", "Недостаточно прав"), (400, "0", "Недостаточно прав")),
    ],
)
@pytest.mark.parametrize("method", CHANGES)
def test_each_generation_has_its_own_words_for_missing_and_denied(ask, method, generation, language, missing, denied):
    with Sandbox(generation=generation, language=language) as portal:
        payment_id = portal.add_payment(1)

        def refusal(payment_id, user=None):
            response = ask(portal, method, {"id": payment_id}, user)
            assert set(response.json()) == {"error", "error_description"}
            return response.status_code, *response.json().values()

        assert refusal(999_999) == missing
        assert refusal(payment_id, portal.clerk) == denied


@pytest.mark.parametrize("method", CHANGES)
def test_an_old_portal_answers_false_to_what_it_does_not_do(ask, method):
    with Sandbox(generation="old") as portal:
        payment_id = portal.add_payment(1)
        for params, user in (({"id": 999_999}, None), ({"id": payment_id}, portal.clerk)):
            assert body(ask(portal, method, params, user)) == (200, {"result": False})
        assert portal.executed(method) == 0


def test_an_old_portal_shows_upper_case_text_and_wants_it_back(ask):
    with Sandbox(generation="old") as portal:
        payment_id = portal.add_payment(1, sum=5)
        row = ask(portal, "crm.item.payment.get", {"id": payment_id}, portal.clerk).json()["result"]
        assert (row["ID"], row["SUM"], row["DATE_PAID"], row["PAY_SYSTEM_ID"]) == (str(payment_id), "5", None, "6")
        for fields, done in (({"paid": "Y"}, False), ({"PAID": "Y"}, True)):
            answer = ask(portal, "crm.item.payment.update", {"id": payment_id, "fields": fields}).json()
            assert answer["result"] is done
        refusal = ask(portal, "crm.item.payment.get", {"id": 999_999}).json()
        assert (refusal["error"], refusal["error_description"]) == ("0", "Insufficient permissions.")


def test_the_clerk_reads_payments(portal, ask):
    payment_id = portal.add_payment(1)
    assert ask(portal, "crm.item.payment.get", {"id": payment_id}, portal.clerk).json()["result"]["id"] == payment_id


@pytest.mark.parametrize(
    ("params", "status", "code", "description"),
    [
        ({"entityTypeId": 2}, 400, "100", "Could not find value for parameter {entityId}"),
        ({"entityTypeId": 77, "entityId": 1}, 403, "0", "Unknown entity type: 77."),
        ({"entityTypeId": 4, "entityId": 1}, 403, "0", "Cannot create payment for this entity."),
        ({"entityTypeId": 2, "entityId": 999_999}, 403, "0", "Entity ID #999999 does not exist."),
    ],
)
def test_every_refusal_of_add_but_a_missing_argument_has_status_403(portal, ask, params, status, code, description):
    answer = (status, {"error": code, "error_description": description})
    assert body(ask(portal, "crm.item.payment.add", params)) == answer


@pytest.mark.parametrize(
    ("fields", "description"),
    [({"sum": 1}, "Empty fields"), ({"paySystemId": 999}, "Payment system has not been found")],
)
def test_an_update_without_a_known_field_is_refused(portal, ask, fields, description):
    payment_id = portal.add_payment(1)
    answer = ask(portal, "crm.item.payment.update", {"id": payment_id, "fields": fields}).json()
    assert (answer["error"], answer["error_description"]) == ("0", description)


@pytest.mark.parametrize("wrong", ["abc", "3653/1", True, [1], 1.5])
def test_an_id_that_is_not_a_number_is_refused(portal, ask, wrong):
    assert ask(portal, "crm.item.payment.delete", {"id": wrong}).json()["error"] == "100"


def test_numeric_codes_can_be_numbers(ask):
    with Sandbox(zero_code=0) as portal:
        assert ask(portal, "crm.item.payment.get", {"id": 1}).json()["error"] == 0
        assert ask(portal, "crm.item.payment.get").json()["error"] == 100


def test_the_same_seed_gives_the_same_payments(portal):
    with Sandbox(seed=5) as first, Sandbox(seed=5) as second, Sandbox(seed=6) as third:
        assert first.payments() == second.payments() != third.payments()
        assert first.admin.code == second.admin.code != portal.admin.code
    paid = {payment["paid"] for payment in portal.payments()}
    owners = {payment["entityTypeId"] for payment in portal.payments()}
    assert (paid, owners) == ({"Y", "N"}, {2, 31})
