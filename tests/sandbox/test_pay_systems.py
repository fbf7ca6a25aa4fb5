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
