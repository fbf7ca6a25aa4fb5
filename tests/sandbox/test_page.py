from __future__ import annotations

import re


def page(portal, http):
    response = http.get(portal.url + "/", verify=portal.ca_file)
    assert response.headers["content-type"].startswith("text/html")
    return response.text


def test_a_person_watches_a_payment_disappear(portal, ask, http):
    payment_id = portal.add_payment(1, sum=12.5)
    row = f"<tr><td>{payment_id}</td>"
    assert row in page(portal, http)
    ask(portal, "crm.item.payment.delete", {"id": payment_id})
    text = page(portal, http)
    assert row not in text
    assert "crm.item.payment.delete" in text
    assert "Anna Admin" in text
    assert portal.requests == 1


def test_the_page_shows_refusals_and_never_a_code(portal, ask, http):
    ask(portal, "crm.item.payment.delete", {"id": 5}, portal.clerk)
    http.post(f"{portal.url}/rest/{portal.admin.code}/profile", verify=portal.ca_file)
    http.post(portal.webhook() + "<b>", verify=portal.ca_file)
    text = page(portal, http)
    assert "Karl Clerk" in text
    assert "ERROR_METHOD_NOT_FOUND" in text
    assert "<b>" not in text
    assert portal.admin.code not in text
    assert portal.clerk.code not in text


def test_the_page_needs_nothing_from_elsewhere(portal, http):
    text = page(portal, http)
    assert 'http-equiv="refresh"' in text
    assert not re.search(r"(src|href)=|@import|url\(", text)
