"""Python values as JSON, and as the query string of a batch command, which PHP reads."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import numbers
import uuid
from typing import Any

import lazy_object_proxy
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference, json_body, plain, query, variables
from airflow_provider_bitrix24.sandbox.forms import as_list_if_counted, build_query, parse_query

METHOD = "crm.item.add"


class Stage(str, enum.Enum):
    NEW = "DT1:NEW"


class Kind(enum.IntEnum):
    DEAL = 2


class Rendered(str):
    """What a template engine may give."""


class Int64(int):
    """An int that shows itself as something else, as the enumerations of some Pythons do."""

    def __str__(self) -> str:
        return "Int64"


@numbers.Integral.register
class NumpyInt:
    """As numpy's: a whole number that is not an int."""

    def __int__(self) -> int:
        return 7


class NotATime(datetime.datetime):
    """As pandas' NaT: a datetime that is not even itself."""

    def __ne__(self, other: object) -> bool:
        return True

    def __str__(self) -> str:
        return "NaT"


class Nowhere(datetime.tzinfo):
    """A zone that does not say how far it is from UTC."""

    def utcoffset(self, moment: datetime.datetime | None) -> None:
        return None


def lazy(value: Any) -> Any:
    """As Airflow's context has some of its values."""
    return lazy_object_proxy.Proxy(lambda: value)


BERLIN = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Оплата é 💶", "Оплата é 💶"),
        (10**30, 10**30),
        (0.1, 0.1),
        (True, True),
        (None, None),
        (Stage.NEW, "DT1:NEW"),
        (Kind.DEAL, 2),
        (Rendered("x"), "x"),
        (datetime.datetime(2026, 1, 31, 12, 30, tzinfo=BERLIN), "2026-01-31T12:30:00+02:00"),
        (pendulum.datetime(2026, 1, 31, tz="Europe/Moscow"), "2026-01-31T00:00:00+03:00"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.time(12, 30), "12:30:00"),
        (decimal.Decimal("19999.90"), "19999.90"),
        (decimal.Decimal("1E+3"), "1000"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, 2), [1, 2]),
        ({1: "a", Kind.DEAL: "b", Rendered("k"): "c"}, {"1": "a", "2": "b", "k": "c"}),
        ([[], {}, ""], [[], {}, ""]),
        ({Int64(8): Int64(8), NumpyInt(): NumpyInt()}, {"8": 8, "7": 7}),
        ({lazy("k"): [lazy("x"), lazy(5), lazy(0.5), lazy(True), lazy(None)]}, {"k": ["x", 5, 0.5, True, None]}),
        (lazy({"at": lazy(pendulum.datetime(2026, 1, 31))}), {"at": "2026-01-31T00:00:00+00:00"}),
    ],
)
def test_a_value_becomes_what_json_has_for_it(value, sent):
    assert json.loads(json_body({"v": value}, method=METHOD)) == {"v": sent}


def test_a_body_is_utf_8_without_escapes():
    assert json_body({"title": "Сделка"}, method=METHOD) == '{"title": "Сделка"}'.encode()


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("params", "what", "hint"),
    [
        ({"fields": {"sum": float("nan")}}, "the parameter fields[sum] is nan", "send None"),
        ({"fields": [1.0, float("-inf")]}, "the parameter fields[1] is -inf", "send None"),
        ({"sum": decimal.Decimal("NaN")}, "the parameter sum is NaN", "send None"),
        (
            {"at": datetime.datetime(2026, 1, 31)},
            "the parameter at is 2026-01-31T00:00:00, a time without a time zone",
            "add one",
        ),
        (
            {"at": datetime.datetime(2026, 1, 31, tzinfo=Nowhere())},
            "2026-01-31T00:00:00, a time without a time zone",
            "add one",
        ),
        ({"at": NotATime(2026, 1, 31)}, "the parameter at is NaT", "send None for a missing time"),
        ({"fields": {1: "a", "1": "b"}}, "the parameter fields has two keys that are the same as text", "keep one"),
        ({"sum": decimal.Decimal("1E+999999")}, "the parameter sum is a number with too many digits", "as text"),
        ({"sum": decimal.Decimal("1E-999999")}, "the parameter sum is a number with too many digits", "as text"),
        ({"x": Nowhere()}, "the parameter x is a tests.rest.test_encoding.Nowhere", "send text, numbers"),
        ({"filter": {">id": b"x"}}, "the parameter filter[>id] is a bytes", "send text, numbers"),
        ({"content": b"x"}, "the parameter content is a bytes", "send text, numbers"),
        ({"x": object()}, "the parameter x is a object", "send text, numbers"),
        ({"fields": {True: 1}}, "the parameter fields has a key of type bool", "use text"),
        ({"fields": {None: 1}}, "the parameter fields has a key of type NoneType", "use text"),
        ({"x": 10**5000}, "the parameter x is a number with too many digits", "as text"),
        ({"x": LOOP}, "is nested too deeply", "flatten it"),
        ({"x": "\ud800"}, "half a character", "right encoding"),
        ({"\udfff": 1}, "half a character", "right encoding"),
    ],
)
def test_a_value_without_a_form_is_named_by_its_place(params, what, hint):
    with pytest.raises(ConfigurationError) as caught:
        json_body(params, method=METHOD)
    assert str(caught.value).startswith(f"{METHOD}: ")
    assert what in caught.value.reason
    assert hint in caught.value.next_step


