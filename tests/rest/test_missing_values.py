"""Values that went missing on their way into an argument, and objects that became text."""

from __future__ import annotations

import json
import math

import pytest

from airflow_provider_bitrix24.rest.missing_values import NOTHING, from_json, nothing_hint, text_hint

NO_VALUE = "it has no value: check the template, or what the upstream task returned"
TO_JSON = "if a template wrote it, add | tojson to it, or set render_template_as_native_obj=True in the DAG"


@pytest.mark.parametrize("value", [None, math.nan, *sorted(NOTHING), " ", "None\n", " nan "])
def test_a_missing_value_is_said_to_have_none(value):
    assert nothing_hint(value) == NO_VALUE
    assert text_hint(value) == NO_VALUE


@pytest.mark.parametrize("value", [0, 0.0, math.inf, False, [], {}, "0", "none of them", "nothing", "NULL", "Nan"])
def test_what_is_a_value_needs_no_hint(value):
    assert nothing_hint(value) == ""
    assert text_hint(value) == ""


@pytest.mark.parametrize("value", [{"a": 1, "b": None}, [1, "a"], (1, 2), {"a": "it's"}])
def test_an_object_that_a_template_wrote_as_python_does_is_distinguished_from_json(value):
    assert text_hint(f" {value}") == TO_JSON
    assert text_hint(json.dumps(value)) == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("7", 7),
        ("null", None),
        ("{'a': 1}", "{'a': 1}"),
        ("", ""),
        ("crm", "crm"),
    ],
)
def test_json_text_is_read_and_other_text_stays(value, read):
    assert from_json(value) == read


def test_what_is_not_text_stays_the_same_object():
    value = {"a": 1}
    assert from_json(value) is value
