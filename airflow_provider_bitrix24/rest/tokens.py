"""
The stored token pair, and its renewal.

An access token lives an hour, and each renewal replaces the refresh token: who uses the old one afterwards is refused.
So a pair is stored before it is used, renewals on one host wait for each other, and who is refused first looks whether
somebody else has stored a newer pair.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, ExpiredToken, NotSent, Unauthorized
from airflow_provider_bitrix24.rest.authorization import AuthorizationServer, Granted
from airflow_provider_bitrix24.rest.bucket_stores import shared_directory
from airflow_provider_bitrix24.rest.host_lock import locked
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal
from airflow_provider_bitrix24.rest.token_stores import KEY_PREFIX, TokenStore

log = logging.getLogger(__name__)

#: After ``invalid_grant``: how long to look for a pair that another worker may be about to store.
WINNER_PATIENCE_SECONDS = 20.0
#: How long to wait for another process of this host that renews: longer than its request may take.
LOCK_PATIENCE_SECONDS = 120.0
#: How often a write is tried while others write.
_WRITES = 5
#: What a person does about a pair that is dead.
AUTHORIZE_AGAIN = (
    "authorize the application again with `python -m airflow_provider_bitrix24.authorize`, "
    "and put the new refresh_token into the connection"
)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """
    What a renewal gives, and what is stored.

    :param expires_at: Unix seconds by our clock; None when nobody told.
    :param seeds: fingerprints of the refresh tokens from connections that led here.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None = None
    member_id: str | None = None
    user_id: str | None = None
    server_endpoint: str | None = None
    seeds: tuple[str, ...] = ()

    def is_expired(self, now: float) -> bool:
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)

    def to_text(self) -> str:
        """As JSON. Holds the secrets."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> TokenPair:
        found = json.loads(text)
        return cls(**{**found, "seeds": tuple(found["seeds"])})


class Tokens:
    """
    The token of one application at one portal for one user, shared by all who have a connection to it.

    The pair is stored under a key made of member_id, application and user, which the first renewal tells. From the
    refresh token of a connection (the seed) a pointer leads to that key: so several connections share one pair, a new
    seed wins at once, and an old one never does.

    :param store: where the pair is kept.
    :param renews: False to use only the token at hand, as a connection test must.
    :param on_secret: told of every new secret, before it is used.
    """

    def __init__(
        self,
        portal: Portal,
        app: OAuthApp,
        store: TokenStore,
        *,
        renews: bool = True,
        on_secret: Callable[[str], object] = lambda secret: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._portal, self._app, self._store = portal, app, store
        self._renews, self._on_secret = renews, on_secret
        self._clock, self._sleep = clock, sleep
        self._server = AuthorizationServer(portal, app)
        self._seed = fingerprint(app.refresh_token)
        self._pair: TokenPair | None = None

    def pair(self) -> TokenPair:
        """
        The pair to sign with, renewed if it is known to have expired.

        :raises Bitrix24Error: see :meth:`renewed`.
        """
        if self._pair is None:
            self._take(self._read()[0])
        pair = self._pair
        if pair is None or pair.is_expired(self._clock()):
            return self.renewed(pair)
        return pair

    def renewed(self, used: TokenPair | None) -> TokenPair:
        """
        A newer pair than the one that was refused: somebody else's if there is one, else from the authorization server.

        :raises Unauthorized: the pair is dead; a person must authorize the application again.
        :raises Blocked: the application's paid period is over.
        :raises NotSent: the authorization server is away, or another process has been renewing for too long.
        """
        if not self._renews:
            raise ExpiredToken(
                "the access token has expired",
                code="expired_token",
                next_step="the next task that uses this connection renews it; nothing is stored from here",
            )
        refused: Bitrix24Error | None = None
        for _ in range(3):
            with self._alone_on_this_host():
                pair, key, version = self._read()
                if used is None or pair.access_token != used.access_token:
                    # Somebody else was faster.
                    self._take(pair)
                    if not pair.is_expired(self._clock()):
                        return pair
                try:
                    return self._renew(pair, key, version)
                except Unauthorized as error:
                    if (error.code or "").lower() != "invalid_grant":
                        raise
                    refused = error
            # Outside the lock, so that all who are refused wait at the same time.
            used = pair
            if not self._newer_pair_appears(pair):
                break
        raise Unauthorized(
            refused.reason if refused else "the access token is refused",
            method="oauth/token",
            code=refused.code if refused else "expired_token",
            status=refused.status if refused else None,
            next_step=f"the refresh token is used up or too old: {AUTHORIZE_AGAIN}",
        )

    def _renew(self, pair: TokenPair, key: str | None, version: str) -> TokenPair:
        granted = self._server.renew(pair.refresh_token, pair.server_endpoint)
        new = self._checked(granted, pair)
        for secret in (new.access_token, new.refresh_token):
            self._on_secret(secret)
        self._keep(new, key, version)
        # Stored above, used below: a pair that is used before it is stored can be lost.
        self._take(new)
        self._server.check_portal(granted)
        log.info("The access token of %s has been renewed.", self._portal.host)
        return new

    def _checked(self, granted: Granted, before: TokenPair) -> TokenPair:
        expected = before.member_id or self._app.member_id
        if expected and granted.member_id != expected:
            raise ConfigurationError(
                f"the authorization server answered for another portal (member_id {granted.member_id})",
                next_step=f"this connection is for member_id {expected}; {AUTHORIZE_AGAIN}",
            )
        seeds = (*(seed for seed in before.seeds if seed != self._seed), self._seed)
        return TokenPair(
            access_token=granted.access_token,
            refresh_token=granted.refresh_token,
            expires_at=None if granted.expires_in is None else self._clock() + granted.expires_in,
            member_id=granted.member_id,
            user_id=granted.user_id or before.user_id,
            server_endpoint=self._server.trusted(granted.server_endpoint) or before.server_endpoint,
            seeds=seeds,
        )

    # The store.

    def _read(self) -> tuple[TokenPair, str | None, str]:
        """The newest pair that our seed leads to, with its key and version; the seed itself where it is new."""
        seed = TokenPair(self._app.access_token or "", self._app.refresh_token, member_id=self._app.member_id)
        pointer, _ = self._stored(self._pointer_key())
        if pointer is None:
            return seed, None, ""
        text, version = self._stored(pointer)
        if text is None:
            return seed, pointer, version
        try:
            return TokenPair.from_text(text), pointer, version
        except (ValueError, TypeError, KeyError):
            raise ConfigurationError(
                "the stored token pair cannot be read",
                next_step=f"delete {pointer} from the store, and {AUTHORIZE_AGAIN}",
            ) from None

    def _keep(self, new: TokenPair, key: str | None, version: str) -> None:
        own_key = pair_key(self._app.client_id, new.member_id, new.user_id)
        try:
            if key is None:
                _, pointer_version = self._store.read(self._pointer_key())
                self._store.write(self._pointer_key(), own_key, pointer_version)
                text, version = self._store.read(own_key)
                earlier = TokenPair.from_text(text).seeds if text else ()
                new = replace(new, seeds=(*(seed for seed in earlier if seed != self._seed), self._seed))
            for _ in range(_WRITES):
                if self._store.write(key or own_key, new.to_text(), version):
                    return
                text, version = self._store.read(key or own_key)
                if text and set(TokenPair.from_text(text).seeds) - set(new.seeds):
                    # A newer seed has been used meanwhile: its pair wins.
                    return
            raise TimeoutError
        except Exception as error:
            raise ConfigurationError(
                f"the renewed token pair could not be stored ({type(error).__name__}), and the stored one is dead now",
                next_step=f"make the token store writable, then {AUTHORIZE_AGAIN}",
            ) from None

    def _stored(self, key: str) -> tuple[str | None, str]:
        try:
            return self._store.read(key)
        except Bitrix24Error:
            raise
        except Exception as error:
            failure = NotSent(
                f"the token store cannot be read ({type(error).__name__})", next_step="look at the extra token_store"
            )
        raise failure

    def _pointer_key(self) -> str:
        return f"{KEY_PREFIX}seed_{fingerprint(f'{self._app.client_id} {self._app.refresh_token}')}"

    def _newer_pair_appears(self, dead: TokenPair) -> bool:
        """Another worker may have renewed, and be about to store what it got."""
        waited_seconds, pause_seconds = 0.0, 0.1
        while waited_seconds < WINNER_PATIENCE_SECONDS:
            self._sleep(pause_seconds)
            waited_seconds += pause_seconds
            if self._read()[0].refresh_token != dead.refresh_token:
                return True
            pause_seconds = min(2 * pause_seconds, 3.0, max(WINNER_PATIENCE_SECONDS - waited_seconds, 0.1))
        return False

    def _take(self, pair: TokenPair) -> None:
        for secret in (pair.access_token, pair.refresh_token):
            if secret:
                self._on_secret(secret)
        self._pair = pair if pair.access_token else None

    @contextlib.contextmanager
    def _alone_on_this_host(self) -> Iterator[None]:
        name = f"token-{fingerprint(f'{self._app.client_id} {self._portal.host}')}.lock"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    locked(
                        name,
                        directory=shared_directory(),
                        patience_seconds=LOCK_PATIENCE_SECONDS,
                        private=True,
                        sleep=self._sleep,
                    )
                )
            except BlockingIOError:
                raise NotSent("another process has been renewing the access token for too long") from None
            except OSError as error:
                # Without a lock the authorization server is the judge: who loses reads again.
                log.debug("Renewals on this host cannot wait for each other (%s).", error)
            yield


def pair_key(client_id: str, member_id: str | None, user_id: str | None) -> str:
    """Where the pair is stored: one per portal, application and user, whatever the connections are called."""
    return f"{KEY_PREFIX}{fingerprint(f'{client_id} {member_id} {user_id}')}"


def fingerprint(text: str) -> str:
    """Tells two secrets apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
