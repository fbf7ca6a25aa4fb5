"""Texts of a portal in our messages: one line that says what it says, whatever signs are in it."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.message_parts import one_line
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of

TEXTS = {
    "Access denied\u202egro.live": "Access denied gro.live",
    "\u200bno\u200d \u2066right\u2069 \ufeffhere": "no right here",
    "::group::All is well": "group::All is well",
    "ok\n::endgroup::\n##[group]next": "ok endgroup:: [group]next",
    "[b]Not[/b] [url=https://evil.example.com]here[/url] [USER=7]Ada[/USER]": "Not here Ada",
    "<b>Not</b>&lt;here<br>": "Not <here",
    "\x1b[31mred\x1b[0m \x00\x85 \u2028 end": "[31mred [0m end",
    "$result[b] and filter[s] of Bitrix\\Crm\\Item::get, [1] and [x]":
        "$result[b] and filter[s] of Bitrix\\Crm\\Item::get, [1] and [x]",
    "Доступ запрещён 👍 日本": "Доступ запрещён 👍 日本",
}  # fmt: skip


@pytest.mark.parametrize(("sent", "shown"), TEXTS.items())
def test_a_text_of_the_portal_is_one_line_without_markup(sent: str, shown: str) -> None:
    assert one_line(sent) == shown
    with Sandbox(deals=1) as portal, client_of(portal) as client:
        portal.fault("error", code=sent[:40], description=sent, status=400)
        with pytest.raises(Bitrix24Error) as caught:
            client.call("crm.deal.get", {"id": 1})
    assert caught.value.description == shown
    assert f'"{shown}"' in str(caught.value)


def test_the_title_of_a_page_is_one_line_without_markup() -> None:
    with Sandbox(deals=1) as portal, client_of(portal) as client:
        portal.fault("status_before", status=403, title="::group::Bl\u202eocked [b]now[/b]")
        with pytest.raises(Bitrix24Error, match=r'titled "group::Bl ocked now"'):
            client.call("crm.deal.get", {"id": 1})
