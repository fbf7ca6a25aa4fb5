"""Where to call, as whom and how fast: plain data, and the rule for a portal that has moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError, PortalMoved
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, STANDARD, Bucket
from airflow_provider_bitrix24.rest.limits.concurrency import MOST_UNDER_WAY
from airflow_provider_bitrix24.rest.limits.operating import OPERATING_BUDGET_SECONDS
from airflow_provider_bitrix24.rest.message_parts import one_line
from airflow_provider_bitrix24.rest.scrub import Scrub, scrubber

#: Seconds without a byte after which an answer counts as lost. The cloud ends a call after 60 s (REST docs, "Limits").
READ_TIMEOUT_SECONDS = 75.0
#: Largest answer that is read, in MiB.
MAX_RESPONSE_MIB = 64


_DEFAULT_PORTS = {"https": 443, "http": 80}
#: Most characters of a redirect's address, and of its path in a message.
_LONGEST_LOCATION, _LONGEST_PATH = 2_000, 100


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook: a user id and a secret code, both in the path of every call."""

    user_id: str
    code: str = field(repr=False)

    @property
    def path(self) -> str:
        """What is between ``/rest/`` and the method: ``1/CODE/``. Secret."""
        return f"{self.user_id}/{quote(self.code, safe='')}/"

    @property
    def identity(self) -> str:
        """Whose calls these are, without a secret."""
        return f"user {self.user_id}"

    def secrets(self) -> Iterator[str]:
        """Every text that must not be shown, longest first."""
        yield f"{self.user_id}/{self.code}"
        yield self.code


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """
    An application with a token pair of its own.

    :param refresh_token: the first one; each renewal replaces it in the token store, and not in the connection.
    :param member_id: the portal that the tokens must be for; None where the connection does not say.
    :param oauth_url: the authorization server; None for Bitrix24's own.
    :param token_store: where the pair is kept, see :func:`token_stores.token_store`; may hold a password.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    member_id: str | None = None
    oauth_url: str | None = None
    token_store: str | None = field(default=None, repr=False)

    #: The token travels in the body, so nothing is added to the path.
    path: ClassVar[str] = ""

    @property
    def identity(self) -> str:
        """Whose calls these are, without a secret."""
        return f"application {self.client_id}, member {self.member_id}"

    def secrets(self) -> Iterator[str]:
        """Every text that must not be shown."""
        yield self.client_secret
        yield self.refresh_token
        if self.access_token:
            yield self.access_token
        yield from _passwords_in(self.token_store)


@dataclass(frozen=True, slots=True)
class Portal:
    """
    One Bitrix24 and how to talk to it.

    :param host: name or address, lower case, without port.
    :param port: None for the scheme's own.
    :param folder: path before ``/rest/`` on a self-hosted portal, e.g. ``/intranet``; empty otherwise.
    :param verify: check certificates: True (the usual authorities), False, or a file of authorities;
        None leaves it to the environment.
    :param proxy: address of a proxy; None leaves it to the environment.
    :param bucket: how fast the portal may be asked.
    :param limiter: address of a Redis that shares the bucket among hosts; may hold a password.
    :param operating_budget_seconds: operating time that a method may use in ten minutes.
    :param parallel: most requests that a client has under way at once.
    :param metrics: give counts and times of requests to Airflow's metrics.
    :param allowed_domains: hosts to which the portal may be renamed, ``*`` standing for one label; with ``:8443`` for
        another port than the present one.
    """

    host: str
    credentials: Webhook | OAuthApp
    scheme: str = "https"
    port: int | None = None
    folder: str = ""
    verify: bool | str | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout_seconds: float = READ_TIMEOUT_SECONDS
    max_response_mib: int = MAX_RESPONSE_MIB
    allowed_domains: tuple[str, ...] = ()
    bucket: Bucket = PLANS[STANDARD]
    limiter: str | None = field(default=None, repr=False)
    operating_budget_seconds: float = OPERATING_BUDGET_SECONDS
    parallel: int = MOST_UNDER_WAY
    metrics: bool = True

    @property
    def address(self) -> str:
        """Scheme, host, port and folder: ``https://my.bitrix24.com``. Nothing secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.folder}"

    @property
    def effective_port(self) -> int:
        """The port, also where it is the scheme's own."""
        return self.port or _DEFAULT_PORTS[self.scheme]

    def url(self, method: str, version: int = 2) -> str:
        """Return the address of a method without the secret path, so it may be logged. The transport adds the path."""
        return f"{self.address}/rest/{'api/' if version == 3 else ''}{quote(method, safe='')}"

    def secrets(self) -> Iterator[str]:
        """Every text that must not be shown."""
        yield from self.credentials.secrets()
        yield from _passwords_in(self.proxy)
        yield from _passwords_in(self.limiter)

    @property
    def source(self) -> str:
        """What shares a request bucket, as far as is known here: the portal, and the proxy on the way to it."""
        proxy = urlsplit(self.proxy).hostname if self.proxy else None
        return f"{self.host}:{self.port or ''}{f' through {proxy}' if proxy else ''}"

    def scrubber(self) -> Scrub:
        """Return a function that takes the secrets of this portal out of a text."""
        return scrubber(self.secrets())

    def allows(self, host: str, port: int | None = None) -> bool:
        """
        Whether the portal may be at this host: its own, or one of ``allowed_domains``.

        :param port: None for the present one; another one must be in ``allowed_domains`` with the host, since somebody
            else may listen there.
        """
        host = host.lower()
        if port is None or port == self.effective_port:
            return host == self.host or any(_matches(host, domain) for domain in self.allowed_domains)
        return any(_matches(f"{host}:{port}", domain) for domain in self.allowed_domains)

    def at(self, client_endpoint: str | None) -> Portal:
        """
        Return the portal at the address that its tokens name, ``https://my.bitrix24.com/rest/``; itself without one.

        :raises ConfigurationError: that is a host outside ``allowed_domains``, or not https.
        """
        try:
            target = urlsplit(client_endpoint or "")
            host, port = (target.hostname or self.host).lower(), target.port
        except ValueError:
            return self
        # The portal may be reached through another port or folder than it knows itself.
        if host == self.host:
            return self
        if not self.allows(host, port) or target.scheme != self.scheme:
            named = f"{host}:{port}" if port else host
            raise ConfigurationError(
                f"the token is for the portal {target.scheme}://{named}, but the connection names {self.address}",
                next_step=f"if your portal has been renamed, write {host} as the connection's Portal (host), "
                f"or add {named} to the extra `allowed_domains`",
            )
        folder = target.path.partition("/rest")[0].rstrip("/")
        return replace(self, host=host, port=port, folder=folder)

    def moved(self, location: str, *, method: str, status: int, request_id: str) -> Portal:
        """
        Return the portal at its new address, after a redirect to ``location``.

        A portal can be renamed at any time; the old address then answers 302 ("Changing the portal address").

        :raises PortalMoved: the redirect leads to a page, to plain HTTP, or to a host outside ``allowed_domains``.
        """

        def refuse(reason: str, next_step: str) -> PortalMoved:
            scrub = self.scrubber()
            return PortalMoved(
                one_line(scrub(reason)),
                method=method,
                status=status,
                request_id=request_id,
                next_step=one_line(scrub(next_step)),
            )

        try:
            target = urlsplit(location)
            host, port = (target.hostname or self.host).lower(), target.port
        except ValueError:
            raise refuse(
                "the portal redirects to an address that cannot be read", "open the portal in a browser"
            ) from None
        scheme = target.scheme or self.scheme
        if len(location) > _LONGEST_LOCATION:
            raise refuse(
                f"the portal redirects to an address of {len(location)} characters", "open the portal in a browser"
            )
        if host == self.host and scheme == "https" and self.scheme == "http":
            raise refuse("the portal asks for https", f"write https://{host} as the connection's Portal (host)")
        if host == self.host and port in (self.port, self.port or _DEFAULT_PORTS.get(scheme), None):
            # Without the query, which may hold anything.
            path = target.path if len(target.path) <= _LONGEST_PATH else f"{target.path[: _LONGEST_PATH - 1]}…"
            raise refuse(
                f"the portal shows the page {path or '/'} instead of an answer (licence, maintenance or a wrong "
                "address)",
                f"open {self.address} in a browser, and check the connection's Portal (host)",
            )
        if (scheme != "https" and self.scheme == "https") or scheme not in ("http", "https"):
            raise refuse(f"the portal redirects to {scheme}://{host}, which is not https", "nothing was sent there")
        # A redirect that names no port means the present one.
        if not self.allows(host, port):
            same_port = port in (None, self.port or _DEFAULT_PORTS.get(self.scheme))
            raise refuse(
                f"the portal {self.host} redirects to {host}{'' if same_port else f':{port}'}, which this connection "
                "does not allow",
                f"if your portal has been renamed, write {host} as the connection's Portal (host), "
                "or add it to the extra `allowed_domains`"
                if same_port
                else f"if it has moved there, write {host} as the connection's Portal (host) and {port} as its Port, "
                f"or add {host}:{port} to the extra `allowed_domains`",
            )
        if f"{self.folder}/rest/" not in target.path:
            raise refuse(f"the portal redirects to a page at {host}", f"open https://{host} in a browser")
        return replace(self, host=host, scheme=scheme, port=port or self.port)


def _passwords_in(address: str | None) -> Iterator[str]:
    try:
        password = urlsplit(address or "").password
    except ValueError:
        return
    if password:
        yield unquote(password)
        yield password


def _matches(host: str, pattern: str) -> bool:
    labels = re.escape(pattern.lower()).replace(r"\*", r"[a-z0-9-]+")
    return re.fullmatch(labels, host) is not None
