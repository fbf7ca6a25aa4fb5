"""Values of answers become values of columns: exactly, or not at all and by name."""

from __future__ import annotations

import random
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exports import casts
from airflow_provider_bitrix24.exports.columns import Column, columns_of
from airflow_provider_bitrix24.exports.typed_batches import TypedBatches

UTC = timezone.utc
SIX = datetime(2026, 1, 31, 6, 30, tzinfo=UTC)
MISFIT = object()

#: The field's type, what the portal sends, and what is in the column.
VALUES: list[tuple[str, Any, Any]] = [
    ("integer", 5, 5),
    ("integer", "5", 5),
    ("integer", " 5 ", 5),
    ("integer", "", None),
    ("integer", None, None),
    ("integer", 0, 0),
    ("integer", "0", 0),
    ("integer", -3, -3),
    ("integer", 2**63 - 1, 2**63 - 1),
    ("integer", str(2**63 - 1), 2**63 - 1),
    ("integer", 2**63, MISFIT),
    ("integer", "0x10", MISFIT),
    ("integer", 1.5, MISFIT),
    ("integer", 2.0, 2),
    ("integer", True, MISFIT),
    ("integer", "five", MISFIT),
    ("integer", [5], MISFIT),
    ("user", 0, None),
    ("user", "0", None),
    ("user", "7", 7),
    ("crm_category", 0, 0),
    ("crm_category", "0", 0),
    ("enumeration", "44", 44),
    ("double", 999.9, Decimal("999.9")),
    ("double", "999.90", Decimal("999.9")),
    ("double", 19000, Decimal(19000)),
    ("double", "0.000000", Decimal(0)),
    ("double", "1000000000000.01", Decimal("1000000000000.01")),
    ("double", 0.1, Decimal("0.1")),
    ("double", 1e22, MISFIT),
    ("double", "1,5", MISFIT),
    ("double", "NaN", MISFIT),
    ("double", False, MISFIT),
    ("boolean", "Y", True),
    ("boolean", "N", False),
    ("boolean", True, True),
    ("boolean", "1", True),
    ("boolean", "0", False),
    ("boolean", "", None),
    ("boolean", "maybe", MISFIT),
    ("boolean", 1, True),
    ("date", "2024-06-18T02:00:00+02:00", date(2024, 6, 18)),
    ("date", "2024-06-17T19:00:00-05:00", date(2024, 6, 18)),
    ("date", "2024-06-18T15:00:00+02:00", date(2024, 6, 18)),
    ("date", "2024-06-18", date(2024, 6, 18)),
    ("date", "0000-00-00T00:00:00+00:00", None),
    ("date", "", None),
    ("date", "18.06.2024", MISFIT),
    ("datetime", "2026-01-31T09:30:00+03:00", SIX),
    ("datetime", "2026-01-31T06:30:00Z", SIX),
    ("datetime", "2026-01-31T06:30:00", MISFIT),
    ("datetime", "2026-01-31", MISFIT),
    ("datetime", {}, None),
    ("datetime", 1769841000, MISFIT),
    ("string", "Oak 🚪 «дверь»", "Oak 🚪 «дверь»"),
    ("string", "", None),
    ("string", "0", "0"),
    ("string", 0, "0"),
    ("string", 12.5, "12.5"),
    ("string", "None", "None"),
    ("string", "\ud83d", MISFIT),
    ("string", ["a"], MISFIT),
    ("crm_status", "C9:WON", "C9:WON"),
    ("char", "Y", "Y"),
    ("file", {"id": 6455, "url": "/x?auth=secret", "urlMachine": "/y?token=secret"}, 6455),
    ("file", {"ID": "6455"}, 6455),
    ("address", {"city": "Bonn"}, '{"city":"Bonn"}'),
    ("address", "Bonn|;|50", '"Bonn|;|50"'),
    ("address", "\ud83d", '"\\ud83d"'),
    ("address", [], None),
]


def column_of(type_: str) -> Column:
    return columns_of([ItemField("f", "F", type_)])[0]


@pytest.mark.parametrize(
    ("type_", "value", "meant"), VALUES, ids=[f"{type_}-{value!r}"[:60] for type_, value, _ in VALUES]
)
@pytest.mark.parametrize("beside", ["alone", "among others"])
def test_a_value_is_carried_exactly_or_named(type_: str, value: Any, meant: Any, beside: str) -> None:
    """Whatever it stands beside: a column is cast at once where all values are usual, and one by one where not."""
    others = [answer for kind, answer, _ in VALUES if kind == type_] if beside == "among others" else []
    done = casts.cast(column_of(type_), [*others, value])
    assert done.array.to_pylist()[-1] == (None if meant is MISFIT else meant)
    assert (len(others) in done.misfits) is (meant is MISFIT)


