"""Funnels, currencies, addresses, calls, orders and goods: lists that describe what a pipeline works with."""

from __future__ import annotations

import pytest


@pytest.fixture
def result(portal, ask):
    return lambda method, params=None: ask(portal, method, params).json().get("result")


@pytest.fixture
def refusal(portal, ask):
    return lambda method, params: ask(portal, method, params).json()["error_description"]


def test_a_new_funnel_has_stages_and_takes_deals(result, refusal):
    funnel = result("crm.category.add", {"entityTypeId": 2, "fields": {"name": "Export", "sort": -5}})["category"]
    assert (funnel["sort"], funnel["isDefault"]) == (0, "N")
    assert funnel in result("crm.category.list", {"entityTypeId": 2})["categories"]
    deal = result("crm.item.add", {"entityTypeId": 2, "fields": {"title": "x", "categoryId": funnel["id"]}})["item"]
    stages = result("crm.status.list", {"filter": {"ENTITY_ID": f"DEAL_STAGE_{funnel['id']}"}})
    assert deal["stageId"] == stages[0]["STATUS_ID"] == f"C{funnel['id']}:NEW"
    place = {"entityTypeId": 2, "id": funnel["id"]}
    assert "found" in refusal("crm.category.delete", place)
    result("crm.item.delete", {"entityTypeId": 2, "id": deal["id"]})
    assert result("crm.category.update", {**place, "fields": {"name": "Abroad"}})["category"]["name"] == "Abroad"
    result("crm.category.delete", place)
    assert refusal("crm.category.get", place) == "Element not found"
    assert result("crm.status.list", {"filter": {"ENTITY_ID": f"DEAL_STAGE_{funnel['id']}"}}) == []
    assert refusal("crm.category.delete", {"entityTypeId": 2, "id": 0}) == "Default deal category cannot be deleted"


def test_currencies_change_and_one_is_the_base(result, refusal):
    codes = [row["CURRENCY"] for row in result("crm.currency.list", {"order": {"currency": "desc"}})]
    assert codes == ["USD", "GBP", "EUR"]
    fields = {"CURRENCY": "CNY", "AMOUNT": 12.2251, "LANG": {"en": {"FULL_NAME": "Yuan", "DECIMALS": 2}}}
    assert result("crm.currency.add", {"fields": fields}) == "CNY"
    assert result("crm.currency.update", {"ID": "CNY", "fields": {"AMOUNT_CNT": 10}}) is True
    row = result("crm.currency.get", {"id": "CNY"})
    assert (row["AMOUNT"], row["AMOUNT_CNT"], row["FULL_NAME"], row["BASE"]) == ("12.2251", "10", "Yuan", "N")
    assert result("crm.currency.localizations.set", {"id": "CNY", "localizations": {"de": {"FULL_NAME": "Renminbi"}}})
    assert result("crm.currency.localizations.get", {"id": "CNY"})["de"]["FULL_NAME"] == "Renminbi"
    assert result("crm.currency.localizations.delete", {"id": "CNY", "lids": ["de"]})
    assert list(result("crm.currency.localizations.get", {"id": "CNY"})) == ["en"]
    assert result("crm.currency.base.set", {"id": "CNY"}) is True
    assert result("crm.currency.base.get") == "CNY"
    assert refusal("crm.currency.delete", {"id": "CNY"}) == "Cannot delete base currency."
    assert result("crm.currency.delete", {"id": "EUR"}) is True
    assert refusal("crm.currency.get", {"id": "EUR"}) == "Not found"


def test_an_address_is_known_by_its_type_and_owner(result, refusal):
    requisite = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Own"}
    key = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 8, "ENTITY_ID": result("crm.requisite.add", {"fields": requisite})}
    assert result("crm.address.add", {"fields": {**key, "CITY": "Bonn"}}) is True
    assert refusal("crm.address.add", {"fields": key}) == "TypeAddress exists."
    assert result("crm.address.update", {"fields": {**key, "COUNTRY": "Germany"}}) is True
    filter_ = {"CITY": "Bonn", "ENTITY_TYPE_ID": 8}
    (row,) = result("crm.address.list", {"filter": filter_, "select": ["CITY", "COUNTRY", "ANCHOR_ID"]})
    assert row == {"CITY": "Bonn", "COUNTRY": "Germany", "ANCHOR_ID": "1"}
    assert result("crm.address.list", {"filter": {"!CITY": "Bonn"}}) == []
    assert result("crm.address.delete", {"fields": key}) is True
    assert refusal("crm.address.delete", {"fields": key}) == "TypeAddress not found."


def test_calls_are_found_in_a_range_and_by_a_part_of_the_number(result):
    calls = result("voximplant.statistic.get")
    assert [row["ID"] for row in calls] == sorted((row["ID"] for row in calls), key=int)
    found = result("voximplant.statistic.get", {"FILTER": {"><ID": [2, 4]}, "SORT": "ID", "ORDER": "DESC"})
    assert [row["ID"] for row in found] == ["4", "3", "2"]
    assert [row["ID"] for row in result("voximplant.statistic.get", {"FILTER": {"!><ID": [2, 99]}})] == ["1"]
    assert len(result("voximplant.statistic.get", {"FILTER": {"?PHONE_NUMBER": "0000003"}})) == 1
    missed = result("voximplant.statistic.get", {"FILTER": {"CALL_FAILED_CODE": "304"}})
    assert {row["CALL_DURATION"] for row in missed} == {"0"}


def test_orders_and_goods_are_those_of_deals_and_invoices(portal, result):
    row = {"productName": "Oak door", "price": 6, "quantity": 2}
    result("crm.item.productrow.add", {"fields": {"ownerType": "D", "ownerId": 1, **row}})
    order_id = next(row["orderId"] for row in portal.payments() if row["entityId"] == 1)
    (item,) = result(
        "sale.basketitem.list", {"filter": {"=orderId": order_id}, "select": ["name", "price", "quantity"]}
    )["basketItems"]
    assert item == {"name": "Oak door", "price": 6, "quantity": 2}
    (order,) = result("sale.order.list", {"filter": {"id": order_id}})["orders"]
    assert (order["price"], order["payed"]) == (12, "N")
    everything = result("sale.order.list", {"select": ["id"], "order": {"id": "desc"}})["orders"]
    assert len(everything) > 3
    assert everything == sorted(everything, key=lambda row: -row["id"])


def test_the_catalogue_asks_for_its_number(result, refusal):
    select = ["id", "iblockId", "name"]
    goods = result("catalog.product.list", {"select": select, "filter": {"iblockId": 23, "%name": "door"}})["products"]
    assert goods == [{"iblockId": 23, "id": 4301, "name": "Oak door"}]
    assert "iblockId" in refusal("catalog.product.list", {"select": select})
    assert "selection" in refusal("catalog.product.list", {"select": ["id"], "filter": {"iblockId": 23}})
