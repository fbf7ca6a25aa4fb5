"""Where sources disagree on what a portal does, the client does its work under every reading."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Forbidden, Invalid, NotFound, Unauthorized
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.state import User
from tests.rest.clients import client_of
from tests.rest.deletes import DELETE

#: Setting of the sandbox -> its readings. «Server source» and «documentation» as far as one of them says so.
READINGS: dict[str, tuple[Any, ...]] = {
    "auth_status": (401, 403),
    "zero_code": ("0", 0),
    "batch_billing": ("commands", "batch", "none"),
    "operating_shared": (True, False),
    "generation": ("current", "middle", "old"),
}
EVERY_READING = [dict(zip(READINGS, values, strict=True)) for values in product(*READINGS.values())]
DEALS = 120


@pytest.fixture(scope="module", params=EVERY_READING, ids=lambda reading: "-".join(map(str, reading.values())))
def portal(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(deals=DEALS, seed=3, operating_limit=420, **request.param) as portal:
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
    outcome = client.batch({payment_id: (DELETE, {"id": payment_id}) for payment_id in (*payments, 999_999)})
    assert not [payment_id for payment_id in payments if portal.payment(payment_id)]
    assert outcome.not_run == []
    # An old server does not say why, or that, it refused: false is its answer.
    refused = outcome.errors.get(999_999) or outcome.results[999_999] is False
    assert refused
    assert all(outcome.results[payment_id] is True for payment_id in payments)


def test_a_webhook_that_is_none_is_told_from_a_missing_right(portal: Sandbox) -> None:
    stranger = User(portal.admin.id, "No", "One", "none@example.com", code="q1w2e3r4t5y6u7i8")
    with client_of(portal, stranger) as client, pytest.raises(Unauthorized):
        client.call("profile")
    with client_of(portal, portal.clerk) as client, pytest.raises(Forbidden):
        client.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "New"}})
