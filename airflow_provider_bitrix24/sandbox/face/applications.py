"""The applications of a running portal, as tests and demos hold them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.sandbox.face.sizes import check
from airflow_provider_bitrix24.sandbox.state.applications import REFRESH_SECONDS, Application
from airflow_provider_bitrix24.sandbox.state.known_words import ALL_SCOPES, PlanFeatures
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User, check_user


class Applications(ABC):
    """The part of :class:`~airflow_provider_bitrix24.sandbox.Sandbox` that concerns OAuth."""

    admin: User
    _state: PortalState

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def ca_file(self) -> str: ...

    def application(
        self,
        user: User | None = None,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        redirect_to: str | None = None,
        access_seconds: float | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> Application:
        """
        A new local application.

        :param user: who signs in, the administrator by default.
        :param redirect_to: where the code is sent after signing in; ``None`` shows it on a page.
        :param access_seconds: life of an access token, an hour by default (scenario ``expired-tokens``: 5 seconds).
        """
        check_user(user)
        check(access_seconds=access_seconds, refresh_seconds=refresh_seconds)
        with self._state.lock:
            application = Application(
                self._state,
                user or self.admin,
                scopes,
                redirect_to=redirect_to,
                access_seconds=self._state.access_seconds if access_seconds is None else access_seconds,
                refresh_seconds=refresh_seconds,
            )
            self._state.applications[application.client_id] = application
            return application

    def oauth_connection(
        self, app: Application | None = None, user: User | None = None, **extra: Any
    ) -> dict[str, Any]:
        """
        An Airflow connection of an application with a new pair, as keyword arguments; ``extra`` is added to its extras.

        :param app: a new application by default.
        """
        if app is not None and not isinstance(app, Application):
            raise ValueError(f"app={app!r} is not valid: give portal.application(), or a user as user=.")
        check_user(user)
        application = app or self.application(user)
        pair = application.grant(user)
        return {
            "conn_type": "bitrix24",
            "host": self.url,
            "extra": {
                "verify": self.ca_file,
                "auth": "oauth",
                "client_id": application.client_id,
                "client_secret": application.client_secret,
                "refresh_token": pair["refresh_token"],
                "access_token": pair["access_token"],
                "member_id": application.member_id,
                "oauth_url": f"{self.url}/oauth/token/",
                **extra,
            },
        }

    def oauth_connection_json(self, app: Application | None = None, user: User | None = None, **extra: Any) -> str:
        """The same as text for ``AIRFLOW_CONN_BITRIX24_DEFAULT``."""
        return json.dumps(self.oauth_connection(app, user, **extra))

    @property
    def member_id(self) -> str:
        """The portal's identity, which survives a change of its address."""
        return self._state.member_id

    @property
    def plan_features(self) -> set[str]:
        """What the plan includes of ``rest_offline_extended`` and ``rest_auth_connector``: change it to take away."""
        return self._state.plan_features

    @plan_features.setter
    def plan_features(self, features: set[str]) -> None:
        self._state.plan_features = PlanFeatures(features)

    @property
    def renewals(self) -> int:
        """How often the authorization server gave a new pair for a refresh token."""
        with self._state.lock:
            return sum(application.renewals for application in self._state.applications.values())

    @property
    def refused_renewals(self) -> int:
        """How often it was shown a refresh token that had been used, or was too old."""
        with self._state.lock:
            return sum(application.refused_renewals for application in self._state.applications.values())
