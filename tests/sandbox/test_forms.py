from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitrix24.sandbox.forms import as_list_if_counted, as_map, build_query, parse_query


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("", {}),
        ("a=1&b=x+y&c", {"a": "1", "b": "x y", "c": ""}),
        ("select[]=ID&select[]=TITLE", {"select": ["ID", "TITLE"]}),
        ("filter[>ID]=5&filter[%3CID]=9", {"filter": {">ID": "5", "<ID": "9"}}),
        ("fields[PHONE][0][VALUE]=%2B1", {"fields": {"PHONE": [{"VALUE": "+1"}]}}),
        ("a[1]=x&a[2]=y", {"a": {"1": "x", "2": "y"}}),
        ("a[5]=x&a[]=y", {"a": {"5": "x", "6": "y"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a.b=1&c d=2", {"a_b": "1", "c_d": "2"}),
        ("a[b=1", {"a_b": "1"}),
        ("=1&[x]=2", {}),
        ("d=%D0%BB", {"d": "л"}),
        ("a" + "[b]" * 64 + "=1&c=2", {"c": "2"}),
        ("a[" + "9" * 5000 + "]=x&a[]=y", {"a": {"9" * 5000: "x", "0": "y"}}),
    ],
)
def test_query_strings_are_read_as_php_reads_them(query, params):
    assert parse_query(query) == params


def test_a_php_array_is_a_list_only_if_it_counts_from_zero():
    assert as_list_if_counted({}) == []
    assert as_list_if_counted({"0": "a", "1": "b"}) == ["a", "b"]
    assert as_list_if_counted({"1": "b"}) == {"1": "b"}
    assert as_map(["a"]) == {"0": "a"}
    assert as_map("text") == {}


names = st.text(st.characters(codec="utf-8", exclude_characters="[]\x00"), min_size=1, max_size=6)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
trees = st.recursive(texts, lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3), max_leaves=8)


@given(st.dictionaries(st.from_regex(r"[A-Za-z]{1,5}", fullmatch=True), trees, max_size=4))
def test_what_is_written_is_read_back(params):
    def as_php(value):
        return as_list_if_counted({k: as_php(v) for k, v in value.items()}) if isinstance(value, dict) else value

    assert parse_query(build_query(params)) == {name: as_php(value) for name, value in params.items()}


def test_true_false_and_null_are_written_as_php_writes_them():
    assert build_query({"a": True, "b": False, "c": None, "d": [], "e": [1, "x"]}) == (
        f"a=1&b=0&{quote('e[0]')}=1&{quote('e[1]')}=x"
    )
