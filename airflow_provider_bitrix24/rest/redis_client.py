"""A client of the Redis server that an extra of a connection names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError

if TYPE_CHECKING:
    from redis import Redis


def redis_client(url: str, *, extra: str, timeout_seconds: float) -> Redis:
    """
    Make a client, which does not connect yet.

    :param extra: name of the extra that holds ``url``, for messages; the address itself may hold a password.
    :param timeout_seconds: how long to wait for a connection, and for an answer.
    :raises ConfigurationError: the address cannot be used, or the package ``redis`` is not installed.
    """
    try:
        import redis  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            f"the extra `{extra}` needs the package redis", next_step="pip install 'airflow-provider-bitrix24[redis]'"
        ) from None
    client = _client(url, timeout_seconds)
    if client is None:
        # Raised outside the handler: the cause may quote part of the address, and so of the password.
        raise ConfigurationError(
            f"the extra `{extra}` is not a complete address of a Redis server",
            next_step="write redis://:password@host:6379/0, or rediss:// for TLS, with the special characters of the "
            "password percent-encoded; or leave it empty",
        )
    return client


def _client(url: str, timeout_seconds: float) -> Redis | None:
    """Make a client, which does not connect yet; None where the address cannot be used."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        parts = urlsplit(url)
        # A bare `/`, `?` or `#` in a password ends the host, and the beginning of the password is taken for it.
        if not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
            return None
        return redis.Redis.from_url(
            url,
            # With the newer one, version 8.0 of the package cannot use a server's socket file.
            protocol=2,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # One more attempt: a kept connection may have died unnoticed. Before its version 6, the client repeats
            # only the errors named here.
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[redis.ConnectionError, redis.TimeoutError],
        )
    except (ValueError, TypeError):
        return None
