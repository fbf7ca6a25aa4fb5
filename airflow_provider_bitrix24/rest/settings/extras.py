"""The extras of a connection: each is checked, and texts from forms and addresses are understood."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest import certificates
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, STANDARD, Bucket
from airflow_provider_bitrix24.rest.limits.concurrency import MOST_UNDER_WAY
from airflow_provider_bitrix24.rest.portal import OAuthApp, Webhook

log = logging.getLogger(__name__)

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
#: What the page of Airflow 2 has in place of a secret that is stored (``airflow.www.views``), and sends to a test.
STORED_SECRET = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"  # noqa: S105
#: How that page names a field beside the extra itself, in what it sends to a test.
_FIELD_PREFIX = "extra__bitrix24__"
_already_warned: set[tuple[str, str]] = set()


class Extras:
    """
    The extras of one connection. Warns once of each that is unknown.

    :param name: the connection's id, for messages.
    """

    KNOWN = frozenset(
        {
            "webhook_url",
            "expected_user_id",
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
            "parallel",
            "metrics",
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
            again = key.startswith(_FIELD_PREFIX) and key.removeprefix(_FIELD_PREFIX) in extra
            if key not in self.KNOWN and not again:
                # A pasted address holds the code.
                shown = key if re.fullmatch(r"\w{1,40}", key) else "…"
                self._warn_once(
                    key, f"the extra {shown!r} is unknown and ignored; known extras: {', '.join(sorted(self.KNOWN))}"
                )

    def fail(self, key: str, must: str) -> NoReturn:
        """:raises ConfigurationError: always; the value is not shown, because whatever stands there may be secret."""
        raise ConfigurationError(f"connection {self.name!r}: the extra `{key}` is wrong", next_step=must)

    def get(self, key: str) -> Any:
        """Return the value, or None where it is unset: forms save empty fields as null or as empty text."""
        value = self.extra.get(key)
        return None if isinstance(value, str) and not value.strip() else value

    def text(self, key: str) -> str | None:
        value = self.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(key, "it must be text")
        text = trimmed(value)
        if text == STORED_SECRET:
            raise ConfigurationError(
                f"connection {self.name!r}: the page of Airflow 2 sends no stored secret to its test, so the extra "
                f"`{key}` is not known here",
                next_step="write it again, or run `airflow connections test` with the connection's id",
            )
        if text and set(text) == {"*"}:
            self.fail(key, "it is masked (***); write the value itself, which Airflow's pages do not show")
        return text

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self.fail(key, "it must be on or off" if default else "it must be true or false")
        return word in _TRUE

    def number(self, key: str, default: float, *, least: float = 0.0, below: float = 1e6) -> float:
        """Return a number that is above 0, ``least`` or more, and less than ``below``."""
        value = self.get(key)
        if value is None:
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (0 < number < below and number >= least):
            lower = f"of {least:g} or more" if least else "above 0"
            self.fail(key, f"it must be a number {lower}{f' and below {below:.0f}' if below < math.inf else ''}")
        return number

    def verify(self) -> bool | str | None:
        """Return True, False or a file or folder of certificate authorities; None leaves it to the environment."""
        value = self.get("verify")
        if value is None:
            return None
        word = str(value).strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            self._warn_once(
                "verify=false",
                "the portal's certificate is not checked; it is safer to set the extra `verify` to the file of your "
                "certificate authority",
            )
            return False
        path = value.strip() if isinstance(value, str) else ""
        if not certificates.can_be_read(path):
            self.fail(
                "verify",
                "it must be true, false, or the path of a file of certificate authorities (PEM) that exists here",
            )
        return path

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
        """
        Return the request bucket that the extras ``plan``, ``rate`` and ``burst`` describe.

        Warns in a Kubernetes pod where nothing is set: pods share a source address but no disk, and so know nothing of
        each other's requests.
        """
        plan = (self.text("plan") or STANDARD).lower()
        if plan not in PLANS:
            self.fail("plan", f"it must be one of: {', '.join(PLANS)}")
        published = PLANS[plan]
        bucket = Bucket(
            rate=self.number("rate", published.rate, below=math.inf),
            burst=self.number("burst", published.burst, least=1.0, below=math.inf),
        )
        in_a_pod = bool(os.environ.get("KUBERNETES_SERVICE_HOST"))
        if in_a_pod and not self.text("limiter") and self.get("rate") is None and self.get("burst") is None:
            self._warn_once(
                "pods",
                "pods usually share one source address, and with it one request bucket of the portal, but no disk on "
                "which to count together; set the extra `limiter` to a redis:// address, or divide `rate` and `burst` "
                f"({bucket.rate:g} and {bucket.burst:g}) by the number of pods",
            )
        return bucket

    def parallel(self) -> int:
        """Return how many requests may be under way at once, from 1 to 100."""
        number = self.number("parallel", MOST_UNDER_WAY, least=1.0, below=101.0)
        if number != int(number):
            self.fail("parallel", "it must be a whole number from 1 to 100")
        return int(number)

    def application(self, *, is_webhook: bool) -> OAuthApp | None:
        """
        Return the application that the extras describe; None where the connection is a webhook.

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
                f"connection {self.name!r}: it holds both a webhook and an application",
                next_step='set the extra `auth` to "webhook" or to "oauth"',
            )
        for key in ("client_id", "client_secret", "refresh_token"):
            if not app[key]:
                raise ConfigurationError(
                    f"connection {self.name!r}: the extra `{key}` is missing",
                    next_step="run `python -m airflow_provider_bitrix24.authorize`, which writes a complete connection",
                )
        return OAuthApp(
            client_id=app["client_id"] or "",
            client_secret=app["client_secret"] or "",
            refresh_token=app["refresh_token"] or "",
            access_token=app["access_token"],
            member_id=self.text("member_id"),
            oauth_url=self._oauth_url(),
            token_store=self.text("token_store"),
        )

    def check_user(self, credentials: Webhook | OAuthApp) -> None:
        """
        Check that the webhook is that of the user whom the extra ``expected_user_id`` names.

        :raises ConfigurationError: it is another user's, or belongs to an application.
        """
        value = self.get("expected_user_id")
        if value is None:
            return
        text = "" if isinstance(value, bool) else str(value).strip()
        if not re.fullmatch(r"0*[1-9][0-9]{0,17}(\.0+)?", text, re.ASCII):
            self.fail("expected_user_id", "it must be a user's id, e.g. 7")
        expected = str(int(text.partition(".")[0]))
        if isinstance(credentials, OAuthApp):
            self.fail("expected_user_id", "it is for webhooks; leave it out, or use a webhook")
        if credentials.user_id != expected:
            raise ConfigurationError(
                f"connection {self.name!r}: the webhook belongs to user {credentials.user_id}, and the extra "
                f"`expected_user_id` is {expected}",
                next_step=f"use a webhook of user {expected}, or correct the extra",
            )

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
            host, _, port = domain.partition(":")
            usable = re.fullmatch(r"(\*|[\w-]+)(\.(\*|[\w-]+))+|[\w-]+", host) and not set(host) <= set("*.")
            if not usable or (":" in domain and not re.fullmatch(r"[1-9][0-9]{0,4}", port)):
                self.fail(
                    key,
                    "it must hold host names, e.g. new.bitrix24.com or *.bitrix24.com, without https:// and paths",
                )
        return domains

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

    def _warn_once(self, what: str, warning: str) -> None:
        if (self.name, what) not in _already_warned:
            _already_warned.add((self.name, what))
            log.warning("Connection %r: %s.", self.name, warning)


def trimmed(value: str | None) -> str | None:
    """Return text without the blanks and quotes that pasting brings; None where nothing is left."""
    text = (value or "").strip().strip("\"'<>").strip()
    return text or None


def is_host(name: str) -> bool:
    """Whether a name can be looked up: labels of 1 to 63 characters, 253 in all (RFC 1035, 2.3.4); or an address."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and (":" in name or all(0 < len(label) <= 63 for label in labels))
