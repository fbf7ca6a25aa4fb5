"""The one place that takes secrets out of text."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitrix24.rest.scrub import scrubber

ODD = "p@ss/w&rd%<é>\"'\\ +x"


@pytest.mark.parametrize(
    "spelling",
    [
        ODD,
        ODD.upper(),
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        quote(ODD),
        quote_plus(ODD),
        json.dumps(ODD)[1:-1],
        html.escape(ODD),
        repr(ODD)[1:-1],
    ],
)
def test_a_secret_is_hidden_in_every_spelling(spelling):
    assert scrubber([ODD])(f"before {spelling} after") == "before *** after"


def test_the_longer_of_two_secrets_is_hidden_as_one():
    assert scrubber(["c0de", "1/c0de"])("https://my.bitrix24.com/rest/1/c0de/") == "https://my.bitrix24.com/rest/***/"


def test_a_secret_that_begins_another_leaves_nothing_of_that():
    assert scrubber(["c0de", "c0de123"])("c0de123 c0de") == "*** ***"


def test_a_text_without_a_secret_stays_as_it_is():
    assert scrubber(["c0de"])("nothing here") == "nothing here"


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_without_secrets_nothing_is_hidden(secrets):
    assert scrubber(secrets)("any text") == "any text"


@given(st.text(), st.text(min_size=1), st.text())
def test_no_spelling_of_any_secret_is_left_in_any_text(before, secret, after):
    scrub = scrubber([secret])
    for spelling in (secret, quote(secret.encode("utf-8", "replace"), safe=""), repr(secret)[1:-1]):
        assert spelling not in scrub(before + spelling + after) or spelling in "***"
