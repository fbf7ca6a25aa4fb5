"""Errors as values: copies with other fields, and the tree as it is drawn."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback
from pathlib import Path

import pytest

from airflow_provider_bitrix24 import exceptions
from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    BatchError,
    Bitrix24Error,
    ConfigurationError,
    IncompleteList,
    Invalid,
    NotFound,
    NotSent,
    OperationTimeLimit,
)

ERRORS = [
    ConfigurationError("the host is missing", next_step="write it into Host"),
    NotSent("no connection", method="profile", request_id="r-1"),
    AnswerLost("no answer within 75 s", ran="yes", retryable=False, status=502),
    Invalid("0 (HTTP 400)", code="0", description="no", cause_known=False),
    OperationTimeLimit("used up", reset_at=1000.0),
    IncompleteList("the ids do not grow", rows=50),
    BatchError("one failed", errors={"a": NotFound("gone")}, results={"b": True}),
]


def drawn(text: str) -> dict[str, str]:
    """Class -> the class above it, from a picture of branches."""
    above: dict[int, str] = {}
    parents = {}
    for prefix, name in re.findall(r"^ *((?:│   |    )*(?:[├└]── )?)(\w+)(?: |$)", text, re.MULTILINE):
        depth = len(prefix) // 4
        if name in vars(exceptions):
            parents[name] = above.get(depth - 1, "Exception")
            above[depth] = name
    return parents


@pytest.mark.parametrize(
    "text",
    [inspect.getdoc(exceptions), (Path(__file__).parent.parent / "docs" / "errors.md").read_text("utf-8")],
    ids=["the module", "docs/errors.md"],
)
def test_the_tree_is_as_it_is_drawn(text):
    picture = re.search(r"^ *Bitrix24Error\n(?:[ │├└─]+\w.*\n)+", text, re.MULTILINE)
    assert picture is not None
    classes = {
        name: error.__bases__[0].__name__
        for name, error in vars(exceptions).items()
        if inspect.isclass(error) and issubclass(error, Bitrix24Error)
    }
    assert drawn(inspect.cleandoc(picture[0])) == classes


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_copy_differs_in_what_was_named_and_leaves_the_error_alone(error):
    before = (str(error), dict(vars(error)))
    copy = error.but(retryable=True, ran="unknown", method="crm.item.add", affects_every_row=True)
    assert type(copy) is type(error)
    assert (copy.retryable, copy.ran, copy.method, copy.affects_every_row) == (True, "unknown", "crm.item.add", True)
    changed = {"retryable", "ran", "method", "affects_every_row"}
    assert {**vars(copy), **dict.fromkeys(changed)} == {**vars(error), **dict.fromkeys(changed)}
    assert (str(error), vars(error)) == before


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (IncompleteList("the ids do not grow"), {"rows": 50}),
        (OperationTimeLimit("used up"), {"reset_at": 1000.0}),
        (Invalid("0"), {"cause_known": False}),
        (Invalid("0"), {"next_step": "unpay it first", "code": "100", "status": 400, "request_id": "r-1"}),
    ],
)
def test_each_field_can_be_another_in_a_copy(error, fields):
    copy = error.but(**fields)
    assert {name: getattr(copy, name) for name in fields} == fields


def test_a_field_that_the_error_does_not_have_is_refused():
    with pytest.raises(AttributeError, match="NotFound has no field 'reset_at'"):
        NotFound("gone").but(reset_at=1000.0)


@pytest.mark.parametrize(
    ("hint", "advice", "together"),
    [
        ("", "check the host", "check the host"),
        ("check the host.", "or the port", "check the host; or the port"),
        ("check the host", "(in 5 s)", "check the host (in 5 s)"),
        ("check the host", "", "check the host"),
    ],
)
def test_advice_is_added_to_the_hint(hint, advice, together):
    assert NotSent("no connection", next_step=hint).but(advice=advice).next_step == together


def test_a_remark_without_a_hint_before_it_stands_behind_the_reason():
    error = NotSent("no connection", method="profile").but(advice="(in 5 s)")
    assert (str(error), error.next_step) == ("profile: no connection (in 5 s)", "")
    assert str(error.but(advice="check the host")) == "profile: no connection (in 5 s): check the host"


def test_a_copy_has_no_traceback_and_no_chain():
    try:
        try:
            raise ValueError("s3cret")
        except ValueError as cause:
            raise NotSent("no connection") from cause
    except NotSent as error:
        copy = error.but(retryable=False)
    assert "".join(traceback.format_exception(copy)) == f"{NotSent.__module__}.NotSent: no connection\n"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error):
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert {name: str(value) for name, value in vars(twin).items()} == {
        name: str(value) for name, value in vars(error).items()
    }
