"""Names of all documented methods, most of which the sandbox does not offer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from airflow_provider_bitrix24.sandbox.methods.registry import Refusal


@cache
def documented(*, version: int | None = None) -> Mapping[str, str]:
    """By their names in lower case; those of one version of REST, or all."""
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split() for line in lines if not line.startswith("#"))
    return {name.lower(): name for name, *versions in entries if version is None or str(version) in (versions or ["2"])}


def not_offered(name: str) -> Refusal:
    """What a call of a documented method is refused with, if the sandbox cannot answer it."""
    problem = f"{name} is documented, but not offered by the sandbox: set an answer with portal.answers[{name!r}] = …"
    return Refusal("NOT_OFFERED_BY_SANDBOX", problem)
