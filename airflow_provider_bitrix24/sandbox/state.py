"""The portal as its methods see it: settings, people, rights, clock, limits and objects."""

from __future__ import annotations

import random
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_bitrix24.sandbox import texts
from airflow_provider_bitrix24.sandbox.applications import ACCESS_SECONDS
from airflow_provider_bitrix24.sandbox.calls import CallLog
from airflow_provider_bitrix24.sandbox.events import Events
from airflow_provider_bitrix24.sandbox.faults import Faults
from airflow_provider_bitrix24.sandbox.known_words import (
    ALL_SCOPES,
    PLAN_FEATURES,
    PlanFeatures,
    Rights,
    Scopes,
    check_attribute,
    check_bool,
)
from airflow_provider_bitrix24.sandbox.limits import Clock, OperatingTime, RequestBucket
from airflow_provider_bitrix24.sandbox.store import Store

if TYPE_CHECKING:
    from airflow_provider_bitrix24.sandbox.applications import Application

Generation: TypeAlias = Literal["current", "middle", "old"]
BatchBilling: TypeAlias = Literal["commands", "batch", "none"]
#: Whose word counts where the pages and the server source disagree.
Reading: TypeAlias = Literal["source", "documentation"]

#: What the pages print where they do not print 403 for a refused caller («System errors»).
_DOCUMENTED_STATUSES = {"OVERLOAD_LIMIT": 503, "INVALID_REQUEST": 400}


@dataclass(frozen=True)
class Settings:
    """How this portal differs from others; where sources disagree, each reading is a setting."""

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
    latency_seconds: float = 0.0
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
        for name in ("offline_queue", "notify_tags"):
            _check(name, getattr(self, name), ("source", "documentation"))

    def auth_status_of(self, code: str) -> int:
        """Status of the refusal of a caller: the server's source has one for all, the pages have some of their own."""
        return 401 if self.auth_status == 401 else _DOCUMENTED_STATUSES.get(code, self.auth_status)


def _check(name: str, value: object, allowed: tuple[object, ...]) -> None:
    # 0 and False are equal, and an unhashable value is as wrong as any.
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise ValueError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, allowed))}.")


@dataclass(slots=True)
class User:
    """One employee; ``code`` is the secret in the URL of the own webhook, empty for none."""

    id: int
    first_name: str
    last_name: str
    email: str
    code: str = field(repr=False)
    is_admin: bool = False
    active: bool = True
    rights: set[str] = field(default_factory=lambda: Rights({"read"}))
    #: CRM lists and gets show only objects this user is responsible for.
    sees_only_own: bool = False
    #: The application through which the user calls; ``None`` for the own webhook.
    application: Application | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "rights" and not isinstance(value, Rights):
            value = Rights(value)
        if name in ("is_admin", "active", "sees_only_own"):
            check_bool(name, value)
        check_attribute("A user", name, self.__slots__)
        object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def client_id(self) -> str | None:
        return None if self.application is None else self.application.client_id

    def may(self, right: str) -> bool:
        return self.is_admin or right in self.rights


def check_user(user: object) -> None:
    """:raises ValueError: neither a user nor ``None``."""
    if user is not None and not isinstance(user, User):
        raise ValueError(f"user={user!r} cannot be: give portal.admin, portal.clerk or portal.user(ID).")


def new_code(chance: random.Random | None = None) -> str:
    """16 small letters and digits, as in a real webhook's URL."""
    alphabet = string.ascii_lowercase + string.digits
    pick = chance.choice if chance else secrets.choice
    code = "".join(pick(alphabet) for _ in range(14))
    return pick(string.ascii_lowercase) + code + pick(string.digits)


class PortalState:
    """One portal. Whoever reads or changes it holds ``lock``: the server runs in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        users: list[User],
        store: Store,
        *,
        rate: float | None,
        burst: int | None,
        operating_limit: float | None,
        method_seconds: Mapping[str, float],
    ) -> None:
        self.settings = settings
        self.users = {user.id: user for user in users}
        self.store = store
        self.scopes = Scopes(ALL_SCOPES)
        self.applications: dict[str, Application] = {}
        #: Life of the access tokens of new applications.
        self.access_seconds = ACCESS_SECONDS
        self.member_id = secrets.token_hex(16)
        self.plan_has_rest = True
        #: What the plan includes beside REST; ``feature.get`` tells.
        self.plan_features = PlanFeatures(PLAN_FEATURES)
        #: Whether the site where customers pay has a confirmed phone: without, there are no links to payments.
        self.payment_site_phone_confirmed = True
        #: ``https://127.0.0.1:PORT``, known when the portal listens.
        self.url = ""
        self.clock = Clock()
        self.bucket = RequestBucket(self.clock, rate, burst)
        self.operating = OperatingTime(self.clock, operating_limit, method_seconds)
        self.events = Events(self)
        self.faults = Faults()
        self.log = CallLog()
        self.lock = threading.RLock()

    def text(self, key: str, **values: Any) -> str:
        """A description in the portal's language."""
        return texts.text(self.settings.language, key, **values)

    def webhook_owner(self, user_id: str, code: str) -> User | None:
        user = self.users.get(int(user_id)) if user_id.isascii() and user_id.isdigit() else None
        if user is None or not user.code or not secrets.compare_digest(user.code.encode(), code.encode()):
            return None
        return user

    @property
    def host(self) -> str:
        """Name of the portal without scheme and port, as ``domain`` of token answers has it."""
        return urlsplit(self.url).hostname or ""

    def scopes_of(self, user: User) -> Scopes:
        """What the webhook may do, or the application through which the user calls."""
        return self.scopes if user.application is None else user.application.scopes

    def credential(self, user: User) -> str:
        """Whose operating time is used up by this user's webhook or application."""
        if user.application is not None:
            return f"application {user.application.client_id}"
        return "webhooks" if self.settings.operating_shared else f"webhook of {user.id}"
