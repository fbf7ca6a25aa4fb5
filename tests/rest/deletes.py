"""One delete of a payment, and all that came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of
from tests.secrecy import assert_untold

DELETE, GET = "crm.item.payment.delete", "crm.item.payment.get"
FOR_EVER = None
MAY_BE_DELETED = "the payment may already be deleted"
#: A refusal in words that nobody knows.
UNKNOWN = {"code": "0", "description": "Die Zahlung kann nicht gelöscht werden", "status": 400}


@dataclass
class Outcome:
    """Of one ``client.call``: its result or its error, and what the portal saw of it."""

    result: Any
    error: Any
    requests: list[str]
    executed: int
    naps: list[float] = field(default_factory=list)


def delete(portal: Sandbox, payment_id: int, all_output: Any, *, user: Any = None, **settings: Any) -> Outcome:
    owner = user or portal.admin
    naps = Naps(portal)
    result: Any = None
    error: Bitrix24Error | None = None
    portal.reset_calls()
    with client_of(portal, owner, naps=naps, **settings) as client:
        try:
            result = client.call(DELETE, {"id": payment_id})
        except Bitrix24Error as caught:
            error = caught
    assert_untold(owner.code, all_output, error)
    if error is not None:
        assert error.__cause__ is None
        assert error.__context__ is None
        assert error.request_id is not None
        assert error.method == DELETE
    asked = [call.method.removeprefix("crm.item.payment.") for call in portal.calls]
    return Outcome(result, error, asked, portal.executed(DELETE), naps.taken)


def unpaid(portal: Sandbox) -> int:
    (deal_id, *_) = {payment["dealId"] for payment in portal.payments() if payment["dealId"]} or {1}
    return portal.add_payment(deal_id, sum=10)
