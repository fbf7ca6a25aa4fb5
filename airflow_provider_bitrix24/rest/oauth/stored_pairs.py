"""How the token pairs of an application are stored, so that all connections to it share the newest one."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, NotSent
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair, fingerprint
from airflow_provider_bitrix24.rest.oauth.token_stores import KEY_PREFIX, TokenStore
from airflow_provider_bitrix24.rest.portal import OAuthApp

log = logging.getLogger(__name__)
Value = TypeVar("Value")

#: What to do about a refresh token that is not accepted any more.
AUTHORIZE_AGAIN = (
    "authorize the application again with `python -m airflow_provider_bitrix24.authorize`, "
    "and put the new refresh_token into the connection"
)
#: Seconds between attempts to store a renewed pair: there is no other copy of it.
WRITE_PAUSES_SECONDS = (0.1, 0.5, 2.0, 5.0)
#: What these say of a path will hold the next time as well.
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair, and the record that the pair which replaces it belongs in."""

    pair: TokenPair
    key: str
    version: str


class StoredPairs:
    """
    The stored pairs of one application, as a connection with its refresh token (the *seed*) finds them.

    Two kinds of records:

    - one per seed: the newest pair that came of it. A new pair is one write, right after the answer that brought it:
      it can be lost only if the worker dies between the two.
    - one per portal (``member_id``), application and user, as the first answer named them: fingerprints of the seeds
      that led there, in the order of their first use. All connections use the pair of the last seed, whatever they
      hold: a new seed wins at once, and an old one never does.

    Beside the first kind stands a fingerprint of the pair that turned out to be dead, if one has: a new seed or a newer
    pair is not concerned.

    And one per application, written before a renewal, which says that seeds of it are in use. Only a renewal shows
    whose a further seed is, so the access token beside it in the connection is not used.

    :param renews: False where that access token must do, as in a connection test.
    """

    def __init__(
        self, store: TokenStore, app: OAuthApp, sleep: Callable[[float], object] = time.sleep, *, renews: bool = True
    ) -> None:
        self._store, self._app, self._sleep, self._renews = store, app, sleep, renews
        self._seed = fingerprint(f"{app.client_id} {app.refresh_token}")
        self._is_writable = False

    @property
    def seed(self) -> TokenPair:
        """The pair that stands in the connection."""
        return TokenPair(self._app.access_token or "", self._app.refresh_token)

    def read(self) -> StoredPair:
        """
        Return the newest pair that the connection's seed leads to; the seed itself where it is new.

        :raises ConfigurationError: what is stored cannot be read.
        :raises NotSent: the store cannot be reached.
        """
        own = _seed_key(self._seed)
        text, version = self._get(own)
        if text is None:
            is_first = not self._renews or self._get(self._used_key)[0] is None
            return StoredPair(self.seed if is_first else replace(self.seed, access_token=""), own, version)
        pair = _read(own, TokenPair.from_text, text)
        seeds, _ = self._seeds(pair)
        if self._seed in seeds[:-1]:
            newest = _seed_key(seeds[-1])
            text, newest_version = self._get(newest)
            if text is not None:
                return StoredPair(_read(newest, TokenPair.from_text, text), newest, newest_version)
        return StoredPair(pair, own, version)

    def check_writable(self) -> None:
        """
        Write that seeds are in use, so that a store which cannot be written is found before a refresh token is used.

        :raises ConfigurationError: the store may not be written.
        :raises NotSent: the store cannot be written now.
        """
        if self._is_writable:
            return
        key = self._used_key
        try:
            self._store.write(key, "Token pairs of this application are kept here.", self._store.read(key)[1])
        except Exception as error:
            kind = ConfigurationError if isinstance(error, (ConfigurationError, PermissionError)) else NotSent
            failure = kind(
                f"the token store cannot be written ({_cause(error)}), so the access token was not renewed",
                next_step="make the store writable, or name another one in the extra `token_store`; nothing is lost: "
                "the stored pair is still valid",
            )
        else:
            self._is_writable = True
            return
        raise failure

    def save(self, stored: StoredPair, pair: TokenPair) -> None:
        """
        Store the pair that replaces ``stored``.

        :raises ConfigurationError: it cannot be stored: it is lost, and the stored one is no longer valid.
        """
        failed = None
        for pause_seconds in (*WRITE_PAUSES_SECONDS, None):
            try:
                if self._write(stored, pair):
                    self._link(pair)
                    return
            except Exception as error:
                failed = _cause(error)
            if pause_seconds is not None:
                self._sleep(pause_seconds)
        raise ConfigurationError(
            f"the renewed token pair could not be stored ({failed or 'others keep writing'}), and the "
            "stored pair is no longer valid",
            next_step=f"make the token store writable, then {AUTHORIZE_AGAIN}",
        )

    def is_known_to_be_dead(self, pair: TokenPair) -> bool:
        """Whether a worker has waited for a newer pair than this one, which was refused, and none came."""
        return self._get(self._dead_key)[0] == fingerprint(pair.refresh_token)

    def remember_dead(self, pair: TokenPair) -> None:
        """Note that this pair is refused and no newer one comes, so that other workers need not wait as well."""
        try:
            self._store.write(self._dead_key, fingerprint(pair.refresh_token), self._store.read(self._dead_key)[1])
        except Exception as error:
            log.debug("It could not be noted that the token pair is dead (%s).", _cause(error))

    def _write(self, stored: StoredPair, pair: TokenPair) -> bool:
        if self._store.write(stored.key, pair.to_text(), stored.version):
            return True
        # Whatever is there is older than ours: the authorization server gave ours for it.
        return self._store.write(stored.key, pair.to_text(), self._store.read(stored.key)[1])

    def _link(self, pair: TokenPair) -> None:
        """Make a new seed known to the other connections of this application."""
        try:
            for _ in range(5):
                seeds, version = self._seeds(pair)
                if self._seed in seeds:
                    return
                self._store.write(self._key_of(pair), json.dumps([*seeds, self._seed]), version)
        except Exception as error:
            # The pair itself is stored; the next renewal tries again.
            log.warning(
                "Other connections of application %s do not see its new token pair yet (%s).",
                self._app.client_id,
                _cause(error),
            )

    def _seeds(self, pair: TokenPair) -> tuple[list[str], str]:
        key = self._key_of(pair)
        text, version = self._get(key)
        return ([] if text is None else _read(key, _seeds_from, text)), version

    def _key_of(self, pair: TokenPair) -> str:
        """One per portal, application and user, whatever the connections are called."""
        return f"{KEY_PREFIX}app_{fingerprint(f'{self._app.client_id} {pair.member_id} {pair.user_id}')}"

    @property
    def _dead_key(self) -> str:
        return f"{KEY_PREFIX}dead_{self._seed}"

    @property
    def _used_key(self) -> str:
        return f"{KEY_PREFIX}used_{fingerprint(self._app.client_id)}"

    def _get(self, key: str) -> tuple[str | None, str]:
        try:
            return self._store.read(key)
        except Bitrix24Error:
            raise
        except Exception as error:
            failure = NotSent(
                f"the token store cannot be read ({_cause(error)})",
                next_step="check the extra `token_store`",
                # A file that is missing or may not be read stays so.
                retryable=not isinstance(error, _LASTING),
            )
        raise failure


def _seed_key(seed: str) -> str:
    return f"{KEY_PREFIX}seed_{seed}"


def _seeds_from(text: str) -> list[str]:
    seeds: Any = json.loads(text)
    if not isinstance(seeds, list) or not all(isinstance(seed, str) for seed in seeds):
        raise ValueError("not a list of fingerprints")
    return seeds


def _read(key: str, reader: Callable[[str], Value], text: str) -> Value:
    try:
        return reader(text)
    except (ValueError, RecursionError):
        failure = ConfigurationError(
            "a record in the token store cannot be read",
            next_step=f"delete {key} from it, and {AUTHORIZE_AGAIN}",
        )
    raise failure


def _cause(error: Exception) -> str:
    """Return what went wrong without the texts of libraries, which may hold an address with a password."""
    if isinstance(error, Bitrix24Error):
        return error.reason
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return type(error).__name__
