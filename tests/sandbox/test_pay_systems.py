from __future__ import annotations

import pytest


def test_ways_to_pay_are_filtered_ordered_and_selected(portal, ask):
    def listed(**params):
        return ask(portal, "sale.paysystem.list", params).json()["result"]

    assert [row["ID"] for row in listed(order={"ID": "DESC"})] == [110, 10, 6, 1]
    assert listed(filter={"@ID": [6, 10]}, select=["ID", "NAME", "TARIF"]) == [
        {"ID": 6, "NAME": "Cash", "TARIFF": None},
        {"ID": 10, "NAME": "Bank transfer", "TARIFF": None},
    ]


def test_ways_to_pay_are_for_administrators_of_the_crm(portal, ask):
    answer = ask(portal, "sale.paysystem.list", user=portal.clerk)
    assert (answer.status_code, answer.json()["error"]) == (403, "ACCESS_DENIED")


@pytest.mark.parametrize("params", [{"filter": {"NONSENSE": 1}}, {"order": {"NONSENSE": "ASC"}}])
def test_an_unknown_field_is_refused(portal, ask, params):
    assert ask(portal, "sale.paysystem.list", params).json()["error"] == "ERROR_CHECK_FAILURE"


def test_a_payment_is_paid_by_a_way_to_pay(portal, ask):
    payment = portal.add_payment(1)
    params = {"PAYMENT_ID": payment, "PAY_SYSTEM_ID": 10}
    denied = ask(portal, "sale.paysystem.pay.payment", params, user=portal.clerk)
    assert (denied.status_code, denied.json()["error"]) == (403, "ACCESS_DENIED")
    assert ask(portal, "sale.paysystem.pay.payment", params).json()["result"] is True
    assert (portal.payment(payment)["paid"], portal.payment(payment)["paySystemId"]) == ("Y", 10)


@pytest.mark.parametrize(
    "params", [{}, {"PAYMENT_ID": 999, "PAY_SYSTEM_ID": 10}, {"PAYMENT_ID": 1001, "PAY_SYSTEM_ID": 5}]
)
def test_what_cannot_be_paid_is_refused(portal, ask, params):
    answer = ask(portal, "sale.paysystem.pay.payment", params)
    assert (answer.status_code, answer.json()["error"]) == (400, "ERROR_CHECK_FAILURE")
