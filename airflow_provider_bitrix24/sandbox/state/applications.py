"""
Local applications: what they are granted, and for how long.

Source: Bitrix24 REST docs, "OAuth 2.0" (full protocol, automatic renewal, installation callback).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from airflow_provider_bitrix24.sandbox.state.core import PortalCore
from airflow_provider_bitrix24.sandbox.state.users import ApplicationCard, User

CODE_SECONDS = 30.0
ACCESS_SECONDS = 3600.0
REFRESH_SECONDS = 180 * 24 * 3600.0


@dataclass(slots=True)
class AccessToken:
    """Who calls with a token, and until when (Unix seconds at the portal)."""

    application: Application
    user: User
    expires_at: float


@dataclass(slots=True)
class RefreshToken:
    """A refresh token: granted once at most, however often it is shown."""

    user: User
    expires_at: float
    granted: int = 0
    refused: int = 0


class Application(ApplicationCard):
    """
    A local application of this portal, and every token that was made for it.

    :param user: who installs it and signs in.
    :param scopes: what its card allows.
    :param redirect_to: address that gets the code after signing in; ``None`` shows the code on a page.
    :param access_seconds: life of an access token.
    :param refresh_seconds: life of a refresh token.
    """

    def __init__(
        self,
        portal: PortalCore,
        user: User,
        scopes: Iterable[str],
        *,
        redirect_to: str | None = None,
        access_seconds: float = ACCESS_SECONDS,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        super().__init__(scopes)
        self._portal = portal
        self.user = user
        self.redirect_to = redirect_to
        self.access_seconds, self.refresh_seconds = access_seconds, refresh_seconds
        self.client_secret = _random_text(50)
        self.installed = True
        #: Fields of token answers that shall be other than they should, e.g. ``{"member_id": "another"}``; ``None``
        #: leaves a field out.
        self.answer_changes: dict[str, Any] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self._codes: dict[str, tuple[User, float]] = {}

    @property
    def member_id(self) -> str:
        """The portal's identity, which survives a change of its address."""
        return self._portal.member_id

    # What a person or the authorization server does.

    def authorize_code(self, user: User | None = None) -> str:
        """A code as signing in gives it: good once, for 30 seconds."""
        with self._portal.lock:
            code = secrets.token_hex(16)
            self._codes[code] = (user or self.user, self._portal.clock.now() + CODE_SECONDS)
            return code

    def grant(self, user: User | None = None) -> dict[str, Any]:
        """A new pair as the token endpoint answers: ``{"access_token": …, "refresh_token": …, "member_id": …, …}``."""
        with self._portal.lock:
            return self._grant(user or self.user)

    def install_callback(self) -> str:
        """The form-encoded body of ``ONAPPINSTALL``, with a new pair: what an application without pages receives."""
        with self._portal.lock:
            pair = self._grant(self.user)
            auth = {name: pair[name] for name in ("access_token", "refresh_token", "expires_in", "server_endpoint",
                                                  "status", "client_endpoint", "member_id")}  # fmt: skip
            auth |= {
                "domain": self._portal.host,
                "scope": " ".join(sorted(self.scopes)),
                "application_token": self.application_token,
            }
            data = {"VERSION": "1", "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "en"}
            fields = {
                "event": "ONAPPINSTALL",
                **{f"data[{name}]": value for name, value in data.items()},
                "ts": str(int(self._portal.clock.now())),
                **{f"auth[{name}]": value for name, value in auth.items()},
            }
            return urlencode(fields)

    def exchange(self, code: str) -> dict[str, Any] | None:
        """The first pair for a code; ``None`` if the code is unknown, used or too old. The caller holds the lock."""
        user, until = self._codes.pop(code, (None, 0.0))
        if user is None or self._portal.clock.now() >= until:
            return None
        pair = self._grant(user)
        # Only the answer to a renewal has these ("Step 2", "Automatic renewal").
        return {name: value for name, value in pair.items() if name not in ("expires", "user_id")}

    def renew(self, refresh_token: str) -> dict[str, Any] | None:
        """A new pair; ``None`` if the token is unknown, used or too old. The caller holds the lock."""
        token = self.refresh_tokens.get(refresh_token)
        if token is None:
            return None
        if token.granted or self._portal.clock.now() >= token.expires_at:
            token.refused += 1
            return None
        token.granted += 1
        return self._grant(token.user)

    def _grant(self, user: User) -> dict[str, Any]:
        now = self._portal.clock.now()
        access_token, refresh_token = _random_text(32), _random_text(32)
        self.access_tokens[access_token] = AccessToken(self, user, now + self.access_seconds)
        self.refresh_tokens[refresh_token] = RefreshToken(user, now + self.refresh_seconds)
        answer: dict[str, Any] = {
            "access_token": access_token,
            "client_endpoint": f"{self._portal.url}/rest/",
            "domain": self._portal.host,
            "expires": int(now + self.access_seconds),
            "expires_in": int(self.access_seconds),
            "member_id": self.member_id,
            "refresh_token": refresh_token,
            "scope": ",".join(sorted(self.scopes)),
            "server_endpoint": f"{self._portal.url}/rest/",
            "status": "L",
            "user_id": user.id,
        }
        answer |= self.answer_changes
        return {name: value for name, value in answer.items() if value is not None}

    # What a test does or asks.

    def expire_access_tokens(self) -> None:
        """All access tokens there are become too old; refresh tokens live on."""
        with self._portal.lock:
            for token in self.access_tokens.values():
                token.expires_at = 0.0

    def uninstall(self) -> None:
        """Take the application away from the portal: all its tokens are dead."""
        with self._portal.lock:
            self.installed = False
            self.access_tokens.clear()
            self.refresh_tokens.clear()

    def valid_refresh_token(self, pair: Mapping[str, Any]) -> bool:
        """Whether the ``refresh_token`` of a pair would be granted a new one."""
        with self._portal.lock:
            token = self.refresh_tokens.get(str(pair.get("refresh_token")))
            return token is not None and not token.granted and self._portal.clock.now() < token.expires_at

    def valid_access_token(self, pair: Mapping[str, Any]) -> bool:
        """Whether the portal would take the ``access_token`` of a pair."""
        with self._portal.lock:
            token = self.access_tokens.get(str(pair.get("access_token")))
            return token is not None and self._portal.clock.now() < token.expires_at

    @property
    def renewals(self) -> int:
        """How often a refresh token was exchanged for a new pair."""
        with self._portal.lock:
            return sum(token.granted for token in self.refresh_tokens.values())

    @property
    def refused_renewals(self) -> int:
        """How often a refresh token was shown that had been used, or was too old."""
        with self._portal.lock:
            return sum(token.refused for token in self.refresh_tokens.values())

    def secrets(self) -> set[str]:
        """Everything that nobody may show: the client secret, and all tokens and codes that were ever given."""
        with self._portal.lock:
            return {self.client_secret, *self.access_tokens, *self.refresh_tokens, *self._codes}


def _random_text(length: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
