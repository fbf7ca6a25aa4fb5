"""
Which token pair to sign with, and its renewal.

An access token lives an hour, and each renewal replaces the refresh token: who uses the old one afterwards is refused.
So a pair is stored before it is used, renewals on one host wait for each other, and who is refused first looks whether
somebody else has stored a newer pair.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

from airflow_provider_bitrix24.exceptions import ConfigurationError, ExpiredToken, NotSent, Unauthorized
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory
from airflow_provider_bitrix24.rest.oauth.authorization import AuthorizationServer, TokenResponse
from airflow_provider_bitrix24.rest.oauth.shielded import shielded
from airflow_provider_bitrix24.rest.oauth.stored_pairs import AUTHORIZE_AGAIN, StoredPair, StoredPairs
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair, fingerprint
from airflow_provider_bitrix24.rest.oauth.token_stores import TokenStore
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal

log = logging.getLogger(__name__)

#: After ``invalid_grant``: how long to look for a pair that another worker may be about to store.
WINNER_PATIENCE_SECONDS = 20.0
#: How long to wait for another process of this host that renews: longer than its request may take.
LOCK_PATIENCE_SECONDS = 120.0
#: How often a pair that somebody else stored is tried when ours is dead.
_ROUNDS = 3


class Tokens:
    """
    The token of one application at one portal for one user, shared by all who have a connection to it.

    :param store: where the pair is kept.
    :param renews: False to use only the token at hand, as a connection test must.
    :param on_secret: told of every secret of a pair, before it is used.
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
        self._portal, self._app = portal, app
        self._renews, self._on_secret = renews, on_secret
        self._clock, self._sleep = clock, sleep
        self._stored = StoredPairs(store, app, sleep, renews=renews)
        self._server = AuthorizationServer(portal, app)
        self._pair: TokenPair | None = None
        #: Why the store could not be looked into by who does not renew: the pair at hand is the connection's own then.
        self.store_error: str | None = None

    def current(self) -> TokenPair:
        """
        The newest pair that this process knows of, read from the store where it knows of none.

        :raises ConfigurationError: it is for another portal, or what is stored cannot be read.
        :raises NotSent: the store is away.
        """
        return self._pair or self._taken(self._read())

    def _read(self) -> TokenPair:
        try:
            return self._stored.read().pair
        except NotSent as error:
            if self._renews:
                raise
            # A connection test runs on another host than the tasks, whose store need not be there.
            self.store_error = error.reason
            return self._stored.seed

    def is_expired(self, pair: TokenPair) -> bool:
        """Whether the access token is missing, or known to be too old."""
        return pair.is_expired(self._clock())

    def renew(self, refused: TokenPair) -> bool:
        """
        Get a newer pair than the one that was refused: somebody else's if there is one, else a new one.

        :return: whether it is a new one; False where somebody else's was found.
        :raises Unauthorized: the pair is dead; a person must authorize the application again.
        :raises Blocked: the application's paid period is over.
        :raises ConfigurationError: the pair is for another portal, or the store cannot be read or written.
        :raises NotSent: the store is away, or another process has been renewing for too long.
        :raises TransportError: the authorization server is away, or its answer was lost.
        """
        if not self._renews:
            raise self._not_from_here(refused)
        rounds_left = _ROUNDS
        while True:
            with self._alone_on_this_host():
                found = self._stored.read()
                is_newer = found.pair.access_token != refused.access_token
                if is_newer and not self.is_expired(self._taken(found.pair)):
                    return False
                self._stored.check_writable()
                # Once the server has answered, the old pair is dead, and the new one exists nowhere else.
                dead = shielded(partial(self._renewed, found))
            if dead is None:
                return True
            # Outside the lock, so that all who are refused wait at the same time.
            refused, rounds_left = found.pair, rounds_left - 1
            if rounds_left == 0 or not self._newer_pair_appears(refused):
                raise dead

    def _renewed(self, found: StoredPair) -> Unauthorized | None:
        """Ask the authorization server; return its refusal if the refresh token is dead."""
        try:
            granted = self._server.renew(found.pair.refresh_token, found.pair.server_endpoint)
        except Unauthorized as error:
            if (error.code or "").lower() != "invalid_grant":
                raise
            error.next_step = f"the refresh token is used up or too old: {AUTHORIZE_AGAIN}"
            return error
        if found.pair.member_id and granted.member_id and granted.member_id != found.pair.member_id:
            raise ConfigurationError(
                f"the authorization server answered for another portal (member_id {granted.member_id}) than before "
                f"({found.pair.member_id})",
                next_step=f"the pair is not used, and the one before is dead: {AUTHORIZE_AGAIN}",
            )
        new = self._new_pair(granted, found.pair)
        for secret in (new.access_token, new.refresh_token):
            self._on_secret(secret)
        # Stored before it is used, and before it is looked at: what is not stored is lost.
        self._stored.keep(found, new)
        self._taken(new)
        log.info("The access token of %s has been renewed.", self._portal.host)
        return None

    def _new_pair(self, granted: TokenResponse, before: TokenPair) -> TokenPair:
        return TokenPair(
            access_token=granted.access_token,
            refresh_token=granted.refresh_token,
            expires_at=None if granted.expires_in is None else self._clock() + granted.expires_in,
            member_id=granted.member_id or before.member_id or self._app.member_id,
            user_id=granted.user_id or before.user_id,
            client_endpoint=granted.client_endpoint or before.client_endpoint,
            server_endpoint=self._server.trusted(granted.server_endpoint) or before.server_endpoint,
        )

    def _taken(self, pair: TokenPair) -> TokenPair:
        """
        Keep the pair at hand for the next calls.

        :raises ConfigurationError: it is for another portal than the connection.
        """
        for secret in (pair.access_token, pair.refresh_token):
            if secret:
                self._on_secret(secret)
        expected = self._app.member_id
        if expected and pair.member_id and pair.member_id != expected:
            raise ConfigurationError(
                f"the token is for the portal with member_id {pair.member_id}, and the connection is for {expected}",
                next_step="correct the extra member_id, or authorize the application at this connection's portal",
            )
        self._portal.at(pair.client_endpoint)
        self._pair = pair
        return pair

    def _not_from_here(self, refused: TokenPair) -> ExpiredToken:
        return ExpiredToken(
            "the access token has expired" if refused.access_token else "there is no access token yet",
            code="expired_token",
            next_step="the next task that uses this connection gets a new one with the refresh token; a connection "
            "test does not, because it could not store it"
            + (f". It looked only at the connection itself: {self.store_error}" if self.store_error else ""),
        )

    def _newer_pair_appears(self, dead: TokenPair) -> bool:
        """Another worker may have renewed, and be about to store what it got."""
        waited_seconds, pause_seconds = 0.0, 0.1
        while waited_seconds < WINNER_PATIENCE_SECONDS:
            self._sleep(pause_seconds)
            waited_seconds += pause_seconds
            if self._stored.read().pair.refresh_token != dead.refresh_token:
                return True
            pause_seconds = min(2 * pause_seconds, 3.0, max(WINNER_PATIENCE_SECONDS - waited_seconds, 0.1))
        return False

    @contextlib.contextmanager
    def _alone_on_this_host(self) -> Iterator[None]:
        name = f"token-{fingerprint(self._app.client_id)}.lock"
        directory, wait = shared_directory(), LOCK_PATIENCE_SECONDS
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    locked_file(name, directory, patience_seconds=wait, private=True, sleep=self._sleep)
                )
            except BlockingIOError:
                raise NotSent("another process has been renewing the access token for too long") from None
            except OSError as error:
                # Without a lock the authorization server is the judge: who loses reads again.
                log.debug("Renewals on this host cannot wait for each other (%s).", error)
            yield
