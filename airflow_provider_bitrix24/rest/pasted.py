"""Reading what people paste into a connection: webhook addresses in every form, and the extras."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.limits import Bucket, bucket_from
from airflow_provider_bitrix24.rest.operating import OPERATING_BUDGET_SECONDS
from airflow_provider_bitrix24.rest.portal import MAX_RESPONSE_MIB, READ_TIMEOUT_SECONDS, Portal, Webhook

log = logging.getLogger(__name__)

#: How a webhook looks; shown in messages.
SPECIMEN = "https://HOST/rest/USER_ID/CODE/"

#: Domains of cloud portals, which never live in a folder.
_CLOUD_HOST = re.compile(r"(^|\.)bitrix24\.[a-z]{2,4}(\.[a-z]{2})?$")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_already_warned: set[tuple[str, str]] = set()


def portal_from_parts(
    name: str,
    *,
    conn_type: str | None = None,
    host: str | None = None,
    schema: str | None = None,
    login: str | None = None,
    password: str | None = None,
    port: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Portal:
    """
    Turn the fields of a connection into a portal.

    The canonical form is host ``my.bitrix24.com``, login ``1`` (the webhook's user id), password (its code). A whole
    webhook address is understood in host, password or the extra ``webhook_url``, with or without a method at its end.

    :param name: the connection's id, for messages.
    :raises ConfigurationError: a part is missing, wrong, or said twice and differently; the message names it.
    """
    settings = _Extras(name, extra or {})
    reader = _Reader(name)
    found = [
        reader.address('the extra "webhook_url"', settings.text("webhook_url")),
        reader.password(_text(password)),
        reader.host(_text(host), _text(schema), _text(conn_type)),
        reader.login(_text(login)),
        _Address("the port", port=port or None),
    ]
    one = reader.merge(found)
    scheme = one.scheme or "https"
    if scheme == "http" and not settings.flag("allow_http"):
        reader.fail(
            "the address begins with http://, which would send the webhook code in clear text",
            'use https://, or set the extra "allow_http" to true for a portal without TLS',
        )
    if not one.host:
        reader.fail("the host is missing", "write the portal's address, e.g. my.bitrix24.com, into Host")
    if one.folder and _CLOUD_HOST.search(one.host):
        reader.fail(f"the host has a path, {one.folder}, that no cloud portal has", f"write only {one.host} into Host")
    if not one.user_id:
        reader.fail(
            "the webhook's user id is missing", f"write the number between /rest/ and the code of {SPECIMEN} into Login"
        )
    if not one.code:
        reader.fail("the webhook's code is missing", f"write the part after the user id of {SPECIMEN} into Password")
    return Portal(
        host=one.host,
        credentials=Webhook(one.user_id, one.code),
        scheme=scheme,
        port=None if one.port == {"https": 443, "http": 80}[scheme] else one.port,
        folder=one.folder or "",
        verify=settings.verify(),
        proxy=settings.proxy(),
        timeout_seconds=settings.number("timeout", READ_TIMEOUT_SECONDS),
        max_response_mib=int(settings.number("max_response_mib", MAX_RESPONSE_MIB)),
        allowed_domains=settings.domains("allowed_domains"),
        bucket=settings.bucket(),
        limiter=settings.text("limiter"),
        operating_budget_seconds=settings.number("operating_budget", OPERATING_BUDGET_SECONDS),
    )


@dataclass(frozen=True)
class _Address:
    """What one field of the connection says; None where it says nothing."""

    label: str
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    folder: str | None = None
    user_id: str | None = None
    code: str | None = None


class _Reader:
    """Reads the fields that hold the address and the webhook."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, what: str, cure: str) -> NoReturn:
        raise ConfigurationError(f"connection {self.name!r}: {what}", next_step=cure)

    def merge(self, found: list[_Address]) -> _Address:
        """One address out of all; two fields that disagree are an error, since only the user knows which is meant."""
        values: dict[str, Any] = {}
        said_by: dict[str, str] = {}
        words = {
            "scheme": "scheme",
            "host": "host",
            "port": "port",
            "folder": "path",
            "user_id": "user id",
            "code": "code",
        }
        for address in found:
            for part, word in words.items():
                value = getattr(address, part)
                if value is None:
                    continue
                if part in values and values[part] != value:
                    self.fail(
                        f"{said_by[part]} and {address.label} name different values for the {word}",
                        "keep one of the two",
                    )
                values[part], said_by[part] = value, said_by.get(part, address.label)
        return _Address("", **values)

    def login(self, login: str | None) -> _Address:
        if login is None:
            return _Address("the login")
        if not re.fullmatch(r"[0-9]+", login) or int(login) == 0:
            self.fail(
                "the login is not a user id", f"write the number between /rest/ and the code of {SPECIMEN} into Login"
            )
        return _Address("the login", user_id=str(int(login)))

    def password(self, password: str | None) -> _Address:
        label = "the password"
        if password is None:
            return _Address(label)
        if "://" in password or re.search(r"(^|/)rest/", password):
            return self.address(label, password)
        if match := re.fullmatch(r"/?([0-9]+)/([^/]+)/?", password):
            return _Address(label, user_id=match[1], code=self.code(label, match[2]))
        return _Address(label, code=self.code(label, password))

    def host(self, host: str | None, schema: str | None, conn_type: str | None) -> _Address:
        """Airflow's parser of connection addresses puts the path into ``schema``, and the scheme into ``conn_type``."""
        label = "the host"
        scheme = conn_type.lower() if conn_type and conn_type.lower() in ("http", "https") else None
        if schema and schema.lower() in ("http", "https"):
            scheme, schema = schema.lower(), None
        if host is None:
            return _Address(label)
        if scheme and "://" not in host:
            host = f"{scheme}://{host}"
        return self.address(label, f"{host.rstrip('/')}/{schema.lstrip('/')}" if schema else host)

    def address(self, label: str, text: str | None) -> _Address:
        """Take a pasted address apart: scheme, host, port, folder, user id, code; a method at its end is left out."""
        if text is None:
            return _Address(label)
        # An address that went through Airflow's parser may carry two schemes: bitrix24://https://…
        match = re.fullmatch(r"((?:[A-Za-z][A-Za-z0-9+.-]*:/+)*)(.*)", text, re.DOTALL)
        schemes, rest = match.groups() if match else ("", text)
        scheme = schemes.lower().split(":")[-2].lstrip("/") if schemes else ""
        if scheme not in ("", "http", "https", "bitrix24"):
            self.fail(f"{label} begins with {scheme}://", "write https://")
        try:
            url = urlsplit(f"//{rest}")
            host, port = url.hostname, url.port
            host = host.encode("idna").decode() if host and not host.isascii() else host
        except (ValueError, UnicodeError):
            self.fail(f"the address in {label} cannot be read", f"it must look like {SPECIMEN}")
        if not host:
            self.fail(f"{label} holds no host", f"it must look like {SPECIMEN}")
        if re.search(r"[^\w.:-]", host):
            self.fail(f"the host name in {label} has a character that no host has", "write e.g. my.bitrix24.com")
        folder, user_id, code = self.path(label, url.path)
        if url.username and url.password and not user_id:
            user_id, code = unquote(url.username), self.code(label, url.password)
        return _Address(
            label,
            scheme if scheme in ("http", "https") else None,
            host.lower().rstrip("."),
            port,
            folder,
            user_id,
            code,
        )

    def path(self, label: str, path: str) -> tuple[str | None, str | None, str | None]:
        """``/folder/rest/1/CODE/method`` -> ``/folder``, ``1``, ``CODE``."""
        segments = [unquote(segment) for segment in path.split("/") if segment]
        if "rest" not in segments:
            return f"/{'/'.join(segments)}" if segments else None, None, None
        at = segments.index("rest")
        folder = f"/{'/'.join(segments[:at])}" if at else None
        after = segments[at + 1 :]
        if after[:1] == ["api"]:
            after = after[1:]
        if not after:
            return folder, None, None
        if not re.fullmatch(r"[0-9]+", after[0]) or int(after[0]) == 0:
            self.fail(f"{label} has no user id between /rest/ and the code", f"it must look like {SPECIMEN}")
        user_id = str(int(after[0]))
        return folder, user_id, self.code(label, after[1]) if len(after) > 1 else None

    def code(self, label: str, code: str) -> str:
        code = unquote(code)
        if set(code) <= {"*"}:
            self.fail(f"the code in {label} is masked (***)", "paste the code itself, as the portal shows it")
        if re.search(r"[\s/?#\\]", code):
            self.fail(f"the code in {label} has a blank or a slash in it", "paste only the code, or the whole address")
        return code


class _Extras:
    """The extras of a connection: each checked, texts from forms understood, unknown ones warned about once."""

    KNOWN = frozenset(
        {
            "webhook_url",
            "verify",
            "timeout",
            "proxy",
            "allowed_domains",
            "allow_http",
            "max_response_mib",
            "plan",
            "rate",
            "burst",
            "limiter",
            "operating_budget",
        }
    )

    def __init__(self, name: str, extra: Mapping[str, Any]) -> None:
        self.name = name
        self.extra = extra
        for key in extra:
            if key not in self.KNOWN and (name, key) not in _already_warned:
                _already_warned.add((name, key))
                log.warning(
                    "Connection %r: the extra %r is unknown and ignored; known are %s.",
                    name,
                    key,
                    ", ".join(sorted(self.KNOWN)),
                )

    def fail(self, key: str, must: str) -> NoReturn:
        raise ConfigurationError(f'connection {self.name!r}: the extra "{key}" is wrong', next_step=must)

    def get(self, key: str) -> Any:
        """The value, or None where it is unset: forms save empty fields as null or as empty text."""
        value = self.extra.get(key)
        return None if isinstance(value, str) and not value.strip() else value

    def text(self, key: str) -> str | None:
        value = self.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(key, "it must be text")
        return _text(value)

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        return self._word(key, value, "it must be true or false")

    def _word(self, key: str, value: Any, must: str) -> bool:
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self.fail(key, must)
        return word in _TRUE

    def number(self, key: str, default: float) -> float:
        value = self.get(key)
        if value is None:
            return default
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not 0 < number < 1e6:
            self.fail(key, "it must be a number above 0")
        return number

    def verify(self) -> bool | str | None:
        """True, False or a file or folder of authorities; None leaves it to the environment."""
        value = self.get("verify")
        if value is None or isinstance(value, bool):
            return self._warned(value)
        if str(value).strip().lower() in _TRUE | _FALSE:
            return self._warned(self._word("verify", value, ""))
        if not isinstance(value, str) or not os.path.exists(value.strip()):
            self.fail(
                "verify", "it must be true, false or the path of a file of certificate authorities that exists here"
            )
        return value.strip()

    def _warned(self, verify: bool | None) -> bool | None:
        if verify is False and (self.name, "verify=false") not in _already_warned:
            _already_warned.add((self.name, "verify=false"))
            log.warning(
                "Connection %r does not check the portal's certificate: "
                "set the extra verify to the file of your certificate authority instead.",
                self.name,
            )
        return verify

    def proxy(self) -> str | None:
        value = self.text("proxy")
        if value is None:
            return None
        try:
            url = urlsplit(value if "://" in value else f"http://{value}")
            usable = bool(url.hostname) and url.scheme in ("http", "https", "socks5", "socks5h") and (url.port or True)
        except ValueError:
            usable = False
        if not usable:
            self.fail("proxy", "it must look like http://proxy.example.com:3128")
        return url.geturl()

    def bucket(self) -> Bucket:
        try:
            return bucket_from(self.text("plan"), self.get("rate"), self.get("burst"))
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.name!r}: {error.reason}", next_step=error.next_step) from None

    def domains(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        if isinstance(value, str):
            value = [part for part in re.split(r"[\s,;]+", value) if part]
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
            self.fail(key, 'it must be a list of host names such as ["new.bitrix24.com", "*.bitrix24.com"]')
        domains = tuple(part.strip().lower() for part in value)
        for domain in domains:
            if not re.fullmatch(r"(\*|[\w-]+)(\.(\*|[\w-]+))+|[\w-]+", domain) or set(domain) <= set("*."):
                self.fail(key, f"{domain!r} is not a host name; write e.g. new.bitrix24.com or *.bitrix24.com")
        return domains


def _text(value: str | None) -> str | None:
    """Text without the blanks and quotes that pasting brings; None where nothing is left."""
    text = (value or "").strip().strip("\"'<>").strip()
    return text or None
