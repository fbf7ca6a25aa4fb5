"""The address of a portal and the webhook, read from whatever people paste into the fields of a connection."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.limits.operating import OPERATING_BUDGET_SECONDS
from airflow_provider_bitrix24.rest.portal import MAX_RESPONSE_MIB, READ_TIMEOUT_SECONDS, Portal, Webhook
from airflow_provider_bitrix24.rest.settings.extras import Extras, is_host, trimmed

#: What a webhook address looks like, for messages.
EXAMPLE = "https://HOST/rest/USER_ID/CODE/"

#: The fields, as the form of a connection names them and as JSON does.
PORTAL, USER_ID, WEBHOOK_CODE = "Portal (host)", "Webhook user id (login)", "Webhook code (password)"

#: A shorter code, as in tests, may be part of any name.
_SHORTEST_SECRET = 8
#: Domains of cloud portals, whose address never has a folder.
_CLOUD_HOST = re.compile(r"(^|\.)bitrix24\.[a-z]{2,4}(\.[a-z]{2})?$")


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
    Read the fields of a connection.

    The canonical form is host ``my.bitrix24.com``, login ``1`` (the webhook's user id), password (its code). A whole
    webhook address is understood in host, password or the extra ``webhook_url``, with or without a method at its end.

    An application is described by the extras ``client_id``, ``client_secret`` and ``refresh_token`` instead.

    :param name: the connection's id, for messages.
    :raises ConfigurationError: a part is missing or wrong, or two fields disagree about it; the message names it.
    """
    settings = Extras(name, extra or {})
    reader = _Reader(name)
    addresses = [
        reader.address("the extra `webhook_url`", settings.text("webhook_url")),
        reader.password(trimmed(password)),
        reader.host(trimmed(host), trimmed(schema), trimmed(conn_type)),
        reader.login(trimmed(login)),
        reader.port(port),
    ]
    address = reader.merge(addresses)
    scheme = address.scheme or "https"
    allow_http = settings.flag("allow_http")
    if scheme == "http" and not allow_http:
        reader.fail(
            "the address begins with http://, which would send the webhook's code or the tokens unencrypted",
            "use https://, or set the extra `allow_http` to true for a portal without TLS",
        )
    if not address.host:
        reader.fail(f"{PORTAL} is missing", "write the portal's address, e.g. my.bitrix24.com, into it")
    code, shown = address.code or "", f"{address.host}{address.folder or ''}".lower()
    if len(code) >= _SHORTEST_SECRET and code.lower() in shown:
        # Host and path appear in logs and messages.
        reader.fail("the webhook's code appears in the address outside of /rest/", f"it must look like {EXAMPLE}")
    if address.folder and _CLOUD_HOST.search(address.host):
        # Not shown: it may be the code.
        reader.fail(
            f"{PORTAL} has a path, which no cloud portal has", "write only the name, e.g. my.bitrix24.com, into it"
        )
    credentials = settings.application(is_webhook=bool(address.code)) or reader.webhook(address)
    settings.check_user(credentials)
    return Portal(
        host=address.host,
        credentials=credentials,
        scheme=scheme,
        port=None if address.port == {"https": 443, "http": 80}[scheme] else address.port,
        folder=address.folder or "",
        verify=settings.verify(),
        proxy=settings.proxy(),
        timeout_seconds=settings.number("timeout", READ_TIMEOUT_SECONDS),
        max_response_mib=math.ceil(settings.number("max_response_mib", MAX_RESPONSE_MIB)),
        allowed_domains=settings.domains("allowed_domains"),
        bucket=settings.bucket(),
        parallel=settings.parallel(),
        metrics=settings.flag("metrics", default=True),
        limiter=settings.text("limiter"),
        operating_budget_seconds=settings.number("operating_budget", OPERATING_BUDGET_SECONDS),
    )


@dataclass(frozen=True)
class _Address:
    """What one field of the connection says; a part is None where the field does not give it."""

    label: str
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    folder: str | None = None
    user_id: str | None = None
    code: str | None = None


#: The parts of an address, and what messages call them.
_PARTS = {"scheme": "scheme", "host": "host", "port": "port", "folder": "path", "user_id": "user id", "code": "code"}