# Query strings


def as_php(value: Any) -> Any:
    """What PHP makes of plain JSON values, with numbers as text: an array whose keys are 0..n-1 is a list."""
    if isinstance(value, dict):
        return as_list_if_counted({key: as_php(member) for key, member in value.items()})
    if isinstance(value, list):
        return [as_php(member) for member in value]
    return value if isinstance(value, str) else json.dumps(value)


SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]\0"), min_size=1, max_size=8)
NAMES = st.text("abzAZ059_-", min_size=1, max_size=8)
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(KEYS | st.integers(0, 3).map(str), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, NESTED, max_size=4))
def test_php_reads_a_query_string_as_the_parameters_it_was_made_of(params):
    encoded = query(params)
    assert encoded is not None
    assert parse_query(encoded) == {key: as_php(value) for key, value in params.items()}
    assert variables(encoded) == (len(encoded.split("&")) if encoded else 0)


@given(st.dictionaries(NAMES, NESTED, max_size=4))
def test_what_php_writes_and_we_write_is_read_the_same(params):
    read_by_php = parse_query(query(params) or "")
    assert parse_query(build_query(read_by_php)) == read_by_php
    assert query(read_by_php) is not None
    assert parse_query(query(read_by_php) or "") == read_by_php


@pytest.mark.parametrize(
    ("params", "encoded"),
    [
        ({}, ""),
        ({"id": 5}, "id=5"),
        ({"filter": {">ID": 5, "=TITLE": "a&b=c d"}}, "filter%5B%3EID%5D=5&filter%5B%3DTITLE%5D=a%26b%3Dc%20d"),
        ({"select": ["ID", "UF_*"]}, "select%5B0%5D=ID&select%5B1%5D=UF_%2A"),
        ({"fields": {"PHONE": [{"VALUE": "+1"}]}}, "fields%5BPHONE%5D%5B0%5D%5BVALUE%5D=%2B1"),
        ({"sum": 1.5, "text": "Оплата"}, "sum=1.5&text=%D0%9E%D0%BF%D0%BB%D0%B0%D1%82%D0%B0"),
    ],
)
def test_a_query_string_is_encoded_once(params, encoded):
    assert query(params) == encoded


@pytest.mark.parametrize(
    "params",
    [
        {"a": True},
        {"a": False},
        {"a": None},
        {"a": []},
        {"a": {}},
        {"a": {"b": [{"c": None}]}},
        {"a": {"": 1}},
        {"a": {"b[": 1}},
        {"a": {"]b": 1}},
        {"a": {"b\0c": 1}},
        {"a b": 1},
        {"a.b": 1},
        {" a": 1},
        {"": 1},
        {"a[b]": 1},
        {"ключ": 1},
    ],
)
def test_what_a_query_string_cannot_say_has_none(params):
    assert query(params) is None


@pytest.mark.parametrize("name", ["result", "next", "total", "time", "error", "RESULT"])
def test_text_that_a_batch_would_take_for_a_reference_is_seen_anywhere(name):
    text = f"pay ${name}[a][ID] now"
    for value in (text, {"a": [text]}, {"a": {text: 1}}, [[text]]):
        assert has_reference(value)
    for value in (f"${name}", f"{name}[a]", f"$ {name}[a]", {"a": ["$results[a]", 5, None]}, 5, None):
        assert not has_reference(value)


@given(NESTED)
def test_plain_values_stay_as_they_are(value):
    assert plain(value, method=METHOD) == value
