"""The portal that clients of others are run against, trusted by all of them for the length of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

DEALS = 10_000


@pytest.fixture(scope="session")
def portal() -> Iterator[Sandbox]:
    with Sandbox(deals=DEALS) as portal, pytest.MonkeyPatch.context() as patch:
        for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
            patch.setenv(variable, portal.ca_file)
        yield portal


@pytest.fixture(scope="session")
def deal_ids(portal: Sandbox) -> list[int]:
    ids = sorted(int(deal["id"]) for deal in portal.items(2))
    assert len(ids) == DEALS
    return ids


@pytest.fixture
def payment_ids(portal: Sandbox) -> list[int]:
    """120 payments that may be deleted: more than two batches."""
    return [portal.add_payment(deal_id=1 + number) for number in range(120)]
