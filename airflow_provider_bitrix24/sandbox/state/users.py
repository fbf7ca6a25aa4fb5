"""The people of the portal, and the application through which one of them may call."""

from __future__ import annotations

import random
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bitrix24.sandbox.state.known_words import Rights, Scopes, check_attribute, check_bool


class ApplicationCard:
    """
    A local application as the portal's page shows it.

    :param scopes: what it may be used for.
    """

    def __init__(self, scopes: Iterable[str]) -> None:
        self._scopes = Scopes(scopes)
        self.client_id = f"local.{secrets.token_hex(7)}.{secrets.randbelow(90_000_000) + 10_000_000}"
        self.application_token = secrets.token_hex(16)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client_id})"

    @property
    def scopes(self) -> Scopes:
        """What it may be used for."""
        return self._scopes

    @scopes.setter
    def scopes(self, scopes: Iterable[str]) -> None:
        self._scopes = Scopes(scopes)


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
    #: Fields of ``user.*`` beside name and e-mail, as they were written.
    profile: dict[str, Any] = field(default_factory=dict)
    #: The application through which the user calls; ``None`` for the own webhook.
    application: ApplicationCard | None = None

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
        raise ValueError(f"user={user!r} is not valid: give portal.admin, portal.clerk or portal.user(ID).")


def new_code(chance: random.Random | None = None) -> str:
    """16 small letters and digits, as in a real webhook's URL."""
    alphabet = string.ascii_lowercase + string.digits
    pick = chance.choice if chance else secrets.choice
    code = "".join(pick(alphabet) for _ in range(14))
    return pick(string.ascii_lowercase) + code + pick(string.digits)
