"""
Where sources disagree on what a portal does, the client does its work under every reading.

Each reading is a setting of the sandbox; docs/sandbox.md lists them, and the disagreements that need none. Enough
combinations are tried that any two readings meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Blocked, Forbidden, Invalid, NotFound, RestError, Unauthorized
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.state.settings import Settings
from airflow_provider_bitrix24.sandbox.state.users import User
from tests.rest.applications import MemoryStore, application_client
from tests.rest.clients import Naps, client_of
from tests.rest.deletes import DELETE
from tests.rest.readings import READINGS, named, pairwise

DEALS = 120
#: Takes some of the ten minutes' operating time at every call.
BUSY = "crm.lead.get"


def test_a_new_reading_of_the_sandbox_comes_under_test() -> None:
    # The kind of portal is not a disagreement: a self-hosted one has no operating time to run out of.
    tastes = {"language", "latency_seconds", "command_seconds", "operating_shown"}
    assert {field.name for field in fields(Settings)} - tastes == READINGS.keys() - {"operating_limit"}


@pytest.fixture(scope="module", params=pairwise(), ids=named)
def portal(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(deals=DEALS, seed=3, method_seconds={BUSY: 6.0}, **request.param) as portal:
        yield portal


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


def test_payments_are_deleted_and_refusals_understood(portal: Sandbox, client: Client) -> None:
    unpaid, paid = portal.add_payment(1), portal.add_payment(1, paid=True)
    assert client.call(DELETE, {"id": unpaid}) is True
    assert portal.payment(unpaid) is None
    # Older servers say of a missing payment what they say of one that the user may not see.
    for payment_id in (paid, 999_999):
        with pytest.raises((NotFound, Forbidden, Invalid)):
            client.call(DELETE, {"id": payment_id})
    assert portal.payment(paid) is not None


def test_lists_are_exact(client: Client) -> None:
    assert sorted(int(row["ID"]) for row in client.list("crm.deal.list")) == list(range(1, DEALS + 1))
    rows = client.list("crm.item.list", {"entityTypeId": 2, "filter": {">id": 20}})
    assert sorted(row["id"] for row in rows) == list(range(21, DEALS + 1))


def test_batches_tell_each_command_its_own(portal: Sandbox, client: Client) -> None:
    payments = [portal.add_payment(1) for _ in range(60)]
    portal.reset_calls()
    outcome = client.batch({payment_id: (DELETE, {"id": payment_id}) for payment_id in (*payments, 999_999)})
    assert not [payment_id for payment_id in payments if portal.payment(payment_id)]
    assert outcome.not_run == []
    # An old server does not say why, or that, it refused: false is its answer.
    refused = outcome.errors.get(999_999) or outcome.results[999_999] is False
    assert refused
    assert all(outcome.results[payment_id] is True for payment_id in payments)
    # Whatever becomes of commands past the 50th: none is sent.
    assert max(len(call.commands) for call in portal.calls) <= 50


def test_a_webhook_that_is_none_is_distinguished_from_a_missing_right(portal: Sandbox) -> None:
    stranger = User(portal.admin.id, "No", "One", "none@example.com", code="q1w2e3r4t5y6u7i8")
    with client_of(portal, stranger) as client, pytest.raises(Unauthorized):
        client.call("profile")
    with client_of(portal, portal.clerk) as client, pytest.raises(Forbidden):
        client.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "New"}})


@pytest.mark.parametrize(
    ("kind", "options", "raised"),
    [
        ("overload", {}, Blocked),
        ("error", {"code": "PORTAL_DELETED", "description": "Portal was deleted", "status": 403}, Blocked),
        ("error", {"code": "PORTAL_DELETED", "description": "Portal was deleted", "status": 500}, Blocked),
        ("error", {"code": "user_access_error", "status": 401}, Forbidden),
        ("error", {"code": "user_access_error", "status": 403}, Forbidden),
    ],
)
def test_a_refusal_means_the_same_under_any_status(
    portal: Sandbox, client: Client, kind: str, options: dict[str, Any], raised: type[RestError]
) -> None:
    portal.reset_calls()
    portal.fault(kind, "profile", **options)
    with pytest.raises(raised):
        client.call("profile")
    assert portal.requests == 1


def test_scope_plan_and_scheme_are_told_apart_under_any_status(portal: Sandbox, client: Client) -> None:
    portal.scopes.discard("crm")
    try:
        with pytest.raises(Forbidden):
            client.call("crm.deal.get", {"id": 1})
        portal.plan_has_rest = False
        with pytest.raises(Blocked):
            client.call("crm.deal.get", {"id": 1})
    finally:
        portal.plan_has_rest = True
        portal.scopes.add("crm")
    with client_of(portal, scheme="http") as plain, pytest.raises(Invalid, match="https://"):
        plain.call("profile")


def test_operating_time_is_never_used_up(portal: Sandbox) -> None:
    naps = Naps(portal)
    portal.reset_calls()
    with client_of(portal, naps=naps, patience_seconds=600.0) as client:
        for _ in range(4):
            outcome = client.batch(dict.fromkeys(range(25), (BUSY, {"id": 1})))
            assert (len(outcome.results), outcome.errors) == (25, {})
            client.call(BUSY, {"id": 1})
    result = [call.error for request in portal.calls for call in (request, *request.commands)]
    assert "OPERATION_TIME_LIMIT" not in result


def test_changes_wait_in_the_queue_until_they_are_cleared(portal: Sandbox, client: Client) -> None:
    connection = portal.oauth_connection()
    with application_client(connection, MemoryStore()) as app:
        app.call("event.bind", {"event": "ONPAYMENTENTITYSAVED", "event_type": "offline"})
        payment_id = portal.add_payment(1)
        client.call("crm.item.payment.pay", {"id": payment_id})
        taken = app.call("event.offline.get", {"clear": 0})
        assert [row["EVENT_DATA"]["FIELDS"]["ID"] for row in taken["events"]] == [payment_id]
        app.call("event.offline.clear", {"process_id": taken["process_id"]})
        assert app.call("event.offline.get")["events"] == []


def test_a_notification_with_a_tag_arrives_however_often_it_is_sent(portal: Sandbox, client: Client) -> None:
    for text in ("one", "two"):
        notification = {"USER_ID": 7, "MESSAGE": text, "TAG": "dag", "CLIENT_ID": "bot"}
        client.call("im.notify.system.add", notification)
        assert portal.notifications()[-1]["MESSAGE"] == text
