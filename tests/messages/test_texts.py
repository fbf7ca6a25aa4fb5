"""Texts for people: which BB codes count, and what is cut."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from airflow_provider_bitrix24.messages.texts import escaped, first_line, shortened, without_webhooks

HIDDEN = "\u200b"


@pytest.mark.parametrize(
    "text",
    ["[user=all]everybody[/user]", "[/code] [b]", "[*] one", "[SEND=1]x", ">> quoted", "first\n>>second", "[[url]]"],
)
def test_codes_of_a_value_are_shown_as_text(text):
    harmless = escaped(text)
    assert harmless != text
    assert harmless.replace(HIDDEN, "") == text
    assert "[user" not in harmless.lower()
    assert not any(line.startswith(">>") for line in harmless.splitlines())


@pytest.mark.parametrize("value", ["plain [1, 2] text", "a > b >> c", 7, None, 1.5, "", "[]", "[ b ]"])
def test_a_value_without_codes_stays_itself(value):
    assert escaped(value) is value


def test_what_the_author_marks_as_safe_counts():
    assert escaped(Markup("[b]x[/b]")) == "[b]x[/b]"


def test_an_exception_is_text():
    assert escaped(ValueError("[user=1]")) == f"[{HIDDEN}user=1]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("POST https://x.bitrix24.com/rest/1/abc123def/a.b", "POST https://x.bitrix24.com/rest/1/***/a.b"),
        ("/rest/77/0a1b2c3d4e/", "/rest/77/***/"),
        ("https://my.bitrix24.com/rest/api/tasks.task.get", "https://my.bitrix24.com/rest/api/tasks.task.get"),
        ("https://my.bitrix24.com/rest/crm.deal.list", "https://my.bitrix24.com/rest/crm.deal.list"),
    ],
)
def test_codes_of_webhooks_are_taken_out_of_addresses(text, shown):
    assert without_webhooks(text) == shown


def test_a_long_text_says_how_long_it_was():
    assert shortened("x" * 100, 100) == "x" * 100
    cut = shortened("x" * 101, 100)
    assert (len(cut), cut[-24:]) == (100, "x… (cut: 101 characters)")


def test_the_first_line_is_the_first_that_is_not_blank():
    assert first_line("\n  \n one \ntwo") == "one"
    assert first_line("x" * 300) == "x" * 199 + "…"
    assert first_line(" \n") == ""
