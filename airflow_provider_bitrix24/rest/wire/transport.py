"""
One HTTP exchange over ``requests``: what happened on the wire, and nothing secret.

The webhook's path is added below everything that logs or raises: urllib3 logs the path at DEBUG and puts it into
connection errors, and ``response.url`` holds it. So all of them know only ``/rest/METHOD``.
"""

from __future__ import annotations

import http.client
import io
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from airflow_provider_bitrix24 import __version__
from airflow_provider_bitrix24.exceptions import AnswerLost, TransportError
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.wire.body import Body
from airflow_provider_bitrix24.rest.wire.connect_errors import causes_of, connect_error
from airflow_provider_bitrix24.rest.wire.inflating import NotAskedFor, inflated

#: Seconds to wait for a connection.
CONNECT_TIMEOUT_SECONDS = 10.0
#: An answer that drips in for longer than this many read timeouts is given up.
TIMEOUTS_PER_ANSWER = 2
_CHUNK_BYTES = 65536
#: Most interim answers before the final one.
_MAX_INTERIM = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP; the body is not parsed."""

    status: int
    headers: Mapping[str, str]
    _body: Body

    @property
    def body(self) -> bytes:
        """A copy, made each time."""
        return self._body.to_bytes()

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self._body.size

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def location(self) -> str | None:
        """Where a redirect leads; None for any other answer."""
        return self.headers.get("location") if self.status in (301, 302, 303, 307, 308) else None


class Transport:
    """
    A keep-alive session with one portal, or with another server by the same settings.

    Redirects are off: a POST would become a GET without its body, and the secret would go wherever the answer says.

    :param secret_path: the secret part of each request's path; the portal's own by default.
    :param address_in: where the user has written the address, for messages; None where nobody did.
    :param sending: called by the thread of a request when its first byte is about to go.
    """

    def __init__(
        self,
        portal: Portal,
        secret_path: str | None = None,
        *,
        address_in: str | None = "the connection's Portal (host) and Port",
        sending: Callable[[], object] = lambda: None,
    ) -> None:
        self.portal, self._sending = portal, sending
        self._wire = threading.local()
        #: For the bodies of answers.
        self._spare: list[mmap.mmap] = []
        self._scrub, self._address_in = portal.scrubber(), address_in
        self._secret_path = portal.credentials.path if secret_path is None else secret_path
        self._options = _options(portal)
        self._sessions = {os.getpid(): self._new_session()}

    def close(self) -> None:
        self._session().close()

    def _new_session(self) -> requests.Session:
        session = _Session()
        adapter = _Adapter(self._wire, self._secret_path, self._sending, self.portal.parallel)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _session(self) -> requests.Session:
        """
        Return the session of this process: over a connection shared by a fork, two would read each other's answers.

        That of the parent is kept unused: closing it could wait for ever for a lock of a thread left behind.
        """
        session = self._sessions.get(os.getpid())
        return session or self._sessions.setdefault(os.getpid(), self._new_session())

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def post(
        self, method: str, body: bytes, *, version: int = 2, headers: Mapping[str, str] | None = None, request_id: str
    ) -> Answer:
        """Call a method; like :meth:`exchange`."""
        url = self.portal.url(method, version)
        return self.exchange(url, body, what=method, headers=headers, request_id=request_id)

    def exchange(
        self,
        url: str,
        body: bytes,
        *,
        what: str,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        request_id: str,
    ) -> Answer:
        """
        Send one POST and read its answer, whatever it says.

        :param what: the method, or what else is asked for, for messages.
        :raises NotSent: no connection was made, so the method did not run.
        :raises AnswerLost: the request went out, and no whole answer came back.
        """
        self._wire.sent = answering = False
        self._wire.answer_seconds = TIMEOUTS_PER_ANSWER * self.portal.timeout_seconds
        try:
            # Prepared without the session: a ``default`` entry in .netrc would add an Authorization header. And not as
            # a whole, which looks for cookies, files and passwords too, and so takes three times as long.
            request = requests.PreparedRequest()
            request.prepare_method("POST")
            request.prepare_url(url, None)
            request.prepare_headers(
                {
                    "Content-Type": content_type,
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip, deflate",
                    "User-Agent": f"airflow-provider-bitrix24/{__version__}",
                    "X-Request-ID": request_id,
                    **(headers or {}),
                }
            )
            request.prepare_body(body, None)
            response = self._session().send(request, stream=True, allow_redirects=False, **self._options)
            answering = True
            try:
                return Answer(response.status_code, response.headers, self._read(response))
            finally:
                response.close()
        except _TooLarge:
            failure: TransportError = AnswerLost(
                f"the answer is larger than {self.portal.max_response_mib} MiB",
                too_much=True,
                retryable=False,
                ran="yes",
                next_step="ask for fewer fields, or raise the extra `max_response_mib`",
            )
        except NotAskedFor:
            failure = AnswerLost(
                "the answer is compressed in a way that was not asked for",
                retryable=False,
                next_step="check the proxies on the way",
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # ValueError: of a malformed host name, and of a chunk with a length below zero.
            failure = self._failure(error, answering=answering)
        # Raised outside the handlers, so that no chain leads to an error of a library that holds more than it should.
        raise failure.but(method=what, request_id=request_id)

    def _read(self, response: requests.Response) -> Body:
        limit = self.portal.max_response_mib * 1024 * 1024
        body = Body(self._spare)
        for chunk in inflated(_arriving(response), response.headers.get("content-encoding", "")):
            body.add(chunk)
            if body.size > limit:
                raise _TooLarge
        return body

    def _failure(self, error: Exception, *, answering: bool) -> TransportError:
        causes = list(causes_of(error))
        if self._wire.sent:
            hint = "raise the extra `timeout`, or ask for less at once" if _is_timeout(causes) else ""
            reason = _how_lost(causes, self.portal.timeout_seconds, answering=answering)
            return AnswerLost(reason, next_step=hint)
        return connect_error(causes, self.portal, self._options, address_in=self._address_in, scrub=self._scrub)


class _TooLarge(Exception):
    """The answer is larger than the portal's limit."""


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives, still compressed: ``stream`` would wait for a chunk, however slowly it comes."""
    read1 = getattr(response.raw, "read1", None)
    if read1 is None or response.headers.get("transfer-encoding", "").lower() == "chunked":
        yield from response.raw.stream(_CHUNK_BYTES, decode_content=False)
        return
    while chunk := read1(_CHUNK_BYTES, decode_content=False):
        yield chunk


def _is_timeout(causes: list[BaseException]) -> bool:
    return any(isinstance(cause, (requests.Timeout, TimeoutError)) for cause in causes)


def _how_lost(causes: list[BaseException], timeout_seconds: float, *, answering: bool) -> str:
    if _is_timeout(causes):
        return f"no answer within {timeout_seconds:g} s"
    if answering:
        return "the answer was cut off"
    # RemoteDisconnected is a ConnectionResetError too, though the connection was closed in good order.
    if any(isinstance(cause, ConnectionResetError) and cause.errno is not None for cause in causes):
        return "the connection was reset before the answer"
    return "the connection was closed before the answer"


def _options(portal: Portal) -> dict[str, Any]:
    """
    Return what each request is sent with, resolved once.

    A session would let the environment override the extras, so it is not asked: what it would take is taken here.
    """
    verify = portal.verify
    if verify is None:
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return {
        "timeout": (min(CONNECT_TIMEOUT_SECONDS, portal.timeout_seconds), portal.timeout_seconds),
        "verify": verify,
        "proxies": (
            {"http": portal.proxy, "https": portal.proxy}
            if portal.proxy
            else get_environ_proxies(portal.address, no_proxy=None)
        ),
    }


class _Session(requests.Session):
    """Does not look where a redirect leads: that would read the whole body, and raise on an odd address."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    """Opens connections that add the webhook's path and note whether the request went out."""

    def __init__(
        self, wire: threading.local, secret_path: str, sending: Callable[[], object], connections: int
    ) -> None:
        self._signature = {"wire": wire, "secret_path": secret_path, "sending": staticmethod(sending)}
        # Each request under way keeps a connection of its own.
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._sign(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if is_new:
            self._sign(manager)
        return manager

    def _sign(self, manager: Any) -> None:
        response = type("HTTPResponse", (_FinalResponse,), {"wire": self._signature["wire"]})
        # Whatever classes the manager uses stay beneath: those of a SOCKS proxy differ.
        manager.pool_classes_by_scheme = {
            scheme: type(
                pool.__name__,
                (pool,),
                {
                    "ConnectionCls": type(
                        pool.ConnectionCls.__name__,
                        (_Signed, pool.ConnectionCls),
                        {**self._signature, "response_class": response},
                    )
                },
            )
            for scheme, pool in manager.pool_classes_by_scheme.items()
        }


class _InTime(io.RawIOBase):
    """Reads a socket up to a moment: every byte that comes in would restart the read timeout."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw, self._deadline = raw, time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline:
            raise TimeoutError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """
    Reads on to the final answer, and no longer than an answer may take.

    An interim one ("103 Early Hints") would be taken for it, and the final one for the answer to the next request.
    """

    wire: threading.local

    def begin(self) -> None:
        self.fp = io.BufferedReader(_InTime(self.fp.detach(), self.wire.answer_seconds), _CHUNK_BYTES)
        super().begin()
        interim = 0
        while 100 <= self.status < 200:
            interim += 1
            if interim > _MAX_INTERIM or self.status == http.client.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException(f"an answer of status {self.status}")
            # ``begin`` reads a head only where none has been read.
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


class _Signed:
    """Mixin for urllib3's connections: puts the secret path into each request, and notes when one is sent."""

    wire: threading.local
    secret_path: str
    sending: Callable[[], object]
    _in_request = False

    def putrequest(self, verb: str, url: str, *args: Any, **kwargs: Any) -> None:
        self._in_request = True
        head, _, method = url.rpartition("/")
        super().putrequest(verb, f"{head}/{self.secret_path}{method}", *args, **kwargs)  # type: ignore[misc]

    def connect(self) -> None:
        # A proxy is asked to open a tunnel in here: that is not yet the request.
        in_request, self._in_request = self._in_request, False
        super().connect()  # type: ignore[misc]
        self._in_request = in_request

    def send(self, data: Any) -> None:
        if self._in_request:
            if getattr(self, "sock", None) is None:
                self.connect()
            if not self.wire.sent:
                self.sending()
            self.wire.sent = True
        super().send(data)  # type: ignore[misc]
