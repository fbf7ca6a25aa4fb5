"""How one portal differs from others; where sources disagree, each reading is a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from airflow_provider_bitrix24.sandbox.state import texts

Generation: TypeAlias = Literal["current", "middle", "old"]
BatchBilling: TypeAlias = Literal["commands", "batch", "none"]
#: Whose word counts where the pages and the server source disagree.
Reading: TypeAlias = Literal["source", "documentation"]

#: What the pages print where they do not print 403 for a refused caller ("System errors").
_DOCUMENTED_STATUSES = {"OVERLOAD_LIMIT": 503, "INVALID_REQUEST": 400}


@dataclass(frozen=True)
class Settings:
    """What does not change while the portal runs."""

    #: Which server's answers ``crm.item.payment.*`` gives.
    generation: Generation = "current"
    language: str = "en"
    #: Status of authorization errors: 401 in the server source; 403 (and see :meth:`auth_status_of`) in the pages.
    auth_status: int = 401
    #: ``"0"`` sends numeric codes as text (current servers), ``0`` as numbers (documentation).
    zero_code: str | int = "0"
    #: Who pays operating time for a batch: each command's method, ``batch`` itself, or nobody.
    batch_billing: BatchBilling = "commands"
    #: One counter of operating time per method for all webhooks, or one for each webhook.
    operating_shared: bool = True
    #: Answers say how much operating time was used, as a cloud portal; a self-hosted one counts none.
    operating_shown: bool = True
    latency_seconds: float = 0.0
    #: How long each command of a batch takes.
    command_seconds: float = 0.0
    #: An application's own changes, clearing and the age of rows: as the server source or as the pages say.
    offline_queue: Reading = "source"
    #: Tags of a webhook's notifications: ignored (source), or used with ``CLIENT_ID`` (documentation).
    notify_tags: Reading = "source"

    def __post_init__(self) -> None:
        _check("generation", self.generation, ("current", "middle", "old"))
        _check("language", self.language, texts.LANGUAGES)
        _check("batch_billing", self.batch_billing, ("commands", "batch", "none"))
        _check("auth_status", self.auth_status, (401, 403))
        _check("zero_code", self.zero_code, ("0", 0))
        _check("operating_shared", self.operating_shared, (True, False))
        _check("operating_shown", self.operating_shown, (True, False))
        for name in ("offline_queue", "notify_tags"):
            _check(name, getattr(self, name), ("source", "documentation"))

    def auth_status_of(self, code: str) -> int:
        """Status of the refusal of a caller: the server's source has one for all, the pages have some of their own."""
        return 401 if self.auth_status == 401 else _DOCUMENTED_STATUSES.get(code, self.auth_status)


def _check(name: str, value: object, allowed: tuple[object, ...]) -> None:
    # 0 and False are equal, and an unhashable value is as wrong as any.
    if not any(value == choice and type(value) is type(choice) for choice in allowed):
        raise ValueError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, allowed))}.")
