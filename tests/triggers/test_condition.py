"""A condition on an answer: what it holds for, and what is refused before anything is asked."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.triggers.condition import Condition

DEAL = {"item": {"id": 7, "stageId": "WON", "opportunity": "90.50", "opened": "Y", "title": None, "contactIds": [3, 5],
                 "begindate": "2026-01-31T03:00:00+03:00", "ufCrm_1": [], "probability": 40}}  # fmt: skip


def holds(operator, value=None, path="item.stageId", answer=DEAL, total=None):
    given = {"operator": operator, "result_path": path, "value": value}
    return Condition.of({key: part for key, part in given.items() if part is not None}, "condition").holds(
        answer, total
    )


@pytest.mark.parametrize(
    ("path", "operator", "value", "expected"),
    [
        ("stageId", "=", "WON", True),
        ("stageId", "=", "won", False),
        ("stageId", "!=", "LOSE", True),
        ("stageId", "!=", "WON", False),
        ("stageId", "in", ["LOSE", "WON"], True),
        ("stageId", "in", '["LOSE", "WON"]', True),
        ("stageId", "not in", ["LOSE", "WON"], False),
        ("opportunity", "=", 90.5, True),
        ("opportunity", "=", Decimal("90.50"), True),
        ("opportunity", ">", "90", True),
        ("opportunity", ">=", 90.5, True),
        ("opportunity", "<", 90.5, False),
        ("opportunity", "<=", 90, False),
        ("probability", "=", "40", True),
        ("probability", ">", 9, True),
        ("opened", "=", True, True),
        ("opened", "=", False, False),
        ("opened", "!=", False, True),
        ("begindate", "=", "2026-01-31T00:00:00+00:00", True),
        ("begindate", ">", "2026-01-30T23:00:00Z", True),
        ("begindate", "<=", datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc), True),
        ("title", "empty", None, True),
        ("title", "not empty", None, False),
        ("title", "=", "Oak", False),
        ("title", "!=", "Oak", True),
        ("title", ">", 5, False),
        ("ufCrm_1", "empty", None, True),
        ("ufCrm_1", "=", 5, False),
        ("contactIds", "=", 5, True),
        ("contactIds", "!=", 5, False),
        ("contactIds", "in", [9, 3], True),
        ("contactIds.0", "=", 3, True),
        ("contactIds.2", "=", 3, False),
        ("contactIds.2", "!=", 3, False),
        ("contactIds.2", "empty", None, True),
        ("contactIds", "count =", 2, True),
    ],
)
def test_a_field_is_compared_as_it_is_meant(path, operator, value, expected):
    assert holds(operator, value, f"item.{path}") is expected


def test_a_text_of_digits_is_not_another_text_of_the_same_number():
    assert not holds("=", "7", "code", {"code": "007"})
    assert holds("=", 7, "code", {"code": "007"})


@pytest.mark.parametrize(
    ("given", "answer", "total", "expected"),
    [
        ("any row", {"items": [{"id": 1}]}, None, True),
        ("any row", {"items": []}, None, False),
        ("any row", [], None, False),
        ("any row", None, None, False),
        ("any row", [{"ID": "1"}], None, True),
        (" count  >=  2 ", {"items": [1, 2]}, None, True),
        ("count >= 3", {"items": [1, 2]}, None, False),
        ("count >= 60", {"items": [0] * 50}, 61, True),
        ("count > 61", {"items": [0] * 50}, 61, False),
        ("count < 60", {"items": [0] * 50}, 61, False),
        ("count <= 1", {"items": [7]}, None, True),
        ("count = 0", {"items": []}, 0, True),
        ({"operator": "any row", "result_path": "answer.rows"}, {"answer": {"rows": [1], "tags": [2]}}, None, True),
        ('{"operator": "count >=", "value": "2"}', [1, 2], None, True),
        ({"operator": "any row", "result_path": "rows"}, [], None, False),
    ],
)
def test_rows_are_counted(given, answer, total, expected):
    assert Condition.of(given, "condition").holds(answer, total) is expected


def test_what_the_answer_does_not_have_is_an_error_and_never_a_reason_to_wait():
    with pytest.raises(Bitrix24Error, match=r"no 'stageid' of result_path 'item\.stageid'") as caught:
        holds("=", "WON", "item.stageid")
    assert not caught.value.retryable
    with pytest.raises(Bitrix24Error, match="not clear where in the answer the rows are"):
        Condition.of("any row", "condition").holds({"rows": [1], "tags": [2]})
    with pytest.raises(Bitrix24Error, match="not clear where"):
        Condition.of("any row", "condition").holds({"item": {"id": 7}})
    with pytest.raises(Bitrix24Error, match=r"no rows at 'item\.stageId'"):
        holds("count >=", 1)


@pytest.mark.parametrize("value", [5, "2026-01-31T00:00:00Z"])
def test_what_cannot_be_compared_is_an_error(value):
    with pytest.raises(Bitrix24Error, match="cannot be decided"):
        holds(">", value)


def test_a_time_without_a_zone_is_not_compared_with_one_that_has_one():
    with pytest.raises(Bitrix24Error, match="only one has a zone"):
        holds("<", "2026-02-01T00:00:00", "item.begindate")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "not a condition, but None"),
        ("", "not a condition"),
        ("None", "not a condition, but 'None'"),
        ("{'operator': 'any row'}", "tojson"),
        ("count >= -1", "not a condition"),
        ("every row", "not a condition"),
        ([], "not a condition"),
        ({"operator": "any row", "valeu": 1}, "not a condition"),
        ({"operator": "==", "result_path": "a", "value": 1}, "the operator '=='.*'not in'"),
        ({"operator": None, "result_path": "a", "value": 1}, "the operator None"),
        ({"operator": "=", "value": 1}, "no result_path"),
        ({"operator": "=", "result_path": None, "value": 1}, "result_path None"),
        ({"operator": "=", "result_path": " ", "value": 1}, "result_path ' '"),
        ({"operator": "=", "result_path": "a"}, "compares with None.*write 'empty'"),
        ({"operator": "=", "result_path": "a", "value": None}, "compares with None"),
        ({"operator": "!=", "result_path": "a", "value": ""}, "compares with ''"),
        ({"operator": "=", "result_path": "a", "value": " "}, "compares with ' '"),
        ({"operator": "in", "result_path": "a", "value": ["None", ""]}, "compares with ''"),
        ({"operator": ">", "result_path": "a", "value": "None"}, "needs a number or a time"),
        ({"operator": "=", "result_path": "a", "value": float("nan")}, "compares with nan"),
        ({"operator": "=", "result_path": "a", "value": {"b": 1}}, "not a text, a number"),
        ({"operator": "=", "result_path": "a", "value": [1]}, "under 'in'"),
        ({"operator": "in", "result_path": "a", "value": []}, "needs a list of values"),
        ({"operator": "in", "result_path": "a", "value": "WON"}, "needs a list of values"),
        ({"operator": "in", "result_path": "a", "value": ["WON", None]}, "compares with None"),
        ({"operator": "empty", "result_path": "a", "value": 1}, "takes no value"),
        ({"operator": "any row", "value": 1}, "takes no value"),
        ({"operator": ">", "result_path": "a", "value": "much"}, "needs a number or a time"),
        ({"operator": ">", "result_path": "a", "value": True}, "needs a number or a time"),
        ("count >= 0", "a whole number, 1 or above"),
        ("count < 0", "a whole number, 1 or above"),
        ({"operator": "count =", "value": 1.5}, "a whole number, 0 or above"),
        ({"operator": "count =", "value": True}, "a whole number"),
    ],
)
def test_what_is_not_a_condition_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        Condition.of(given, "condition")


@pytest.mark.parametrize(
    "given",
    [
        "any row",
        "count < 3",
        {"operator": "=", "result_path": "", "value": False},
        {"operator": "in", "result_path": "a.b", "value": ["x", 1]},
        {"operator": "not empty", "result_path": "a"},
    ],
)
def test_a_condition_travels_as_json(given):
    condition = Condition.of(given, "condition")
    assert Condition.of(json.loads(json.dumps(condition.as_json())), "condition") == condition


def test_a_condition_is_shown_as_it_was_written():
    assert str(Condition.of("any row", "c")) == "count >= 1"
    assert str(Condition("=", "WON", "stageId")) == "stageId = 'WON'"
    assert str(Condition("empty", None, "title")) == "title empty"


@pytest.mark.parametrize("text", ["None", "nan", "null", "<NA>", "NaT"])
def test_a_text_that_an_author_writes_is_a_text(text):
    """A person, or a stage, may be called so; what a template leaves there is refused before."""
    for given in ({"operator": "=", "value": text}, {"operator": "in", "value": ["other", text]}):
        condition = Condition.of({"result_path": "name", **given}, "condition")
        assert condition.holds({"name": text})
        assert not condition.holds({"name": None})
        assert Condition.of(condition.as_json(), "condition") == condition
    assert Condition.of({"result_path": text, "operator": "not empty"}, "condition").holds({text: 1})
