"""A token pair as it is kept: what a renewal gives, and when the access token ends."""

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
    :param expires_at: Unix seconds by our clock; None when nobody told.
    :param user_id: for whom the authorization server made it.
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
        """As JSON. Holds the secrets."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> TokenPair:
        """
        Read what :meth:`to_text` wrote; fields that a newer version of this package added are left out.

        :raises ValueError: it is no pair.
        """
        found: Any = json.loads(text)
        known = {one.name: found[one.name] for one in fields(cls) if one.name in found} if _is_map(found) else {}
        texts = (known.get("access_token"), known.get("refresh_token"))
        expires_at = known.get("expires_at")
        if not all(isinstance(one, str) for one in texts) or not isinstance(expires_at, (int, float, type(None))):
            raise ValueError("not a token pair")
        return cls(**known)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def fingerprint(text: str) -> str:
    """Tells two secrets apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
