"""Named portals for trying things: ``Sandbox(scenario="bad-network")``, ``--scenario bad-network``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_bitrix24.sandbox.state.applications import ACCESS_SECONDS
from airflow_provider_bitrix24.sandbox.state.known_words import ALL_SCOPES, Scopes
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.settings import Generation


@dataclass(frozen=True)
class Scenario:
    """What a portal is like where :class:`~airflow_provider_bitrix24.sandbox.Sandbox` is given no other setting."""

    about: str
    generation: Generation = "current"
    language: str = "en"
    latency: float = 0.0
    rate: float | None = None
    burst: int | None = None
    operating_limit: float | None = None
    method_seconds: Mapping[str, float] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset(ALL_SCOPES)
    plan_has_rest: bool = True
    #: Life of the access tokens of applications.
    access_seconds: float = ACCESS_SECONDS
    #: Kind of fault -> its chance at every call.
    faults: Mapping[str, float] = field(default_factory=dict)

    def apply_to(self, portal: PortalState) -> None:
        """Set what a portal has beside its settings: its scopes, its plan, the life of its tokens and its faults."""
        portal.scopes = Scopes(self.scopes)
        portal.plan_has_rest = self.plan_has_rest
        portal.access_seconds = self.access_seconds
        for seed, (kind, chance) in enumerate(self.faults.items()):
            portal.faults.add(kind, "*", times=None, after=0, probability=chance, seed=seed)


SCENARIOS: Mapping[str, Scenario] = {
    "limits": Scenario(
        "the request bucket of most plans, and lists that use up their running time (2 seconds each of 420)",
        rate=2.0,
        burst=50,
        operating_limit=420.0,
        # Not every method: what a call takes passes on the portal's clock, and its bucket would never fill.
        method_seconds={"*.list": 2.0},
    ),
    "bad-network": Scenario(
        "one call in ten is lost before or after it ran, or answered by a gateway",
        faults={"reset_before": 0.03, "reset_after": 0.03, "status_before": 0.02, "status_after": 0.02},
    ),
    "slow": Scenario("every answer takes half a second", latency=0.5),
    "old-server": Scenario("payments answered as old self-hosted servers did", generation="old"),
    "russian": Scenario("descriptions of errors in Russian", language="ru"),
    "no-crm-scope": Scenario("webhooks without the scope crm", scopes=frozenset(ALL_SCOPES) - {"crm"}),
    "expired-tokens": Scenario("access tokens of applications live for 5 seconds, not an hour", access_seconds=5.0),
    "no-plan": Scenario("a portal whose plan has no REST", plan_has_rest=False),
}


def scenario_named(name: str | None) -> Scenario:
    """
    The scenario, or the portal without troubles for ``None``.

    :raises ValueError: there is no such scenario.
    """
    if name is None:
        return Scenario("a portal without troubles")
    if name not in tuple(SCENARIOS):
        raise ValueError(f"There is no scenario {name!r}: choose one of {', '.join(SCENARIOS)}.")
    return SCENARIOS[name]
