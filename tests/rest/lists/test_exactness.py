"""Rows out of answers, their ids, and what follows from what: tables, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.methods import METHODS, Rows
from airflow_provider_bitrix24.rest.lists.exactness import Cursor, Seen, SeenPages, id_of, number, rows_in

A, B = {"id": 1}, {"id": 2}


@pytest.mark.parametrize(
    ("at", "result", "found"),
    [
        pytest.param("", [A, B], [A, B], id="the result itself"),
        pytest.param("", [], [], id="empty"),
        pytest.param("", {"3": A, "7": B}, [A, B], id="an array with other keys than 0 to n-1"),
        pytest.param("items", {"items": [A, B]}, [A, B], id="under a key"),
        pytest.param("items", {"items": []}, [], id="an empty list under a key"),
        pytest.param("items", [], [], id="an empty array in place of the object"),
        pytest.param("items", {"items": {"5": A}}, [A], id="other keys under a key"),
        pytest.param("a.b", {"a": {"b": [A]}}, [A], id="two keys deep"),
        pytest.param("a.b", {"a": []}, [], id="an empty array in place of the inner object"),
        pytest.param(None, {"things": [A], "count": 1}, [A], id="the only list of an unknown answer"),
        pytest.param(None, [A], [A], id="an unknown answer that is a list"),
        pytest.param(None, {"things": []}, [], id="the only list is empty"),
    ],
)
def test_rows_are_found_where_the_method_has_them(at: str | None, result: Any, found: list[Any]) -> None:
    assert rows_in(result, Rows(at)) == found


@pytest.mark.parametrize(
    ("at", "result"),
    [
        ("", None),
        ("", True),
        ("", "text"),
        ("", 0),
        ("", {"id": 1}),
        ("", {"deal": {"id": 1}}),
        ("items", {"items": {"deal": {"id": 1}}}),
        ("", [A, None]),
        ("", [A, 5]),
        ("", [[A]]),
        ("items", None),
        ("items", {}),
        ("items", {"item": [A]}),
        ("items", {"items": None}),
        ("items", {"items": A}),
        ("items", {"items": "text"}),
        ("a.b", {"a": [A]}),
        ("a.b", {"a": {"c": []}}),
        (None, {"a": [A], "b": [B]}),
        (None, {"a": 1}),
        (None, {}),
        (None, None),
    ],
)
def test_what_is_not_a_list_of_rows_is_an_error(at: str | None, result: Any) -> None:
    with pytest.raises(IncompleteList):
        rows_in(result, Rows(at))


def test_rows_keyed_by_id_and_rows_that_are_plain_values() -> None:
    assert rows_in({"a1": A, "b2": B}, Rows("", keyed_by_id=True)) == [A, B]
    assert rows_in([], Rows("", keyed_by_id=True)) == []
    assert rows_in(["x", 5], Rows("", of_values=True)) == ["x", 5]


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("crm.item.list", {"items": [{"id": 7}]}),
        ("crm.deal.list", [{"ID": "7"}]),
        ("tasks.task.list", {"tasks": [{"id": "7"}]}),
        ("user.get", [{"ID": "7"}]),
        ("crm.type.list", {"types": [{"id": 7}]}),
        ("crm.stagehistory.list", {"items": [{"ID": "7"}]}),
        ("sale.payment.list", {"payments": [{"id": 7}]}),
        ("acme.unknown.list", {"anything": [{"ID": "7"}]}),
    ],
)
def test_the_table_knows_rows_and_ids(method: str, result: Any) -> None:
    rows = METHODS.find(method).rows
    assert rows is not None
    assert [number(id_of(row, rows)) for row in rows_in(result, rows)] == [7]


@pytest.mark.parametrize(("value", "expected"), [(7, 7), ("7", 7), ("007", 7), (0, 0), ("0", 0)])
def test_ids_are_numbers_or_their_text(value: Any, expected: int) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    "value", [None, True, False, "", " 7", "7 ", "x", "-", "1.0", 7.5, "٧", [], {}, "1e3", "9" * 5000]
)
def test_what_is_not_a_number_is_not_an_id(value: Any) -> None:
    with pytest.raises(IncompleteList, match="is not a number"):
        number(value)


@pytest.mark.parametrize(
    ("key", "row", "found"),
    [
        ("ID", {"ID": "5"}, "5"),
        (None, {"ID": "5", "id": 6}, "5"),
        (None, {"id": 6}, 6),
        ("id", {"id": 0}, 0),
        ("id", {"ID": "7"}, "7"),
    ],
)
def test_the_id_is_given_as_it_was_sent(key: str | None, row: dict[str, Any], found: Any) -> None:
    assert id_of(row, Rows("", id_key=key)) == found


@pytest.mark.parametrize(
    ("key", "row"), [("ID", {"id": 1}), ("id", {"id": ""}), ("id", {"id": None}), (None, {"Id": 1})]
)
def test_a_row_without_its_id_is_an_error(key: str | None, row: dict[str, Any]) -> None:
    with pytest.raises(IncompleteList, match="has no"):
        id_of(row, Rows("", id_key=key))


KEYED = Rows("", id_key="id")


@pytest.mark.parametrize(
    ("start", "ids", "end"),
    [(0, [1, 2, 5], 5), (0, [], 0), (4, ["5", 6], 6), (9, [10], 10), (99, ["100"], 100)],
)
def test_the_cursor_moves_to_the_largest_id(start: int, ids: list[Any], end: int) -> None:
    cursor = Cursor(start)
    cursor.pass_over([{"id": id_} for id_ in ids], KEYED)
    assert cursor.at == end


@pytest.mark.parametrize(
    ("start", "ids"), [(0, [0]), (0, [1, 1]), (0, [2, 1]), (5, [5]), (5, [4]), (99, ["100", "99"])]
)
def test_the_cursor_stands_still_for_no_row(start: int, ids: list[Any]) -> None:
    with pytest.raises(IncompleteList, match="came after"):
        Cursor(start).pass_over([{"id": id_} for id_ in ids], KEYED)


def test_numbers_are_compared_and_not_their_texts() -> None:
    cursor = Cursor(9)
    cursor.pass_over([{"id": "10"}, {"id": "100"}], KEYED)
    assert cursor.at == 100


@pytest.mark.parametrize("value", ["s3cr3tc0dex1", ["s3cr3tc0dex1"]])
def test_an_id_that_is_not_a_number_is_not_shown(value: Any) -> None:
    """A portal may send anything there, the webhook's code too."""
    seen = Seen()
    seen.add([{"id": value}], KEYED)
    for check in (lambda: number(value), lambda: seen.add([{"id": value}], KEYED)):
        with pytest.raises(IncompleteList) as caught:
            check()
        assert "s3cr3t" not in str(caught.value)


def test_an_id_may_come_once_whether_text_or_number() -> None:
    seen = Seen()
    seen.add([{"id": 1}, {"id": "2"}], KEYED)
    with pytest.raises(IncompleteList, match="the row 2 came twice"):
        seen.add([{"id": 2}], KEYED)


def test_a_page_of_rows_without_ids_may_come_once() -> None:
    seen = SeenPages()
    seen.add([{"a": 1, "b": 2}])
    seen.add([{"a": 1, "b": 3}])
    with pytest.raises(IncompleteList, match="the same page"):
        seen.add([{"b": 2, "a": 1}])