class _Reader:
    """Reads the fields that hold the address and the webhook."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, what: str, hint: str) -> NoReturn:
        raise ConfigurationError(f"connection {self.name!r}: {what}", next_step=hint)

    def merge(self, addresses: list[_Address]) -> _Address:
        """Make one address of all; two fields that disagree are an error, since only the user knows which is right."""
        values: dict[str, Any] = {}
        source_of: dict[str, str] = {}
        for address in addresses:
            for part, word in _PARTS.items():
                value = getattr(address, part)
                if value is None:
                    continue
                if part in values and values[part] != value:
                    self.fail(
                        f"{source_of[part]} and {address.label} give different values for the {word}",
                        "keep one of the two",
                    )
                values[part], source_of[part] = value, source_of.get(part, address.label)
        return _Address("", **values)

    def webhook(self, address: _Address) -> Webhook:
        if not address.user_id:
            self.fail(f"{USER_ID} is missing", f"write the number between /rest/ and the code of {EXAMPLE} into it")
        if not address.code:
            self.fail(f"{WEBHOOK_CODE} is missing", f"write the part after the user id of {EXAMPLE} into it")
        return Webhook(address.user_id, address.code)

    def login(self, login: str | None) -> _Address:
        if login is None:
            return _Address(USER_ID)
        user_id = _user_id(login)
        if user_id is None:
            self.fail(
                f"{USER_ID} is not a user id", f"write the number between /rest/ and the code of {EXAMPLE} into it"
            )
        return _Address(USER_ID, user_id=user_id)

    def port(self, port: Any) -> _Address:
        label = "Port"
        # The connection test of Airflow 3 sends 0 for an empty field; JSON may hold text.
        if port in (None, 0, "", "0"):
            return _Address(label)
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", str(port), re.ASCII) else 0
        if not 0 < number < 65536:
            self.fail(f"{label} is not valid", "write a number from 1 to 65535 into it, or leave it empty")
        return _Address(label, port=number)

    def password(self, password: str | None) -> _Address:
        label = WEBHOOK_CODE
        if password is None:
            return _Address(label)
        if "/" in password and (end := self.end(label, password)):
            return end
        # A code never has a dot.
        if re.fullmatch(r"([\w-]+\.)+[\w-]+(:[0-9]+)?", password):
            self.fail(f"{label} is the name of a host", f"write it into {PORTAL}, and the code into {WEBHOOK_CODE}")
        if "/" in password:
            return self.address(label, password)
        return _Address(label, code=self.code(label, password))

    def end(self, label: str, text: str) -> _Address | None:
        """Read the end of an address, ``/rest/1/CODE/``, ``1/CODE`` or ``CODE/method``; None where it has a host."""
        segments = [segment for segment in text.split("/") if segment]
        for prefix in ("rest", "api"):
            if segments and segments[0].lower() == prefix:
                segments = segments[1:]
        user_id = _user_id(segments[0]) if len(segments) > 1 else None
        code, *method = segments[1:] if user_id else segments or [""]
        if len(method) > 1 or re.search(r"[.:]", code) or "rest" in (segment.lower() for segment in method):
            return None
        return _Address(label, user_id=user_id, code=self.code(label, code)) if code else None

    def host(self, host: str | None, schema: str | None, conn_type: str | None) -> _Address:
        """Read the host; Airflow puts the path of an address into ``schema`` and its scheme into ``conn_type``."""
        label = PORTAL
        scheme = conn_type.lower() if conn_type and conn_type.lower() in ("http", "https") else None
        if schema and schema.lower() in ("http", "https"):
            scheme, schema = schema.lower(), None
        if host is None:
            return _Address(label)
        if scheme and "://" not in host:
            host = f"{scheme}://{host}"
        return self.address(label, f"{host.rstrip('/')}/{schema.lstrip('/')}" if schema else host)

    def address(self, label: str, text: str | None) -> _Address:
        """Split an address into scheme, host, port, folder, user id and code; a method at its end is left out."""
        if text is None:
            return _Address(label)
        # An address that went through Airflow's parser may carry two schemes: bitrix24://https://…
        match = re.fullmatch(r"((?:[A-Za-z][A-Za-z0-9+.-]*:/+)*)(.*)", text, re.DOTALL)
        schemes, rest = match.groups() if match else ("", text)
        scheme = schemes.lower().split(":")[-2].lstrip("/") if schemes else ""
        if scheme not in ("", "http", "https", "bitrix24"):
            self.fail(f"{label} does not begin with https://", "write https://")
        try:
            url = urlsplit(f"//{rest}")
            host, port = url.hostname, url.port
            host = host.encode("idna").decode() if host and not host.isascii() else host
        except (ValueError, UnicodeError):
            self.fail(f"the address in {label} cannot be read", f"it must look like {EXAMPLE}")
        if not host:
            self.fail(f"the address in {label} has no host name", f"it must look like {EXAMPLE}")
        if host in ("http", "https"):
            self.fail(f"{label} begins with {host} without a colon", "write https://")
        if re.search(r"[^\w.:-]", host):
            self.fail(
                f"the host name in {label} has a character that is not allowed in one", "write e.g. my.bitrix24.com"
            )
        if not is_host(host):
            self.fail(f"the host name in {label} has a part that is empty or too long", "write e.g. my.bitrix24.com")
        if port == 0:
            self.fail(f"the port in {label} is not valid", "write a number from 1 to 65535, or leave it out")
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
        lowered = [segment.lower() for segment in segments]
        if "rest" not in lowered:
            if any(_user_id(segment) for segment in segments[:-1]):
                # What follows a number is most likely the code, and a folder appears in messages.
                self.fail(f"{label} has no /rest/ before the user id", f"it must look like {EXAMPLE}")
            return f"/{'/'.join(segments)}" if segments else None, None, None
        at = lowered.index("rest")
        folder = f"/{'/'.join(segments[:at])}" if at else None
        after = segments[at + 1 :]
        if after and after[0].lower() == "api":
            after = after[1:]
        if not after:
            return folder, None, None
        user_id = _user_id(after[0])
        if user_id is None:
            self.fail(f"{label} has no user id between /rest/ and the code", f"it must look like {EXAMPLE}")
        return folder, user_id, self.code(label, after[1]) if len(after) > 1 else None

    def code(self, label: str, code: str) -> str:
        code = unquote(code)
        if set(code) <= {"*"}:
            self.fail(f"the code in {label} is masked (***)", "paste the code itself, as the portal shows it")
        # Codes are letters and digits; text copied from a chat or a document may hold an invisible character.
        if not re.fullmatch(r"[!-~]+", code) or re.search(r"[/?#\\:;,]", code):
            self.fail(
                f"the code in {label} has a character that is not allowed in one",
                "paste only the code, or the whole address",
            )
        return code


def _user_id(text: str) -> str | None:
    """Return a whole number above 0 without leading zeros; None for any other text."""
    return str(int(text)) if re.fullmatch(r"0*[1-9][0-9]{0,17}", text, re.ASCII) else None
