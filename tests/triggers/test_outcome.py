"""How waiting ended: an event is believed only if it is one of ours."""

from __future__ import annotations

import json

import pytest

from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error, NotFound, OperationTimeLimit
from airflow_provider_bitrix24.triggers.outcome import Ending, ending_in, error_as_json, error_in, event_of

ERROR = NotFound(
    "NOT_FOUND", method="crm.item.get", code="NOT_FOUND", description="Not found", status=400, request_id="r",
    next_step="look", retryable=False,
)  # fmt: skip


@pytest.mark.parametrize("seen", [None, {"id": 7}, [1], "WON", 0, True])
def test_what_was_seen_comes_back(seen):
    assert ending_in(json.loads(json.dumps(event_of(Ending("met", seen)).payload))) == Ending("met", seen)


def test_the_whole_error_comes_back():
    ending = ending_in(json.loads(json.dumps(event_of(Ending("failed", error=ERROR)).payload)))
    assert ending.status == "failed"
    assert type(ending.error) is NotFound
    assert vars(ending.error) == {**vars(ERROR), "ran": "no"}
    assert str(ending.error) == str(ERROR)


@pytest.mark.parametrize(
    "error", [OperationTimeLimit("x", reset_at=5.0), BatchError("x", errors={}, results={}), Bitrix24Error("x")]
)
def test_every_error_can_come_back(error):
    restored = error_in(error_as_json(error))
    assert (restored.reason, restored.retryable) == ("x", error.retryable)
    assert isinstance(error, type(restored))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "met",
        [],
        {},
        {"status": "success"},
        {"status": "failed"},
        {"status": "failed", "error": "x"},
        {"status": "failed", "error": {**error_as_json(ERROR), "error": "SystemExit"}},
        {"status": "failed", "error": {**error_as_json(ERROR), "error": "Mapping"}},
        {"status": "failed", "error": {**error_as_json(ERROR), "reason": None}},
        {"status": "failed", "error": {**error_as_json(ERROR), "ran": "maybe"}},
        {"status": "failed", "error": {**error_as_json(ERROR), "retryable": "no"}},
        {"status": "failed", "error": {**error_as_json(ERROR), "status": "400"}},
        {"status": "failed", "error": {**error_as_json(ERROR), "code": 0}},
    ],
)
def test_what_is_not_an_event_of_ours_is_not_believed(payload):
    with pytest.raises(Bitrix24Error, match="the trigger's event") as caught:
        ending_in(payload)
    assert caught.value.retryable
