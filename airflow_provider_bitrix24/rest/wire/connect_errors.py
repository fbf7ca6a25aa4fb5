"""Why no connection was made, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests
from urllib3.exceptions import LocationParseError, NameResolutionError, ProxyError, ProxySchemeUnknown

from airflow_provider_bitrix24.exceptions import NotSent
from airflow_provider_bitrix24.rest import certificates
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.scrub import Scrub

_PROXY_HINT = "check the extra `proxy`, or HTTPS_PROXY in the environment"
#: What to do about a certificate by OpenSSL's code (x509_vfy.h), where another file of authorities would not help.
_CERTIFICATE_HINTS = {
    9: "it is not valid yet: check this computer's clock",
    10: "have it renewed at the portal, or check this computer's clock",
    62: "write the name that it was issued for into the connection's Portal (host)",
    64: "write the name that it was issued for into the connection's Portal (host)",
}


def connect_error(
    causes: Sequence[BaseException],
    portal: Portal,
    options: Mapping[str, Any],
    *,
    address_in: str | None,
    scrub: Scrub,
) -> NotSent:
    """
    Return an error that names what is in the way.

    :param causes: the error and what it wraps, by :func:`causes_of`.
    :param options: what the request was to be sent with, as ``requests`` takes it.
    :param address_in: where the user has written the address; None for one that is ours.
    """
    host = f"{portal.host}{f':{portal.port}' if portal.port else ''}"
    check_address = f"check {address_in}" if address_in else "check whether this computer may reach it"
    check_it_is_up = (
        f"check whether it is up and can be reached from here, then {check_address}" if address_in else check_address
    )
    verify, reason = options["verify"], scrub(_system_reason(causes))
    untrusted = _first(causes, ssl.SSLCertVerificationError)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        return NotSent(
            f"the certificate of {host} is not trusted ({untrusted.verify_message})",
            untrusted=True,
            retryable=False,
            next_step=_CERTIFICATE_HINTS.get(
                untrusted.verify_code,
                f"add the authority that issued it to {scrub(verify)}, or set the extra `verify` to a file that has it"
                if isinstance(verify, str)
                else "set the extra `verify` to the file of your certificate authority",
            ),
        )
    if isinstance(verify, str) and not certificates.can_be_read(verify):
        return NotSent(
            f"the certificate authorities cannot be read from {scrub(verify)}",
            retryable=False,
            next_step="set the extra `verify`, which overrides REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, "
            "to a PEM file that exists here",
        )
    if _first(causes, ProxyError):
        return NotSent(f"{host} cannot be reached through the proxy ({reason})", next_step=_PROXY_HINT)
    if options["proxies"]:
        if isinstance(causes[0], requests.exceptions.InvalidSchema) and "SOCKS" in str(causes[0]):
            return NotSent(
                f"{host} cannot be reached through the proxy: a SOCKS proxy needs the package PySocks",
                retryable=False,
                next_step="pip install pysocks",
            )
        # The portal's own address has been checked.
        if _first(causes, LocationParseError, requests.exceptions.InvalidProxyURL, ProxySchemeUnknown, UnicodeError):
            return NotSent(
                f"{host} cannot be reached: the address of the proxy is not valid",
                retryable=False,
                next_step=_PROXY_HINT,
            )
    if _first(causes, NameResolutionError, socket.gaierror):
        return NotSent(f"the host name {host} cannot be resolved", next_step=check_address)
    if _first(causes, requests.ConnectTimeout, TimeoutError):
        connect_timeout_seconds, _ = options["timeout"]
        return NotSent(f"no connection to {host} within {connect_timeout_seconds:g} s", next_step=check_it_is_up)
    if _first(causes, ssl.SSLError):
        return NotSent(
            f"no TLS connection to {host} ({reason})",
            next_step=f"{check_address}, and the extra `verify`" if address_in else check_address,
        )
    return NotSent(f"no connection to {host} ({reason})", next_step=check_it_is_up)


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and what it wraps, outermost first: requests wraps urllib3, which wraps the socket's error."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        waiting += [argument for argument in cause.args if isinstance(argument, BaseException)]
        waiting = [wrapped for wrapped in waiting if isinstance(wrapped, BaseException)]


def _first(causes: Sequence[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)


def _system_reason(causes: Sequence[BaseException]) -> str:
    """Return the system's own name for what happened: the texts of the libraries hold addresses."""
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            # Its errno counts in OpenSSL's own way.
            return (cause.reason or str(cause)).replace("_", " ").lower()
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    innermost = causes[-1]
    return f"{type(innermost).__name__}: {innermost}"
