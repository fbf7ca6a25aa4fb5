"""Which page of the portal a task is about: only known addresses, and of what a task was given only numbers."""

from __future__ import annotations

from decimal import Decimal

import numpy
import pytest

from airflow_provider_bitrix24.links.pages import page_of


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ({"entity_type_id": "deal", "item_id": 7}, "/crm/deal/details/7/"),
        ({"entity_type_id": "Leads", "item_id": " 1205 "}, "/crm/lead/details/1205/"),
        ({"entity_type_id": 3, "item_id": "12"}, "/crm/contact/details/12/"),
        ({"entity_type_id": "4", "item_id": numpy.int64(9)}, "/crm/company/details/9/"),
        ({"entity_type_id": "quote", "item_id": 5}, "/crm/type/7/details/5/"),
        ({"entity_type_id": "invoice", "entity_id": 8}, "/crm/type/31/details/8/"),
        ({"entity_type_id": Decimal(180), "item_id": 2}, "/crm/type/180/details/2/"),
        ({"entity_type_id": "deal", "item_filter": {"stageId": "WON"}}, "/crm/deal/list/"),
        ({"entity_type_id": "quotes"}, "/crm/quote/list/"),
        ({"entity_type_id": "invoice"}, "/crm/type/31/list/category/0/"),
        ({"entity_type_id": 1036, "rows": []}, "/crm/type/1036/list/category/0/"),
        ({"entity_type_id": "deal", "entity_ids": [3, 4]}, "/crm/deal/list/"),
        ({"payment_id": "1035"}, "/shop/orders/payment/details/1035/"),
        ({"payment_id": 1035, "row_id": 3, "quantity": 1}, "/shop/orders/payment/details/1035/"),
        ({"dialog_id": "chat12", "message": "x"}, "/online/?IM_DIALOG=chat12"),
        ({"dialog_id": "sg45"}, "/online/?IM_DIALOG=sg45"),
        ({"dialog_id": 7, "user_id": None}, "/online/?IM_DIALOG=7"),
        ({"user_id": 7, "dialog_id": None}, "/company/personal/user/7/"),
        ({"responsible_id": "7", "title": "x"}, "/company/personal/user/7/"),
        ({"portal_task_id": 3835, "entity_type_id": None}, "/company/personal/user/1/tasks/task/view/3835/"),
    ],
)
def test_arguments_name_a_page(arguments, page):
    assert page_of(arguments, "1") == page


@pytest.mark.parametrize(
    ("method", "params", "page"),
    [
        ("crm.deal.get", {"ID": 7}, "/crm/deal/details/7/"),
        (" CRM.Lead.Update ", {"id": "7", "fields": {"TITLE": "x"}}, "/crm/lead/details/7/"),
        ("crm.deal.productrows.set", {"id": 7, "rows": []}, "/crm/deal/details/7/"),
        ("crm.company.list", {"filter": {">ID": 7}}, "/crm/company/list/"),
        ("crm.contact.add", '{"fields": {"NAME": "x"}}', "/crm/contact/list/"),
        ("crm.item.get", {"entityTypeId": 180, "id": 3}, "/crm/type/180/details/3/"),
        ("crm.item.list", '{"ENTITYTYPEID": "2"}', "/crm/deal/list/"),
        ("crm.item.payment.list", {"entityTypeId": 31, "entityId": 4}, "/crm/type/31/details/4/"),
        ("crm.item.payment.delete", {"id": 1035}, "/shop/orders/payment/details/1035/"),
        ("sale.payment.get", {"id": 1035}, "/shop/orders/payment/details/1035/"),
        ("tasks.task.complete", {"taskId": 8}, "/company/personal/user/1/tasks/task/view/8/"),
        ("im.message.add", {"DIALOG_ID": "chat3", "MESSAGE": "x"}, "/online/?IM_DIALOG=chat3"),
    ],
)
def test_a_call_names_a_page(method, params, page):
    assert page_of({"method": method, "method_params": params}, 1) == page


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"bitrix24_conn_id": "bitrix24_default"},
        {"commands": {"a": ["crm.deal.get", {"ID": 7}]}},
        # The id of an item of a payment, which has no page of its own.
        {"item_id": 7, "quantity": 1},
        {"payment_ids": [1035], "entity_type_id": "deal"},
        {"entity_type_id": "deal", "item_id": "{{ undefined }}"},
        {"entity_type_id": "deal", "item_id": "7/../../rest"},
        {"entity_type_id": "deal", "item_id": True},
        {"entity_type_id": "deal", "item_id": 7.5},
        {"entity_type_id": "deal", "item_id": "٧"},
        {"entity_type_id": "deal", "item_id": -7},
        {"entity_type_id": "order", "item_id": 7},
        {"payment_id": "3653/1"},
        {"dialog_id": "chat12&x=https://example.com"},
        {"user_id": "abcdefghijkl"},
        {"method": "server.time"},
        {"method": "crm.deal.userfield.get", "method_params": {"id": 7}},
        {"method": "crm.deal.get", "method_params": {"id": {"n": 7}}},
        {"method": "crm.item.get", "method_params": {"id": 7}},
        {"method": "crm.item.get", "method_params": "not JSON"},
        {"method": "tasks.task.list", "method_params": {"id": 7}},
        {"method": 7, "method_params": 7},
    ],
)
def test_what_has_no_known_page_has_none(arguments):
    assert page_of(arguments, 1) is None


def test_a_task_of_the_portal_has_no_page_without_a_user():
    assert page_of({"portal_task_id": 8}) is None
