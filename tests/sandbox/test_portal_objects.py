"""What a test asks of a portal or puts into it is refused where it cannot be: it would be green and prove nothing."""

from __future__ import annotations

import re

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.fixture(scope="module")
def portal():
    with Sandbox(deals=3) as portal:
        yield portal


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("payment('1001')", "payment_id='1001' is not valid: give the id as a whole number."),
        ("payment(None)", "payment_id=None is not valid: give the id as a whole number."),
        ("payment(True)", "payment_id=True is not valid: give the id as a whole number."),
        ("remove_payment('1001')", "payment_id='1001' is not valid: give the id as a whole number."),
        ("item(2, '1')", "item_id='1' is not valid: give the id as a whole number."),
        ("remove_item(2, '1')", "item_id='1' is not valid: give the id as a whole number."),
        ("add_payment('1')", "deal_id='1' is not valid: give the id as a whole number."),
        ("add_payment(1, paid='N')", "paid='N' is not valid: give True or False."),
        ("add_payment(1, sum='10')", "sum='10' is not valid: give a number, 0 or more."),
        ("add_product_row(1, price='x')", "price='x' is not valid: give a number, 0 or more."),
        ("add_product_row(1, quantity=-1)", "quantity=-1 is not valid: give a number, 0 or more."),
        ("add_delivery(1, price=None)", "price=None is not valid: give a number, 0 or more."),
        ("add_deals('2')", "count='2' is not valid: give a whole number from 0 to 1,000,000."),
        ("add_deals(-1)", "count=-1 is not valid: give a whole number from 0 to 1,000,000."),
        ("add_items(3, 1.5)", "count=1.5 is not valid: give a whole number from 0 to 1,000,000."),
        ("add_deals(1, STAGE_ID='WON')", "A deal has an unknown 'STAGE_ID': write stageId"),
        ("add_items(4, 1, titel='x')", "An object of kind 4 has an unknown 'titel': write title."),
        ("connection('clerk')", "user='clerk' is not valid: give portal.admin, portal.clerk or portal.user(ID)."),
        ("connection(0)", "user=0 is not valid: give portal.admin, portal.clerk or portal.user(ID)."),
        ("webhook(7)", "user=7 is not valid: give portal.admin, portal.clerk or portal.user(ID)."),
        ("application('clerk')", "user='clerk' is not valid: give portal.admin, portal.clerk or portal.user(ID)."),
        ("oauth_connection(portal.clerk)", "is not valid: give portal.application(), or a user as user=."),
        ("oauth_connection(user=7)", "user=7 is not valid: give portal.admin, portal.clerk or portal.user(ID)."),
        ("application(access_seconds='5')", "access_seconds='5' is not valid: give seconds, 0 or more."),
        ("application(refresh_seconds=-5)", "refresh_seconds=-5 is not valid: give seconds, 0 or more."),
    ],
)
def test_what_cannot_be_is_named_with_a_hint(portal, asked, said):
    before = portal.payments(), portal.items(2)
    with pytest.raises(ValueError, match=re.escape(said)):
        eval(f"portal.{asked}", {"portal": portal})
    assert (portal.payments(), portal.items(2)) == before


@pytest.mark.parametrize("added", ["add_payment", "add_product_row", "add_delivery"])
def test_nothing_is_added_to_a_deal_that_is_not_there(portal, added):
    with pytest.raises(LookupError, match=r"^There is no deal 99\.$"):
        getattr(portal, added)(99)


def test_a_refusal_shows_no_code_of_a_webhook(portal):
    with pytest.raises(ValueError, match="give portal") as refused:
        portal.oauth_connection(portal.clerk)
    assert portal.clerk.code not in str(refused.value)
