"""The list that most loads of tests read."""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox import Sandbox

LIST = "crm.item.list"
#: Of the portal of the fixture ``large``, and of that of ``larger``.
DEALS, MORE_DEALS = 1300, 4000
#: As good as none: what is tested is not the request bucket.
WIDE_OPEN = {"rate": 100_000, "burst": 100_000}


def calls(portal: Sandbox, method: str) -> int:
    """How often a method was called, alone or in a batch."""
    return sum(command.method == method for call in portal.calls for command in (call.commands or [call]))