def test_both_ways_to_cast_agree_on_any_values() -> None:
    generator = random.Random(11)
    kinds = sorted({type_ for type_, _, _ in VALUES})
    ways = {True: 0, False: 0}
    for _ in range(600):
        column = column_of(generator.choice(kinds))
        usual = [value for type_, value, meant in VALUES if type_ == column.field.type and meant is not MISFIT]
        values = [generator.choice(usual) for _ in range(generator.randint(0, 6))]
        at_once, alone = casts.cast(column, values), [casts.cast(column, [value]) for value in values]
        assert at_once.array.to_pylist() == [done.array.to_pylist()[0] for done in alone]
        assert at_once.array.type == casts.arrow_type(column)
        slow = casts._one_by_one(column, values)
        assert at_once.array.equals(slow.array)
        ways[len(set(map(type, values))) < 2] += 1
    assert min(ways.values()) > 50


def test_more_decimals_than_the_column_has_are_rounded_and_counted() -> None:
    done = casts.cast(column_of("double"), [0.12345, "0.00005", 1.5])
    assert done.array.to_pylist() == [Decimal("0.1234"), Decimal("0.0000"), Decimal("1.5")]
    assert (done.rounded, done.misfits) == (2, [])
    of_users = columns_of([ItemField("f", "F", "double", is_user_field=True)])[0]
    assert casts.cast(of_users, [0.12345]).array.to_pylist() == [Decimal("0.12345")]


def test_money_is_an_amount_and_its_currency() -> None:
    amount, currency = columns_of([ItemField("ufCrm_1", "UF_CRM_1", "money", is_user_field=True)])
    assert (amount.name, currency.name) == ("uf_crm_1", "uf_crm_1_currency")
    values = ["300|EUR", "0.5|usd", "", None, "300"]
    assert casts.cast(amount, values).array.to_pylist() == [Decimal(300), Decimal("0.5"), None, None, None]
    assert casts.cast(currency, values).array.to_pylist() == ["EUR", "USD", None, None, None]
    assert casts.cast(amount, values).misfits == [4]


@pytest.mark.parametrize(
    ("type_", "value", "meant"),
    [
        ("user", [2, "3"], "[2,3]"),
        ("user", [], None),
        ("user", False, None),
        ("string", ["a", "", "b"], '["a","b"]'),
        ("date", ["2024-06-18T02:00:00+02:00"], '["2024-06-18"]'),
        ("file", [{"id": 1, "url": "/x?auth=secret"}, {"ID": "2"}], "[1,2]"),
        ("boolean", "Y", "[true]"),
    ],
)
def test_several_values_are_a_json_list(type_: str, value: Any, meant: Any) -> None:
    column = columns_of([ItemField("f", "F", type_, is_multiple=True)])[0]
    done = casts.cast(column, [value])
    assert (done.array.to_pylist(), done.misfits) == ([meant], [])


def test_long_and_equal_names_stay_apart() -> None:
    long = "UF_CRM_" + "X" * 80
    names = [
        column.name for column in columns_of([ItemField(name, name, "string") for name in (long, long + "Y", "a", "A")])
    ]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 63
    assert [column.name for column in columns_of([ItemField("accountNumber", "accountNumber", "string")])] == [
        "account_number"
    ]


def test_phones_are_the_same_from_both_generations() -> None:
    field = ItemField("fm", "FM", "crm_multifield", is_multiple=True)
    new = {"fm": [{"id": 101, "typeId": "PHONE", "valueType": "WORK", "value": "+1555"}]}
    old = {"PHONE": [{"ID": "101", "TYPE_ID": "PHONE", "VALUE_TYPE": "WORK", "VALUE": "+1555"}]}
    batch = TypedBatches([field]).batch([new, old, {}]).batch
    assert batch.schema.names == ["phone", "email", "web", "im", "_bad"]
    meant = '[{"id":101,"type":"WORK","value":"+1555"}]'
    assert batch.column("phone").to_pylist() == [meant, meant, None]


def test_what_does_not_fit_stands_beside_the_row() -> None:
    batches = TypedBatches([ItemField("id", "ID", "integer"), ItemField("n", "N", "integer")])
    typed = batches.batch([{"id": 1, "n": "five"}, {"id": 2, "n": 2}, {"id": 3, "n": None}])
    assert typed.batch.to_pylist() == [
        {"id": 1, "n": None, "_bad": '{"n": "five"}'},
        {"id": 2, "n": 2, "_bad": None},
        {"id": 3, "n": None, "_bad": None},
    ]
    assert (typed.misfits.values, typed.misfits.bad) == ({"id": 3, "n": 2}, {"n": 1})
    assert typed.misfits.worst() == ("n", 0.5)


def test_a_name_that_no_field_has_gets_a_column_where_it_comes_first() -> None:
    batches = TypedBatches([ItemField("id", "ID", "integer")])
    first = batches.batch([{"ID": "1"}]).batch
    second = batches.batch([{"ID": "2", "UF_NEW": "x", "UF_FLAG": True, "UF_SUM": 1.5, "UF_LIST": ["a"]}]).batch
    assert first.schema.names == ["id", "_bad"]
    assert [str(field.type) for field in second.schema] == [
        "int64", "string", "bool", "decimal128(30, 10)", "string", "string",
    ]  # fmt: skip
    assert batches.found == ["uf_new", "uf_flag", "uf_sum", "uf_list"]
    chosen = TypedBatches([ItemField("id", "ID", "integer")], takes_unknown=False)
    assert chosen.batch([{"ID": "2", "UF_NEW": "x"}]).batch.schema.names == ["id", "_bad"]
