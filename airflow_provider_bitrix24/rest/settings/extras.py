"""The extras of a connection: each checked, texts from forms understood."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest import certificates
from airflow_provider_bitrix24.rest.limits.bucket import Bucket, bucket_from, pods_warning
from airflow_provider_bitrix24.rest.portal import OAuthApp

log = logging.getLogger(__name__)

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_already_warned: set[tuple[str, str]] = set()


class Extras:
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
            "auth",
            "client_id",
            "client_secret",
            "refresh_token",
            "access_token",
            "member_id",
            "oauth_url",
            "token_store",
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
                    # A pasted address holds the code.
                    key if re.fullmatch(r"\w{1,40}", key) else "…",
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
        return trimmed(value)

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
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not 0 < number < 1e6:
            self.fail(key, "it must be a number above 0 and below 1000000")
        return number

    def verify(self) -> bool | str | None:
        """True, False or a file or folder of authorities; None leaves it to the environment."""
        value = self.get("verify")
        if value is None or isinstance(value, bool):
            return self._warned(value)
        if str(value).strip().lower() in _TRUE | _FALSE:
            return self._warned(self._word("verify", value, ""))
        path = value.strip() if isinstance(value, str) else ""
        if not certificates.can_be_read(path):
            self.fail(
                "verify",
                "it must be true, false or the path of a file of certificate authorities (PEM) that exists here",
            )
        return path

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
            usable = is_host(url.hostname or "") and url.scheme in ("http", "https", "socks5", "socks5h")
            usable = usable and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            self.fail("proxy", "it must look like http://proxy.example.com:3128")
        return url.geturl()

    def bucket(self) -> Bucket:
        warning = pods_warning(self.text("limiter"), self.get("rate"), self.get("burst"))
        if warning and (self.name, "pods") not in _already_warned:
            _already_warned.add((self.name, "pods"))
            log.warning("Connection %r: %s", self.name, warning)
        plan = self.text("plan")
        try:
            return bucket_from(plan, self.get("rate"), self.get("burst"))
        except ConfigurationError as error:
            # Without the value: whatever stands in an extra may be the webhook.
            which = error.reason.partition(" is ")[0]
            raise ConfigurationError(f"connection {self.name!r}: {which} is wrong", next_step=error.next_step) from None

    def application(self, *, is_webhook: bool) -> OAuthApp | None:
        """
        The application that the extras describe; None where the connection is a webhook.

        :param is_webhook: whether the connection holds a webhook's code.
        """
        auth = (self.text("auth") or "").lower()
        if auth not in ("", "webhook", "oauth"):
            self.fail("auth", 'it must be "webhook" or "oauth"')
        app = {key: self.text(key) for key in ("client_id", "client_secret", "refresh_token", "access_token")}
        # These may stand beside a webhook, and mean nothing there.
        hints = not is_webhook and any(self.text(key) for key in ("member_id", "oauth_url", "token_store"))
        if auth == "webhook" or not (auth or hints or any(app.values())):
            return None
        if not auth and is_webhook:
            raise ConfigurationError(
                f"connection {self.name!r}: it holds a webhook and an application",
                next_step='set the extra "auth" to "webhook" or to "oauth"',
            )
        for key in ("client_id", "client_secret", "refresh_token"):
            if not app[key]:
                raise ConfigurationError(
                    f'connection {self.name!r}: the extra "{key}" is missing',
                    next_step="`python -m airflow_provider_bitrix24.authorize` makes a whole connection",
                )
        for key, value in app.items():
            if value and set(value) == {"*"}:
                self.fail(key, "it is masked (***): write the value itself, which Airflow's pages do not show")
        return OAuthApp(
            client_id=app["client_id"] or "",
            client_secret=app["client_secret"] or "",
            refresh_token=app["refresh_token"] or "",
            access_token=app["access_token"],
            member_id=self.text("member_id"),
            oauth_url=self._oauth_url(),
            token_store=self.text("token_store"),
        )

    def _oauth_url(self) -> str | None:
        value = self.text("oauth_url")
        if value is None:
            return None
        try:
            url = urlsplit(value if "://" in value else f"https://{value}")
            usable = url.scheme == "https" and is_host(url.hostname or "") and not url.username and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            self.fail("oauth_url", "it must look like https://oauth.bitrix.info/oauth/token/, with https")
        return f"https://{url.netloc}{url.path if url.path.strip('/') else '/oauth/token/'}"

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
                self.fail(
                    key, "it must be host names, e.g. new.bitrix24.com or *.bitrix24.com, without https:// and paths"
                )
        return domains


def trimmed(value: str | None) -> str | None:
    """Text without the blanks and quotes that pasting brings; None where nothing is left."""
    text = (value or "").strip().strip("\"'<>").strip()
    return text or None


def is_host(name: str) -> bool:
    """Whether a name can be looked up: labels of 1 to 63 characters, 253 in all (RFC 1035, 2.3.4); or an address."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and (":" in name or all(0 < len(label) <= 63 for label in labels))
