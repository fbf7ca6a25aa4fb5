"""Why no connection was made, and what a person does about it."""

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

_PROXY = "look at the extra proxy, or at HTTPS_PROXY of the environment"
#: By OpenSSL's codes (x509_vfy.h), where another file of authorities would not help.
_CERTIFICATE_STEPS = {
    9: "it is not valid yet: look at this computer's clock",
    10: "have it renewed at the portal, or look at this computer's clock",
    62: "write the name that it is for into the connection's host",
    64: "write the name that it is for into the connection's host",
}


def not_sent(
    causes: Sequence[BaseException],
    portal: Portal,
    options: Mapping[str, Any],
    *,
    address_in: str | None,
    scrub: Scrub,
) -> NotSent:
    """
    Name what is in the way.

    :param causes: the error and what it wraps, from :func:`causes_of`.
    :param options: what the request was to be sent with, as ``requests`` takes it.
    :param address_in: where the user has written the address, None for one that is ours.
    """
    where_to = f"{portal.host}{f':{portal.port}' if portal.port else ''}"
    look_there = f"look at {address_in}" if address_in else "see whether this computer may reach it"
    see_it_is_up = f"see whether it is up and may be reached from here, then {look_there}" if address_in else look_there
    verify, word = options["verify"], scrub(_last_word(causes))
    untrusted = _first(causes, ssl.SSLCertVerificationError)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        return NotSent(
            f"the certificate of {where_to} is not trusted ({untrusted.verify_message})",
            retryable=False,
            next_step=_CERTIFICATE_STEPS.get(
                untrusted.verify_code, "set the extra verify to the file of your certificate authority"
            ),
        )
    if isinstance(verify, str) and not certificates.can_be_read(verify):
        return NotSent(
            f"the certificate authorities cannot be read from {scrub(verify)}",
            retryable=False,
            next_step="name a file of them (PEM) that exists here in the extra verify, which wins over "
            "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE of the environment",
        )
    if _first(causes, ProxyError):
        return NotSent(f"no way to {where_to} through the proxy ({word})", next_step=_PROXY)
    if options["proxies"]:
        if isinstance(causes[0], requests.exceptions.InvalidSchema) and "SOCKS" in str(causes[0]):
            return NotSent(
                f"no way to {where_to} through the proxy: a SOCKS proxy needs the package PySocks",
                retryable=False,
                next_step="pip install pysocks",
            )
        # The portal's own address has been checked.
        if _first(causes, LocationParseError, requests.exceptions.InvalidProxyURL, ProxySchemeUnknown, UnicodeError):
            return NotSent(
                f"no way to {where_to}: the address of the proxy is not one", retryable=False, next_step=_PROXY
            )
    if _first(causes, NameResolutionError, socket.gaierror):
        return NotSent(f"the host name {where_to} cannot be resolved", next_step=look_there)
    if _first(causes, requests.ConnectTimeout, TimeoutError):
        connect_timeout_seconds, _ = options["timeout"]
        return NotSent(f"no connection to {where_to} within {connect_timeout_seconds:g} s", next_step=see_it_is_up)
    if _first(causes, ssl.SSLError):
        return NotSent(
            f"no TLS connection to {where_to} ({word})",
            next_step=f"{look_there}, and at the extra verify" if address_in else look_there,
        )
    return NotSent(f"no connection to {where_to} ({word})", next_step=see_it_is_up)


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what it wraps, outermost first: requests wraps urllib3, which wraps the socket's error."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        waiting += [part for part in cause.args if isinstance(part, BaseException)]
        waiting = [each for each in waiting if isinstance(each, BaseException)]


def _first(causes: Sequence[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)


def _last_word(causes: Sequence[BaseException]) -> str:
    """The system's own name for what happened: the texts of the libraries hold addresses."""
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            # Its errno counts in OpenSSL's own way.
            return (cause.reason or str(cause)).replace("_", " ").lower()
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    innermost = causes[-1]
    return f"{type(innermost).__name__}: {innermost}"
