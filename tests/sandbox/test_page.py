"""The page for a person who watches, fetched over HTTPS."""

from __future__ import annotations

import html
import re

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox


def page(portal, http):
    response = http.get(portal.url + "/", verify=portal.ca_file)
    assert response.headers["content-type"].startswith("text/html")
    return response.text


def tables(text):
    """Heading -> rows of its table; a row is the texts of its cells."""
    found = {}
    for heading, table in re.findall(r"<h2>(.*?)</h2>\s*<table>(.*?)</table>", text, re.DOTALL):
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table)]
        found[heading] = [[html.unescape(cell) for cell in row] for row in rows if row]
    return found


def objects(text):
    return {row[0]: row[2:] for row in tables(text)["Objects"]}


def test_a_person_watches_a_payment_disappear(portal, ask, http):
    payment_id = portal.add_payment(1, sum=12.5)
    assert [str(payment_id), "12.50 USD"] in [[row[0], row[3]] for row in tables(page(portal, http))["Payments"]]
    ask(portal, "crm.item.payment.delete", {"id": payment_id})
    result = tables(page(portal, http))
    assert str(payment_id) not in [row[0] for row in result["Payments"]]
    (call,) = result["Last calls"]
    assert call[1:] == ["crm.item.payment.delete", "Anna Admin", "200", "done"]
    assert portal.requests == 1


def test_each_kind_of_object_is_counted_with_its_first_and_last(portal, ask, http):
    before = objects(page(portal, http))
    assert before["Contacts"][0] == "20"
    assert before["Comments"] == ["0", "", ""]
    deal_id = ask(portal, "crm.deal.add", {"fields": {"TITLE": "Blue door"}}).json()["result"]
    ask(portal, "crm.timeline.comment.add", {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Called"}})
    after = objects(page(portal, http))
    assert after["Deals"] == [str(int(before["Deals"][0]) + 1), before["Deals"][1], f"{deal_id} Blue door"]
    assert after["Comments"] == ["1", "1 Called", "1 Called"]
    assert after["Users"] == ["12", "1 Anna Admin", "20 Ada Chekov"]


def test_a_portal_without_objects_has_a_page(http):
    with Sandbox(deals=0, tasks=0, employees=0) as portal:
        counts = {kind: row[0] for kind, row in objects(page(portal, http)).items()}
    assert counts.pop("Users") == "2"
    assert set(counts.values()) == {"0"}


def test_the_last_calls_come_first_and_a_batch_tells_what_failed(portal, ask, http):
    ask(portal, "profile")
    commands = {"one": "crm.deal.get?id=1", "two": "crm.deal.get?id=999999"}
    ask(portal, "batch", {"cmd": commands})
    portal.fault("reset_after", "crm.deal.list")
    with pytest.raises(requests.ConnectionError):
        ask(portal, "crm.deal.list")
    result = [row[1:] for row in tables(page(portal, http))["Last calls"]]
    assert result == [
        ["crm.deal.list", "Anna Admin", "none", "done"],
        ["batch (2 commands)", "Anna Admin", "200", "1 of 2 commands failed"],
        ["profile", "Anna Admin", "200", "done"],
    ]


def test_what_callers_write_is_text_and_nothing_else(portal, ask, http):
    portal.add_deals(1, title="<script>alert('x')</script>")
    ask(portal, "crm.lead.add", {"fields": {"TITLE": '"><img src=x onerror=alert(1)>'}})
    ask(portal, "<b>")
    text = page(portal, http)
    assert not re.search(r"<(script|img|b)\b", text)
    assert objects(text)["Deals"][2] == "31 <script>alert('x')</script>"
    assert tables(text)["Last calls"][0][1] == "<b>"


def test_the_page_shows_refusals_and_never_a_code(portal, ask, http):
    ask(portal, "crm.item.payment.delete", {"id": 1001}, portal.clerk)
    http.post(f"{portal.url}/rest/{portal.admin.code}/profile", verify=portal.ca_file)
    http.post(f"{portal.webhook()}{portal.webhook(portal.clerk)}profile", verify=portal.ca_file)
    portal.add_deals(1, title=f"See {portal.webhook()}profile")
    text = page(portal, http)
    result = tables(text)["Last calls"]
    assert [row[2] for row in result] == ["Anna Admin", "nobody", "Karl Clerk"]
    assert [row[-1] for row in result] == ["ERROR_METHOD_NOT_FOUND", "ERROR_METHOD_NOT_FOUND", "ACCESS_DENIED"]
    assert "/rest/1/…/profile" in text
    assert portal.admin.code not in text
    assert portal.clerk.code not in text


def test_the_page_never_shows_a_token(portal, ask, http):
    app = portal.application()
    pair = app.grant()
    for token in (pair["access_token"], pair["refresh_token"], app.client_secret):
        ask(portal, "crm.deal.add", {"fields": {"TITLE": f"Token {token}"}})
        assert objects(page(portal, http))["Deals"][2].endswith("Token …")
    http.post(f"{portal.url}/rest/profile?auth={pair['access_token']}", verify=portal.ca_file)
    app.expire_access_tokens()
    http.post(f"{portal.url}/rest/profile?auth={pair['access_token']}", verify=portal.ca_file)
    text = page(portal, http)
    refused, granted = tables(text)["Last calls"][:2]
    assert granted[1:4] == ["profile", "Anna Admin (application)", "200"]
    assert refused[1] == "profile"
    assert not [secret for secret in app.secrets() if secret in text]


def test_a_code_that_another_one_begins_with_hides_nothing_of_it(http):
    longer = "0123456789abcdef"
    for code in (longer[:4], longer[:8], longer[:12]):
        with Sandbox(deals=1, code=code) as portal:
            portal.clerk.code = longer
            portal.add_deals(1, title=longer)
            assert objects(page(portal, http))["Deals"][2] == "2 …"


def test_the_page_needs_nothing_from_elsewhere_and_renews_itself(portal, http):
    text = page(portal, http)
    assert '<meta http-equiv="refresh" content="2">' in text
    assert not re.search(r"(src|href)=|@import|url\(", text)
