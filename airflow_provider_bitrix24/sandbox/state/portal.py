"""The portal as its methods see it: settings, people, rights, clock, limits and objects."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.state import texts
from airflow_provider_bitrix24.sandbox.state.answers import SetAnswers
from airflow_provider_bitrix24.sandbox.state.applications import ACCESS_SECONDS, Application
from airflow_provider_bitrix24.sandbox.state.calls import CallLog
from airflow_provider_bitrix24.sandbox.state.core import PortalCore
from airflow_provider_bitrix24.sandbox.state.events import Events
from airflow_provider_bitrix24.sandbox.state.faults import Faults
from airflow_provider_bitrix24.sandbox.state.known_words import ALL_SCOPES, PLAN_FEATURES, PlanFeatures, Scopes
from airflow_provider_bitrix24.sandbox.state.limits import OperatingTime, RequestBucket
from airflow_provider_bitrix24.sandbox.state.settings import Settings
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User

#: What stands in the addresses of files: of those of the drive, and of documents.
DOWNLOADS = frozenset(
    (
        "download",
        "crm.documentgenerator.template.download",
        *(f"crm.documentgenerator.document.{action}" for action in ("download", "getPdf", "getImage")),
    )
)


class PortalState(PortalCore):
    """One portal. Whoever reads or changes it holds ``lock``: the server runs in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        users: list[User],
        store: Store,
        *,
        rate: float | None,
        burst: int | None,
        operating_limit: float | None,
        method_seconds: Mapping[str, float],
        check_method: Callable[[str], None],
    ) -> None:
        super().__init__(settings, users)
        self.store = store
        self.scopes = Scopes(ALL_SCOPES)
        self.applications: dict[str, Application] = {}
        #: Life of the access tokens of new applications.
        self.access_seconds = ACCESS_SECONDS
        self.plan_has_rest = True
        #: What the plan includes beside REST; ``feature.get`` tells.
        self.plan_features = PlanFeatures(PLAN_FEATURES)
        #: Whether the site where customers pay has a confirmed phone: without, there are no links to payments.
        self.payment_site_phone_confirmed = True
        self.bucket = RequestBucket(self.clock, rate, burst)
        self.operating = OperatingTime(self.clock, operating_limit, method_seconds)
        self.events = Events(self)
        self.faults = Faults()
        #: Set by the user; which names there are is known above.
        self.answers = SetAnswers(check_method)
        self.log = CallLog()

    def text(self, key: str, **values: Any) -> str:
        """A description in the portal's language."""
        return texts.text(self.settings.language, key, **values)

    def download_url(self, file_id: int, action: str = "download") -> str:
        """Where the bytes of a file are, under one of :data:`DOWNLOADS`; whoever has the address may have them."""
        return self._signed_url(action, file_id)

    def downloaded(self, action: str, query: Mapping[str, Any]) -> tuple[str, bytes] | None:
        """Name and bytes of the file at an address of :meth:`download_url`."""
        file_id = self._signed_number(action, query)
        return None if file_id is None else self.store.files.get(file_id)

    def upload_url(self, upload_id: int) -> str:
        """Where the bytes of a file go; whoever has the address may send them."""
        return self._signed_url("upload", upload_id)

    def awaited(self, query: Mapping[str, Any]) -> Row | None:
        """What is to become of the file that is sent to an address of :meth:`upload_url`."""
        upload_id = self._signed_number("upload", query)
        return None if upload_id is None else self.store.uploads.get(upload_id)

    def _signed_url(self, action: str, number: int) -> str:
        signature = hmac.digest(self.member_id.encode(), f"{action} {number}".encode(), "sha256").hex()[:32]
        return f"{self.url}/rest/{action}.json?auth={signature}&token=disk%7C{number}"

    def _signed_number(self, action: str, query: Mapping[str, Any]) -> int | None:
        kind, _, number = str(query.get("token") or "").partition("|")
        if kind != "disk" or not number.isdigit():
            return None
        return int(number) if f"auth={query.get('auth')}&" in self._signed_url(action, int(number)) else None

    def webhook_owner(self, user_id: str, code: str) -> User | None:
        user = self.users.get(int(user_id)) if user_id.isascii() and user_id.isdigit() else None
        if user is None or not user.code or not secrets.compare_digest(user.code.encode(), code.encode()):
            return None
        return user

    def scopes_of(self, user: User) -> Scopes:
        """What the webhook may do, or the application through which the user calls."""
        return self.scopes if user.application is None else user.application.scopes

    def credential(self, user: User) -> str:
        """Whose operating time is used up by this user's webhook or application."""
        if user.application is not None:
            return f"application {user.application.client_id}"
        return "webhooks" if self.settings.operating_shared else f"webhook of {user.id}"
