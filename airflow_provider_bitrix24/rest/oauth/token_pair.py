"""A token pair as it is stored: what a renewal brings, and when the access token expires."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenPair:
    """
    An access token and the refresh token that replaces both.

    :param access_token: empty where only the refresh token is known.
    :param expires_at: Unix seconds by our clock; None where it is not known.
    :param user_id: the user as whom the application calls.
    :param client_endpoint: base of REST calls, ``https://my.bitrix24.com/rest/``.
    :param server_endpoint: the authorization server, ``https://oauth.bitrix.info/rest/``.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None = None
    member_id: str | None = None
    user_id: str | None = None
    client_endpoint: str | None = None
    server_endpoint: str | None = None

    def is_expired(self, now: float) -> bool:
        """Whether the access token is missing or known to be too old at ``now`` (Unix seconds)."""
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)

    def to_text(self) -> str:
        """Return it as JSON, with the secrets."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> TokenPair:
        """
        Read what :meth:`to_text` wrote; fields that a newer version of this package added are left out.

        :raises ValueError: it is not a token pair.
        """
        stored: Any = json.loads(text)
        names = {attribute.name for attribute in fields(cls)}
        values = {name: value for name, value in stored.items() if name in names} if isinstance(stored, dict) else {}
        tokens = (values.get("access_token"), values.get("refresh_token"))
        expires_at = values.get("expires_at")
        if not all(isinstance(token, str) for token in tokens) or not isinstance(expires_at, (int, float, type(None))):
            raise ValueError("not a token pair")
        return cls(**values)


def fingerprint(text: str) -> str:
    """Return a text that tells two secrets apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
