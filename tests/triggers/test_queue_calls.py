"""Rows of the offline queue: what is taken from them, and answers that are not what the documentation promises."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.triggers.queue_calls import QueueCalls, QueueRow
from tests.rest.clients import client_of

TIME = "2026-01-31T12:00:00+03:00"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"FIELDS": {"ID": "759"}}, {"object_id": 759}),
        ({"FIELDS": {"ID": "24", "ENTITY_TYPE_ID": "1220"}}, {"object_id": 24, "entity_type_id": 1220}),
        ({"FIELDS_BEFORE": {"ID": 123}, "FIELDS_AFTER": "undefined"}, {"object_id": 123}),
        ({"FIELDS_BEFORE": "undefined", "FIELDS_AFTER": {"ID": 9}}, {"object_id": 9}),
        ({"ID": 999}, {"object_id": 999}),
        ({"ID": 123, "EMAIL": "user@example.com", "NAME": "Klaus"}, {"object_id": 123}),
        ({"FIELDS": {"ID": "A-7"}}, {"object_id": "A-7"}),
        ({"FIELDS": {"ANCHOR_ID": 17192}}, {"object_id": None}),
        (False, {"object_id": None}),
        ([], {"object_id": None}),
    ],
)
def test_ids_and_times_are_taken_from_a_row_and_nothing_else(data, found):
    """Payloads of the documentation: new users come with their names, which Airflow would show to everybody."""
    expected = {"id": "5@2026-01-31T09:00:00Z", "event": "ONX", "time": "2026-01-31T09:00:00Z", "redelivered": False}
    assert QueueRow(5, "ONX", data, TIME).payload() == {**expected, **found}


def test_rows_that_have_one_number_after_the_database_counted_from_1_again_are_two():
    first, second = (QueueRow(1, "ONX", {}, f"2026-01-31T12:00:0{second}+03:00").payload() for second in (0, 1))
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("method", "answer", "call"),
    [
        ("event.get", {"event": "ONX"}, lambda calls: calls.bound()),
        ("event.offline.list", {}, lambda calls: calls.waiting(["ONX"])),
        ("event.offline.list", [{"ID": "x", "EVENT_NAME": "ONX"}], lambda calls: calls.unfinished(["ONX"])),
        ("event.offline.get", {"process_id": "p", "events": [{"ID": "1"}]}, lambda calls: calls.reserve("ONX", 1)),
        ("event.offline.get", [], lambda calls: calls.reserve("ONX", 1)),
        ("event.unbind", True, lambda calls: calls.unbind("ONX")),
    ],
)
def test_an_answer_of_another_form_is_not_believed(portal, method, answer, call):
    portal.answers[method] = [answer]
    with client_of(portal) as client, pytest.raises(Bitrix24Error, match=f"{method}: the portal answered"):
        call(QueueCalls(client))


def test_rows_that_were_not_reserved_are_refused(portal):
    """A portal that clears what it hands over would lose them with the triggerer."""
    row = {"ID": "1", "EVENT_NAME": "ONX", "TIMESTAMP_X": TIME, "EVENT_DATA": {}}
    portal.answers["event.offline.get"] = {"process_id": None, "events": [row]}
    with client_of(portal) as client, pytest.raises(Bitrix24Error, match="without a process_id"):
        QueueCalls(client).reserve("ONX", 1)
